// plan/next_actions.h - What may happen next in a run: a pure function of plan and step phases.
//
// The engine keeps the phases (from the journal), asks after every change, starts what is listed,
// marks what is to be skipped, and asks again. There is no other place that decides what runs when,
// so dry run, resume and the report cannot drift from the engine. The engine itself asks a Frontier
// (plan/frontier.h): the same answers, kept up to date at the cost of what changed.
//
// Rules: everything that waits for nothing starts at once. A failed step holds back by its
// `on_failure`: pause - its dependants wait, the rest goes on; stop - nothing new starts at all;
// go_on - dependants go on. A step that cannot do without the output of a step that was skipped, or
// that failed with go_on, is skipped; one that only comes `after:` it goes on. A step with a gate
// awaits its approval once nothing else holds it. What a person wants undone is undone in reverse:
// after everything that came after it. While the run is paused, or goes back, nothing starts.
//
// Threads: pure.  Cost: linear in steps and edges.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "plan/plan.h"

namespace lifeboat::plan {

enum class StepPhase { waiting, running, done, failed, skipped, undone };
std::string_view phase_name(StepPhase phase);

// How a step stands to one that waits for it, by its own phase. `needed`: the other cannot do
// without its output.
enum class Passage { open, holds, lost };
Passage passage(const StepNode& from, StepPhase phase, bool needed);

// Phases by step name; a step that is not named waits.
struct RunView {
  std::map<std::string, StepPhase> phases;
  std::set<std::string> approved{};     // gated steps whose approval is complete now
  std::set<std::string> to_undo{};      // what a person wants undone, and is not yet
  std::set<std::string> undo_failed{};  // those of them that a person has to look at first
  bool paused = false;                  // by a person: nothing starts, nothing is undone
  bool going_back = false;              // the whole run is undone: nothing starts
  StepPhase phase(const std::string& step) const;
};

struct NextActions {
  std::vector<std::string> start;   // may start now, all at once; in the order of the file
  std::vector<std::string> awaits;  // would start, were it not for an approval
  std::vector<std::string> undo;    // may be undone now
  // To be marked skipped now -> the step whose output they need. Ask again afterwards.
  std::map<std::string, std::string> skip;
  // Waiting steps that may not start -> the unfinished or failed steps that hold them, nearest
  // first ("why is it blocked").
  std::map<std::string, std::vector<std::string>> blocked_by;
  // Nothing runs, starts, is to be skipped or undone: without a person the run goes no further.
  bool finished = false;
  // finished only until a person acts: the run is paused, or a step awaits an approval.
  bool waits_for_person = false;
  // finished, and every step is done or skipped, or failed where the plan says `continue`.
  bool succeeded = false;
};

NextActions next_actions(const Plan& plan, const RunView& view);

// The chain of steps that took (or is expected to take) longest from start to end, in order; steps
// without a time count as zero.
std::vector<std::string> critical_path(
    const Plan& plan, const std::map<std::string, std::chrono::nanoseconds>& times);

}  // namespace lifeboat::plan
