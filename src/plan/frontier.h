// plan/frontier.h - next_actions() kept up to date: what may start next, the most urgent first.
//
// Steps that a person wants undone are not its concern: next_actions() says which those are.
//
// The driver of a run tells it every change of a phase and asks what to start; a change costs the
// edges of its step, not those of the plan, so that a run of many steps costs the same for each.
// next_actions() stays the reference: after every change both answer the same (tested).
//
// Threads: one.  Ownership: plan and graph outlive it.
#pragma once

#include <chrono>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "plan/graph.h"
#include "plan/next_actions.h"

namespace lifeboat::plan {

class Frontier {
 public:
  // All steps wait. `urgency` by place: of two steps that are ready the greater one is first, of
  // equals the one that stands first in the file; empty: all equal.
  Frontier(const Plan& plan, const Graph& graph, std::vector<std::chrono::nanoseconds> urgency);

  void set(std::size_t step, StepPhase phase);
  // Approvals, and whether the run is paused or goes back; phases and undoing are not looked at.
  void hold(const RunView& view);
  StepPhase phase(std::size_t step) const { return stands_[step].phase; }

  // The most urgent step that may start; it stays so until it is set otherwise.
  std::optional<std::size_t> to_start() const;
  // Every step that may start, the most urgent first.
  std::vector<std::size_t> all_to_start() const;
  struct Lost {
    std::size_t step, needs;  // `needs`: the first whose output it will never get
  };
  // A step that is to be set to skipped.
  std::optional<Lost> to_skip() const;
  std::vector<Lost> all_to_skip() const;

  // Steps that would start, were it not for an approval; in the order of the file.
  std::vector<std::size_t> awaits() const;

  // As in NextActions, where nothing is to be undone.
  bool finished() const;
  bool waits_for_person() const { return finished() && (paused_ || !awaits().empty()); }
  bool succeeded() const { return finished() && good_ends_ == stands_.size(); }

 private:
  struct Stand {
    StepPhase phase = StepPhase::waiting;
    std::size_t holders = 0, lost = 0;  // edges from earlier steps
    bool approved = true;               // or has no gate
  };
  using Rank = std::pair<std::chrono::nanoseconds, std::size_t>;  // urgency below zero, place

  bool holds_all() const { return stoppers_ > 0 || going_back_; }
  Rank rank(std::size_t step) const;
  Lost lost(std::size_t step) const;
  bool good_end(std::size_t step) const;
  void count(std::size_t step, int by);
  void arrange(std::size_t step);
  Passage passage_from(std::size_t step, bool needed) const;

  const Plan& plan_;
  const Graph& graph_;
  const std::vector<std::chrono::nanoseconds> urgency_;
  std::vector<Stand> stands_;
  std::set<Rank> ready_;
  std::set<std::size_t> lost_;      // waiting, and never to start
  std::set<std::size_t> awaiting_;  // ready but for an approval
  std::vector<std::size_t> gated_;  // steps with a gate
  bool paused_ = false, going_back_ = false;
  std::size_t running_ = 0, stoppers_ = 0, good_ends_ = 0;
};

}  // namespace lifeboat::plan
