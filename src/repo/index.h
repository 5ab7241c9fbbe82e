// repo/index.h - Where each blob is: segments as stored, and the table that look-ups use.
//
// Stored segments are immutable. Opened ones are merged into few sorted tables outside of the heap
// (an unlinked file in the cache folder, mapped; anonymous memory without one), so that a chunk
// costs address space and page cache, not memory of the process.
//
// Threads: Index's methods from any thread; look-ups do not wait for a merge.
// Source: docs/format.md, "Index segments".
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "base/mutex.h"
#include "repo/blob.h"

namespace lifeboat::repo {

struct PackPlace {
  Id name;
  std::uint64_t size = 0;
  std::uint64_t directory_bytes = 0;
  std::array<std::uint8_t, 32> salt{};
  std::uint32_t session = 0;  // number in the list of sessions
  bool operator==(const PackPlace&) const = default;
};
struct SessionKeyPlace {
  Id session;
  crypt::SealedKey sealed{};
};
struct IndexEntry {
  BlobHead head;
  std::uint32_t pack = 0;  // number in the list of packs
  std::uint32_t offset = 0;
};

struct IndexSegment {
  Id writer, domain, session;
  std::uint64_t ordinal = 0;
  std::vector<SessionKeyPlace> sessions;
  std::vector<PackPlace> packs;
  std::vector<IndexEntry> entries;  // ascending by id
};
// Sorts the entries.
Bytes encode(IndexSegment& segment);
// Errors: corrupt.
Result<IndexSegment> decode_index_segment(ByteView message);

// A blob, found: everything that is needed to read it.
struct Found {
  IndexEntry entry;  // its `pack` is a number of this Index
  PackPlace pack;
  crypt::SealedKey sealed_session{};
};

class Index {
 public:
  explicit Index(std::filesystem::path cache);
  ~Index();

  void add(const IndexSegment& segment);
  std::optional<Found> find(const Id& blob) const;
  bool contains(const Id& blob) const { return locate(blob).has_value(); }
  std::uint64_t blobs() const;
  std::vector<PackPlace> packs() const;
  std::optional<Id> session_of(const PackPlace& pack) const;
  crypt::SealedKey sealed_session_of(const PackPlace& pack) const;
  // All entries, in order of ids; stops early on an error.
  Result<void> each(const std::function<Result<void>(const IndexEntry&)>& visit) const;

 private:
  class Table;
  using Tables = std::vector<std::shared_ptr<const Table>>;
  std::optional<IndexEntry> locate(const Id& blob) const;
  std::shared_ptr<const Table> merged(const Tables& tables) const;
  void number_packs(const IndexSegment& segment, std::vector<std::uint32_t>& numbers);

  const std::filesystem::path cache_;
  mutable Mutex mutex_;
  std::shared_ptr<const Tables> tables_ GUARDED_BY(mutex_);
  std::vector<PackPlace> packs_ GUARDED_BY(mutex_);
  std::vector<SessionKeyPlace> sessions_ GUARDED_BY(mutex_);
  std::map<Id, std::uint32_t> pack_numbers_ GUARDED_BY(mutex_);
};

}  // namespace lifeboat::repo
