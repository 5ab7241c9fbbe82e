// `lifeboat plan diff`: how two scenarios differ, before anybody runs one.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>

#include "app/commands/commands.h"
#include "app/known_platform.h"
#include "app/scenario.h"
#include "plan/difference.h"

namespace lifeboat::app {
namespace {

struct Given {
  std::string plan, other;  // "" = the same plan
  std::vector<std::string> inputs, against;
  bool graceful = false, against_graceful = false;
};

std::string_view word(plan::StepDifference::Kind kind) {
  if (kind == plan::StepDifference::Kind::added) return "added";
  return kind == plan::StepDifference::Kind::removed ? "removed" : "changed";
}

void show(Program& program, const std::vector<plan::StepDifference>& differences) {
  Table table{.columns = {"STEP", "", "WHAT", "FROM", "TO"}, .rows = {}};
  Value steps{Value::List{}};
  for (const plan::StepDifference& step : differences) {
    Value row;
    row.set("step", step.step);
    row.set("kind", word(step.kind));
    Value changes{Value::List{}};
    if (step.changes.empty()) {
      table.rows.push_back({printable(step.step), std::string(word(step.kind)), "", "", ""});
    }
    for (const plan::Change& change : step.changes) {
      Value one;
      one.set("what", change.what);
      one.set("from", change.from);
      one.set("to", change.to);
      changes.push(std::move(one));
      table.rows.push_back({printable(step.step), std::string(word(step.kind)),
                            printable(change.what), printable(change.from), printable(change.to)});
    }
    row.set("changes", std::move(changes));
    steps.push(std::move(row));
  }
  Value document;
  document.set("equal", differences.empty());
  document.set("steps", std::move(steps));
  if (differences.empty() && program.terminal().output() == Output::table) {
    program.terminal().print("no difference\n");
  } else {
    program.terminal().show("PlanDifference", document, table);
  }
}

// What both have need not be said twice.
std::vector<std::string> words_of_second(const Given& given, const plan::Plan& second) {
  const auto name_in = [](const std::string& text) { return text.substr(0, text.find('=')); };
  std::vector<std::string> words;
  for (const std::string& said : given.inputs) {
    const auto same = [&](const auto& other) { return name_in(other) == name_in(said); };
    const bool has = std::ranges::any_of(
        second.inputs, [&](const plan::InputField& input) { return input.name == name_in(said); });
    if (has && std::ranges::none_of(given.against, same)) words.push_back(said);
  }
  words.insert(words.end(), given.against.begin(), given.against.end());
  return words;
}

Result<int> diff(const Operation& op, Program& program, const Given& given) {
  TRY(const KnownPlatform known, known_platform(op, program));
  const platform::Platform& platform = known.platform;
  TRY(const Scenario from, read_scenario(op, platform, {given.plan, given.inputs, given.graceful}));
  const std::string& other = given.other.empty() ? given.plan : given.other;
  TRY(const plan::Plan* second, find_plan(platform, other));
  const std::vector<std::string> words = words_of_second(given, *second);
  TRY(const Scenario to, read_scenario(op, platform, {other, words, given.against_graceful}));
  show(program, plan::difference({from.plan, from.scope}, {to.plan, to.scope}));
  return 0;
}

}  // namespace

void add_plan_diff(CLI::App& plan, Program& program) {
  auto* command = plan.add_subcommand("diff", "Show how two scenarios, or two plans, differ");
  auto given = std::make_shared<Given>();
  command->add_option("plan", given->plan, "name of the plan")->required();
  command->add_option("other", given->other, "another plan; the same one when none is named");
  command->add_option("--input", given->inputs, "NAME=VALUE: an input of the first scenario");
  command->add_option(
      "--against", given->against,
      "NAME=VALUE: an input of the second; others that both have are as in the first");
  command->add_flag("--graceful", given->graceful, "the first is the graceful variant");
  command->add_flag("--against-graceful", given->against_graceful,
                    "the second is the graceful variant");
  command->footer(
      "Values are shown as far as the inputs tell them; secrets never.\n\nExamples:\n"
      "  lifeboat plan diff region-lost --input region=eu --against region=us\n"
      "  lifeboat plan diff move --against-graceful\n"
      "  lifeboat plan diff account-lost region-lost -o json");
  command->callback([&program, given] {
    program.chosen = [&program, given](const Operation& op) { return diff(op, program, *given); };
  });
}

}  // namespace lifeboat::app
