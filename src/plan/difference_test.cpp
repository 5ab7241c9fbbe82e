#include "plan/difference.h"

#include "plan/plan_fixture.h"

namespace lifeboat::plan {
namespace {

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

}  // namespace
}  // namespace lifeboat::plan
