// base/fake_clock.h - Time that a test owns.
//
// self_advancing: a pause takes no time and moves the clock on by what was asked for, so that waits
// of hours pass at once. Otherwise a pause blocks until advance() has moved the clock far enough,
// or its stop answers true.
//
// Threads: all methods from any thread.
#pragma once

#include "base/clock.h"
#include "base/mutex.h"

namespace lifeboat {

class FakeClock final : public Clock {
 public:
  enum class Pauses { self_advancing, wait_for_advance };
  explicit FakeClock(Pauses pauses = Pauses::self_advancing,
                     WallTime start = {1'795'000'000'000'000'000});

  WallTime wall() const override;
  std::chrono::nanoseconds boot() const override;
  void pause(std::chrono::nanoseconds time, bool (*stop)(const void*),
             const void* context) const override;

  void advance(std::chrono::nanoseconds time);
  // Wall time jumps (a person or NTP set it), boot time does not.
  void jump_wall(std::chrono::nanoseconds time);
  // Threads that are inside pause() now (wait_for_advance only).
  int paused() const;

 private:
  const Pauses pauses_;
  mutable Mutex mutex_;
  mutable Condition changed_;
  mutable WallTime wall_ GUARDED_BY(mutex_);
  mutable std::chrono::nanoseconds boot_ GUARDED_BY(mutex_) = std::chrono::hours(1);
  mutable int paused_ GUARDED_BY(mutex_) = 0;
};

}  // namespace lifeboat
