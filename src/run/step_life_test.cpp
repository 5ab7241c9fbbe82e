#include "run/step_life.h"

#include "run/events.h"
#include "run/fake_engine.h"
#include "schema/json.h"

namespace lifeboat::run {
namespace {

using testing::HasSubstr;
using testing::Not;

// A plan of one step `a` whose apply answers what the test says.
class OneStep : public testing::Test {
 protected:
  OneStep() {
    Value config;
    config.set("value", "${inputs.password}");
    plan_ = plan_of({effect_node("a", config)});
    plan_.steps[0].timeout = std::chrono::hours(1);
    plan_.steps[0].retry = {3, std::chrono::seconds(1)};
  }
  StepState applied(FakeWorld::Hook apply) {
    engine_.world.set_hook("a", [apply](const Operation& op, const std::string& verb) {
      return verb == "apply" ? apply(op, verb) : Result<void>();
    });
    Pins pins = engine_.pins(plan_);
    pins.inputs.set("password", Value("planted-secret").taint());
    const auto outcome = engine_.begin(engine_.op(), pins);
    EXPECT_TRUE(outcome) << outcome.error().what;
    return outcome ? outcome->state.step("a") : StepState{};
  }

  FakeEngine engine_{1};
  plan::Plan plan_;
};

TEST_F(OneStep, AShorterLimitOfItsOwnIsNotCalledItsTimeout) {
  const StepState step = applied([](const Operation& op, const std::string&) -> Result<void> {
    const Operation short_one = op.within(std::chrono::seconds(30));
    const auto waited = short_one.pause(std::chrono::seconds(31));
    if (!waited) return wrap(waited.error(), "the port did not open within 30 s");
    return {};
  });
  ASSERT_TRUE(step.error);
  EXPECT_EQ(step.error->code, Error::Code::timeout);
  EXPECT_EQ(step.error->what, "the port did not open within 30 s: deadline passed");
  EXPECT_THAT(step.error->hint, Not(HasSubstr("timeout:")));
}

TEST_F(OneStep, WhatAServerCallsATimeoutIsNotOursEither) {
  plan_.steps[0].retry.times = 0;
  const StepState step = applied([](const Operation&, const std::string&) -> Result<void> {
    return fail(Error::Kind::unavailable, "gateway timeout", "", Error::Code::timeout);
  });
  ASSERT_TRUE(step.error);
  EXPECT_EQ(step.error->what, "gateway timeout");
}

TEST_F(OneStep, ItsTimeoutIsNamed) {
  const StepState step = applied(
      [](const Operation& op, const std::string&) { return op.pause(std::chrono::hours(2)); });
  ASSERT_TRUE(step.error);
  EXPECT_THAT(step.error->what, HasSubstr("not done within 1 h 00 min (deadline passed)"));
  EXPECT_THAT(step.error->hint, HasSubstr("timeout:"));
}

TEST_F(OneStep, AFullDiskIsNotTriedAgain) {
  const StepState step = applied([](const Operation&, const std::string&) -> Result<void> {
    return fail(Error::Kind::unavailable, "disk full", "free some space", Error::Code::no_space);
  });
  EXPECT_EQ(step.attempts, 1U);
  EXPECT_EQ(step.phase, plan::StepPhase::failed);
}

TEST_F(OneStep, AHintIsMaskedInEveryEvent) {
  const StepState step = applied([](const Operation&, const std::string&) -> Result<void> {
    return fail(Error::Kind::unavailable, "refused planted-secret", "not with planted-secret");
  });
  EXPECT_EQ(step.attempts, 4U);
  std::size_t retries = 0;
  for (const auto& event : engine_.events()) {
    const std::string text = to_json(event.facts);
    EXPECT_THAT(text, Not(HasSubstr("planted-secret"))) << event.kind;
    if (event.kind != "step.retry") continue;
    ++retries;
    EXPECT_EQ(event.facts.at("error").text("hint"), "not with ***");
  }
  EXPECT_EQ(retries, 3U);
}

}  // namespace
}  // namespace lifeboat::run
