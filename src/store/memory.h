// store/memory.h - A store in memory that can fail in every way a real one does: for tests and
// simulation.
//
// Passes the store contract without faults. Faults are set between or during calls, from any
// thread.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "store/store.h"

namespace lifeboat::store {

class MemoryStore final : public Store {
 public:
  enum class Verb { put, get, size, remove, list };
  // What one call does instead of its work.
  enum class Fault {
    none,
    unavailable,  // refused before anything happened
    lost_reply,   // happened, but the answer is `unavailable`
    no_space,     // put: nothing stored, code no_space (other verbs: as none)
  };
  // How the process that uses the store dies at a mutating call.
  enum class Death {
    before,  // the call changed nothing
    torn,    // a put left half of its bytes under a temporary name, never under its own
    after,   // the call took effect, nobody heard the answer
  };

  Result<Put> put(const Operation& op, const std::string& name, ByteView bytes) override;
  Result<Bytes> get(const Operation& op, const std::string& name,
                    std::optional<Range> range = std::nullopt) override;
  Result<std::uint64_t> size(const Operation& op, const std::string& name) override;
  Result<void> remove(const Operation& op, const std::string& name) override;
  Result<std::vector<std::string>> list(const Operation& op, const std::string& prefix) override;
  std::string describe() const override { return "memory"; }

  // Asked before each call, with its ordinal (0, 1, ...) and name; answers the fault to act out.
  using Script = std::function<Fault(std::uint64_t ordinal, Verb verb, const std::string& name)>;
  void set_script(Script script);
  // After `changes` more calls that took effect (0 = none) the process counts as dead: the next
  // mutating call dies as `death` says, and it and all calls after it answer `unavailable`.
  void die_after_changes(std::uint64_t changes, Death death = Death::before);
  bool dead() const;
  // The next process: no death is set. What a torn put left stays, invisible to the Store methods.
  void revive();
  std::uint64_t changes() const;  // mutating calls that took effect, ever

  // Direct access for tests that corrupt. What torn puts left stands under "tmp/".
  std::map<std::string, Bytes> objects() const;
  void set_object(const std::string& name, Bytes bytes);
  void erase_object(const std::string& name);

 private:
  struct Call {
    const Operation& op;
    Verb verb;
    const std::string& name;
  };
  // Counts the call and answers what the script wants of it: none or lost_reply.
  // Errors: of a stopped operation, of a bad name, of the other faults.
  Result<Fault> enter(const Call& call);
  // How a call is to die, if it is; a mutating one may be the first.
  std::optional<Death> dying(bool mutating) REQUIRES(mutex_);
  void store_torn(const Bytes& bytes) REQUIRES(mutex_);

  mutable Mutex mutex_;
  std::map<std::string, Bytes> objects_ GUARDED_BY(mutex_);
  Script script_ GUARDED_BY(mutex_);
  std::uint64_t ordinal_ GUARDED_BY(mutex_) = 0;
  std::uint64_t changes_ GUARDED_BY(mutex_) = 0;
  std::uint64_t dies_at_ GUARDED_BY(mutex_) = UINT64_MAX;
  Death death_ GUARDED_BY(mutex_) = Death::before;
  bool dead_ GUARDED_BY(mutex_) = false;
};

}  // namespace lifeboat::store
