#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <set>

#include "plan/plan_fixture.h"
#include "plan/words.h"

namespace lifeboat::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(Compile, ReferencesAndAfterMakeEdges) {
  const Compiled compiled = compile_json(R"({"scenario": "gone", "steps": {
      "net": {"run": {}},
      "db": {"run": {"text": "${net.url}", "free": {"deep": ["${net.port ?? 1}"]}}},
      "app": {"run": "x", "after": ["db", "net"], "on_failure": "stop", "timeout": "5m",
              "retry": {"times": 3, "backoff": "2s"}, "description": "the application"}}})");
  EXPECT_THAT(compiled.findings, IsEmpty());
  const StepNode& db = *compiled.plan.find("db");
  EXPECT_THAT(db.after, ElementsAre("net"));
  EXPECT_THAT(db.needs, ElementsAre("net"));
  const StepNode& app = *compiled.plan.find("app");
  EXPECT_THAT(app.after, ElementsAre("db", "net"));
  EXPECT_THAT(app.needs, IsEmpty());
  EXPECT_EQ(app.on_failure, OnFailure::stop);
  EXPECT_EQ(app.timeout, std::chrono::minutes(5));
  EXPECT_EQ(app.retry.times, 3);
  EXPECT_EQ(app.retry.backoff, std::chrono::seconds(2));
  EXPECT_EQ(app.why, "the application");
  EXPECT_EQ(app.config.text("text"), "x");
  EXPECT_EQ(compiled.plan.scenario, "gone");
}

struct Golden {
  std::string json, finding;
};
void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.json; }
std::string steps(const std::string& inner) { return R"({"steps": {)" + inner + "}}"; }

class Finds : public testing::TestWithParam<Golden> {};
TEST_P(Finds, WhatIsWrongWithPlaceAndNearestWord) {
  EXPECT_THAT(compile_json(GetParam().json).findings, ElementsAre(GetParam().finding));
}

INSTANTIATE_TEST_SUITE_P(
    References, Finds,
    testing::Values(
        Golden{steps(R"("net": {"run": {}}, "x": {"run": "${nett.url}"})"),
               "plan.yaml:6:9: plans.lost.steps.x.text: ${nett.url}: no step is named 'nett' (did "
               "you mean 'net'?)"},
        Golden{steps(R"("net": {"run": {}}, "x": {"run": "${net.ulr}"})"),
               "plan.yaml:6:9: plans.lost.steps.x.text: ${net.ulr}: step 'net' has no output 'ulr' "
               "(did you mean 'url'?)"},
        Golden{steps(R"("x": {"run": "${x.url}"})"),
               "plan.yaml:4:9: plans.lost.steps.x.text: ${x.url}: step 'x' refers to its own "
               "output"},
        Golden{steps(R"("x": {"run": "${inputs.account}"})"),
               "plan.yaml:4:9: plans.lost.steps.x.text: ${inputs.account}: the plan has no input "
               "'account'"},
        Golden{steps(R"("x": {"run": "${sources.order.url}"})"),
               "plan.yaml:4:9: plans.lost.steps.x.text: ${sources.order.url}: no source is named "
               "'order' (did you mean 'orders'?)"},
        Golden{steps(R"("x": {"run": "${sources.orders.ulr}"})"),
               "plan.yaml:4:9: plans.lost.steps.x.text: ${sources.orders.ulr}: there is no 'ulr' "
               "(did you mean 'url'?)"},
        Golden{steps(R"("x": {"run": "${run.idd}"})"),
               "plan.yaml:4:9: plans.lost.steps.x.text: ${run.idd}: 'run' has no 'idd' (did you "
               "mean 'id'?)"},
        Golden{steps(R"("x": {"run": "echo ${HOME}"})"),
               "plan.yaml:4:9: plans.lost.steps.x.text: ${HOME}: no step is named 'HOME' (known: "
               "x)"},
        Golden{steps(R"("x": {"run": "${1 +}"})"),
               "plan.yaml:4:9: plans.lost.steps.x.text: in '${...}': '+' has no meaning here (at "
               "character 3) (a '${' that is meant as text is written '$${')"},
        Golden{steps(R"("a": {"run": {}}, "x": {"run": {"port": "${a.url}"}})"),
               "plan.yaml:7:9: plans.lost.steps.x.port: expected an integer, but ${a.url} is a "
               "string"},
        Golden{steps(R"("a": {"run": {}}, "x": {"run": "hosts: ${a.hosts}"})"),
               "plan.yaml:6:9: plans.lost.steps.x.text: ${a.hosts} is a list of strings, which "
               "cannot stand inside text (let it stand alone, or take one value of it)"},
        Golden{steps(R"("a": {"run": {}}, "x": {"run": "${a.url.x}"})"),
               "plan.yaml:6:9: plans.lost.steps.x.text: ${a.url.x}: a string has no 'x'"}));

