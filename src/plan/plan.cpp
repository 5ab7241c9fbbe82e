#include "plan/plan.h"

#include <algorithm>
#include <queue>

#include "base/guard.h"
#include "plan/words.h"

namespace lifeboat::plan {
namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + "\"";
}

}  // namespace

void StepTypes::add(StepType type) {
  // A type that is also a common word of steps could never be told from it.
  ASSERT(step_words().find(type.name) == nullptr);
  const std::string name = type.name;
  ASSERT(types_.emplace(name, std::move(type)).second);
}

const StepType* StepTypes::find(std::string_view name) const {
  const auto found = types_.find(name);
  return found == types_.end() ? nullptr : &found->second;
}

std::vector<std::string> StepTypes::names() const {
  std::vector<std::string> names;
  for (const auto& [name, type] : types_) names.push_back(name);
  return names;
}

const StepNode* Plan::find(std::string_view step) const {
  for (const StepNode& node : steps) {
    if (node.name == step) return &node;
  }
  return nullptr;
}

std::vector<std::string> Plan::topological() const {
  std::map<std::string, std::size_t> place;
  for (std::size_t i = 0; i < steps.size(); ++i) place.emplace(steps[i].name, i);
  std::vector<std::size_t> missing(steps.size());
  std::vector<std::vector<std::size_t>> dependants(steps.size());
  // The smallest place first: ties in the order of the file.
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    for (const std::string& dependency : steps[i].after) {
      const auto found = place.find(dependency);
      if (found == place.end()) continue;
      dependants[found->second].push_back(i);
      ++missing[i];
    }
    if (missing[i] == 0) ready.push(i);
  }
  std::vector<std::string> order;
  while (!ready.empty()) {
    const std::size_t next = ready.top();
    ready.pop();
    order.push_back(steps[next].name);
    for (const std::size_t dependant : dependants[next]) {
      if (--missing[dependant] == 0) ready.push(dependant);
    }
  }
  return order;
}

std::string graph_dot(const Plan& plan) {
  std::string text = "digraph " + quoted(plan.name) + " {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const StepNode& step : plan.steps) {
    text +=
        "  " + quoted(step.name) + " [label=" + quoted(step.name + " (" + step.type + ")") + "];\n";
  }
  for (const StepNode& step : plan.steps) {
    for (const std::string& dependency : step.after) {
      const bool needs = std::binary_search(step.needs.begin(), step.needs.end(), dependency);
      text += "  " + quoted(dependency) + " -> " + quoted(step.name) +
              (needs ? ";\n" : " [style=dashed];\n");
    }
  }
  return text + "}\n";
}

}  // namespace lifeboat::plan
