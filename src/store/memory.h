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
    no_space,     // put: nothing stored
  };

  Result<Put> put(const Operation& op, const std::string& name, ByteView bytes) override;
  Result<Bytes> get(const Operation& op, const std::string& name,
                    std::optional<Range> range) override;
  Result<std::uint64_t> size(const Operation& op, const std::string& name) override;
  Result<void> remove(const Operation& op, const std::string& name) override;
  Result<std::vector<std::string>> list(const Operation& op, const std::string& prefix) override;
  std::string describe() const override { return "memory"; }

  // Asked before each call, with its ordinal (0, 1, ...) and name; answers the fault to act out.
  using Script = std::function<Fault(std::uint64_t ordinal, Verb verb, const std::string& name)>;
  void set_script(Script script);
  // From the Nth mutating call on (0 = the first) the process counts as dead: that call and all
  // after it answer `unavailable` and change nothing. `torn`: the Nth put leaves half of its bytes
  // under a temporary name, never under its own.
  void die_after_changes(std::uint64_t changes);
  void revive();
  std::uint64_t changes() const;  // mutating calls that took effect

  // Direct access for tests that corrupt.
  std::map<std::string, Bytes> objects() const;
  void set_object(const std::string& name, Bytes bytes);
  void erase_object(const std::string& name);

 private:
  Result<Fault> enter(Verb verb, const std::string& name);

  mutable Mutex mutex_;
  std::map<std::string, Bytes> objects_ GUARDED_BY(mutex_);
  Script script_ GUARDED_BY(mutex_);
  std::uint64_t ordinal_ GUARDED_BY(mutex_) = 0;
  std::uint64_t changes_ GUARDED_BY(mutex_) = 0;
  std::uint64_t dies_at_ GUARDED_BY(mutex_) = UINT64_MAX;
};

}  // namespace lifeboat::store
