// Evidence as a run leaves it: at each of its ends, through kills, without a secret.
#include "evidence/evidence.h"

#include <gmock/gmock.h>

#include "evidence/document.h"
#include "evidence/findings.h"
#include "evidence/verify.h"
#include "plan/guard_fixture.h"
#include "run/events.h"
#include "run/fake_engine.h"
#include "run/report.h"
#include "schema/json.h"

namespace lifeboat::evidence {
namespace {

using run::FakeEngine;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

class Evidence : public testing::Test {
 protected:
  FakeEngine engine_{1};

  Maker maker(int number = 1) {
    Maker made;
    made.version = "0.1.0";
    made.types = &engine_.types;
    made.driver = {"maker-" + std::to_string(number), "host", number, "boot"};
    return made;
  }
  Result<std::optional<Sealed>> seal() {
    const auto repository = engine_.repository();
    return seal_run(engine_.op(), *repository, "run-1", maker());
  }
  Files files(const Sealed& sealed) {
    const auto repository = engine_.repository();
    const auto read = read_sealed(engine_.op(), *repository, "run-1", sealed);
    EXPECT_TRUE(read) << read.error().what;
    return read ? *read : Files{};
  }
  static Value record(const Files& files) {
    return *parse_json(as_text(files.at("evidence.json")));
  }
};

TEST_F(Evidence, OfADoneRunTellsItAndVerifies) {
  ASSERT_TRUE(engine_.begin(run::shop())->state.recovered());
  const auto sealed = seal();
  ASSERT_TRUE(sealed && *sealed);
  EXPECT_TRUE((*sealed)->made_now);
  const Files bundle = files(**sealed);
  const Verdict verdict = verify(bundle, {});
  ASSERT_THAT(verdict.faults, IsEmpty()) << verdict.faults.front().what;
  const Value told = record(bundle);
  EXPECT_EQ(told.at("report").text("outcome"), "done");
  EXPECT_EQ(told.at("plans").list().at(0).text("sha256"),
            crypt::sha256(bundle.at("plan.json")).hex());
  EXPECT_THAT(told.at("steps").list(), SizeIs(4));
  EXPECT_THAT(told.at("findings").list(), IsEmpty());
}

TEST_F(Evidence, HoldsNoSecretThatTheRunMade) {
  ASSERT_TRUE(engine_.begin(run::shop())->state.recovered());
  const std::string made = engine_.world.effect("db").value;
  ASSERT_FALSE(made.empty());
  ASSERT_THAT(engine_.world.effect("app").value, HasSubstr(made));
  for (const auto& [name, bytes] : files(**seal())) {
    EXPECT_THAT(std::string(as_text(bytes)), Not(HasSubstr(made))) << name;
  }
}

TEST_F(Evidence, OneThatGaveWayToAnotherRunHasNothingToShow) {
  EXPECT_TRUE(lacks_evidence({run::event::run_end({"cancelled", engine_.clock.wall(), {}})}));
  EXPECT_FALSE(lacks_evidence({run::event::run_end({"withdrawn", engine_.clock.wall(), {}})}));
}

TEST_F(Evidence, IsMadeOnceForEachEndAndNotBefore) {
  engine_.world.set_hook("dns", [](const Operation&, const std::string& verb) -> Result<void> {
    if (verb == "apply") return fail(Error::Kind::denied, "no right to");
    return {};
  });
  ASSERT_EQ(engine_.begin(run::shop())->state.end->outcome, "failed");
  const auto first = seal();
  ASSERT_TRUE(first && *first);
  EXPECT_FALSE((*seal())->made_now);
  engine_.world.set_hook("dns", {});
  ASSERT_TRUE(engine_.resume()->state.recovered());
  EXPECT_TRUE(lacks_evidence(engine_.events()));
  const auto second = seal();
  ASSERT_TRUE(second && *second);
  EXPECT_TRUE((*second)->made_now);
  const auto known = sealed_in(engine_.events());
  ASSERT_THAT(known, SizeIs(2));
  EXPECT_THAT(known,
              ElementsAre(Field(&Sealed::outcome, "failed"), Field(&Sealed::outcome, "done")));
  EXPECT_THAT(record(files(known[0])).at("report").text("verdict"), HasSubstr("no right to"));
  const Value told = record(files(known[1]));
  EXPECT_THAT(to_json(told.at("deviations")), HasSubstr("dns"));
  EXPECT_THAT(to_json(told.at("deviations")), Not(HasSubstr("unsealed")));
  EXPECT_THAT(to_json(told.at("findings")), HasSubstr("retried/dns"));
}

// What one field of the items of a list says, by another one.
std::vector<std::string> each(const Value& list, const char* field) {
  std::vector<std::string> texts;
  for (const Value& item : list.list()) texts.push_back(item.text(field));
  return texts;
}

TEST_F(Evidence, ARunWithAStepThatFailedDidNotGoAsPlanned) {
  engine_.world.set_hook("dns", [](const Operation&, const std::string& verb) -> Result<void> {
    if (verb == "apply") return fail(Error::Kind::denied, "no right to");
    return {};
  });
  ASSERT_EQ(engine_.begin(run::shop())->state.end->outcome, "failed");
  const Value told = record(files(**seal()));
  // That no segment is missing is proven by nothing here.
  EXPECT_THAT(each(told.at("deviations"), "kind"), ElementsAre("failed", "freshness"));
  EXPECT_THAT(each(told.at("deviations"), "step"), ElementsAre("dns", ""));
  EXPECT_THAT(each(told.at("deviations"), "text"), Contains(HasSubstr("no right to")));
  EXPECT_THAT(each(told.at("findings"), "id"), ElementsAre("outcome", "failed/dns"));
}

TEST_F(Evidence, ACheckThatFailedIsNamed) {
  auto plan = run::shop();
  plan.steps.back().config.set("spoil", true);
  const std::string step = plan.steps.back().name;
  ASSERT_EQ(engine_.begin(plan)->state.end->outcome, "failed");
  const Value told = record(files(**seal()));
  EXPECT_THAT(each(told.at("deviations"), "text"), Contains(HasSubstr("check value: expected ")))
      << to_json(told.at("deviations"));
  EXPECT_THAT(each(told.at("findings"), "id"), Contains("failed/" + step));
}

TEST_F(Evidence, AGuardThatRefusedIsADeviationAlsoOfARunThatRecoveredLater) {
  std::string identity = "7301";
  engine_.guards.add(plan::told_guard([&](const std::string& where) {
    return Result<plan::Fingerprint>(plan::Fingerprint{identity, where});
  }));
  auto plan = run::shop();
  Value wanted;
  wanted.set("where", "db:5432").set("id", "7301");
  plan.guards = {{"db", "told", wanted, false, {}}};
  engine_.world.set_hook("net", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb == "observe") identity = "7302";
    return {};
  });
  ASSERT_EQ(engine_.begin(plan)->state.end->outcome, "failed");
  engine_.world.set_hook("net", {});
  identity = "7301";
  ASSERT_TRUE(engine_.resume()->state.recovered());
  const Value told = record(files(**seal()));
  EXPECT_THAT(each(told.at("deviations"), "kind"), Contains("guard refused"));
  EXPECT_THAT(each(told.at("deviations"), "kind"), Not(Contains("failed")));
  EXPECT_THAT(each(told.at("deviations"), "text"),
              Contains("guard db: wanted 7301, found 7302 at db:5432"));
}

