#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "plan/plan_fixture.h"
#include "plan/random_plan.h"

namespace lifeboat::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

const std::string chain =
    R"({"inputs": {"region": {}}, "heartbeat": "b.url", "steps": {
         "a": {"run": {"text": "x"}},
         "b": {"run": {"text": "y"}, "after": ["a"], "when": "WHEN"},
         "c": {"run": {"text": "z REF"}, "after": ["b"]}}})";

Plan plan_with(const std::string& when, const std::string& reference = "") {
  std::string json = chain;
  json.replace(json.find("WHEN"), 4, when);
  json.replace(json.find("REF"), 3, reference);
  const auto compiled = compile_json(json);
  EXPECT_THAT(compiled.findings, IsEmpty());
  return compiled.plan;
}

Scope scope_of(const char* region) {
  Scope scope;
  scope.inputs.set("region", region);
  return scope;
}

std::vector<std::string> names(const Plan& plan) {
  std::vector<std::string> all;
  for (const StepNode& step : plan.steps) all.push_back(step.name);
  return all;
}

TEST(Variant, AStepOfAnotherVariantIsLeftOutAndItsEdgesPassThrough) {
  const auto made = variant(plan_with("graceful"), scope_of("eu"), Manner::ungraceful);
  ASSERT_TRUE(made) << made.error().what;
  EXPECT_THAT(names(*made), ElementsAre("a", "c"));
  EXPECT_THAT(made->find("c")->after, ElementsAre("a"));
  EXPECT_EQ(made->heartbeat, "");
}

TEST(Variant, OneOfThisVariantStays) {
  const auto made = variant(plan_with("graceful"), scope_of("eu"), Manner::graceful);
  ASSERT_TRUE(made);
  EXPECT_THAT(names(*made), ElementsAre("a", "b", "c"));
  EXPECT_EQ(made->find("b")->when, "");
  EXPECT_EQ(made->heartbeat, "b.url");
}

TEST(Variant, AnExpressionOverInputsDecides) {
  const Plan plan = plan_with("inputs.region == 'eu'");
  EXPECT_THAT(names(*variant(plan, scope_of("eu"), Manner::ungraceful)),
              ElementsAre("a", "b", "c"));
  EXPECT_THAT(names(*variant(plan, scope_of("us"), Manner::ungraceful)), ElementsAre("a", "c"));
}

TEST(Variant, WhatIsNoYesOrNoIsRefusedWithItsPlace) {
  const auto made = variant(plan_with("inputs.region"), scope_of("eu"), Manner::ungraceful);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Error::Code::usage);
  EXPECT_THAT(made.error().what, HasSubstr("plan.yaml:"));
  EXPECT_THAT(made.error().what, HasSubstr("no yes or no"));
}

TEST(Variant, AStepThatNeedsTheOutputOfOneThatIsNotThereIsRefusedWithItsPlace) {
  const auto made = variant(plan_with("graceful", "${b.url}"), scope_of("eu"), Manner::ungraceful);
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Error::Code::usage);
  EXPECT_THAT(made.error().what, HasSubstr("plan.yaml:"));
  EXPECT_THAT(made.error().what, HasSubstr("step 'c' needs an output of step 'b'"));
}

TEST(Variant, OneThatCanDoWithoutItStays) {
  const auto made =
      variant(plan_with("graceful", "${b.url ?? 'none'}"), scope_of("eu"), Manner::ungraceful);
  ASSERT_TRUE(made) << made.error().what;
  const auto config = resolve(made->find("c")->config, scope_of("eu"));
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(config->text("text"), "z none");
}

TEST(Variant, APlanOfWhichNothingIsLeftIsRefused) {
  Plan plan = plan_with("graceful");
  for (StepNode& step : plan.steps) step.when = "graceful";
  EXPECT_FALSE(variant(plan, scope_of("eu"), Manner::ungraceful));
}

using Order = std::set<std::pair<std::string, std::string>>;

// All pairs of steps of which the second waits for the first, at once or by others between.
Order order_of(const Plan& plan) {
  Order order;
  std::map<std::string, std::set<std::string>> before;
  for (const std::string& name : plan.topological()) {
    for (const std::string& earlier : plan.find(name)->after) {
      before[name].insert(earlier);
      before[name].insert(before[earlier].begin(), before[earlier].end());
    }
    for (const std::string& earlier : before[name]) order.emplace(earlier, name);
  }
  return order;
}

RC_GTEST_PROP(VariantProperty, TheOrderOfWhatStaysIsExactlyAsItWas, ()) {
  Plan plan = random_plan();
  for (StepNode& step : plan.steps) {
    step.needs.clear();  // what is needed may not be left out: told apart above
    step.when =
        *rc::gen::element(std::string(), std::string("graceful"), std::string("ungraceful"));
  }
  const auto manner = *rc::gen::element(Manner::graceful, Manner::ungraceful);
  const std::string other = manner == Manner::graceful ? "ungraceful" : "graceful";
  std::set<std::string> staying;
  for (const StepNode& step : plan.steps) {
    if (step.when != other) staying.insert(step.name);
  }
  const auto made = variant(plan, {}, manner);
  RC_ASSERT(made.has_value() == !staying.empty());
  if (!made) return;
  const auto kept = names(*made);
  RC_ASSERT(std::set(kept.begin(), kept.end()) == staying);
  Order expected;
  for (const auto& pair : order_of(plan)) {
    if (staying.contains(pair.first) && staying.contains(pair.second)) expected.insert(pair);
  }
  RC_ASSERT(order_of(*made) == expected);
  for (const StepNode& step : made->steps) {
    RC_ASSERT(std::ranges::is_sorted(step.after));
    for (const std::string& earlier : step.after) RC_ASSERT(staying.contains(earlier));
  }
  const auto again = variant(*made, {}, manner);
  RC_ASSERT(again.has_value());
  RC_ASSERT(names(*again) == kept);
}

}  // namespace
}  // namespace lifeboat::plan
