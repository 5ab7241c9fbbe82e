// backup/gate.h - Where the captures of a group wait for each other.
//
// Each member takes a Place, makes ready all that takes time, and waits; whoever coordinates opens
// the gate once all are ready, so that their moments lie as close together as can be, and learns
// when the last moment is safe. A Place that is dropped counts as ready and safe: a member that
// fails keeps nobody waiting.
//
// Threads: a Place belongs to its member's thread, the rest to the coordinator's.
#pragma once

#include <optional>

#include "backup/freeze.h"
#include "base/mutex.h"

namespace lifeboat::backup {

class Gate {
 public:
  explicit Gate(std::size_t members) : members_(members) {}

  class Place {
   public:
    explicit Place(Gate* gate) : gate_(gate) {}  // null: a source that is in no group
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      if (gate_ != nullptr && !ready_) gate_->count_ready();
      safe();
    }
    // Ready; returns when the gate is open.  Errors: why the group was not frozen.
    Result<void> wait() {
      if (gate_ == nullptr) return {};
      ready_ = true;
      return gate_->pass();
    }
    // Nothing that changes from now on comes into the capture.
    void safe() {
      if (gate_ != nullptr && !safe_) gate_->count_safe();
      safe_ = true;
    }
    bool holding() const { return gate_ == nullptr || gate_->holding(); }

   private:
    Gate* const gate_;
    bool ready_ = false, safe_ = false;
  };

  // Until every member is ready. True: at least one waits.
  bool await_ready() {
    MutexLock lock(mutex_);
    while (ready_ < members_) changed_.wait(mutex_);
    return waiting_ > 0;
  }
  // `freeze` may be null; it outlives the members.
  void open(Freeze* freeze, std::optional<Error> refusal) {
    MutexLock lock(mutex_);
    freeze_ = freeze;
    refusal_ = std::move(refusal);
    open_ = true;
    changed_.notify_all();
  }
  void await_safe() {
    MutexLock lock(mutex_);
    while (safe_ < members_) changed_.wait(mutex_);
  }

 private:
  void count_ready() {
    MutexLock lock(mutex_);
    ++ready_;
    changed_.notify_all();
  }
  void count_safe() {
    MutexLock lock(mutex_);
    ++safe_;
    changed_.notify_all();
  }
  Result<void> pass() {
    MutexLock lock(mutex_);
    ++ready_;
    ++waiting_;
    changed_.notify_all();
    while (!open_) changed_.wait(mutex_);
    if (refusal_) return fail(*refusal_);
    return {};
  }
  bool holding() {
    Freeze* freeze = nullptr;
    {
      MutexLock lock(mutex_);
      freeze = freeze_;
    }
    return freeze == nullptr || freeze->holding();
  }

  const std::size_t members_;
  Mutex mutex_;
  Condition changed_;
  std::size_t ready_ GUARDED_BY(mutex_) = 0;
  std::size_t waiting_ GUARDED_BY(mutex_) = 0;
  std::size_t safe_ GUARDED_BY(mutex_) = 0;
  bool open_ GUARDED_BY(mutex_) = false;
  Freeze* freeze_ GUARDED_BY(mutex_) = nullptr;
  std::optional<Error> refusal_ GUARDED_BY(mutex_);
};

}  // namespace lifeboat::backup
