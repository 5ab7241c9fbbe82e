// repo/snapshot_feed.h - A stored snapshot as a Feed: walked, read in sequence, or fetched at once.
//
// Threads: as capture/feed.h says.
#pragma once

#include <atomic>

#include "capture/feed.h"
#include "repo/tree_walk.h"

namespace lifeboat::repo {

class SnapshotFeed final : public capture::Feed {
 public:
  static Result<std::shared_ptr<capture::Feed>> open(const Operation& op,
                                                     std::shared_ptr<Core> core, const Id& id);

  const capture::Moments& moments() const override { return index_->root().moments; }
  Result<std::unique_ptr<capture::Cursor>> items(const Operation& op) override;
  Result<capture::Item> find(const Operation& op, std::string_view name) override;
  Result<std::unique_ptr<capture::Reader>> open(const Operation& op,
                                                const capture::Item& item) override;
  Result<void> fetch(const Operation& op, std::span<const capture::Item> items,
                     const std::function<Result<void>(const capture::Piece&)>& deliver) override;

  explicit SnapshotFeed(std::shared_ptr<TreeIndex> index);  // open() makes them

 private:
  Result<StoredItem> stored(const Operation& op, std::string_view name);

  const std::shared_ptr<TreeIndex> index_;
  const std::shared_ptr<BlobCache> cache_ = std::make_shared<BlobCache>();
  const std::uint64_t window_bytes_;   // of one Reader, and of one range of fetch()
  std::atomic<std::size_t> near_ = 0;  // the tree that was found last: the next one is close
};

// A stretch of an item that a blob holds.
struct Want {
  Found place;
  std::size_t item = 0;
  std::uint64_t item_offset = 0, blob_offset = 0, length = 0;
};
using Deliver = std::function<Result<void>(const capture::Piece&)>;
struct FetchLimits {
  std::uint64_t range_bytes_most;
  unsigned threads;
};
// What became of it; `broken_item`: one that is hit by corruption, to be named.
struct Fetched {
  Result<void> result;
  std::optional<std::size_t> broken_item;
};
// Reads what is wanted in the order of the store, on several threads.
Fetched fetch_wants(const Operation& op, Core& core, std::vector<Want> wants,
                    const FetchLimits& limits, const Deliver& deliver);

}  // namespace lifeboat::repo
