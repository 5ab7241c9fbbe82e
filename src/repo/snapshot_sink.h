// repo/snapshot_sink.h - Where a source's capture becomes blobs and trees.
//
// Content is cut and named on the source's own thread; everything dear happens behind
// PackWriter::put(). Small items wait for the aggregate that they share; the items after them wait
// with them, so that trees are in order.
//
// Threads: one, but progress().  Source: docs/format.md, "Snapshots".
#pragma once

#include "repo/chunker.h"
#include "repo/tree_walk.h"
#include "repo/writer_session.h"

namespace lifeboat::repo {

// Cuts the content of one item into blobs.
class ContentCutter {
 public:
  // Both outlive the cutter.
  ContentCutter(const GearTable& table, const ChunkerParameters& parameters);

  using Emit = std::function<Result<void>(Bytes)>;
  using Hole = std::function<Result<void>(std::uint64_t)>;
  struct Out {
    Emit emit;
    Hole hole;
  };
  void begin(capture::Cut cut);
  Result<void> feed(ByteView bytes, const Out& out);
  // Ends the chunk; `skipped` bytes of hole come after it.
  Result<void> end(const Out& out, std::uint64_t skipped);

 private:
  Result<void> feed_fixed(ByteView bytes, const Out& out);
  Result<void> emit_fixed(const Out& out);

  const ChunkerParameters& parameters_;
  Chunker chunker_;
  capture::Cut cut_ = capture::Cut::by_content;
  Bytes buffer_;
  std::uint64_t position_ = 0;  // of the item's byte that comes next
};

class PackedSnapshotSink final : public SnapshotSink {
 public:
  // `previous` may be null.
  PackedSnapshotSink(std::shared_ptr<Visit> visit, SnapshotDraft draft,
                     std::optional<Id> previous_id, std::shared_ptr<TreeIndex> previous);

  Result<void> begin(const Operation& op, const capture::Item& item, capture::Cut cut) override;
  Result<void> write(const Operation& op, ByteView bytes) override;
  Result<void> hole(const Operation& op, std::uint64_t length_bytes) override;
  Result<void> finish(const Operation& op, const capture::Item& item) override;
  Result<std::optional<capture::Item>> previous(const Operation& op,
                                                std::string_view name) override;
  Result<void> unchanged(const Operation& op, const capture::Item& item) override;
  Result<void> commit(const Operation& op, const capture::Moments& moments) override;
  const Snapshot& snapshot() const override;
  SinkProgress progress() const override;

 private:
  struct Waiting {
    StoredItem stored;
    std::uint64_t offset = 0, length = 0;  // in the aggregate; length 0: nothing there
  };
  // Runs one call; an error that is not the caller's mistake ends the sink.
  Result<void> guarded(Result<void> result);
  Result<void> ready_for(std::string_view name);
  Result<void> accepts_content() const;
  Result<void> emit(const Operation& op, Bytes bytes);
  Result<void> add_ref(const Operation& op, const ContentRef& ref);
  Result<void> spill(const Operation& op);
  Result<void> begin_large(const Operation& op);
  ContentCutter::Out out(const Operation& op);
  Result<void> finish_item(const Operation& op);
  Result<void> queue(const Operation& op, Waiting waiting, ByteView small);
  Result<void> close_aggregate(const Operation& op);
  Result<void> write_item(const Operation& op, const StoredItem& stored);
  Result<void> close_tree(const Operation& op);
  Result<Id> write_root(const Operation& op, const capture::Moments& moments);
  Result<bool> content_is_known(const Operation& op, const StoredItem& stored);
  Result<void> commit_now(const Operation& op, const capture::Moments& moments);
  bool says_cut(std::string_view kind, std::string_view name, std::uint64_t bytes) const;
  Result<Id> put(const Operation& op, BlobType type, Bytes plain);

  const std::shared_ptr<Visit> visit_;
  const SnapshotDraft draft_;
  const std::optional<Id> previous_id_;
  const std::shared_ptr<TreeIndex> previous_;
  const unsigned stream_;
  const GearTable table_;
  ContentCutter cutter_;

  // The item that is being written.
  bool in_item_ = false, large_ = false;
  StoredItem current_;
  capture::Cut cut_ = capture::Cut::by_content;
  Bytes small_;

  std::string last_name_;
  bool any_item_ = false;
  Bytes aggregate_;
  std::vector<Waiting> waiting_;
  TreeWriter tree_;
  std::vector<Id> trees_;

  // The walk through the previous snapshot.
  std::optional<TreeWalk> walk_;
  const StoredItem* walked_ = nullptr;
  std::optional<StoredItem> offered_;  // what previous() answered last
  std::string asked_;

  std::optional<Error> failed_;
  bool committed_ = false;
  Snapshot snapshot_;
  std::uint64_t items_ = 0, size_bytes_ = 0;
  const StoredCounter stored_ = std::make_shared<std::atomic<std::uint64_t>>(0);
  std::atomic<std::uint64_t> items_seen_ = 0, bytes_read_ = 0, unchanged_ = 0, bytes_unchanged_ = 0;
};

}  // namespace lifeboat::repo
