// run/simulation.h - The real engine on steps that only take time: nothing is changed, and hours
// pass at once.
//
// Drive, journal, ledger and threads are those of a recovery; the store and the repository are in
// memory, and each step is replaced by one that sleeps on a clock of the simulation's own. That
// clock goes on, to the next end of a step, only when the engine has started all that it may start
// and every step sleeps: so times come out exactly, and the same each time. One end at a time.
//
// What the engine itself needed is measured by the clock that comes in: it is the whole of a run
// without its steps, preflight and replacing threads included.
//
// Threads: a call runs in its caller's thread and owns all threads it starts.
#pragma once

#include <vector>

#include "base/random.h"
#include "plan/schedule.h"

namespace lifeboat::run {

struct SimulatedRun {
  std::chrono::nanoseconds makespan{};
  plan::Times start, end;             // by place, since the begin of the run
  unsigned at_once = 0;               // most steps at work at one time
  std::chrono::nanoseconds engine{};  // what the engine needed for all of it, by `op.clock`
  std::uint64_t segments = 0;         // of the journal
};

struct SimulationSetup {
  const plan::Plan* plan = nullptr;
  plan::Times times;                // that the steps take, by place
  plan::Expectations expectations;  // what the engine goes by; empty: it starts in the file's order
  unsigned workers = 16;
  Random* random = nullptr;  // names the run
};

// Errors: cancelled; invalid when a step of the plan cannot run at all.
Result<SimulatedRun> simulate_run(const Operation& op, const SimulationSetup& setup);

}  // namespace lifeboat::run
