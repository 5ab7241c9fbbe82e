// run/replan.h - Changing the plan of a run in its middle: explicit, shown before, journaled.
//
// A run goes by the plan that it pinned, whatever becomes of files. When that plan itself is wrong,
// a person replaces it: map_steps() says what becomes of every step, and once the person has agreed
// a driver goes on with resume() and EngineSetup::replan. A step keeps what is known of it when the
// new plan has one of its name (or of the name that it is renamed to) and type. What is done stays
// done, also where its configuration is another now: it is said, and `runs undo` is for a person.
//
// Threads: pure functions.  Source: docs/format.md, "Events".
#pragma once

#include <map>
#include <string>
#include <vector>

#include "run/state.h"

namespace lifeboat::run {

// What takes the place of the plan, and all that belongs to it.
struct Replan {
  plan::Plan plan;
  Value inputs;  // as plan::bind_inputs() answers them for it
  Value sources;
  std::string bundle;  // snapshot, hex
  std::map<std::string, std::string> operators;
  std::map<std::string, std::string> renames;  // old step -> new step
  std::string by;
};

struct StepFate {
  enum class Kind {
    kept,          // the same, and what is known of it stays
    changed,       // not done; will be done as the new plan says
    done_before,   // done as the old plan said; the new one says something else
    added,         //
    removed,       // not done, and will not be
    done_removed,  // done, and in no plan any more: it stays in the target
  };
  Kind kind = Kind::kept;
  std::string before, after;  // names; "" = there is none
};
// "kept", "changed", "done before, as planned then", ...
std::string_view fate_text(StepFate::Kind kind);

// In the order of the new plan, then what is removed.
// Errors: invalid when a rename names no step of the one or the other plan, or joins two types.
Result<std::vector<StepFate>> map_steps(const RunState& state, const Replan& replan);

// What the journal's event does to a state; applying it again changes nothing.
void apply(RunState& state, const Replan& replan);

}  // namespace lifeboat::run
