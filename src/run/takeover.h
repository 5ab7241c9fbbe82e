// run/takeover.h - Who drives a run, and the proof that nobody else does before we go on with it.
//
// Safety is the chain's: whoever loses a segment stops. What is here spares a living driver from
// being replaced, and a target from two hands: the last driver must be gone (its process on this
// machine, or no sign of life for three heartbeats by our own clock), and so must its children.
//
// Silence proves less than an end: a machine that sleeps, or that the network has cut off, is
// silent too. So whoever takes over from a silent driver, or by a person's order from a living one,
// holds back every change that was announced and that the target itself would not refuse to a
// second hand (Fence::none), until the drivers before have certainly stopped or a person says so.
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

// So many heartbeats have to fail to come before silence is taken for an end.
inline constexpr int silent_periods = 3;

// This process: random id, host name, pid, boot id with the pid namespace.
journal::Driver this_driver(Random& random);
// True only when it is certain: a process of this machine, since it was started, that has ended. An
// earlier boot of ours looks like another machine that has our name: of that, silence tells.
bool surely_gone(const journal::Driver& driver, const journal::Driver& ours);

struct TakeoverWatch {
  repo::Repository* repository = nullptr;
  Launcher* launcher = nullptr;
  Observer* observer = nullptr;
  std::chrono::nanoseconds heartbeat_period{};
  std::chrono::nanoseconds children_wait{};
  std::function<bool(const journal::Driver&)> surely_gone;
  bool take_over = false;  // by a person's order: a sign of life is not waited for
};
// How the last driver is known to be at work no more: DriverVisit::over of the next one. Waits for
// three periods when only its silence can tell.
// Errors: conflict with code lease_held, naming the driver that shows life; unavailable.
Result<std::string> prove_driver_gone(const Operation& op, const RunState& state,
                                      const TakeoverWatch& watch);
// Whether every driver before `ours` has certainly stopped: it left, its process ended, or it let
// go of the run when it lost it.  Waits for that for at most `patience`.  Errors: cancelled.
Result<bool> all_have_stopped(const Operation& op, const RunState& state,
                              const journal::Driver& ours, const TakeoverWatch& watch,
                              std::chrono::nanoseconds patience);
// Waits for the supervisors of the dead driver to end their children.  Errors: conflict with code
// refused, naming the pids that are still there after `children_wait`.
Result<void> prove_children_gone(const Operation& op, const std::string& run,
                                 const TakeoverWatch& watch);

}  // namespace lifeboat::run
