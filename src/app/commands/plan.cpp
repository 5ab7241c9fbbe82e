// `lifeboat plan validate|show|graph`: views of the plans of the platform file.
#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "app/commands/commands.h"
#include "app/known_platform.h"

namespace lifeboat::app {
namespace {

Result<int> validate(Program& program) {
  TRY(const platform::Platform platform, program.platform_file());
  Value document;
  document.set("valid", true);
  Table table{.columns = {"PLAN", "STEPS", "SCENARIO"}, .rows = {}};
  Value plans{Value::List{}};
  for (const auto& [name, plan] : platform.plans) {
    Value row;
    row.set("name", name);
    row.set("steps", std::uint64_t{plan.steps.size()});
    plans.push(std::move(row));
    table.rows.push_back({name, std::to_string(plan.steps.size()), printable(plan.scenario)});
  }
  document.set("plans", std::move(plans));
  Value local{Value::List{}};
  for (const auto& secret : platform::local_secrets(platform, program.vocabulary())) {
    Value row;
    row.set("user", secret.path);
    row.set("place", secret.from);
    local.push(std::move(row));
    program.terminal().say(fmt::format("warning: {} needs {}, which exists on this machine only",
                                       secret.path, secret.from));
  }
  document.set("local_secrets", std::move(local));
  program.terminal().show("PlanValidation", document, table);
  return 0;
}

Value document_of(const plan::StepNode& step) {
  Value row;
  row.set("name", step.name);
  row.set("type", step.type);
  row.set("description", step.why);
  Value after{Value::List{}};
  for (const std::string& name : step.after) after.push(name);
  row.set("after", std::move(after));
  row.set("when", step.when);
  row.set("at", step.mark.text());
  return row;
}

Result<int> show(Program& program, const std::string& name) {
  TRY(const platform::Platform platform, program.platform_file());
  TRY(const plan::Plan* plan, find_plan(platform, name));
  Value steps{Value::List{}};
  Table table{.columns = {"STEP", "TYPE", "AFTER", "WHY"}, .rows = {}};
  for (const std::string& step_name : plan->topological()) {
    const plan::StepNode& step = *plan->find(step_name);
    steps.push(document_of(step));
    table.rows.push_back({step.name, step.type, fmt::format("{}", fmt::join(step.after, ", ")),
                          printable(step.why)});
  }
  Value document;
  document.set("name", plan->name);
  document.set("scenario", plan->scenario);
  document.set("steps", std::move(steps));
  program.terminal().show("Plan", document, table);
  return 0;
}

Result<int> graph(Program& program, const std::string& name) {
  TRY(const platform::Platform platform, program.platform_file());
  TRY(const plan::Plan* plan, find_plan(platform, name));
  program.terminal().print(plan::graph_dot(*plan));
  return 0;
}

}  // namespace

void add_plan(CLI::App& root, Program& program) {
  auto* plan =
      root.add_subcommand("plan", "Validate, show, evaluate, compare and simulate recovery plans");
  plan->require_subcommand(1);
  plan->footer("Example:\n  lifeboat plan validate");
  auto name = std::make_shared<std::string>();
  auto* checked = plan->add_subcommand("validate", "Check the platform file and all its plans");
  checked->footer("Examples:\n  lifeboat plan validate\n  lifeboat plan validate -C other.yaml");
  checked->callback(
      [&program] { program.chosen = [&program](const Operation&) { return validate(program); }; });
  auto* shown = plan->add_subcommand("show", "Show the steps of a plan in an order that works");
  shown->add_option("plan", *name, "name of the plan")->required();
  shown->footer("Examples:\n  lifeboat plan show shop-lost\n  lifeboat plan show lost -o json");
  shown->callback([&program, name] {
    program.chosen = [&program, name](const Operation&) { return show(program, *name); };
  });
  auto* drawn = plan->add_subcommand("graph", "Print the graph of a plan for Graphviz");
  drawn->add_option("plan", *name, "name of the plan")->required();
  drawn->footer("Example:\n  lifeboat plan graph shop-lost | dot -Tsvg > plan.svg");
  drawn->callback([&program, name] {
    program.chosen = [&program, name](const Operation&) { return graph(program, *name); };
  });
  add_plan_diff(*plan, program);
  add_plan_evaluate(*plan, program);
  add_plan_simulate(*plan, program);
}

}  // namespace lifeboat::app