INSTANTIATE_TEST_SUITE_P(
    Words, Finds,
    testing::Values(
        Golden{steps(R"("x": {"rum": {}})"),
               "plan.yaml:4:5: plans.lost.steps.x: unknown step type or key 'rum' (did you mean "
               "'run'?)"},
        Golden{steps(R"("x": {"run": {}, "afer": ["y"]})"),
               "plan.yaml:4:5: plans.lost.steps.x: unknown step type or key 'afer' (did you mean "
               "'after'?)"},
        Golden{steps(R"("x": {"run": {}, "restore": {"source": "orders", "into": "y"}})"),
               "plan.yaml:7:5: plans.lost.steps.x: a step has one type; this one has 'restore' and "
               "'run'"},
        Golden{steps(R"("x": {"description": "y"})"),
               "plan.yaml:3:5: plans.lost.steps.x: the step has no type (known types: restore, "
               "run)"},
        Golden{steps(R"("x": {"run": {}, "after": ["y"]})"),
               "plan.yaml:5:9: plans.lost.steps.x.after: no step is named 'y' (known: x)"},
        Golden{steps(R"("x": {"run": {}, "after": "x"})"),
               "plan.yaml:4:9: plans.lost.steps.x.after: step 'x' waits for itself"},
        Golden{steps(R"("inputs": {"run": {}})"),
               "plan.yaml:3:5: plans.lost.steps.inputs: a step may not be named 'inputs' (the word "
               "has a meaning in ${...})"},
        Golden{steps(R"("1x": {"run": {}})"),
               "plan.yaml:3:5: plans.lost.steps.1x: not a name for a step (letters, digits, '-' "
               "and '_', a letter first, at most 63)"},
        Golden{steps(R"("x": {"restore": {"source": "ordres", "into": "y"}})"),
               "plan.yaml:6:9: plans.lost.steps.x.restore.source: no source is named 'ordres' (did "
               "you mean 'orders'?)"},
        Golden{steps(R"("x": {"run": {"outputs": {"a": "strng"}}})"),
               "plan.yaml:6:9: plans.lost.steps.x.run.outputs.a: unknown type 'strng' (did you "
               "mean 'string'?)"},
        Golden{R"({"steps": {}})",
               "plan.yaml:2:5: plans.lost.steps: a plan needs at least one "
               "step (NAME: { TYPE: { ... } })"},
        Golden{R"({"heartbeat": "x.urk", "steps": {"x": {"run": {}}}})",
               "plan.yaml:1:5: plans.lost.heartbeat: ${x.urk}: step 'x' has no output 'urk' (did "
               "you mean 'url'?)"}));

TEST(Compile, EveryWordOfALaterVersionIsRefusedByName) {
  for (const std::string& word : step_words().reserved) {
    const auto found = compile_json(steps(R"("x": {"run": {}, ")" + word + R"(": "y"})")).findings;
    ASSERT_EQ(found.size(), 1u) << word;
    EXPECT_THAT(found[0], HasSubstr("'" + word + "' is not in this version"));
  }
  for (const std::string& word : plan_words().reserved) {
    const auto found =
        compile_json(R"({"steps": {"x": {"run": {}}}, ")" + word + R"(": "y"})").findings;
    ASSERT_EQ(found.size(), 1u) << word;
    EXPECT_THAT(found[0], HasSubstr("'" + word + "' is not in this version"));
  }
}

