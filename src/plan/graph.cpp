#include "plan/graph.h"

#include <algorithm>
#include <queue>

namespace lifeboat::plan {
namespace {

using Edges = std::vector<std::vector<Edge>>;

std::vector<std::size_t> sorted(const Edges& before, const Edges& after) {
  std::vector<std::size_t> missing(before.size());
  // The smallest place first: ties in the order of the file.
  std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
  for (std::size_t i = 0; i < before.size(); ++i) {
    missing[i] = before[i].size();
    if (missing[i] == 0) ready.push(i);
  }
  std::vector<std::size_t> order;
  while (!ready.empty()) {
    const std::size_t next = ready.top();
    ready.pop();
    order.push_back(next);
    for (const Edge& edge : after[next]) {
      if (--missing[edge.step] == 0) ready.push(edge.step);
    }
  }
  return order;
}

}  // namespace

Graph::Graph(const Plan& plan) : before_(plan.steps.size()), after_(plan.steps.size()) {
  for (std::size_t i = 0; i < plan.steps.size(); ++i) places_.emplace(plan.steps[i].name, i);
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    const StepNode& step = plan.steps[i];
    for (const std::string& dependency : step.after) {
      const auto found = place(dependency);
      if (!found) continue;
      const bool needed = std::ranges::find(step.needs, dependency) != step.needs.end();
      before_[i].push_back({*found, needed});
      after_[*found].push_back({i, needed});
    }
  }
  order_ = sorted(before_, after_);
}

std::optional<std::size_t> Graph::place(std::string_view step) const {
  const auto found = places_.find(step);
  return found == places_.end() ? std::optional<std::size_t>() : found->second;
}

}  // namespace lifeboat::plan
