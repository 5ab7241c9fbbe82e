#include "plan/next_actions.h"

#include <algorithm>

namespace lifeboat::plan {
namespace {

bool needs(const StepNode& step, const std::string& dependency) {
  return std::find(step.needs.begin(), step.needs.end(), dependency) != step.needs.end();
}

struct Stand {
  std::vector<std::string> holders;
  std::string lost;  // the first step whose output will never come
};

using Index = std::map<std::string, const StepNode*>;

Stand stand_of(const StepNode& step, const Index& index, const RunView& view) {
  Stand stand;
  for (const std::string& dependency : step.after) {
    const auto found = index.find(dependency);
    if (found == index.end()) continue;
    switch (passage(*found->second, view.phase(dependency), needs(step, dependency))) {
      case Passage::open:
        break;
      case Passage::holds:
        stand.holders.push_back(dependency);
        break;
      case Passage::lost:
        if (stand.lost.empty()) stand.lost = dependency;
        break;
    }
  }
  return stand;
}

// The failed steps that say `stop`.
std::vector<std::string> stoppers(const Plan& plan, const RunView& view) {
  std::vector<std::string> names;
  for (const StepNode& step : plan.steps) {
    if (step.on_failure == OnFailure::stop && view.phase(step.name) == StepPhase::failed) {
      names.push_back(step.name);
    }
  }
  return names;
}

// Those that wait for nothing of what came after them: the last ones that have left a trace.
std::vector<std::string> undo_now(const Plan& plan, const RunView& view) {
  std::set<std::string> held;
  for (const StepNode& step : plan.steps) {
    const StepPhase phase = view.phase(step.name);
    const bool stands =
        phase == StepPhase::done || phase == StepPhase::running || view.to_undo.contains(step.name);
    if (stands) held.insert(step.after.begin(), step.after.end());
  }
  std::vector<std::string> names;
  for (const StepNode& step : plan.steps) {
    const bool wanted = view.to_undo.contains(step.name) && !held.contains(step.name) &&
                        !view.undo_failed.contains(step.name);
    if (wanted && view.phase(step.name) != StepPhase::running) names.push_back(step.name);
  }
  return names;
}

bool good_end(const Plan& plan, const RunView& view) {
  return std::all_of(plan.steps.begin(), plan.steps.end(), [&](const StepNode& step) {
    const StepPhase phase = view.phase(step.name);
    return phase == StepPhase::done || phase == StepPhase::skipped ||
           (phase == StepPhase::failed && step.on_failure == OnFailure::go_on);
  });
}

}  // namespace

std::string_view phase_name(StepPhase phase) {
  switch (phase) {
    case StepPhase::waiting:
      return "waiting";
    case StepPhase::running:
      return "running";
    case StepPhase::done:
      return "done";
    case StepPhase::failed:
      return "failed";
    case StepPhase::skipped:
      return "skipped";
    case StepPhase::undone:
      return "undone";
  }
  return "waiting";
}

StepPhase RunView::phase(const std::string& step) const {
  const auto found = phases.find(step);
  return found == phases.end() ? StepPhase::waiting : found->second;
}

Passage passage(const StepNode& from, StepPhase phase, bool needed) {
  switch (phase) {
    case StepPhase::done:
      return Passage::open;
    case StepPhase::skipped:
      return needed ? Passage::lost : Passage::open;
    case StepPhase::failed:
      if (from.on_failure != OnFailure::go_on) return Passage::holds;
      return needed ? Passage::lost : Passage::open;
    case StepPhase::waiting:
    case StepPhase::running:
    case StepPhase::undone:
      return Passage::holds;
  }
  return Passage::holds;
}

NextActions next_actions(const Plan& plan, const RunView& view) {
  NextActions next;
  Index index;
  for (const StepNode& step : plan.steps) index.emplace(step.name, &step);
  const std::vector<std::string> stopped_by = stoppers(plan, view);
  bool running = false;
  for (const StepNode& step : plan.steps) {
    const StepPhase phase = view.phase(step.name);
    running = running || phase == StepPhase::running;
    if (phase != StepPhase::waiting || view.going_back) continue;
    if (!stopped_by.empty()) {
      next.blocked_by.emplace(step.name, stopped_by);
      continue;
    }
    Stand stand = stand_of(step, index, view);
    if (!stand.lost.empty()) {
      next.skip.emplace(step.name, stand.lost);
    } else if (!stand.holders.empty()) {
      next.blocked_by.emplace(step.name, std::move(stand.holders));
    } else if (step.approve && !view.approved.contains(step.name)) {
      next.awaits.push_back(step.name);
    } else if (!view.paused) {
      next.start.push_back(step.name);
    }
  }
  if (!view.paused) next.undo = undo_now(plan, view);
  next.finished = !running && next.start.empty() && next.skip.empty() && next.undo.empty();
  next.waits_for_person = next.finished && (view.paused || !next.awaits.empty());
  next.succeeded = next.finished && good_end(plan, view);
  return next;
}

std::vector<std::string> critical_path(
    const Plan& plan, const std::map<std::string, std::chrono::nanoseconds>& times) {
  Index index;
  for (const StepNode& step : plan.steps) index.emplace(step.name, &step);
  std::map<std::string, std::chrono::nanoseconds> end;
  std::map<std::string, std::string> before;
  std::string last;
  for (const std::string& name : plan.topological()) {
    std::chrono::nanoseconds start{};
    for (const std::string& dependency : index[name]->after) {
      const auto found = end.find(dependency);
      if (found == end.end() || (before.contains(name) && found->second <= start)) continue;
      start = found->second;
      before[name] = dependency;
    }
    const auto own = times.find(name);
    end[name] = start + (own == times.end() ? std::chrono::nanoseconds{} : own->second);
    if (last.empty() || end[name] > end[last]) last = name;
  }
  std::vector<std::string> chain;
  for (std::string step = last; !step.empty();) {
    chain.push_back(step);
    const auto found = before.find(step);
    step = found == before.end() ? std::string() : found->second;
  }
  std::reverse(chain.begin(), chain.end());
  return chain;
}

}  // namespace lifeboat::plan