TEST(Compile, H7ACycleIsNamedInOrderWithItsPlaces) {
  const Compiled compiled = compile_json(steps(R"(
      "a": {"run": "${c.url}"}, "b": {"run": {}, "after": "a"}, "c": {"run": "${b.url}"},
      "d": {"run": "${c.url}"})"));
  EXPECT_THAT(compiled.findings,
              ElementsAre("plan.yaml:4:9: plans.lost: these steps wait for each other: a -> c -> b "
                          "-> a (a waits for c at plan.yaml:4:9; c waits for b at plan.yaml:9:9; b "
                          "waits for a at plan.yaml:6:9)"));
}

TEST(Compile, AllFindingsComeAtOnce) {
  const auto found = compile_json(steps(R"(
      "a": {"run": {"port": "x", "textt": "y"}}, "b": {"rum": {}}, "c": {"run": "${d.url}"})"))
                         .findings;
  EXPECT_EQ(found.size(), 4u) << testing::PrintToString(found);
}

TEST(Compile, InputsAreTypedAndSecretsTainted) {
  const Compiled compiled = compile_json(R"({"inputs": {
      "account": "string", "count": {"type": "integer", "default": "3"},
      "env": {"choices": ["prod", "stage"], "default": "stage"},
      "pw": {"type": "secret", "ask": "Password"}},
      "steps": {"x": {"run": {"port": "${inputs.count}", "password": "${inputs.pw}"}}}})");
  EXPECT_THAT(compiled.findings, IsEmpty());
  const auto missing = bind_inputs(compiled.plan, Value(Value::Map{}));
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().effective_code(), Error::Code::needs_person);
  EXPECT_EQ(missing.error().what, "plan 'lost' needs inputs: account, pw (Password)");
  const auto bound =
      bind_inputs(compiled.plan, *parse_json(R"({"account": "1", "count": "7", "pw": "s"})"));
  ASSERT_TRUE(bound) << bound.error().what;
  EXPECT_EQ(to_json(*bound), R"({"account":"1","count":7,"env":"stage","pw":"***"})");
  const auto wrong = bind_inputs(
      compiled.plan, *parse_json(R"({"acount": "1", "account": "2", "count": "x", "pw": "s"})"));
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().what,
            "input 'acount': plan 'lost' has no such input (did you mean 'account'?)\n"
            "input 'count': expected an integer, found 'x'");
}

TEST(Compile, ListsAndMapsOfInputsAreGivenAsJson) {
  const Compiled compiled = compile_json(R"({"inputs": {"hosts": "list", "tags": "map"},
      "steps": {"x": {"run": {"hosts": "${inputs.hosts}"}}}})");
  const auto bound =
      bind_inputs(compiled.plan, Value().set("hosts", "[\"a\", \"b\"]").set("tags", "{\"k\": 1}"));
  ASSERT_TRUE(bound) << bound.error().what;
  EXPECT_EQ(to_json(*bound), R"({"hosts":["a","b"],"tags":{"k":1}})");
  EXPECT_FALSE(bind_inputs(compiled.plan, Value().set("hosts", "a, b").set("tags", "{}")));
}

TEST(Resolve, KeepsTypesUnescapesAndCarriesTaint) {
  const Compiled compiled = compile_json(steps(R"("a": {"run": {}},
      "x": {"run": {"text": "p=${a.port} $${HOME} ${sources.orders.type}", "port": "${a.port}",
                    "hosts": "${a.hosts}", "env": {"PORT": "${a.port}", "T": "${a.token}"},
                    "password": "${a.token}"}})"));
  ASSERT_THAT(compiled.findings, IsEmpty());
  const StepTypes types = test_types();
  Scope scope;
  scope.sources = *parse_json(R"({"orders": {"type": "postgres"}})");
  const auto outputs = checked_outputs(
      *compiled.plan.find("a"), types,
      *parse_json(R"({"url": "u", "port": 5432, "hosts": ["h"], "token": "t0ken"})"));
  ASSERT_TRUE(outputs);
  scope.outputs["a"] = *outputs;
  const auto config = resolve_step(*compiled.plan.find("x"), types, scope);
  ASSERT_TRUE(config) << config.error().what;
  EXPECT_EQ(to_json(*config),
            R"({"env":{"PORT":"5432","T":"***"},"hosts":["h"],"password":"***","port":5432,)"
            R"("text":"p=5432 ${HOME} postgres"})");
  Scope before;
  before.sources = scope.sources;
  const auto known = resolve_known(compiled.plan.find("x")->config, before);
  ASSERT_TRUE(known);
  EXPECT_TRUE(known->at("port").is_null());
  EXPECT_TRUE(known->at("text").is_null());
}

TEST(Resolve, AnOutputOfTheWrongTypeIsFoundBeforeTheStepRuns) {
  const Compiled compiled = compile_json(
      steps(R"("a": {"run": {"outputs": {"n": "any"}}}, "x": {"run": {"port": "${a.n}"}})"));
  ASSERT_THAT(compiled.findings, IsEmpty());
  Scope scope;
  scope.outputs["a"] = *parse_json(R"({"n": "many"})");
  const auto config = resolve_step(*compiled.plan.find("x"), test_types(), scope);
  ASSERT_FALSE(config);
  EXPECT_THAT(config.error().what, HasSubstr("step 'x'.port: expected an integer, found 'many'"));
  const auto bad =
      checked_outputs(*compiled.plan.find("a"), test_types(), *parse_json(R"({"port": "x"})"));
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().what, "step 'a': output port: expected an integer, found 'x'");
}

