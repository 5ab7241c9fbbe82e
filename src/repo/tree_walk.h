// repo/tree_walk.h - The items of a stored snapshot, in order or by name, with their content's
// places.
//
// Threads: TreeIndex's methods from any thread; a TreeWalk belongs to one.
#pragma once

#include <list>

#include "repo/blob_reader.h"
#include "repo/tree.h"

namespace lifeboat::repo {

using Tree = std::vector<StoredItem>;

// All trees of one snapshot, and the few that were read last.
class TreeIndex {
 public:
  // Reads the root, and the lists of trees below it.
  static Result<std::shared_ptr<TreeIndex>> open(const Operation& op, std::shared_ptr<Core> core,
                                                 const Id& snapshot);

  const SnapshotRoot& root() const { return root_; }
  const std::shared_ptr<Core>& core() const { return core_; }
  std::size_t size() const { return trees_.size(); }
  const Id& tree_id(std::size_t number) const { return trees_[number]; }
  Result<std::shared_ptr<const Tree>> tree(const Operation& op, std::size_t number);
  // Several neighbours with few requests, as a walk does.
  Result<std::vector<std::shared_ptr<const Tree>>> trees(const Operation& op, std::size_t first,
                                                         std::size_t count);
  // The item of this name, in the tree that holds it.  Errors: not_found.
  struct Place {
    std::shared_ptr<const Tree> tree;
    const StoredItem* item;
    std::size_t number;  // of the tree
  };
  // `near`: the number of a tree that may well be the one.
  Result<Place> find(const Operation& op, std::string_view name, std::size_t near);

  explicit TreeIndex(std::shared_ptr<Core> core) : core_(std::move(core)) {}  // open() makes them

 private:
  void keep(std::size_t number, std::shared_ptr<const Tree> tree);
  std::shared_ptr<const Tree> kept(std::size_t number);

  const std::shared_ptr<Core> core_;
  SnapshotRoot root_;
  std::vector<Id> trees_;
  Mutex mutex_;
  std::list<std::pair<std::size_t, std::shared_ptr<const Tree>>> recent_ GUARDED_BY(mutex_);
};

class TreeWalk {
 public:
  explicit TreeWalk(std::shared_ptr<TreeIndex> index) : index_(std::move(index)) {}
  // nullptr: no more. Valid until the next call.
  Result<const StoredItem*> next(const Operation& op);

 private:
  std::shared_ptr<TreeIndex> index_;
  std::vector<std::shared_ptr<const Tree>> ahead_;
  std::size_t next_tree_ = 0;              // first that is not in ahead_
  std::size_t at_tree_ = 0, at_item_ = 0;  // in ahead_
};

// The few small blobs that were opened last: neighbours among small items share them.
// Threads: any.
class BlobCache {
 public:
  std::shared_ptr<const Bytes> find(const Id& blob);
  void keep(const Id& blob, const std::shared_ptr<const Bytes>& plain);

 private:
  Mutex mutex_;
  std::list<std::pair<Id, std::shared_ptr<const Bytes>>> recent_ GUARDED_BY(mutex_);
};

// The content of one item, a bounded group of pieces at a time.
class ContentWalk {
 public:
  ContentWalk(std::shared_ptr<Core> core, StoredItem item,
              std::shared_ptr<BlobCache> cache = std::make_shared<BlobCache>());
  struct Part {
    std::shared_ptr<const Bytes> blob;  // null: a hole
    std::uint64_t offset = 0, length = 0;
  };
  // The next references; empty: no more.
  Result<std::vector<ContentRef>> next_refs(const Operation& op, std::uint64_t raw_bytes_most);
  // The next parts with their bytes; empty: no more.
  Result<std::vector<Part>> next_parts(const Operation& op, std::uint64_t raw_bytes_most);

 private:
  const std::shared_ptr<Core> core_;
  const StoredItem item_;
  const std::shared_ptr<BlobCache> cache_;
  std::vector<ContentRef> refs_;
  std::size_t at_ = 0, next_list_ = 0;
  BlobCoder coder_;
};

}  // namespace lifeboat::repo
