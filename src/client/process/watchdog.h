// client/process/watchdog.h - Freezes something with one program and has it thawed by another,
// whatever becomes of us.
//
// Both programs are run by a process of their own (our own binary, `lifeboat watchdog`), in a
// session of its own, deaf to the signals that end us. It is there before `before` is started and
// goes on until `after` has ended. It thaws when it is told to, when its pipe reports end of file
// or its parent changed (we are dead, however we died), and when the limit is over (we may be
// stopped). `before` and `after` do not run at once: what still runs of `before` is ended first. An
// `after` that fails is tried again, with growing pauses, for `retry_for`.
//
// Whenever `before` was started `after` runs, also when `before` failed. It runs once, and again
// only where it failed or was cut off: it must bear that (at least once). Should the watchdog
// itself be killed, or hang, we thaw in its place, once what it had started has ended (it is told
// to, and waited for at most 30 s); only what ends both of us leaves a freeze.
//
// Threads: freeze() in one, holding() and thaw() in any.  Units: times by the boot clock, which
// counts sleep.  Secrets go to the watchdog by a file in memory, never by arguments.
#pragma once

#include <functional>
#include <memory>

#include "client/process/launcher.h"

namespace lifeboat {

struct Thaw {
  bool done = false;   // `after` ended with 0
  bool early = false;  // it began before we asked for it: the limit was over
  unsigned tries = 0;
  std::string said;  // of the last try that failed: "status 3: no such volume"; masked
};

struct HoldOrder {
  std::string name;  // what is held, for people: "source orders"
  // argv, env, secret_env, directory and home count. `before` may be without argv: nothing to run.
  Command before, after;
  std::chrono::nanoseconds limit = std::chrono::seconds(30);    // from the start of `before`
  std::chrono::nanoseconds timeout = std::chrono::seconds(30);  // of one run of either program
  std::chrono::nanoseconds retry_for = std::chrono::minutes(5);
  // Told when freeze() fails and leaves it frozen; may be empty.
  std::function<void(const Thaw&)> not_thawed = {};
};

class Watchdog {
 public:
  virtual ~Watchdog() = default;  // thaws
  // False from before the thaw begins: what was read while this was true was read frozen.
  virtual bool holding() = 0;
  // Tells the watchdog to thaw and waits for the end of that, which nothing can stop: at most
  // retry_for and two timeouts, and as long again when the watchdog itself has to be replaced.
  // Later calls answer the same.
  virtual Thaw thaw() = 0;
};

// Starts a watchdog and waits until `before` has ended with 0. On any error the thaw is over when
// it returns, and what failed of it is in the error too.  `self` is the path of our own binary.
// Errors: not_found, invalid (one of the programs is not there: nothing was started); unavailable
// (`before` failed, or the limit passed); cancelled.
Result<std::unique_ptr<Watchdog>> freeze(const Operation& op, Launcher& launcher,
                                         const std::string& self, const HoldOrder& order);

// Are both programs there?  Errors: not_found, invalid (not installed), naming what is held.
Result<void> can_hold(const HoldOrder& order);

// Body of the hidden command `lifeboat watchdog`.
int keep_watch(int argc, char** argv);

}  // namespace lifeboat