// Steps s0..sN with edges from later to earlier ones only: no cycle, whatever they are.
Value random_dag(std::size_t size, std::vector<std::pair<std::size_t, std::size_t>>& edges) {
  Value steps(Value::Map{});
  for (std::size_t i = 0; i < size; ++i) {
    Value after(Value::List{});
    for (std::size_t j = 0; j < i; ++j) {
      if (*rc::gen::inRange(0, 4) != 0) continue;
      after.push("s" + std::to_string(j));
      edges.emplace_back(i, j);
    }
    steps.set("s" + std::to_string(i),
              Value().set("run", Value(Value::Map{})).set("after", std::move(after)));
  }
  return steps;
}

RC_GTEST_PROP(Compile, TheTopologicalOrderRespectsEveryEdge, ()) {
  std::vector<std::pair<std::size_t, std::size_t>> edges;
  const auto size = *rc::gen::inRange<std::size_t>(1, 20);
  const Value steps = random_dag(size, edges);
  const Compiled compiled = compile_tree(Value().set("steps", steps));
  RC_ASSERT(compiled.findings.empty());
  const auto order = compiled.plan.topological();
  RC_ASSERT(order.size() == size);
  const auto place = [&](std::size_t i) {
    return std::find(order.begin(), order.end(), "s" + std::to_string(i));
  };
  for (const auto& [later, earlier] : edges) RC_ASSERT(place(earlier) < place(later));
}

RC_GTEST_PROP(Compile, ARandomCycleIsAlwaysFoundAndIsOne, ()) {
  std::vector<std::pair<std::size_t, std::size_t>> edges;
  const auto size = *rc::gen::inRange<std::size_t>(2, 20);
  Value steps = random_dag(size, edges);
  // A ring through some of the steps, besides all the edges that are no cycle.
  const auto length = *rc::gen::inRange<std::size_t>(2, size + 1);
  for (std::size_t i = 0; i < length; ++i) {
    Value& step = steps.map().find("s" + std::to_string(i))->second;
    const std::size_t next = (i + 1) % length;
    step.map().find("after")->second.push("s" + std::to_string(next));
    edges.emplace_back(i, next);
  }
  const Compiled compiled = compile_tree(Value().set("steps", steps));
  RC_ASSERT(!compiled.findings.empty());
  const std::string& text = compiled.findings.front();
  const std::string begin = "these steps wait for each other: ";
  const auto start = text.find(begin);
  RC_ASSERT(start != std::string::npos);
  // Each arrow of what is named is an edge, and it ends where it began.
  std::vector<std::size_t> named;
  std::string list = text.substr(start + begin.size());
  list = list.substr(0, list.find(" ("));
  for (std::size_t at = 0; at != std::string::npos; at = list.find('s', at + 1)) {
    named.push_back(std::stoul(list.substr(at + 1)));
  }
  RC_ASSERT(named.size() >= 2u);
  RC_ASSERT(named.front() == named.back());
  for (std::size_t i = 0; i + 1 < named.size(); ++i) {
    RC_ASSERT(std::count(edges.begin(), edges.end(), std::pair(named[i], named[i + 1])) > 0);
  }
}

TEST(Compile, ManyThousandStepsInARowNeedNoStack) {
  Value steps(Value::Map{});
  const int size = 20'000;
  for (int i = 0; i < size; ++i) {
    Value step = Value().set("run", Value(Value::Map{}));
    step.set("after", "s" + std::to_string((i + 1) % size));
    steps.set("s" + std::to_string(i), std::move(step));
  }
  const Compiled compiled = compile_tree(Value().set("steps", std::move(steps)));
  ASSERT_EQ(compiled.findings.size(), 1u);
  EXPECT_THAT(compiled.findings[0], HasSubstr("these steps wait for each other"));
}

TEST(Graph, DotHoldsEveryStepAndEdge) {
  const Compiled compiled = compile_json(
      steps(R"("a": {"run": {}}, "b": {"run": "${a.url}"}, "c": {"run": {}, "after": "b"})"));
  EXPECT_EQ(graph_dot(compiled.plan),
            "digraph \"lost\" {\n  rankdir=LR;\n  node [shape=box];\n"
            "  \"a\" [label=\"a (run)\"];\n  \"b\" [label=\"b (run)\"];\n"
            "  \"c\" [label=\"c (run)\"];\n"
            "  \"a\" -> \"b\";\n  \"b\" -> \"c\" [style=dashed];\n}\n");
}

}  // namespace
}  // namespace lifeboat::plan
