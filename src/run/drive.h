// run/drive.h - The loop of one driver: start what may start, wait, ask again.
//
// Decides nothing itself: plan/frontier.h says what may start, and which first; run/step_life.h
// lives the steps. What one step costs here does not grow with the plan.
// Threads: run() in the caller's; one thread a running step, one for signs of life.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include "base/mutex.h"
#include "plan/frontier.h"
#include "run/engine.h"
#include "run/ledger.h"

namespace lifeboat::run {

class Drive {
 public:
  Drive(const EngineSetup& setup, journal::Journal& journal, Ledger& ledger,
        std::shared_ptr<FaultPoints> faults);

  // Until nothing can start any more, or this driver has to leave: then why.
  std::optional<Error> run(const Operation& op);

 private:
  void follow(const plan::RunView& changes);
  void start_ready(const Operation& op);
  void start(const Operation& op, const plan::StepNode& node);
  void halt(Error error);
  void show_life(const std::stop_token& stop);
  std::optional<Error> finish(const Operation& op);
  Result<void> leave();
  Result<void> end_run();
  std::optional<WallTime> newest_heartbeat();

  const EngineSetup& setup_;
  journal::Journal& journal_;
  Ledger& ledger_;
  const plan::Plan& plan_;
  const plan::Graph graph_;
  plan::Frontier frontier_;  // of the thread in run()
  // Shared with the journal, whose own thread may pass a point while we leave.
  const std::shared_ptr<FaultPoints> faults_;
  std::stop_source stop_;                        // of all steps
  BoundedQueue<std::string> ended_;              // steps whose thread is about to end
  std::map<std::string, std::jthread> running_;  // of the thread in run()
  Mutex mutex_;
  std::optional<Error> halted_ GUARDED_BY(mutex_);
};

}  // namespace lifeboat::run
