// base/operation.h - The budget that every blocking call carries: a clock, a deadline, a way to
// stop.
//
// Passed by reference down every call that may block; cheap to copy. A stop is asked for through
// the stop_source by whoever owns the work (Ctrl-C, a timeout, a lost lease).
#pragma once

#include <chrono>
#include <stop_token>

#include "base/clock.h"
#include "base/result.h"

namespace lifeboat {

struct Operation {
  const Clock* clock;  // never null; outlives the operation
  std::stop_token stop = {};
  // Boot time after which the work is to end; max() = none.
  std::chrono::nanoseconds deadline = std::chrono::nanoseconds::max();

  // Call before each unit of work (at least every few hundred ms).  Errors: cancelled (code
  // interrupted when stopped, timeout when the deadline passed).
  Result<void> proceed() const {
    if (stop.stop_requested()) {
      return fail(Error::Kind::cancelled, "stopped by request", "", Error::Code::interrupted);
    }
    if (clock->boot() > deadline) {
      return fail(Error::Kind::cancelled, "deadline passed", "", Error::Code::timeout);
    }
    return {};
  }

  // Time left, at least zero.
  std::chrono::nanoseconds remaining() const {
    if (deadline == std::chrono::nanoseconds::max()) return deadline;
    const auto now = clock->boot();
    return now >= deadline ? std::chrono::nanoseconds::zero() : deadline - now;
  }

  // The same operation with a deadline that is at most `time` from now.
  Operation within(std::chrono::nanoseconds time) const {
    Operation shorter = *this;
    const auto now = clock->boot();
    if (time < deadline - now) shorter.deadline = now + time;
    return shorter;
  }

  // Waits `time`, less if stopped.  Errors: cancelled.
  Result<void> pause(std::chrono::nanoseconds time) const;
};

}  // namespace lifeboat
