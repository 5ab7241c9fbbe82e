#include "base/fake_clock.h"

namespace lifeboat {

FakeClock::FakeClock(Pauses pauses, WallTime start) : pauses_(pauses), wall_(start) {}

WallTime FakeClock::wall() const {
  MutexLock lock(mutex_);
  return wall_;
}

std::chrono::nanoseconds FakeClock::boot() const {
  MutexLock lock(mutex_);
  return boot_;
}

void FakeClock::pause(std::chrono::nanoseconds time, bool (*stop)(const void*),
                      const void* context) const {
  if (stop(context)) return;
  if (pauses_ == Pauses::self_advancing) {
    MutexLock lock(mutex_);
    boot_ += time;
    wall_.ns += time.count();
    return;
  }
  std::chrono::nanoseconds end{};
  {
    MutexLock lock(mutex_);
    end = boot_ + time;
    ++paused_;
  }
  // `stop` may look at this clock: it is asked without the lock.
  for (bool over = false; !over;) {
    over = stop(context);
    MutexLock lock(mutex_);
    over = over || boot_ >= end;
    if (!over) changed_.wait_for(mutex_, std::chrono::milliseconds(1));
  }
  MutexLock lock(mutex_);
  --paused_;
}

void FakeClock::advance(std::chrono::nanoseconds time) {
  MutexLock lock(mutex_);
  boot_ += time;
  wall_.ns += time.count();
  changed_.notify_all();
}

void FakeClock::jump_wall(std::chrono::nanoseconds time) {
  MutexLock lock(mutex_);
  wall_.ns += time.count();
}

int FakeClock::paused() const {
  MutexLock lock(mutex_);
  return paused_;
}

}  // namespace lifeboat