TEST_F(Evidence, AnEndThatNobodySealedInTimeIsNamedByTheNext) {
  engine_.world.set_hook("dns", [](const Operation&, const std::string& verb) -> Result<void> {
    if (verb == "apply") return fail(Error::Kind::denied, "no right to");
    return {};
  });
  ASSERT_EQ(engine_.begin(run::shop())->state.end->outcome, "failed");
  engine_.world.set_hook("dns", {});
  ASSERT_TRUE(engine_.resume()->state.recovered());
  const Value told = record(files(**seal()));
  EXPECT_THAT(to_json(told.at("deviations")),
              HasSubstr("there is no evidence of its end as failed at "));
}

TEST_F(Evidence, TellsWhichTargetItWas) {
  std::string identity = "7301";
  engine_.guards.add(plan::told_guard([&](const std::string& where) {
    return Result<plan::Fingerprint>(plan::Fingerprint{identity, where});
  }));
  auto plan = run::shop();
  Value wanted, adopting;
  wanted.set("where", "postgresql://db:5432").set("id", "7301");
  adopting.set("where", "host <b>");
  plan.guards = {{"db", "told", wanted, false, {}}, {"host", "told", adopting, true, {}}};
  ASSERT_TRUE(engine_.begin(plan)->state.recovered());
  const Files bundle = files(**seal());
  const Value told = record(bundle);
  std::map<std::string, Value> looks;
  for (const Value& look : told.at("target").list()) {
    looks.emplace(look.text("guard") + " " + look.text("how"), look);
  }
  ASSERT_TRUE(looks.contains("db as wanted")) << to_json(told.at("target"));
  EXPECT_EQ(looks["db as wanted"].text("wanted"), "7301");
  EXPECT_EQ(looks["db as wanted"].text("found"), "7301");
  EXPECT_EQ(looks["db as wanted"].text("at"), "postgresql://db:5432");
  ASSERT_TRUE(looks.contains("host adopted")) << to_json(told.at("target"));
  EXPECT_EQ(looks["host adopted"].text("found"), "7301");
  const std::string page(as_text(bundle.at("evidence.html")));
  EXPECT_THAT(page,
              HasSubstr("<td>db</td><td>7301</td><td>7301</td><td>postgresql://db:5432</td>"));
  EXPECT_THAT(page, HasSubstr("host &lt;b&gt;"));
  EXPECT_TRUE(verify(bundle, {}).whole());
}

