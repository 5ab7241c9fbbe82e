#include "plan/guard_fixture.h"
#include "plan/plan_fixture.h"

namespace lifeboat::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

Compiled compiled(const std::string& json) {
  static const StepTypes types = test_types();
  GuardKinds kinds;
  kinds.add(told_guard([](const std::string& where) { return Fingerprint{"1", where}; }));
  CompileContext context;
  context.types = &types;
  context.guards = &kinds;
  context.sources["orders"] = *parse_json(R"({"type":"postgres","url":"postgresql://db/orders"})");
  int line = 1;
  std::vector<Finding> findings;
  Compiled answer;
  answer.plan = compile("lost", file_tree(*parse_json(json), line), context, findings);
  for (const Finding& finding : findings) answer.findings.push_back(finding.text());
  return answer;
}

Compiled guarded(const std::string& guard) {
  return compiled(R"({"inputs": {"id": {}, "pw": {"type": "secret"}},
                      "steps": {"one": {"run": {"text": "x"}}}, "guard": )" +
                  guard + "}");
}

Compiled stepped(const std::string& when) {
  return compiled(R"({"inputs": {"region": {}, "pw": {"type": "secret"}},
                      "steps": {"one": {"run": {"text": "x"}},
                                "two": {"run": {"text": "y"}, "when": ")" +
                  when + "\"}}}");
}

TEST(CompileGuards, OneOrSeveralOfAKindHaveNames) {
  const auto one = guarded(R"({"told": {"where": "a", "id": "${inputs.id}"}})");
  EXPECT_THAT(one.findings, IsEmpty());
  ASSERT_THAT(one.plan.guards, SizeIs(1));
  EXPECT_EQ(one.plan.guards[0].name, "told");
  EXPECT_FALSE(one.plan.guards[0].adopt);
  const auto two = guarded(R"({"told": [{"where": "${sources.orders.url}", "id": "1"},
                                        {"where": "b", "adopt": "true"}]})");
  EXPECT_THAT(two.findings, IsEmpty());
  ASSERT_THAT(two.plan.guards, SizeIs(2));
  EXPECT_EQ(two.plan.guards[1].name, "told-2");
  EXPECT_TRUE(two.plan.guards[1].adopt);
}

TEST(CompileGuards, WhatIsWrongIsNamedWithItsPlace) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {R"({"tolt": {"where": "a", "id": "1"}})", "did you mean 'told'"},
      {R"({"told": {"where": "a"}})", "either `id` or `adopt: true`"},
      {R"({"told": {"where": "a", "id": "1", "adopt": "true"}})", "which is it to be?"},
      {R"({"told": {"where": "a", "id": "${one.url}"}})",
       "cannot look at the output of step 'one'"},
      {R"({"told": {"where": "a", "id": "${inputs.ad}"}})", "there is no input 'ad'"},
      {R"({"told": {"where": "a", "id": "${run.id}"}})", "can look at inputs and sources"},
      {R"({"told": {"where": "a", "id": "${sources.order.url}"}})", "there is no source 'order'"},
      {R"({"told": {"where": "a", "adopt": "${inputs.id}"}})", "is no expression"},
      {R"({"told": {"id": "1"}})", "'where' is missing"},
      {R"("here")", "a map"},
  };
  for (const auto& [guard, message] : cases) {
    const auto answer = guarded(guard);
    ASSERT_THAT(answer.findings, SizeIs(1)) << guard;
    EXPECT_THAT(answer.findings[0], HasSubstr(message)) << guard;
    EXPECT_THAT(answer.findings[0], HasSubstr("plan.yaml:")) << guard;
    EXPECT_THAT(answer.findings[0], HasSubstr("plans.lost.guard")) << guard;
  }
}

TEST(CompileGuards, WhenIsAWordOrAnExpressionOverInputs) {
  EXPECT_THAT(stepped("graceful").findings, IsEmpty());
  EXPECT_THAT(stepped("ungraceful").findings, IsEmpty());
  const auto wrapped = stepped("${inputs.region == 'eu'}");
  EXPECT_THAT(wrapped.findings, IsEmpty());
  EXPECT_EQ(wrapped.plan.find("two")->when, "inputs.region == 'eu'");
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"gracefull", "did you mean 'graceful'"},
      {"one.port == 1", "cannot look at the output of step 'one'"},
      {"inputs.regio == 'eu'", "did you mean 'region'"},
      {"run.id == 'x'", "can look at inputs"},
      {"inputs.pw == 'x'", "a secret decides nothing"},
      {"inputs.region ==", "plan.yaml:"},
  };
  for (const auto& [when, message] : cases) {
    const auto answer = stepped(when);
    ASSERT_THAT(answer.findings, SizeIs(1)) << when;
    EXPECT_THAT(answer.findings[0], HasSubstr(message)) << when;
    EXPECT_THAT(answer.findings[0], HasSubstr("plans.lost.steps.two.when")) << when;
  }
}

}  // namespace
}  // namespace lifeboat::plan
