#include "plan/frontier.h"

#include "base/guard.h"

namespace lifeboat::plan {

Frontier::Frontier(const Plan& plan, const Graph& graph,
                   std::vector<std::chrono::nanoseconds> urgency)
    : plan_(plan), graph_(graph), urgency_(std::move(urgency)), stands_(graph.size()) {
  ASSERT(plan.steps.size() == graph.size());
  ASSERT(urgency_.empty() || urgency_.size() == graph.size());
  for (std::size_t i = 0; i < stands_.size(); ++i) {
    stands_[i].holders = graph.before(i).size();
    arrange(i);
  }
}

void Frontier::set(std::size_t step, StepPhase phase) {
  if (stands_[step].phase == phase) return;
  std::vector<Passage> before;
  for (const Edge& edge : graph_.after(step)) before.push_back(passage_from(step, edge.needed));
  count(step, -1);
  stands_[step].phase = phase;
  count(step, 1);
  arrange(step);
  auto was = before.begin();
  for (const Edge& edge : graph_.after(step)) {
    const Passage now = passage_from(step, edge.needed);
    Stand& dependant = stands_[edge.step];
    if (*was == Passage::holds) --dependant.holders;
    if (*was == Passage::lost) --dependant.lost;
    if (now == Passage::holds) ++dependant.holders;
    if (now == Passage::lost) ++dependant.lost;
    if (now != *was) arrange(edge.step);
    ++was;
  }
}

std::optional<std::size_t> Frontier::to_start() const {
  if (stoppers_ > 0 || ready_.empty()) return std::nullopt;
  return ready_.begin()->second;
}

std::vector<std::size_t> Frontier::all_to_start() const {
  std::vector<std::size_t> steps;
  if (stoppers_ > 0) return steps;
  for (const auto& [urgency, step] : ready_) steps.push_back(step);
  return steps;
}

std::optional<Frontier::Lost> Frontier::to_skip() const {
  if (stoppers_ > 0 || lost_.empty()) return std::nullopt;
  return lost(*lost_.begin());
}

std::vector<Frontier::Lost> Frontier::all_to_skip() const {
  std::vector<Lost> steps;
  if (stoppers_ > 0) return steps;
  for (const std::size_t step : lost_) steps.push_back(lost(step));
  return steps;
}

bool Frontier::finished() const {
  return running_ == 0 && (stoppers_ > 0 || (ready_.empty() && lost_.empty()));
}

Frontier::Rank Frontier::rank(std::size_t step) const {
  return {urgency_.empty() ? std::chrono::nanoseconds{} : -urgency_[step], step};
}

Frontier::Lost Frontier::lost(std::size_t step) const {
  for (const Edge& edge : graph_.before(step)) {
    if (passage_from(edge.step, edge.needed) == Passage::lost) return {step, edge.step};
  }
  ASSERT(false);
  return {step, step};
}

bool Frontier::good_end(std::size_t step) const {
  const StepPhase phase = stands_[step].phase;
  return phase == StepPhase::done || phase == StepPhase::skipped ||
         (phase == StepPhase::failed && plan_.steps[step].on_failure == OnFailure::go_on);
}

// What the whole run hangs on: counted, not searched.
void Frontier::count(std::size_t step, int by) {
  const auto add = [by](std::size_t& number) { by > 0 ? ++number : --number; };
  const StepPhase phase = stands_[step].phase;
  if (phase == StepPhase::running) add(running_);
  if (phase == StepPhase::failed && plan_.steps[step].on_failure == OnFailure::stop) {
    add(stoppers_);
  }
  if (good_end(step)) add(good_ends_);
}

void Frontier::arrange(std::size_t step) {
  const Stand& stand = stands_[step];
  const bool waits = stand.phase == StepPhase::waiting;
  if (waits && stand.lost > 0) {
    lost_.insert(step);
  } else {
    lost_.erase(step);
  }
  if (waits && stand.lost == 0 && stand.holders == 0) {
    ready_.insert(rank(step));
  } else {
    ready_.erase(rank(step));
  }
}

Passage Frontier::passage_from(std::size_t step, bool needed) const {
  return passage(plan_.steps[step], stands_[step].phase, needed);
}

}  // namespace lifeboat::plan