TEST_F(Evidence, APlanWithoutGuardsSaysThatNothingProvesTheTarget) {
  ASSERT_TRUE(engine_.begin(run::shop())->state.recovered());
  EXPECT_THAT(std::string(as_text(files(**seal()).at("evidence.md"))),
              HasSubstr("The plan has no guards"));
}

TEST_F(Evidence, ThereIsNoneOfARunThatHasNotEnded) {
  engine_.hire("alice");
  auto plan = run::shop();
  plan.steps.back().approve = plan::ApprovalRule{};
  ASSERT_TRUE(engine_.begin(plan)->halted);
  const auto sealed = seal();
  ASSERT_TRUE(sealed) << sealed.error().what;
  EXPECT_FALSE(*sealed);
}

// Killed anywhere between the end of the run and the event that names the bundle.
TEST_F(Evidence, H1KilledWhileItIsMadeItIsMadeByWhoeverComesNext) {
  ASSERT_TRUE(engine_.begin(run::shop())->state.recovered());
  const auto before = engine_.store.objects();
  for (const bool after : {false, true}) {
    for (std::uint64_t change = 0; change < 2; ++change) {
      for (const auto& [name, bytes] : engine_.store.objects()) {
        if (!before.contains(name)) engine_.store.erase_object(name);
      }
      engine_.reaper.kill_at(change, after);
      const auto killed = seal();
      engine_.reaper.revive();
      EXPECT_FALSE(killed) << change;
      const auto sealed = seal();
      ASSERT_TRUE(sealed && *sealed) << change;
      EXPECT_EQ(sealed_in(engine_.events()).size(), 1U) << change;
      EXPECT_TRUE(verify(files(**sealed), {}).whole());
      EXPECT_TRUE(run::replay(engine_.events())->recovered());
    }
  }
}

TEST_F(Evidence, AnApprovedRunProvesWhoApprovedIt) {
  engine_.hire("alice");
  auto plan = run::shop();
  plan.steps.back().approve = plan::ApprovalRule{{"alice"}, 1, std::chrono::hours(1), "go?"};
  ASSERT_TRUE(engine_.begin(plan)->halted);
  ASSERT_TRUE(engine_.approve("dns", "alice"));
  ASSERT_TRUE(engine_.resume()->state.recovered());
  const Files bundle = files(**seal());
  const Verdict verdict = verify(bundle, {});
  EXPECT_THAT(verdict.faults, IsEmpty());
  EXPECT_EQ(verdict.approvals, 1U);
  EXPECT_EQ(record(bundle).at("people").at("operators").list().at(0).text("alice"),
            crypt::verify_key_text(engine_.people.at("alice").verify_key));
}

