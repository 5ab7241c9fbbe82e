// run/fault_point.h - Lets a test end or stop this very program at an exact place, release build
// included.
//
// Two environment variables, read once when a run begins or resumes:
//   LIFEBOAT_TRACE=FILE                  appends one line for each place passed:
//       journal 7 runs/4f2a/0000000000000005 step.intent:orders step.intent:broker
//       child 3 orders apply pg_restore
//   LIFEBOAT_FAULT=kill-after-journal:N  SIGKILL to ourselves once the Nth object of the run
//                                        (segment, vault entry, log chunk) is durable
//   LIFEBOAT_FAULT=kill-during-child:N   SIGKILL to ourselves while the Nth child that a step
//                                        started runs (at its end, if it is done sooner)
//   LIFEBOAT_FAULT=stop-before-verify:STEP  SIGSTOP to ourselves, once, when STEP has been applied
//                                        and is about to be verified: what is altered in the
//                                        target before SIGCONT must be found
// Harmless otherwise: the only thing that can be brought about is our own end, which every run
// survives, or a pause; who sets our environment could send the signals as well.
//
// Threads: all methods from any thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "client/process/launcher.h"
#include "journal/journal.h"

namespace lifeboat::run {

class FaultPoints {
 public:
  struct Settings {
    std::string trace;                     // file; "" = none
    std::uint64_t kill_after_journal = 0;  // 0 = never
    std::uint64_t kill_during_child = 0;
    std::string stop_before_verify;  // step; "" = never
    std::function<void()> kill;      // empty: SIGKILL to ourselves
    std::function<void()> stop;      // empty: SIGSTOP to ourselves
  };
  // From LIFEBOAT_TRACE and LIFEBOAT_FAULT.  What cannot be read there is no fault.
  static Settings from_environment();

  explicit FaultPoints(Settings settings);

  void journal_written(const std::string& object, const std::vector<journal::Event>& events);
  // A child is about to start; answers whether it is the one to die with.
  bool child_starts(const std::string& step, std::string_view verb, const Command& command);
  // A step is about to enter one of its verbs.
  void verb_starts(const std::string& step, std::string_view verb);
  void kill();

 private:
  void trace(const std::string& line);

  const Settings settings_;
  std::atomic<std::uint64_t> journal_writes_ = 0, children_ = 0;
  std::atomic<bool> stopped_ = false;
  Mutex mutex_;  // one trace line at a time
};

// The launcher that one step sees: counts its children.
class CountingLauncher final : public Launcher {
 public:
  CountingLauncher(Launcher& launcher, FaultPoints& faults, std::string step, const Clock& clock);
  // The verb that runs now, for the trace.
  void verb(std::string_view name) { verb_ = name; }

  Result<Finished> run(const Operation& op, const Command& command, ByteView input) override;
  Result<std::unique_ptr<Child>> start(const Operation& op, const Command& command) override;
  void may_work_until(std::chrono::nanoseconds boot) override { launcher_.may_work_until(boot); }
  void mask(const Secret& secret) override { launcher_.mask(secret); }
  std::string masked(std::string_view text) const override { return launcher_.masked(text); }
  std::vector<int> living(const std::string& owner) const override {
    return launcher_.living(owner);
  }

 private:
  Launcher& launcher_;
  FaultPoints& faults_;
  const std::string step_;
  const Clock& clock_;
  std::string_view verb_;  // set by the step's own thread between its verbs
};

}  // namespace lifeboat::run
