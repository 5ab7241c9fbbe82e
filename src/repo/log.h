// repo/log.h - The log on its store: read to the head, appended by winning the next slot.
//
// Threads: all methods from any thread; those that read or write the store take turns.
// Source: docs/format.md, "The log".
#pragma once

#include <filesystem>

#include "base/mutex.h"
#include "base/operation.h"
#include "repo/log_state.h"
#include "repo/repository.h"

namespace lifeboat::repo {

// Lets one thread after the other through a stretch that does I/O: no lock is held meanwhile.
class Turnstile {
 public:
  class Turn {
   public:
    explicit Turn(Turnstile& of) : of_(of) { of_.enter(); }
    ~Turn() { of_.leave(); }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;

   private:
    Turnstile& of_;
  };

 private:
  void enter();
  void leave();
  Mutex mutex_;
  Condition changed_;
  bool taken_ GUARDED_BY(mutex_) = false;
};

// The head that this machine saw last: (slots, hash) in a file of its own.
class HeadMemory {
 public:
  struct Seen {
    std::uint64_t slots = 0;
    Id hash;
  };
  // `folder` empty: remembers nothing.
  HeadMemory(std::filesystem::path folder, const RepositoryId& repository);
  std::optional<Seen> recall() const;
  // Keeps what is there when that is further on.  Errors: denied, unavailable (the folder).
  Result<void> remember(const Seen& seen) const;

 private:
  std::filesystem::path file_;
};

class Log {
 public:
  Log(store::Store& store, const Environment& environment, const Config& config,
      const KeyTree& keys, const Writers& writers);

  // Errors: corrupt (chain, gap, rollback); those of the store.
  Result<void> refresh(const Operation& op);
  // Appends a record of ours; answers its slot. It is visible in state() then.
  // Errors: conflict when its session was closed by somebody; those of refresh().
  Result<std::uint64_t> append(const Operation& op, const Id& session, LogBody body);
  // A copy of what is known.
  std::shared_ptr<const LogState> state() const;
  Head head() const;

 private:
  Result<void> read_forward(const Operation& op, LogState& state);
  Result<void> check_rollback(const Operation& op, const LogState& state);
  Result<bool> gap_above(const Operation& op, std::uint64_t slot);
  Result<bool> put_next(const Operation& op, LogState& state, const Id& session,
                        const LogBody& body);
  void publish(LogState state);
  void keep(const HeadMemory::Seen& seen);

  store::Store& store_;
  const Environment& environment_;
  const KeyTree& keys_;
  const Writers& writers_;
  const HeadMemory memory_;
  Turnstile turnstile_;
  mutable Mutex mutex_;
  std::shared_ptr<const LogState> state_ GUARDED_BY(mutex_);
  bool remembered_ GUARDED_BY(mutex_) = false;
};

}  // namespace lifeboat::repo
