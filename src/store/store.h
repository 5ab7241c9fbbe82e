// store/store.h - The object store beneath a repository: put-if-absent, get, remove.
//
// Correctness rests on these three; list() is a hint and never the ground for deleting or
// rebuilding anything. There is no replace and no compare-and-swap: a directory cannot do it
// without stale locks, and a bucket policy that protects backups forbids it. Objects are immutable.
//
// A put whose answer was lost is settled by reading back: every object of the format carries a
// random attempt id, so equal bytes under the name mean that it was ours (put() does that itself).
//
// Names: 1 to 200 characters of [a-z0-9/._-], no empty, "." or ".." component, and not "tmp" nor
// anything below it (where a directory keeps what is not an object yet). Every call answers
// `invalid` for another name.
// Durability: when put() answers `created` the object survives a power cut.
// Threads: all methods from any thread.  Contract: store/store_contract.h.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/operation.h"

namespace lifeboat::store {

enum class Put {
  created,  // ours, durable
  exists,   // another object holds the name; ours was not stored
};

struct Range {
  std::uint64_t offset_bytes = 0;
  std::uint64_t length_bytes = 0;
};

class Store {
 public:
  virtual ~Store() = default;

  // Errors of all: invalid (name), unavailable (may work later), denied, cancelled; code no_space
  // when it is full.
  // Equal bytes under the name already: `created`, for that is a put whose answer was lost.
  virtual Result<Put> put(const Operation& op, const std::string& name, ByteView bytes) = 0;
  // Errors: not_found. A range must lie inside the object: corrupt when it is shorter than that.
  virtual Result<Bytes> get(const Operation& op, const std::string& name,
                            std::optional<Range> range = std::nullopt) = 0;
  // Size in bytes.  Errors: not_found.
  virtual Result<std::uint64_t> size(const Operation& op, const std::string& name) = 0;
  // Absent is success: removing twice equals removing once.
  virtual Result<void> remove(const Operation& op, const std::string& name) = 0;
  // Names that begin with `prefix` (which ends in '/', or is empty), sorted. A hint: entries may be
  // missing or stale.
  virtual Result<std::vector<std::string>> list(const Operation& op, const std::string& prefix) = 0;

  // "directory /srv/backup", "memory": for people.
  virtual std::string describe() const = 0;
};

// Errors: invalid, when the name breaks the rules above.
Result<void> check_name(std::string_view name);

// For those who implement a Store.
Result<void> check_prefix(std::string_view prefix);  // of list()
// The part of `object` that `range` asks for (all without one).  Errors: corrupt.
Result<Bytes> cut_range(const std::string& name, ByteView object, std::optional<Range> range);
Error short_object(const std::string& name, Range range, std::uint64_t size_bytes);
Error no_object(const std::string& name);

// Races `writers` threads for one name, as `init` and `doctor` do before they trust a store.
// `attempt` names the object ("probe/ATTEMPT"; never used before), which is removed at the end.
// writers: 2 to 64.
// Errors: refused (kind invalid) when not exactly one won or the winner's bytes are not there;
// those of the store.
Result<void> prove_put_if_absent(const Operation& op, Store& store, int writers,
                                 std::string_view attempt);

}  // namespace lifeboat::store
