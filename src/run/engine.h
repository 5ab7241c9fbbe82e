// run/engine.h - Drives a recovery plan to its end, through any number of deaths of its driver.
//
// begin(): every step is looked at first (preflight, read-only; what would not work refuses the run
// before it exists). Then the run is announced in the log of the repository and its first segment
// pins all that it will ever need: plan, inputs, recovery point, bundle. From there on everything
// that waits for nothing runs at once, one thread a step (run/step_life.h). A step that fails holds
// back its dependants only, unless the plan says otherwise; the run ends when nothing can start.
//
// resume(): reads the journal, from any machine, and proves that the last driver and its children
// are gone. What is done stays done; an intent without an end is settled by observing the target;
// what failed is tried again. The plan comes from the journal, not from a file.
//
// Two drivers: the chain has one next segment. Whoever loses it stops all its steps, changes
// nothing more and says so: Outcome::halted with code lease_held. What remains uncertain about the
// driver before, and what is held back because of it: run/takeover.h.
//
// People ask of a run through its requests (run/request.h), whoever drives it.
//
// Stopping (`op.stop`): running steps are stopped, what happened is still journaled, the run can be
// resumed. Threads: a call runs in its caller's thread and owns all threads it starts; they have
// ended when it answers.  Ownership: everything in the setup outlives the call.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "plan/expectation.h"
#include "run/context.h"
#include "run/replan.h"
#include "run/state.h"

namespace lifeboat::run {

struct EngineSetup {
  Surroundings around;  // `observer` may be null
  repo::Repository* repository = nullptr;
  journal::Driver driver;  // this_driver()
  unsigned running_at_most = 16;
  // When more steps are ready than may run at once, the longest expected chain goes first.
  plan::Expectations expectations;
  // Signs of life, and how often a driver looks whether it was replaced; zero: never.
  std::chrono::nanoseconds heartbeat_period = std::chrono::seconds(5);
  // A run that only waits for people (a gate, a pause) is driven on until they act. False, for
  // pipelines: this driver leaves, with code needs_person. Needs heartbeats.
  bool waits_for_people = true;
  // resume() goes on by this plan from now on; it outlives the call. Secrets in it as such,
  // tainted.
  const Replan* replan = nullptr;
  // resume() takes the run from a driver that shows life: a person's order.
  bool take_over = false;
  // How long resume() waits for children of the last driver to end.
  std::chrono::nanoseconds children_wait = std::chrono::seconds(20);
  // Whether a driver is certainly dead; empty: run/takeover.h looks at this machine.
  std::function<bool(const journal::Driver&)> surely_gone;
  // Where to die, for tests; nullopt: as the environment says (run/fault_point.h).
  std::optional<FaultPoints::Settings> faults;
  // The vault is deleted when the run is done; true keeps it.
  bool keep_vault = false;
};

struct Outcome {
  RunState state;
  // False: the run was resumed on a machine that cannot know whether its last segment is missing.
  bool freshness_proven = true;
  // Why this driver left before the run ended: interrupted, lease_held, unavailable, needs_person.
  std::optional<Error> halted;
};

// 12 hex digits.
std::string new_run_name(Random& random);

// Errors, all before anything was changed: lease_held (somebody is at work on the same recovery:
// run/rivals.h); not_ready (preflight); unavailable, conflict (the run cannot be written).
// `pins.inputs` holds secrets as such, tainted; they go to the vault.
Result<Outcome> begin(const Operation& op, const EngineSetup& setup, const Pins& pins);

// Errors, all before anything was changed by us: not_found (no such run, or never begun); corrupt
// (the journal); lease_held (a living driver, or another one was faster); refused (its children
// live); not_ready. A run that is done already answers its state.
Result<Outcome> resume(const Operation& op, const EngineSetup& setup, const std::string& run);

// Whether a run that was announced has a journal: if its driver died in between, nothing was
// changed and there is nothing to resume.  Errors: those of the store.
Result<bool> was_begun(const Operation& op, repo::Repository& repository, const std::string& run);
// The newest run that was begun and did not give way to another; nullopt when there is none.
Result<std::optional<std::string>> newest_run(const Operation& op, repo::Repository& repository);

// A run as its journal has it, for `runs show` and for preparing a resume().  Errors: as resume().
Result<Outcome> read_run(const Operation& op, repo::Repository& repository, const std::string& run);

}  // namespace lifeboat::run
