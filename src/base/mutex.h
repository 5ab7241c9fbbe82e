// base/mutex.h - A mutex that Clang's -Wthread-safety can follow, a condition, a bounded queue.
//
// Objects belong to one thread, are immutable, or carry a Mutex with GUARDED_BY on what it guards.
// No lock is held across I/O or callbacks.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <mutex>
#include <optional>
#include <utility>

#if defined(__clang__)
#define LIFEBOAT_THREAD(x) __attribute__((x))
#else
#define LIFEBOAT_THREAD(x)
#endif
#define GUARDED_BY(x) LIFEBOAT_THREAD(guarded_by(x))
#define REQUIRES(...) LIFEBOAT_THREAD(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) LIFEBOAT_THREAD(locks_excluded(__VA_ARGS__))

namespace lifeboat {

class LIFEBOAT_THREAD(capability("mutex")) Mutex {
 public:
  void lock() LIFEBOAT_THREAD(acquire_capability()) { mutex_.lock(); }
  void unlock() LIFEBOAT_THREAD(release_capability()) { mutex_.unlock(); }

 private:
  std::mutex mutex_;
};

class LIFEBOAT_THREAD(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) LIFEBOAT_THREAD(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() LIFEBOAT_THREAD(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

// Wait in a loop on the condition itself:  while (!ready) changed_.wait(mutex_);
class Condition {
 public:
  void wait(Mutex& mutex) REQUIRES(mutex) { condition_.wait(mutex); }
  template <class Rep, class Period>
  bool wait_for(Mutex& mutex, std::chrono::duration<Rep, Period> time) REQUIRES(mutex) {
    return condition_.wait_for(mutex, time) == std::cv_status::no_timeout;
  }
  void notify_one() { condition_.notify_one(); }
  void notify_all() { condition_.notify_all(); }

 private:
  std::condition_variable_any condition_;
};

// Passes values between threads, at most `limit` at once: a full queue blocks the producer, which
// is how back-pressure travels. After close(), push() refuses and pop() drains what is left.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t limit) : limit_(limit) {}

  // False when the queue was closed; the value is dropped then.
  bool push(T value) {
    MutexLock lock(mutex_);
    while (items_.size() >= limit_ && !closed_) changed_.wait(mutex_);
    if (closed_) return false;
    items_.push_back(std::move(value));
    changed_.notify_all();
    return true;
  }
  // nullopt: closed and empty.
  std::optional<T> pop() {
    MutexLock lock(mutex_);
    while (items_.empty() && !closed_) changed_.wait(mutex_);
    if (items_.empty()) return std::nullopt;
    std::optional<T> value(std::move(items_.front()));
    items_.pop_front();
    changed_.notify_all();
    return value;
  }
  void close() {
    MutexLock lock(mutex_);
    closed_ = true;
    changed_.notify_all();
  }

 private:
  const std::size_t limit_;
  Mutex mutex_;
  Condition changed_;
  std::deque<T> items_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace lifeboat
