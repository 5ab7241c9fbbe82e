#include "run/replan.h"

#include <fmt/format.h>

#include <algorithm>

#include "run/plan_codec.h"
#include "schema/json.h"

namespace lifeboat::run {
namespace {

// The old name of a step of the new plan.
std::string name_before(const Replan& replan, const std::string& after) {
  for (const auto& [before, renamed] : replan.renames) {
    if (renamed == after) return before;
  }
  return replan.renames.contains(after) ? "" : after;
}

// All that the engine goes by; a line that moved in the file is no change.
std::string essence(plan::StepNode node) {
  node.name.clear();
  node.mark = {};
  plan::Plan alone;
  alone.steps = {std::move(node)};
  return to_json(to_value(alone));
}

Result<void> check_renames(const RunState& state, const Replan& replan) {
  for (const auto& [before, after] : replan.renames) {
    const plan::StepNode* from = state.pins.plan.find(before);
    const plan::StepNode* to = replan.plan.find(after);
    if (from == nullptr || to == nullptr) {
      return fail(Error::Kind::invalid,
                  fmt::format("--map {}={}: the {} plan has no step '{}'", printable(before),
                              printable(after), from == nullptr ? "old" : "new",
                              printable(from == nullptr ? before : after)),
                  "", Error::Code::usage);
    }
    if (from->type != to->type) {
      return fail(Error::Kind::invalid,
                  fmt::format("--map {}={}: the one is of type {}, the other of type {}", before,
                              after, from->type, to->type),
                  "what one type did says nothing about another", Error::Code::usage);
    }
  }
  return {};
}

StepFate fate_of(const RunState& state, const Replan& replan, const plan::StepNode& node) {
  const std::string before = name_before(replan, node.name);
  const plan::StepNode* old = before.empty() ? nullptr : state.pins.plan.find(before);
  if (old == nullptr || old->type != node.type) return {StepFate::Kind::added, "", node.name};
  if (essence(*old) == essence(node)) return {StepFate::Kind::kept, before, node.name};
  const bool done = state.step(before).phase == plan::StepPhase::done;
  return {done ? StepFate::Kind::done_before : StepFate::Kind::changed, before, node.name};
}

}  // namespace

std::string_view fate_text(StepFate::Kind kind) {
  switch (kind) {
    case StepFate::Kind::kept:
      return "kept";
    case StepFate::Kind::changed:
      return "changed";
    case StepFate::Kind::done_before:
      return "done before, as it was planned then";
    case StepFate::Kind::added:
      return "new";
    case StepFate::Kind::removed:
      return "removed";
    case StepFate::Kind::done_removed:
      return "removed, but done: it stays in the target";
  }
  return "";
}

Result<std::vector<StepFate>> map_steps(const RunState& state, const Replan& replan) {
  TRY_DO(check_renames(state, replan));
  std::vector<StepFate> fates;
  for (const plan::StepNode& node : replan.plan.steps) {
    fates.push_back(fate_of(state, replan, node));
  }
  for (const plan::StepNode& old : state.pins.plan.steps) {
    if (std::ranges::count(fates, old.name, &StepFate::before) > 0) continue;
    const bool trace = state.step(old.name).attempts > 0;
    fates.push_back({trace ? StepFate::Kind::done_removed : StepFate::Kind::removed, old.name, ""});
  }
  return fates;
}

void apply(RunState& state, const Replan& replan) {
  const auto fates = map_steps(state, replan);
  if (!fates) return;  // applied before: its renames have gone through
  std::map<std::string, StepState> steps;
  for (const StepFate& fate : *fates) {
    const auto known = state.steps.find(fate.before);
    if (known == state.steps.end() || fate.after.empty()) continue;
    steps[fate.after] = known->second;
  }
  forget_approvals(steps);
  for (const StepFate& fate : *fates) {
    if (fate.kind != StepFate::Kind::done_removed) continue;
    state.remarks.push_back(
        fmt::format("step {} was taken out of the plan after it had begun", fate.before));
  }
  state.steps = std::move(steps);
  state.pins.plan = replan.plan;
  state.pins.inputs = replan.inputs;
  state.pins.sources = replan.sources;
  state.pins.bundle = replan.bundle;
  state.pins.operators = replan.operators;
}

}  // namespace lifeboat::run
