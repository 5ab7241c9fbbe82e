#include "plan/difference.h"

#include <algorithm>
#include <functional>

#include "plan/plan_fixture.h"

namespace lifeboat::plan {
namespace {

using testing::Contains;
using testing::Field;
using testing::IsEmpty;
using testing::SizeIs;

const std::string text =
    R"({"inputs": {"region": {}, "pw": {"type": "secret"}}, "steps": {
         "a": {"run": {"text": "to ${inputs.region}", "port": "5432"}},
         "b": {"run": {"text": "${a.url}", "hosts": ["x", "${inputs.region}"]}},
         "c": {"run": {"text": "${inputs.pw}"}}}})";

Scope scope_of(const char* region, const char* password = "one") {
  Scope scope;
  scope.inputs.set("region", region);
  scope.inputs.set("pw", Value(password).taint());
  return scope;
}

TEST(Difference, OneScenarioDiffersInNothingFromItself) {
  const Plan plan = compile_json(text).plan;
  const Scope scope = scope_of("eu");
  EXPECT_THAT(difference({plan, scope}, {plan, scope}), IsEmpty());
}

TEST(Difference, ValuesAreThoseOfEachScenarioAndNeverSecrets) {
  const Plan plan = compile_json(text).plan;
  const Scope eu = scope_of("eu"), us = scope_of("us", "two");
  const auto found = difference({plan, eu}, {plan, us});
  ASSERT_THAT(found, SizeIs(2));
  EXPECT_EQ(found[0].step, "a");
  ASSERT_THAT(found[0].changes, SizeIs(1));
  EXPECT_EQ(found[0].changes[0].what, "run.text");
  EXPECT_EQ(found[0].changes[0].from, "to eu");
  EXPECT_EQ(found[0].changes[0].to, "to us");
  ASSERT_THAT(found[1].changes, SizeIs(1));
  EXPECT_EQ(found[1].changes[0].what, "run.hosts[1]");
}

TEST(Difference, WhatIsAddedRemovedOrOrderedOtherwiseIsTold) {
  const Plan before = compile_json(text).plan;
  Plan after = before;
  after.steps[2].name = "d";
  after.steps[1].after.push_back("d");
  const Scope scope = scope_of("eu");
  const auto found = difference({before, scope}, {after, scope});
  ASSERT_THAT(found, SizeIs(3));
  EXPECT_EQ(found[0].changes[0].what, "after");
  EXPECT_EQ(found[0].changes[0].from, "a");
  EXPECT_EQ(found[0].changes[0].to, "a, d");
  EXPECT_EQ(found[1].kind, StepDifference::Kind::added);
  EXPECT_EQ(found[1].step, "d");
  EXPECT_EQ(found[2].kind, StepDifference::Kind::removed);
  EXPECT_EQ(found[2].step, "c");
}

TEST(Difference, WhatNobodyKnowsYetStaysAsItIsWritten) {
  const Plan plan = compile_json(text).plan;
  Scope open, eu = scope_of("eu");
  const auto found = difference({plan, open}, {plan, eu});
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].changes[0].from, "to ${inputs.region}");
}

// What of a plan stays equal when only this is changed, and what is told of it.
struct OneChange {
  std::string part, what;
  std::function<void(Plan&)> change;
};

TEST(Difference, EveryFieldOfAPlanIsCompared) {
  const std::vector<OneChange> changes = {
      {"a", "run.text", [](Plan& plan) { plan.steps[0].config.set("text", "else"); }},
      {"a", "type", [](Plan& plan) { plan.steps[0].type = "restore"; }},
      {"a", "description", [](Plan& plan) { plan.steps[0].why = "why"; }},
      {"a", "after", [](Plan& plan) { plan.steps[0].after = {"c"}; }},
      {"a", "timeout", [](Plan& plan) { plan.steps[0].timeout = std::chrono::minutes(1); }},
      {"a", "retry", [](Plan& plan) { plan.steps[0].retry.times = 7; }},
      {"a", "retry.backoff",
       [](Plan& plan) { plan.steps[0].retry.backoff = std::chrono::minutes(1); }},
      {"a", "on_failure", [](Plan& plan) { plan.steps[0].on_failure = OnFailure::stop; }},
      {"a", "approve", [](Plan& plan) { plan.steps[0].approve = ApprovalRule{}; }},
      {"b", "approve", [](Plan& plan) { plan.steps[1].approve->by = {"ann"}; }},
      {"b", "approve", [](Plan& plan) { plan.steps[1].approve->count = 2; }},
      {"b", "approve.expires",
       [](Plan& plan) { plan.steps[1].approve->expires = std::chrono::hours(1); }},
      {"b", "approve.reason", [](Plan& plan) { plan.steps[1].approve->reason = "look"; }},
      {"a", "when", [](Plan& plan) { plan.steps[0].when = "graceful"; }},
      {"a", "outputs.more", [](Plan& plan) { plan.steps[0].outputs["more"] = shape::integer(); }},
      {"the plan", "scenario", [](Plan& plan) { plan.scenario = "fire"; }},
      {"the plan", "heartbeat", [](Plan& plan) { plan.heartbeat = "a.url"; }},
      {"the plan", "files", [](Plan& plan) { plan.files = {"script"}; }},
      {"input region", "type", [](Plan& plan) { plan.inputs[0].shape = shape::integer(); }},
      {"input region", "type", [](Plan& plan) { plan.inputs[0].secret = true; }},
      {"input region", "ask", [](Plan& plan) { plan.inputs[0].ask = "Where?"; }},
      {"input region", "default", [](Plan& plan) { plan.inputs[0].fallback = "eu"; }},
      {"guard db", "told.id", [](Plan& plan) { plan.guards[0].config.set("id", "2"); }},
      {"guard db", "kind", [](Plan& plan) { plan.guards[0].kind = "file"; }},
      {"guard db", "adopt", [](Plan& plan) { plan.guards[0].adopt = true; }},
  };
  Plan before = compile_json(text).plan;
  std::ranges::sort(before.inputs, {}, [](const InputField& input) { return input.secret; });
  before.steps[1].approve = ApprovalRule{};
  before.guards = {{"db", "told", Value().set("id", "1"), false, {}}};
  const Scope scope = scope_of("eu");
  for (const OneChange& one : changes) {
    Plan after = before;
    one.change(after);
    const auto found = difference({before, scope}, {after, scope});
    ASSERT_THAT(found, SizeIs(1)) << one.part << " " << one.what;
    EXPECT_EQ(found[0].step, one.part);
    EXPECT_THAT(found[0].changes, Contains(Field(&Change::what, one.what))) << one.part;
  }
}

TEST(Difference, TheDefaultOfASecretIsNeverShown) {
  Plan before = compile_json(text).plan, after = before;
  for (InputField& input : after.inputs) {
    if (input.secret) input.fallback = "planted-secret";
  }
  const Scope scope = scope_of("eu");
  const auto found = difference({before, scope}, {after, scope});
  ASSERT_THAT(found, SizeIs(1));
  EXPECT_EQ(found[0].changes[0].to, "(secret)");
}

}  // namespace
}  // namespace lifeboat::plan
