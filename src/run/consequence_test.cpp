#include "run/consequence.h"

#include "run/engine.h"
#include "run/events.h"
#include "run/fake_engine.h"

namespace lifeboat::run {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

// net, then db and the gated dns, then app after db.
plan::Plan small_plan() {
  auto dns = effect_node("dns", effect_config("y"), {"net"});
  dns.approve = plan::ApprovalRule{{}, 1, std::chrono::hours(1), "shall we?"};
  return plan_of({effect_node("net", effect_config("x")),
                  effect_node("db", effect_config("in ${net.value}")), dns,
                  effect_node("app", effect_config("on ${db.value}"))});
}

class ConsequenceTest : public testing::Test {
 protected:
  ConsequenceTest() { engine.hire("alice"); }

  RunState state() {
    const auto seen = engine.repository();
    return read_run(engine.op(), *seen, "run-1")->state;
  }
  // "STEP: WOULD" of each step that is concerned.
  std::vector<std::string> of(const std::string& action, const std::string& step = "") {
    const RunState before = state();
    Request wanted = request(action, step, "alice");
    wanted.run = "run-1";
    if (!step.empty()) wanted.subject = subject_of(before, step);
    const auto asked =
        written(wanted, engine.people.at("alice"), engine.clock.wall(), engine.random);
    const auto verdict =
        judge(before, asked, engine.clock.wall(), [](const std::string&) { return false; });
    EXPECT_TRUE(verdict.accepted()) << verdict.why;
    RunState after = before;
    auto event = event::request_taken(asked, verdict);
    event.time = engine.clock.wall();
    fold(after, event);
    std::vector<std::string> told;
    for (const auto& each : consequences(before, after, engine.clock.wall())) {
      told.push_back(each.step + ": " + each.would);
    }
    return told;
  }

  FakeEngine engine{1};
};

TEST_F(ConsequenceTest, OfARunThatWaitsForAnApproval) {
  ASSERT_TRUE(engine.begin(small_plan())->halted);
  EXPECT_THAT(of("approve", "dns"), ElementsAre("dns: have one approval more", "dns: start"));
  EXPECT_THAT(of("decline", "dns"), ElementsAre("dns: fail: it is declined"));
  EXPECT_THAT(of("skip", "dns"), ElementsAre("dns: be left out"));
  EXPECT_THAT(of("undo", "app"), ElementsAre("app: be undone"));
  EXPECT_THAT(of("go-back"), ElementsAre("app: be undone", "db: be undone", "net: be undone"));
  EXPECT_THAT(of("cancel"), IsEmpty());
  EXPECT_THAT(of("pause"), IsEmpty());
}

TEST_F(ConsequenceTest, WhatNeedsASkippedStepIsLeftOutToo) {
  engine.world.set_hook("db", [](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "apply") return {};
    return fail(Error::Kind::denied, "no room");
  });
  ASSERT_TRUE(engine.begin(small_plan()));
  EXPECT_THAT(of("skip", "db"), ElementsAre("db: be left out", "app: be left out"));
  EXPECT_THAT(of("retry", "db"), ElementsAre("db: be tried again", "db: start"));
}

TEST_F(ConsequenceTest, AreWhatTheRunThenDoes) {
  ASSERT_TRUE(engine.begin(small_plan())->halted);
  std::vector<std::string> foreseen = of("go-back");
  ASSERT_TRUE(engine.ask(request("go-back", "", "alice")));
  ASSERT_TRUE(engine.resume());
  std::vector<std::string> done;
  for (const std::string& step : engine.world.removed()) done.push_back(step + ": be undone");
  EXPECT_EQ(done, foreseen);
}

}  // namespace
}  // namespace lifeboat::run
