// What runs show of the controls of auditors: pass, stale, fail, and why.
#include "evidence/controls.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "run/fake_engine.h"
#include "test_places.h"

namespace lifeboat::evidence {
namespace {

using std::chrono::hours;
using std::chrono::nanoseconds;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr WallTime now{1'795'000'000'000'000'000};

WallTime ago(nanoseconds time) { return {now.ns - time.count()}; }

RunFacts good_run(const std::string& plan, nanoseconds age) {
  RunFacts run;
  run.run = "run-of-" + plan;
  run.plan = plan;
  run.outcome = "done";
  run.ended = ago(age);
  run.whole_point = true;
  run.approvals = 1;
  run.report.recovered = true;
  run.report.checks = run.report.checks_ok = 5;
  run.report.rto = run.report.rpo = std::chrono::minutes(5);
  run.report.objectives = {std::chrono::minutes(10), std::chrono::minutes(10)};
  return run;
}

class Controls : public testing::Test {
 protected:
  Controls() {
    facts_.runs = {good_run("lost", hours(1))};
    repo::Point point;
    point.created = ago(hours(2));
    point.about.complete = true;
    facts_.points = {point};
  }
  std::vector<Answer> judged(const std::vector<std::string>& plans = {}) {
    return judge_controls(facts_, plans, {}, now);
  }
  // "SOC 2 A1.2: pass", all of them.
  Answer of(const std::string& clause, const std::vector<std::string>& plans = {}) {
    for (Answer& answer : judged(plans)) {
      if (clause == answer.control->clause) return answer;
    }
    ADD_FAILURE() << clause;
    return {};
  }
  void add_finding(const std::string& owner, std::optional<WallTime> due) {
    OpenFinding open{"run-1", "lost", {}};
    open.finding.id = "1";
    open.finding.owner = owner;
    open.finding.due = due;
    facts_.findings.findings.push_back(open);
  }

