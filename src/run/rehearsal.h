// run/rehearsal.h - Looks at all steps of a plan without changing anything: preflight, dry run.
//
// A step whose configuration needs outputs of steps that have not run is looked at with nulls in
// their place; what it then complains of is no failure, but said to be unknown. So is something
// that is unreachable or absent while a step before it is not done: that may be what brings it.
// Nothing is written anywhere, secrets that a step would make and keep are made and forgotten.
//
// Threads: the functions use a few of their own; steps are looked at side by side.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "run/context.h"
#include "run/guard.h"

namespace lifeboat::run {

// What would become of one step.
struct Prospect {
  std::string step, type;
  std::optional<plan::State> state;    // nullopt: cannot be known yet, or there is a problem
  std::string summary, would;          // as the step's observe() said; else what is missing yet
  std::vector<std::string> effects;    // endpoints that it may change
  std::vector<std::string> waits_for;  // steps that must be done before more can be known
  std::optional<Error> problem;        // the step would not work
  // What would change: the first of them, masked and cut; and how many there are.
  std::vector<plan::Change> changes = {};
  std::size_t changes_in_all = 0;
};

// Nobody reads more of one step.
inline constexpr std::size_t changes_shown = 40, change_text_max = 200;

struct DryRun {
  std::vector<Prospect> steps;    // in an order in which they could run
  std::vector<GuardSeen> guards;  // of the plan
  bool ready() const;
};

// Makes the launcher know what is secret in `pins`: before any step is looked at.
void mask_secrets(const Surroundings& around, const Pins& pins);

// Preflight of every step that is not done.  Errors: not_ready, naming every step that would not
// work, why, and what to do; cancelled.
Result<void> preflight_all(const Operation& op, const Surroundings& around, const Pins& pins,
                           const plan::Scope& scope, const plan::RunView& view);

// Preflight and observe of everything that can be known before the run.  Errors: cancelled. What
// would not work is in the prospects. `pins.inputs` holds secrets as such, tainted.
Result<DryRun> dry_run(const Operation& op, const Surroundings& around, const Pins& pins);

// Lines of at most `width` columns: step, state, what would be done, what is there now.
std::string render_text(const DryRun& dry_run, std::size_t width = 100);
Value to_value(const DryRun& dry_run);

}  // namespace lifeboat::run
