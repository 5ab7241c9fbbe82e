#include "plan/difference.h"

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "schema/json.h"

namespace lifeboat::plan {
namespace {

using Leaves = std::map<std::string, std::string>;

void add_leaves(const Value& value, const std::string& path, const Scope& scope, Leaves& leaves) {
  if (value.tainted() && value.own_taint()) {
    leaves[path] = "(secret)";
    return;
  }
  if (value.is(Value::Type::map)) {
    for (const auto& [key, member] : value.map()) {
      add_leaves(member, path + "." + key, scope, leaves);
    }
    return;
  }
  if (value.is(Value::Type::list)) {
    std::size_t place = 0;
    for (const Value& item : value.list()) {
      add_leaves(item, path + "[" + std::to_string(place++) + "]", scope, leaves);
    }
    return;
  }
  if (!value.is(Value::Type::string)) {
    leaves[path] = to_json(value);
    return;
  }
  // What cannot be known before the run stays as it was written.
  const auto known = resolve_known(value, scope);
  if (!known || known->is_null()) {
    leaves[path] = value.string();
  } else if (known->tainted()) {
    leaves[path] = "(secret)";
  } else {
    leaves[path] = known->is(Value::Type::string) ? known->string() : to_json(*known);
  }
}

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string failure_word(OnFailure failure) {
  if (failure == OnFailure::stop) return "stop";
  return failure == OnFailure::go_on ? "continue" : "";
}

// What a step needs follows from its configuration, where each part stands is nobody's business.
Leaves leaves_of(const StepNode& step, const Scope& scope) {
  Leaves leaves;
  add_leaves(step.config, step.type, scope, leaves);
  leaves["type"] = step.type;
  leaves["description"] = step.why;
  leaves["when"] = step.when;
  leaves["after"] = joined(step.after);
  leaves["on_failure"] = failure_word(step.on_failure);
  leaves["timeout"] = step.timeout ? human_duration(*step.timeout) : "";
  leaves["retry"] = step.retry.times == 0 ? "" : std::to_string(step.retry.times);
  leaves["retry.backoff"] = human_duration(step.retry.backoff);
  for (const auto& [name, shape] : step.outputs) leaves["outputs." + name] = shape_name(shape);
  if (step.approve) {
    const std::string who = step.approve->by.empty() ? "anyone" : joined(step.approve->by);
    leaves["approve"] = std::to_string(step.approve->count) + " of " + who;
    leaves["approve.expires"] = human_duration(step.approve->expires);
    leaves["approve.reason"] = step.approve->reason;
  }
  return leaves;
}

Leaves leaves_of(const InputField& input) {
  Leaves leaves;
  add_leaves(input.fallback, "default", {}, leaves);
  if (input.secret && input.fallback.is(Value::Type::string)) leaves["default"] = "(secret)";
  leaves["type"] = input.secret ? "a secret" : shape_name(input.shape);
  leaves["ask"] = input.ask;
  return leaves;
}

// What is of the plan and of none of its steps; its name is how it was asked for.
Leaves leaves_of(const Plan& plan) {
  return {
      {"scenario", plan.scenario}, {"heartbeat", plan.heartbeat}, {"files", joined(plan.files)}};
}

Leaves leaves_of(const GuardRule& guard, const Scope& scope) {
  Leaves leaves;
  add_leaves(guard.config, guard.kind, scope, leaves);
  leaves["kind"] = guard.kind;
  leaves["adopt"] = guard.adopt ? "true" : "";
  return leaves;
}

// Everything of a plan by the name that a person calls it.
std::vector<std::pair<std::string, Leaves>> parts_of(const Scenario& scenario) {
  std::vector<std::pair<std::string, Leaves>> parts;
  parts.emplace_back("the plan", leaves_of(scenario.plan));
  for (const InputField& input : scenario.plan.inputs) {
    parts.emplace_back("input " + input.name, leaves_of(input));
  }
  for (const GuardRule& guard : scenario.plan.guards) {
    parts.emplace_back("guard " + guard.name, leaves_of(guard, scenario.scope));
  }
  for (const StepNode& step : scenario.plan.steps) {
    parts.emplace_back(step.name, leaves_of(step, scenario.scope));
  }
  return parts;
}

std::vector<Change> changes_of(const Leaves& from, const Leaves& to) {
  std::vector<Change> changes;
  const auto text = [](const Leaves& leaves, const std::string& path) {
    const auto found = leaves.find(path);
    return found == leaves.end() ? std::string() : found->second;
  };
  Leaves all = from;
  all.insert(to.begin(), to.end());
  for (const auto& [path, value] : all) {
    if (text(from, path) == text(to, path)) continue;
    changes.push_back({path, text(from, path), text(to, path)});
  }
  return changes;
}

}  // namespace

std::vector<StepDifference> difference(const Scenario& from, const Scenario& to) {
  const auto before = parts_of(from), after = parts_of(to);
  std::map<std::string, const Leaves*> old;
  for (const auto& [name, leaves] : before) old.emplace(name, &leaves);
  std::vector<StepDifference> differences;
  for (const auto& [name, leaves] : after) {
    const auto was = old.find(name);
    if (was == old.end()) {
      differences.push_back({StepDifference::Kind::added, name, {}});
      continue;
    }
    auto changes = changes_of(*was->second, leaves);
    old.erase(was);
    if (changes.empty()) continue;
    differences.push_back({StepDifference::Kind::changed, name, std::move(changes)});
  }
  for (const auto& [name, leaves] : before) {
    if (old.contains(name)) differences.push_back({StepDifference::Kind::removed, name, {}});
  }
  return differences;
}

}  // namespace lifeboat::plan
