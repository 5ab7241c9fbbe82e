// repo/checker.h - The parts of check(): what is broken, and what that costs.
//
// Life: one per check; objects() first, then packs(), snapshots(), garbage(). What is found broken
// on the way never stops the rest; only a store that does not answer does.
//
// Threads: packs() works on several threads of its own; the rest on one.
#pragma once

#include <set>
#include <unordered_map>
#include <unordered_set>

#include "repo/opened.h"
#include "repo/tree_walk.h"

namespace lifeboat::repo {

class Checker {
 public:
  Checker(OpenedRepository& repository, const CheckOptions& options);

  Result<void> objects(const Operation& op);
  Result<void> packs(const Operation& op);
  Result<void> snapshots(const Operation& op);
  Result<void> garbage(const Operation& op);
  CheckReport report();

 private:
  // What one item, or one tree as a whole, lacks.
  struct Lack {
    std::string object;  // that is broken
    std::string what;
    std::string part;  // "item x"
  };
  using Lacks = std::vector<Lack>;

  void broken(const std::string& object, const std::string& what, const std::string& lost = "");
  void broken(const Error& error, const std::string& fallback);
  Result<void> read_log(const Operation& op);
  Result<void> check_pack(const Operation& op, std::uint32_t number, BlobCoder& coder);
  Result<Bytes> read_tail(const Operation& op, const PackPlace& pack);
  Result<void> compare(std::uint32_t number, const PackDirectory& directory);
  Result<void> check_blobs(const Operation& op, std::uint32_t number,
                           const std::vector<IndexEntry>& blobs, BlobCoder& coder);
  Result<std::vector<IndexEntry>> blobs_of(std::uint32_t number, const PackDirectory* directory);
  Result<void> check_snapshot(const Operation& op, const Snapshot& snapshot);
  Result<Lacks> check_tree(const Operation& op, TreeIndex& index, std::size_t number);
  Result<Lacks> check_item(const Operation& op, const StoredItem& item);
  std::optional<Lack> check_ref(const Id& blob, BlobType type, std::uint64_t end);
  void lose(const Snapshot& snapshot, const Lacks& lacks);
  void check_points();
  Result<void> warn_of(const Operation& op, const std::string& prefix,
                       const std::set<std::string>& known);
  void progressed(std::uint64_t bytes);

  Core& core_;
  const CheckOptions& options_;
  std::vector<PackPlace> places_;
  std::vector<std::uint64_t> listed_;  // entries of the index for each pack
  std::uint64_t total_bytes_ = 0;

  Mutex mutex_;
  CheckReport report_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::size_t> hits_ GUARDED_BY(mutex_);
  // Packs that are gone or shorter than said: the offset from which blobs are lost.
  std::unordered_map<std::uint32_t, std::uint64_t> lost_from_ GUARDED_BY(mutex_);
  std::unordered_map<Id, std::string> broken_blobs_ GUARDED_BY(mutex_);  // to their pack
  std::uint64_t done_bytes_ GUARDED_BY(mutex_) = 0;

  std::unordered_map<Id, Lacks> lacking_trees_;
  std::unordered_set<Id> good_trees_;
};

}  // namespace lifeboat::repo
