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
    stands_[i].approved = !plan.steps[i].approve;
    if (plan.steps[i].approve) gated_.push_back(i);
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

void Frontier::hold(const RunView& view) {
  paused_ = view.paused;
  going_back_ = view.going_back;
  for (const std::size_t step : gated_) {
    const bool approved = view.approved.contains(plan_.steps[step].name);
    if (approved == stands_[step].approved) continue;
    stands_[step].approved = approved;
    arrange(step);
  }
}

std::optional<std::size_t> Frontier::to_start() const {
  if (holds_all() || paused_ || ready_.empty()) return std::nullopt;
  return ready_.begin()->second;
}

std::vector<std::size_t> Frontier::all_to_start() const {
  std::vector<std::size_t> steps;
  if (holds_all() || paused_) return steps;
  for (const auto& [urgency, step] : ready_) steps.push_back(step);
  return steps;
}

std::optional<Frontier::Lost> Frontier::to_skip() const {
  if (holds_all() || lost_.empty()) return std::nullopt;
  return lost(*lost_.begin());
}

std::vector<Frontier::Lost> Frontier::all_to_skip() const {
  std::vector<Lost> steps;
  if (holds_all()) return steps;
  for (const std::size_t step : lost_) steps.push_back(lost(step));
  return steps;
}

std::vector<std::size_t> Frontier::awaits() const {
  if (holds_all()) return {};
  return {awaiting_.begin(), awaiting_.end()};
}

bool Frontier::finished() const {
  if (running_ > 0) return false;
  return holds_all() || ((paused_ || ready_.empty()) && lost_.empty());
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
  const bool free = waits && stand.lost == 0 && stand.holders == 0;
  if (free && stand.approved) {
    ready_.insert(rank(step));
  } else {
    ready_.erase(rank(step));
  }
  if (free && !stand.approved) {
    awaiting_.insert(step);
  } else {
    awaiting_.erase(step);
  }
}

Passage Frontier::passage_from(std::size_t step, bool needed) const {
  return passage(plan_.steps[step], stands_[step].phase, needed);
}

}  // namespace lifeboat::plan
