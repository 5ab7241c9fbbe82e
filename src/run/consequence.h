// run/consequence.h - What would follow if a run took a request now, and nobody said anything else.
//
// A pure comparison of two states, the one that the journal tells and the one with the request in
// it, by the same rules as the engine's (plan/next_actions.h): a preview cannot drift from what is
// done. What a step finds when it looks at its target is not known here.
//
// Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "run/state.h"

namespace lifeboat::run {

struct Consequence {
  std::string step, type, state;  // as the report names them: "done", "at work", "waiting"
  std::string would;              // "be undone", "be left out", "start", "be stopped", ...
  std::vector<std::string> notes;
};

// In the order in which it would happen; empty: no step is concerned. Of an undo: what was kept
// aside then, and what it left running.
std::vector<Consequence> consequences(const RunState& before, const RunState& after, WallTime now);

}  // namespace lifeboat::run
