#include "readiness/readiness.h"

#include <algorithm>
#include <functional>

namespace lifeboat::readiness {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using testing::HasSubstr;
using testing::IsEmpty;

// A plan of which nothing can be said but good.
Facts good() {
  Facts facts;
  facts.plan = "shop-lost";
  facts.dry_run.steps.resize(2);
  facts.dry_run.steps[0].step = "db";
  facts.dry_run.steps[1].step = "works";
  facts.checks = {"works"};
  facts.point_age = minutes(10);
  facts.objectives = {hours(1), hours(1)};
  facts.key_kinds = {"age", "passphrase"};
  facts.forecast.rto = run::InTime::yes;
  facts.last_run = LastRun{"4f2a1b9c0d3e", "done", true, hours(24)};
  return facts;
}

const Reason* reason_about(const Readiness& found, const std::string& about) {
  const auto reason = std::ranges::find(found.reasons, about, &Reason::about);
  return reason == found.reasons.end() ? nullptr : &*reason;
}

TEST(Readiness, WhatLacksNothingHasAllPoints) {
  const Readiness found = judge(good());
  EXPECT_EQ(found.score, 100);
  EXPECT_TRUE(found.ready);
  EXPECT_THAT(found.reasons, IsEmpty()) << render_text(found);
}

// One thing that is wrong, whom it is about, and whether a recovery would still come to its end.
struct Case {
  std::string about, what;
  bool ready;
  std::function<void(Facts&)> spoil;
};

TEST(Readiness, EachFindingCostsPointsAndSaysWhatToDo) {
  const Error missing{Error::Kind::invalid, "variable PW is not set", "export PW"};
  const Error foreign{Error::Kind::conflict, "something is there", "", Error::Code::refused};
  const std::vector<Case> cases = {
      {"step db", "PW is not set", false,
       [&](Facts& facts) { facts.dry_run.steps[0].problem = missing; }},
      {"check works", "PW is not set", false,
       [&](Facts& facts) { facts.dry_run.steps[1].problem = missing; }},
      {"step db", "would refuse as things are", true,
       [&](Facts& facts) { facts.dry_run.steps[0].problem = foreign; }},
      {"guard postgres", "something is there", false,
       [&](Facts& facts) {
         facts.dry_run.guards = {{"postgres", "1", "2", "db", false, foreign}};
       }},
      {"checks", "no step proves", true, [](Facts& facts) { facts.checks.clear(); }},
      {"recovery point", "it is 2 h 00 min old, the RPO is 1 h 00 min", false,
       [](Facts& facts) { facts.point_age = hours(2); }},
      {"recovery point", "not complete", true, [](Facts& facts) { facts.point_complete = false; }},
      {"recovery point", "no objective", true, [](Facts& facts) { facts.objectives.rpo.reset(); }},
      {"source orders", "does not hold it", false,
       [](Facts& facts) { facts.sources_missing = {"orders"}; }},
      {"keys", "a single recipient", true, [](Facts& facts) { facts.key_kinds = {"age"}; }},
      {"keys", "all of kind age", true, [](Facts& facts) { facts.key_kinds = {"age", "age"}; }},
      {"key key.txt", "no key of the repository opens", false,
       [](Facts& facts) { facts.dead_keys = {{"key.txt", "no key of the repository opens"}}; }},
      {"keys tried", "these open: slot 0 (age), slot 2 (passphrase, safe)", true,
       [](Facts& facts) { facts.keys_untried = {"slot 0 (age)", "slot 2 (passphrase, safe)"}; }},
      {"keys", "no answer", true, [](Facts& facts) { facts.keys_unreadable = "no answer"; }},
      {"plans.x.password", "on this machine only", true,
       [](Facts& facts) { facts.credentials = {{"plans.x.password", "environment variable PW"}}; }},
      {"plans.x.password", "needs environment variable PW, which is not there: PW is not set",
       false,
       [](Facts& facts) {
         facts.credentials = {{"plans.x.password", "environment variable PW",
                               Error{Error::Kind::invalid, "PW is not set", "export PW"}}};
       }},
      {"step go", "may approve", false, [](Facts& facts) { facts.gates_of_nobody = {"go"}; }},
      {"RTO", "", false, [](Facts& facts) { facts.forecast.rto = run::InTime::no; }},
      {"RTO", "", true, [](Facts& facts) { facts.forecast.rto = run::InTime::at_risk; }},
      {"RTO", "never measured", true,
       [](Facts& facts) { facts.forecast.rto = run::InTime::unknown; }},
      {"RTO", "no objective", true, [](Facts& facts) { facts.objectives.rto.reset(); }},
      {"practice", "never run", true, [](Facts& facts) { facts.last_run.reset(); }},
      {"practice", "did not recover: failed", true,
       [](Facts& facts) { facts.last_run = LastRun{"ab", "failed", false, hours(1)}; }},
      {"practice", "left before its end", true,
       [](Facts& facts) { facts.last_run = LastRun{"ab", "", false, hours(1)}; }},
      {"practice", "could not be looked at: no answer", true,
       [](Facts& facts) {
         facts.last_run.reset();
         facts.unread_run = UnreadRun{"ab", "no answer", true};
       }},
      {"practice", "cannot be read: altered", true,
       [](Facts& facts) {
         facts.last_run.reset();
         facts.unread_run = UnreadRun{"ab", "altered", false};
       }},
      {"practice", "1 h 00 min in the future by this clock", true,
       [](Facts& facts) { facts.last_run->age = -hours(1); }},
      {"recovery point", "nor whether the RPO holds", false,
       [](Facts& facts) { facts.point_age = -minutes(5); }},
      {"recovery point", "5 min 00 s in the future", true,
       [](Facts& facts) {
         facts.point_age = -minutes(5);
         facts.objectives.rpo.reset();
       }},
      {"finding rto", "ann has it)", true,
       [](Facts& facts) { facts.lessons.open = {{"ab", "rto", "too slow", "ann", false}}; }},
      {"finding 1", "too slow (nobody has it)", true,
       [](Facts& facts) { facts.lessons.open = {{"ab", "1", "too slow", "", false}}; }},
      {"finding 1", "its date is past", true,
       [](Facts& facts) { facts.lessons.open = {{"ab", "1", "too slow", "ann", true}}; }},
      {"findings", "ab: altered", true,
       [](Facts& facts) { facts.lessons.unreadable = {"ab: altered"}; }},
      {"practice", "last run", true, [](Facts& facts) { facts.last_run->age = hours(24 * 365); }},
      {"bundle", "changed since the last backup", true,
       [](Facts& facts) { facts.bundle = BundleState::differs; }},
      {"bundle", "holds none", true, [](Facts& facts) { facts.bundle = BundleState::none; }},
  };
  for (const Case& each : cases) {
    Facts facts = good();
    each.spoil(facts);
    const Readiness found = judge(facts);
    const Reason* reason = reason_about(found, each.about);
    ASSERT_NE(reason, nullptr) << each.about << ": " << render_text(found);
    EXPECT_EQ(found.reasons.size(), 1U) << render_text(found);
    EXPECT_THAT(reason->what, HasSubstr(each.what));
    EXPECT_GT(reason->points, 0) << each.about;
    EXPECT_EQ(found.score, 100 - reason->points) << each.about;
    EXPECT_EQ(found.ready, each.ready) << each.about << ": " << reason->what;
    EXPECT_EQ(reason->severity == Severity::failure, !each.ready);
  }
}

TEST(Readiness, TheWorstComesFirstAndTheScoreEndsAtZero) {
  Facts facts = good();
  facts.key_kinds = {"age"};
  facts.point_age = hours(2);
  for (int i = 0; i < 10; ++i) facts.sources_missing.push_back("s" + std::to_string(i));
  const Readiness found = judge(facts);
  EXPECT_EQ(found.score, 0);
  EXPECT_FALSE(found.ready);
  EXPECT_EQ(found.reasons.front().severity, Severity::failure);
  EXPECT_EQ(found.reasons.back().about, "keys");
  EXPECT_TRUE(std::ranges::is_sorted(found.reasons, [](const Reason& a, const Reason& b) {
    return std::pair(a.severity, a.points) > std::pair(b.severity, b.points);
  }));
}

TEST(Readiness, ManyCredentialsDoNotOutweighEverything) {
  Facts facts = good();
  for (int i = 0; i < 50; ++i) facts.credentials.push_back({"c" + std::to_string(i), "file x"});
  const Readiness found = judge(facts);
  EXPECT_EQ(found.score, 80);
  EXPECT_EQ(found.reasons.size(), 50U);
}

TEST(Readiness, AFindingThatNobodyDealsWithCostsMoreAndManyDoNotOutweighEverything) {
  const auto score = [](std::vector<OpenFinding> open) {
    Facts facts = good();
    facts.lessons.open = std::move(open);
    return judge(facts).score;
  };
  const OpenFinding owned{"ab", "1", "x", "ann", false}, nobodys{"ab", "1", "x", "", false},
      overdue{"ab", "1", "x", "ann", true};
  EXPECT_GT(score({owned}), score({nobodys}));
  EXPECT_GT(score({nobodys}), score({overdue}));
  EXPECT_EQ(score({owned, owned}), 100 - 2 * (100 - score({owned})));
  EXPECT_EQ(score(std::vector<OpenFinding>(50, overdue)), 70);
}

TEST(Readiness, ARunThatIsAtWorkIsOnlyNotedAndTheOneBeforeItTells) {
  Facts facts = good();
  facts.runs_now = "cd";
  EXPECT_EQ(judge(facts).score, 100);
  EXPECT_THAT(judge(facts).reasons.at(0).what, HasSubstr("run cd of this plan is at work now"));
  facts.last_run.reset();
  EXPECT_THAT(judge(facts).reasons.at(0).what, HasSubstr("no run of this plan has ended yet"));
}

TEST(Readiness, AGuardThatIsToAdoptIsOnlyNoted) {
  Facts facts = good();
  facts.dry_run.guards = {{"postgres", "", "", "", false, std::nullopt}};
  const Readiness found = judge(facts);
  EXPECT_EQ(found.score, 100);
  EXPECT_EQ(found.reasons.at(0).severity, Severity::note);
}

TEST(Readiness, TextAndDocumentSayTheSame) {
  Facts facts = good();
  facts.sources_missing = {"orders\x1b[31m"};
  const Readiness found = judge(facts);
  const std::string text = render_text(found);
  EXPECT_THAT(text, HasSubstr("plan shop-lost: NOT READY 70/100"));
  EXPECT_THAT(text, HasSubstr("FAIL  -30  source orders\\x1b[31m"));
  EXPECT_THAT(text, HasSubstr("-> lifeboat backup orders"));
  const Value value = to_value(found);
  EXPECT_EQ(value.integer("score", 0), 70);
  EXPECT_EQ(value.boolean("ready", true), false);
  EXPECT_EQ(value.at("reasons").list().at(0).text("severity"), "FAIL");
}

TEST(Readiness, WithoutAPointThereIsNothingLeft) {
  const Readiness found =
      not_even("shop-lost", {Error::Kind::not_found, "there is no point", "lifeboat backup"});
  EXPECT_EQ(found.score, 0);
  EXPECT_FALSE(found.ready);
}

}  // namespace
}  // namespace lifeboat::readiness
