// run/vigil.h - What a driver does besides driving: signs of life, its lease, what people ask.
//
// One thread. Every period it leaves a heartbeat and asks the store whether another driver holds
// the chain; in between it looks for requests. When no heartbeat could be left for two periods the
// driver is told to stop: after a third one others may take it for dead (run/takeover.h), and by
// then nothing of it may be at work any more. Should this very process be stopped meanwhile, the
// supervisors of what it started end that in time (Launcher::may_work_until).
//
// Threads: made and stopped by one thread; calls its Duties from its own.
#pragma once

#include <functional>
#include <thread>

#include "run/engine.h"

namespace lifeboat::run {

struct Duties {
  std::function<void(Error)> halt;                        // this driver has to stop
  std::function<Result<void>(const Operation& op)> read;  // requests that are new
};

class Vigil {
 public:
  // Begins at once; a heartbeat period of zero in the setup: it does nothing.
  Vigil(const EngineSetup& setup, journal::Journal& journal, Duties duties);
  // Ends, and takes the last heartbeat away.
  ~Vigil();
  Vigil(const Vigil&) = delete;
  Vigil& operator=(const Vigil&) = delete;

 private:
  void watch(const std::stop_token& stop);
  void renew();
  std::chrono::nanoseconds last_moment() const;  // until which a heartbeat has to be left
  bool lost_the_lease(const Operation& op);
  bool too_long_silent(const Result<void>& beaten, std::chrono::nanoseconds began);

  const EngineSetup& setup_;
  journal::Journal& journal_;
  const Duties duties_;
  std::chrono::nanoseconds confirmed_{};  // when the last heartbeat was begun, by the boot clock
  std::jthread thread_;
};

}  // namespace lifeboat::run