  ControlFacts facts_;
};

TEST_F(Controls, TheClausesThatAreAskedForAreThere) {
  std::vector<std::string> clauses;
  for (const Control& control : known_controls()) {
    clauses.push_back(std::string(control.standard) + " " + control.clause);
  }
  for (const char* wanted :
       {"SOC 2 A1.2", "SOC 2 A1.3", "ISO/IEC 27001:2022 A.5.29", "ISO/IEC 27001:2022 A.5.30",
        "ISO/IEC 27001:2022 A.8.13", "NIST SP 800-34 3.5", "NIST SP 800-34 3.6", "EU DORA Art. 11",
        "EU DORA Art. 12", "EU DORA Art. 25"}) {
    EXPECT_THAT(clauses, Contains(wanted));
  }
}

TEST_F(Controls, TheTableOfTheDocumentationIsTheOneThatIsJudgedBy) {
  std::ifstream page(LIFEBOAT_SOURCE_DIR "/docs/evidence.md");
  const std::string text((std::istreambuf_iterator<char>(page)), std::istreambuf_iterator<char>());
  for (const Control& control : known_controls()) {
    std::string needs;
    for (const Need need : control.needs) {
      needs += (needs.empty() ? "" : ", ") + std::string(need_name(need));
      EXPECT_THAT(text, HasSubstr("**" + std::string(need_name(need)) + "**"));
    }
    EXPECT_THAT(text, HasSubstr(std::string("| ") + control.standard + " " + control.clause +
                                " | " + control.title + " | " + needs + " |"));
  }
}

TEST_F(Controls, AProvenRecentRecoveryPassesThemAll) {
  for (const Answer& answer : judged()) {
    EXPECT_EQ(answer.state, State::pass) << answer.control->clause << ": " << answer.why.front();
    EXPECT_FALSE(answer.why.empty());
  }
  EXPECT_THAT(of("A1.3").runs, ElementsAre("run-of-lost"));
}

TEST_F(Controls, AnOldOneIsStaleAndSaysSince) {
  facts_.runs[0].ended = ago(hours(24 * 91));
  const Answer answer = of("A1.3");
  EXPECT_EQ(answer.state, State::stale);
  EXPECT_THAT(answer.why, ElementsAre(HasSubstr("older than")));
  ControlAges ages;
  ages.recovery = hours(24 * 365);
  EXPECT_EQ(judge_controls(facts_, {}, ages, now)[1].state, State::pass);
}

TEST_F(Controls, WhatLiesInTheFutureByThisClockPassesNothing) {
  facts_.runs[0].ended = ago(-hours(1));
  EXPECT_EQ(of("A1.3").state, State::fail);
  EXPECT_THAT(of("A1.3").why, ElementsAre(HasSubstr("it lies in the future by this clock")));
  facts_.runs[0].ended = ago(hours(1));
  facts_.points[0].created = ago(-hours(1));
  EXPECT_EQ(of("A1.3").state, State::pass);
  EXPECT_EQ(of("A1.2").state, State::fail);
  EXPECT_THAT(of("A1.2").why, ElementsAre(HasSubstr("it lies in the future by this clock")));
}

TEST_F(Controls, WhatIsOldAndFailedIsFailedNotStale) {
  facts_.runs[0].ended = ago(hours(24 * 91));
  facts_.runs[0].report.rto = hours(1);
  const Answer answer = of("A1.3");
  EXPECT_EQ(answer.state, State::fail);
  EXPECT_THAT(answer.why, ElementsAre(HasSubstr("RTO 3600.0 s, objective 10 min")));
}

TEST_F(Controls, TheNewestRunOfAPlanDecides) {
  facts_.runs.push_back(good_run("lost", hours(0)));
  facts_.runs.back().outcome = "failed";
  facts_.runs.back().report.recovered = false;
  facts_.runs.back().report.why = "db: refused";
  EXPECT_EQ(of("A1.3").state, State::fail);
  EXPECT_THAT(of("A.5.29").why, ElementsAre(HasSubstr("NOT RECOVERED: db: refused")));
}

TEST_F(Controls, ANewerRunThatCannotBeReadStandsInTheWayOfAnOlderOne) {
  facts_.runs[0].slot = 7;
  facts_.unreadable = {{"run-9", "lost", "altered", 6}};
  EXPECT_EQ(of("A1.3").state, State::pass) << "it was begun before the one that decides";
  facts_.unreadable.push_back({"run-10", "lost", "segment 3 is altered", 8});
  for (const Answer& answer : judged()) {
    EXPECT_EQ(answer.state, State::fail) << answer.control->clause;
    EXPECT_THAT(answer.why, ElementsAre("plan lost, run run-10: it cannot be read: "
                                        "segment 3 is altered"));
    EXPECT_THAT(answer.runs, ElementsAre("run-10"));
  }
  // Of a plan that has no other run; and not of a plan that is not asked for.
  facts_.unreadable = {{"run-10", "region-lost", "altered", 8}};
  EXPECT_THAT(of("A1.3").why, ElementsAre(HasSubstr("plan region-lost, run run-10: it cannot")));
  EXPECT_EQ(of("A1.3", {"lost"}).state, State::pass);
}

TEST_F(Controls, APlanThatWasNeverTriedFails) {
  const Answer answer = of("3.5", {"lost", "region-lost"});
  EXPECT_EQ(answer.state, State::fail);
  EXPECT_THAT(answer.why, ElementsAre(HasSubstr("plan region-lost: no recovery")));
  facts_.runs.clear();
  EXPECT_EQ(of("3.5").state, State::fail);
}

TEST_F(Controls, WithoutObjectivesNothingWasMet) {
  facts_.runs[0].report.objectives = {};
  EXPECT_THAT(of("A.5.30").why, Contains(HasSubstr("sets no RTO objective")));
  EXPECT_EQ(of("A1.2").state, State::pass);
}

TEST_F(Controls, BackupsHaveToBeThereWholeAndYoung) {
  facts_.points[0].created = ago(hours(25));
  EXPECT_EQ(of("A.8.13").state, State::stale);
  facts_.points[0].about.complete = false;
  EXPECT_EQ(of("A.8.13").state, State::fail);
  facts_.points.clear();
  EXPECT_THAT(of("Art. 12").why, ElementsAre(HasSubstr("there is no recovery point")));
}

TEST_F(Controls, EvidenceThatProvesNothingFailsWhatNeedsIt) {
  facts_.runs[0].evidence_fault = "evidence.json: it was changed";
  EXPECT_EQ(of("A.5.29").state, State::fail);
  EXPECT_EQ(of("A1.3").state, State::fail);
  EXPECT_EQ(of("A1.2").state, State::pass);
}

TEST_F(Controls, FindingsNeedAnOwnerAndTheirDate) {
  add_finding("ann", ago(-hours(1)));
  EXPECT_EQ(of("3.6").state, State::pass);
  add_finding("", std::nullopt);
  EXPECT_THAT(of("3.6").why, ElementsAre(HasSubstr("nobody owns it")));
  add_finding("bob", ago(hours(1)));
  EXPECT_THAT(of("Art. 25").why, Contains(HasSubstr("overdue")));
  facts_.findings.findings.clear();
  facts_.findings.unreadable = {"run-9: altered"};
  EXPECT_EQ(of("3.6").state, State::fail);
}

TEST(ControlFacts, AreReadFromRunsThatWereCarriedThrough) {
  run::FakeEngine engine(1);
  engine.hire("alice");
  auto plan = run::shop();
  plan.steps.back().approve = plan::ApprovalRule{};
  ASSERT_TRUE(engine.begin(plan)->halted);
  const auto repository = engine.repository();
  repository->announced({"run-1", 0, {}, "fake"});
  EXPECT_THAT(read_facts(engine.op(), *repository)->runs, IsEmpty());  // not ended
  ASSERT_TRUE(engine.approve("dns", "alice"));
  ASSERT_TRUE(engine.resume()->state.recovered());
  auto facts = read_facts(engine.op(), *repository);
  ASSERT_TRUE(facts && facts->runs.size() == 1);
  EXPECT_THAT(facts->runs[0].evidence_fault, HasSubstr("not sealed"));
  Maker maker;
  maker.types = &engine.types;
  maker.driver = {"m", "host", 1, "boot"};
  ASSERT_TRUE(seal_run(engine.op(), *repository, "run-1", maker));
  facts = read_facts(engine.op(), *repository);
  ASSERT_TRUE(facts && facts->runs.size() == 1);
  EXPECT_EQ(facts->runs[0].evidence_fault, "");
  EXPECT_THAT(facts->unreadable, IsEmpty());
  EXPECT_EQ(facts->runs[0].approvals, 1U);
  EXPECT_TRUE(facts->runs[0].report.recovered);
  // Its journal is altered.
  const std::string segment = "runs/run-1/0000000000000000";
  ASSERT_TRUE(engine.store.objects().contains(segment));
  engine.store.set_object(segment, Bytes(100));
  facts = read_facts(engine.op(), *repository);
  ASSERT_TRUE(facts);
  EXPECT_THAT(facts->runs, IsEmpty());
  ASSERT_EQ(facts->unreadable.size(), 1U);
  EXPECT_EQ(facts->unreadable[0].plan, "fake");
}

}  // namespace
}  // namespace lifeboat::evidence
