// What is left when steps without open dependencies are taken away again and again waits, directly
// or not, for a cycle. From any of those, going to somebody it waits for must come back to a step
// that was passed before: that is the cycle. No recursion: plans may be long.
#include <algorithm>
#include <set>

#include "plan/compile_parts.h"

namespace lifeboat::plan {
namespace {

using Graph = std::map<std::string, std::vector<std::string>>;  // step -> what it waits for

// The steps of one cycle that `start` waits for, each waiting for the next; `start` must be left
// over from taking away.
std::vector<std::string> cycle_before(const Graph& left, const std::string& start) {
  std::vector<std::string> way;
  std::map<std::string, std::size_t> place;
  for (std::string at = start;;) {
    const auto seen = place.find(at);
    if (seen != place.end()) {
      return {way.begin() + static_cast<std::ptrdiff_t>(seen->second), way.end()};
    }
    place.emplace(at, way.size());
    way.push_back(at);
    const auto& waits = left.at(at);
    at = *std::find_if(waits.begin(), waits.end(),
                       [&](const std::string& name) { return left.contains(name); });
  }
}

Graph without(const Graph& graph, const std::set<std::string>& gone) {
  Graph left;
  for (const auto& [step, waits] : graph) {
    if (!gone.contains(step)) left.emplace(step, waits);
  }
  return left;
}

// Takes away every step that waits for nothing in the graph, until none is left to take.
Graph reduced(Graph graph) {
  std::map<std::string, std::size_t> open;
  std::map<std::string, std::vector<std::string>> dependants;
  std::vector<std::string> ready;
  for (const auto& [step, waits] : graph) {
    std::size_t count = 0;
    for (const std::string& name : waits) {
      if (!graph.contains(name)) continue;
      dependants[name].push_back(step);
      ++count;
    }
    open[step] = count;
    if (count == 0) ready.push_back(step);
  }
  while (!ready.empty()) {
    const std::string step = ready.back();
    ready.pop_back();
    graph.erase(step);
    for (const std::string& dependant : dependants[step]) {
      if (--open[dependant] == 0) ready.push_back(dependant);
    }
  }
  return graph;
}

}  // namespace

void find_cycles(const Plan& plan, const EdgeMarks& marks, std::vector<Finding>& findings) {
  static constexpr int cycles_max = 20;  // as many as an error shows
  Graph graph;
  for (const StepNode& step : plan.steps) graph.emplace(step.name, step.after);
  graph = reduced(std::move(graph));
  for (int found = 0; !graph.empty() && found < cycles_max; ++found) {
    std::vector<std::string> cycle = cycle_before(graph, graph.begin()->first);
    // From the smallest name on, so that the same cycle is always told the same way.
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    std::string text = "these steps wait for each other: ";
    std::string places;
    for (std::size_t i = 0; i < cycle.size(); ++i) {
      const std::string& next = cycle[(i + 1) % cycle.size()];
      text += cycle[i] + " -> ";
      const auto mark = marks.find({cycle[i], next});
      const std::string place = mark == marks.end() ? "" : " at " + mark->second.text();
      places += (i == 0 ? "" : "; ") + cycle[i] + " waits for " + next + place;
    }
    const auto first = marks.find({cycle[0], cycle[1 % cycle.size()]});
    findings.push_back({first == marks.end() ? plan.mark : first->second, "plans." + plan.name,
                        text + cycle[0], places});
    graph = reduced(without(graph, {cycle.begin(), cycle.end()}));
  }
}

}  // namespace lifeboat::plan
