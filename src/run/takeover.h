// run/takeover.h - Who drives a run, and the proof that nobody else does before we go on with it.
//
// Safety is the chain's: whoever loses a segment stops. What is here spares a living driver from
// being replaced, and a target from two hands: the last driver must be gone (its process on this
// machine, or no sign of life for three heartbeats by our own clock), and so must its children.
//
// Threads: functions.
#pragma once

#include <functional>
#include <string>

#include "base/random.h"
#include "client/process/launcher.h"
#include "journal/journal.h"
#include "run/observer.h"
#include "run/state.h"

namespace lifeboat::run {

// This process: random id, host name, pid, boot id with the pid namespace.
journal::Driver this_driver(Random& random);
// True only when it is certain: a process of this machine that ended, or of an earlier boot of it.
bool surely_gone(const journal::Driver& driver, const journal::Driver& ours);

struct TakeoverWatch {
  repo::Repository* repository = nullptr;
  Launcher* launcher = nullptr;
  Observer* observer = nullptr;
  std::chrono::nanoseconds heartbeat_period{};
  std::chrono::nanoseconds children_wait{};
  std::function<bool(const journal::Driver&)> surely_gone;
};
// Errors: conflict with code lease_held, naming the driver that shows life; unavailable.
Result<void> prove_driver_gone(const Operation& op, const RunState& state,
                               const TakeoverWatch& watch);
// Waits for the supervisors of the dead driver to end their children.  Errors: conflict with code
// refused, naming the pids that are still there after `children_wait`.
Result<void> prove_children_gone(const Operation& op, const std::string& run,
                                 const TakeoverWatch& watch);

}  // namespace lifeboat::run