TEST_F(Evidence, WhatIsKeptInTheRepositoryIsTheOneThatTheJournalNames) {
  ASSERT_TRUE(engine_.begin(run::shop())->state.recovered());
  Sealed sealed = **seal();
  const auto repository = engine_.repository();
  Sealed other = sealed;
  other.manifest[0] = other.manifest[0] == '0' ? '1' : '0';
  EXPECT_EQ(read_sealed(engine_.op(), *repository, "run-1", other).error().kind,
            Error::Kind::corrupt);
  const std::string object = "runs/run-1/evidence/0000000000000000";
  Bytes bytes = engine_.store.objects().at(object);
  bytes[bytes.size() / 2] ^= 1;
  engine_.store.set_object(object, bytes);
  EXPECT_EQ(read_sealed(engine_.op(), *repository, "run-1", sealed).error().kind,
            Error::Kind::corrupt);
}

TEST_F(Evidence, AttemptsFollowTheNamesThatStepsWereGiven) {
  ASSERT_TRUE(engine_.begin(run::shop())->state.recovered());
  Account account;
  account.events = engine_.events();
  account.outcome.state = *run::replay(account.events);
  Value renames;
  renames.set("dns", "app").set("app", "dns").set("db", "database");
  journal::Event replanned{"run.replanned", {}, {}, 0};
  replanned.facts.set("renames", renames);
  account.events.push_back(replanned);
  const Value told = make_document(account).value;
  const auto attempted_as = [&](const char* list, std::size_t place) {
    return told.at(list).list().at(place).at("attempts").list().at(0).text("step");
  };
  EXPECT_EQ(attempted_as("steps", 0), "net");
  EXPECT_EQ(attempted_as("steps", 2), "dns");  // "app" now
  EXPECT_EQ(attempted_as("steps", 3), "app");
  ASSERT_THAT(told.at("former_steps").list(), SizeIs(1));  // the plan has no "database"
  EXPECT_EQ(attempted_as("former_steps", 0), "db");
}

TEST_F(Evidence, FactsBecomeFindingsWithLastingNames) {
  int tries = 0;
  engine_.world.set_hook("net",
                         [&tries](const Operation&, const std::string& verb) -> Result<void> {
                           if (verb == "apply" && tries++ == 0)
                             return fail(Error::Kind::unavailable, "later");
                           return {};
                         });
  auto plan = run::shop();
  plan.steps.front().retry = {1, std::chrono::seconds(3)};
  auto pins = engine_.pins(plan);
  pins.objectives = {.rto = std::chrono::seconds(1), .rpo = std::chrono::hours(1)};
  pins.origin.time.ns -= std::chrono::nanoseconds(std::chrono::hours(1)).count();
  pins.point = {"p", pins.origin.time, pins.origin.time, true, {}};
  pins.point.earliest.ns -= std::chrono::nanoseconds(std::chrono::hours(2)).count();
  const auto outcome = engine_.begin(engine_.op(), pins);
  ASSERT_TRUE(outcome) << outcome.error().what;
  const auto found = findings_of(outcome->state, run::make_report(*outcome));
  EXPECT_THAT(found, Contains(Field(&FactFinding::id, "rto")));
  EXPECT_THAT(found, Contains(Field(&FactFinding::id, "rpo")));
  EXPECT_THAT(found, Contains(Field(&FactFinding::id, "retried/net")));
  EXPECT_THAT(found, SizeIs(3));
}

TEST_F(Evidence, WhereClocksDisagreeNoObjectiveIsMetAndItIsAFinding) {
  auto pins = engine_.pins(run::shop());
  pins.objectives = {std::chrono::hours(1), std::chrono::hours(1)};
  pins.origin.time.ns += std::chrono::nanoseconds(std::chrono::hours(2)).count();
  pins.point = {"p", pins.origin.time, pins.origin.time, true, {}};
  pins.point.earliest.ns += std::chrono::nanoseconds(std::chrono::hours(2)).count();
  ASSERT_TRUE(engine_.begin(engine_.op(), pins)->state.recovered());
  const Files bundle = files(**seal());
  const Value told = record(bundle);
  for (const char* objective : {"rto", "rpo"}) {
    EXPECT_TRUE(told.at(objective).at("met").is_null()) << objective;
    EXPECT_TRUE(told.at(objective).at("measured_s").is_null()) << objective;
    EXPECT_THAT(to_json(told.at("findings")), HasSubstr(std::string("\"id\":\"") + objective));
  }
  EXPECT_THAT(std::string(as_text(bundle.at("evidence.md"))),
              HasSubstr("not measured: clocks disagree, 3600.0 s wanted"));
}

}  // namespace
}  // namespace lifeboat::evidence
