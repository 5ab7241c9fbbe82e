#include "repo/snapshot_sink.h"

#include <algorithm>
#include <utility>

#include "base/guard.h"

namespace lifeboat::repo {
namespace {

constexpr std::size_t waiting_most = 4096;  // items behind an open aggregate
constexpr std::size_t tree_least = 64u << 10, tree_most = 256u << 10;
constexpr std::uint64_t cut_scale = 64u << 10;  // a cut comes once in so many bytes

tl::unexpected<Error> misuse(std::string what) {
  return fail(Error::Kind::invalid, std::move(what));
}

bool holds_content(capture::ItemKind kind) {
  return kind == capture::ItemKind::file || kind == capture::ItemKind::stream;
}

}  // namespace

PackedSnapshotSink::PackedSnapshotSink(std::shared_ptr<Visit> visit, SnapshotDraft draft,
                                       std::optional<Id> previous_id,
                                       std::shared_ptr<TreeIndex> previous)
    : visit_(std::move(visit)),
      draft_(std::move(draft)),
      previous_id_(previous_id),
      previous_(std::move(previous)),
      stream_(visit_->writer.data_stream()),
      table_(gear_table(visit_->core->keys.chunking)),
      cutter_(table_, visit_->core->config.chunker) {
  if (previous_) walk_.emplace(previous_);
}

// Mistakes of the caller leave the sink usable; anything else ends it.
Result<void> PackedSnapshotSink::guarded(Result<void> result) {
  if (!result && result.error().kind != Error::Kind::invalid) failed_ = result.error();
  return result;
}

Result<void> PackedSnapshotSink::ready_for(std::string_view name) {
  if (failed_) return fail(*failed_);
  if (committed_) return misuse("sink: the capture is committed already");
  if (in_item_)
    return misuse("sink: item \"" + printable(current_.item.name) + "\" is not finished");
  if (name.empty() || name.size() > name_bytes_most) return misuse("sink: a name of bad length");
  if (any_item_ && !capture::name_before(last_name_, name)) {
    return misuse("sink: \"" + printable(name) + "\" does not come after \"" +
                  printable(last_name_) + "\"");
  }
  return {};
}

Result<void> PackedSnapshotSink::begin(const Operation& op, const capture::Item& item,
                                       capture::Cut cut) {
  TRY_DO(ready_for(item.name));
  TRY_DO(op.proceed());
  in_item_ = true;
  large_ = false;
  current_ = StoredItem{};
  current_.item = item;
  current_.item.size_bytes = 0;
  cut_ = cut;
  small_.clear();
  return {};
}

Result<void> PackedSnapshotSink::accepts_content() const {
  if (failed_) return fail(*failed_);
  if (!in_item_) return misuse("sink: content outside of an item");
  if (!holds_content(current_.item.kind)) {
    return misuse("sink: \"" + printable(current_.item.name) + "\" is of a kind without content");
  }
  return {};
}

ContentCutter::Out PackedSnapshotSink::out(const Operation& op) {
  return {[this, &op](Bytes bytes) { return emit(op, std::move(bytes)); },
          [this, &op](std::uint64_t length) { return add_ref(op, {std::nullopt, 0, length}); }};
}

Result<void> PackedSnapshotSink::begin_large(const Operation& op) {
  if (large_) return {};
  large_ = true;
  cutter_.begin(cut_);
  return cutter_.feed(std::exchange(small_, {}), out(op));
}

Result<void> PackedSnapshotSink::write(const Operation& op, ByteView bytes) {
  TRY_DO(accepts_content());
  TRY_DO(op.proceed());
  current_.item.size_bytes += bytes.size();
  bytes_read_ += bytes.size();
  if (!large_ && small_.size() + bytes.size() < visit_->core->config.chunker.small_limit) {
    append(small_, bytes);
    return {};
  }
  TRY_DO(guarded(begin_large(op)));
  return guarded(cutter_.feed(bytes, out(op)));
}

Result<void> PackedSnapshotSink::hole(const Operation& op, std::uint64_t length_bytes) {
  TRY_DO(accepts_content());
  if (length_bytes == 0) return {};
  current_.item.size_bytes += length_bytes;
  TRY_DO(guarded(begin_large(op)));
  TRY_DO(guarded(cutter_.end(out(op), length_bytes)));
  return guarded(add_ref(op, {std::nullopt, 0, length_bytes}));
}

Result<Id> PackedSnapshotSink::put(const Operation& op, BlobType type, Bytes plain) {
  const unsigned stream = type == BlobType::data ? stream_ : PackWriter::metadata_stream;
  return visit_->writer.put(op, {stream, type, std::move(plain), stored_});
}

Result<void> PackedSnapshotSink::emit(const Operation& op, Bytes bytes) {
  const std::uint64_t length = bytes.size();
  TRY(const Id id, put(op, BlobType::data, std::move(bytes)));
  return add_ref(op, {id, 0, length});
}

Result<void> PackedSnapshotSink::add_ref(const Operation& op, const ContentRef& ref) {
  std::vector<ContentRef>& content = current_.content;
  if (!ref.blob && !content.empty() && !content.back().blob) {
    content.back().length += ref.length;  // one hole after another is one hole
    return {};
  }
  if (content.size() == refs_in_list_most) TRY_DO(spill(op));
  content.push_back(ref);
  return {};
}

// Long contents stand in blobs of their own, so that an item's record stays small.
Result<void> PackedSnapshotSink::spill(const Operation& op) {
  TRY(const Id id, put(op, BlobType::list, encode_content(current_.content)));
  current_.lists.push_back(id);
  current_.content.clear();
  return {};
}

Result<void> PackedSnapshotSink::finish(const Operation& op, const capture::Item& item) {
  if (failed_) return fail(*failed_);
  if (!in_item_) return misuse("sink: finish() without begin()");
  if (item.name != current_.item.name || item.kind != current_.item.kind) {
    return misuse("sink: finish() of another item than \"" + printable(current_.item.name) + "\"");
  }
  const std::uint64_t size = current_.item.size_bytes;
  current_.item = item;
  current_.item.size_bytes = size;
  return guarded(finish_item(op));
}

Result<void> PackedSnapshotSink::finish_item(const Operation& op) {
  Waiting waiting;
  if (large_) {
    TRY_DO(cutter_.end(out(op), 0));
    const bool many = current_.content.size() > refs_in_item_most;
    if (!current_.content.empty() && (many || !current_.lists.empty())) TRY_DO(spill(op));
  }
  waiting.stored = std::move(current_);
  const Bytes small = std::exchange(small_, {});
  in_item_ = false;
  return queue(op, std::move(waiting), small);
}

// A cut that depends on the name only: what comes before or after does not move it.
bool PackedSnapshotSink::says_cut(std::string_view kind, std::string_view name,
                                  std::uint64_t bytes) const {
  const Id mac = crypt::hmac_sha256(visit_->core->keys.chunking, {as_bytes(kind), as_bytes(name)});
  const std::uint64_t drawn = read_u32(mac.bytes.data());
  return drawn < bytes * ((std::uint64_t{1} << 32) / cut_scale);
}

Result<void> PackedSnapshotSink::queue(const Operation& op, Waiting waiting, ByteView small) {
  const std::string name = waiting.stored.item.name;
  last_name_ = name;
  any_item_ = true;
  ++items_;
  ++items_seen_;
  size_bytes_ += waiting.stored.item.size_bytes;
  waiting.offset = aggregate_.size();
  waiting.length = small.size();
  append(aggregate_, small);
  waiting_.push_back(std::move(waiting));

  const std::uint64_t target = visit_->core->config.chunker.aggregate;
  const bool full = aggregate_.size() >= 2 * target || waiting_.size() >= waiting_most;
  const bool enough = !small.empty() && aggregate_.size() >= target;
  const bool cut = full || (enough && says_cut("aggregate", name, small.size()));
  return cut || aggregate_.empty() ? close_aggregate(op) : Result<void>();
}

Result<void> PackedSnapshotSink::close_aggregate(const Operation& op) {
  std::optional<Id> id;
  if (!aggregate_.empty()) {
    TRY(id, put(op, BlobType::data, std::exchange(aggregate_, {})));
  }
  for (Waiting& waiting : waiting_) {
    if (waiting.length > 0) {
      waiting.stored.content.push_back({id, waiting.offset, waiting.length});
    }
    TRY_DO(write_item(op, waiting.stored));
  }
  waiting_.clear();
  return {};
}

Result<void> PackedSnapshotSink::write_item(const Operation& op, const StoredItem& stored) {
  const Bytes encoded = encode(stored);
  if (encoded.size() > item_bytes_most) {
    return fail(Error::Kind::unavailable,
                "item \"" + printable(stored.item.name) + "\" has more metadata than " +
                    std::to_string(item_bytes_most >> 20) + " MiB",
                "leave it out of the source, or remove extended attributes from it",
                Error::Code::general);
  }
  tree_.add(encoded);
  const bool cut =
      tree_.size_bytes() >= tree_most ||
      (tree_.size_bytes() >= tree_least && says_cut("tree", stored.item.name, encoded.size()));
  return cut ? close_tree(op) : Result<void>();
}

Result<void> PackedSnapshotSink::close_tree(const Operation& op) {
  if (tree_.size_bytes() == 0) return {};
  TRY(const Id id, put(op, BlobType::tree, tree_.take()));
  trees_.push_back(id);
  return {};
}

Result<bool> PackedSnapshotSink::content_is_known(const Operation& op, const StoredItem& stored) {
  const auto known = [this](const ContentRef& ref) {
    return !ref.blob || visit_->writer.knows(*ref.blob);
  };
  if (!std::all_of(stored.content.begin(), stored.content.end(), known)) return false;
  for (const Id& list : stored.lists) {
    if (!visit_->writer.knows(list)) return false;
    // Only when something is known to be lost is it worth reading what the lists say.
    if (visit_->core->broken_segments().empty()) continue;
    const auto blob = read_blob(op, *visit_->core, list, BlobType::list);
    if (!blob && blob.error().kind == Error::Kind::corrupt) return false;
    if (!blob) return fail(blob.error());
    TRY(const auto content, decode_content(*blob));
    if (!std::all_of(content.begin(), content.end(), known)) return false;
  }
  return true;
}

Result<std::optional<capture::Item>> PackedSnapshotSink::previous(const Operation& op,
                                                                  std::string_view name) {
  if (failed_) return fail(*failed_);
  if (committed_ || in_item_) return misuse("sink: previous() inside of an item");
  if (!asked_.empty() && capture::name_before(name, asked_)) {
    return misuse("sink: previous() asked out of order for \"" + printable(name) + "\"");
  }
  asked_ = name;
  offered_.reset();
  while (walk_ && (walked_ == nullptr || capture::name_before(walked_->item.name, name))) {
    const auto next = walk_->next(op);
    const bool damaged = !next && next.error().kind == Error::Kind::corrupt;
    if (!next && !damaged) {
      TRY_DO(guarded(fail(next.error())));
    }
    walked_ = next ? *next : nullptr;
    if (walked_ == nullptr) walk_.reset();  // at its end, or damaged: read anew from here
  }
  if (walked_ == nullptr || walked_->item.name != name) return std::optional<capture::Item>();
  TRY(const bool known, content_is_known(op, *walked_));
  if (!known) return std::optional<capture::Item>();
  offered_ = *walked_;
  return std::optional<capture::Item>(offered_->item);
}

Result<void> PackedSnapshotSink::unchanged(const Operation& op, const capture::Item& item) {
  TRY_DO(ready_for(item.name));
  if (!offered_ || offered_->item.name != item.name || offered_->item.kind != item.kind) {
    return misuse("sink: unchanged() of \"" + printable(item.name) +
                  "\", which previous() did not answer");
  }
  TRY_DO(op.proceed());
  Waiting waiting;
  waiting.stored = *std::exchange(offered_, std::nullopt);
  const std::uint64_t size = waiting.stored.item.size_bytes;
  waiting.stored.item = item;
  waiting.stored.item.size_bytes = size;
  ++unchanged_;
  bytes_unchanged_ += size;
  return guarded(queue(op, std::move(waiting), {}));
}

Result<Id> PackedSnapshotSink::write_root(const Operation& op, const capture::Moments& moments) {
  SnapshotRoot root;
  root.random = visit_->core->environment.random->array<16>();
  root.about = draft_;
  root.moments = moments;
  root.items = items_;
  root.size_bytes = size_bytes_;
  root.ids = trees_;
  if (trees_.size() > trees_in_root_most) {
    root.depth = 1;
    root.ids.clear();
    for (std::size_t at = 0; at < trees_.size(); at += trees_in_list_most) {
      const std::size_t count = std::min(trees_in_list_most, trees_.size() - at);
      const auto from = trees_.begin() + static_cast<std::ptrdiff_t>(at);
      const std::vector<Id> some(from, from + static_cast<std::ptrdiff_t>(count));
      TRY(const Id list, put(op, BlobType::tree_list, join_ids(some)));
      root.ids.push_back(list);
    }
  }
  const Bytes encoded = encode(root);
  if (encoded.size() > blob_bytes_most)
    return misuse("sink: the facts of the capture are too large");
  return put(op, BlobType::root, encoded);
}

Result<void> PackedSnapshotSink::commit_now(const Operation& op, const capture::Moments& moments) {
  TRY_DO(close_aggregate(op));
  TRY_DO(close_tree(op));
  TRY(snapshot_.id, write_root(op, moments));
  snapshot_.about = draft_;
  snapshot_.moments = moments;
  snapshot_.items = items_;
  snapshot_.size_bytes = size_bytes_;
  snapshot_.previous = previous_id_;
  TRY_DO(visit_->commit(op, snapshot_, *stored_));
  committed_ = true;
  return {};
}

Result<void> PackedSnapshotSink::commit(const Operation& op, const capture::Moments& moments) {
  if (failed_) return fail(*failed_);
  if (committed_) return misuse("sink: the capture is committed already");
  if (in_item_) return misuse("sink: commit() inside of an item");
  auto result = commit_now(op, moments);
  if (!result) failed_ = result.error();  // of any kind: half of it is done
  return result;
}

const Snapshot& PackedSnapshotSink::snapshot() const {
  ASSERT(committed_);
  return snapshot_;
}

SinkProgress PackedSnapshotSink::progress() const {
  return {items_seen_.load(), bytes_read_.load(), stored_->load(), unchanged_.load(),
          bytes_unchanged_.load()};
}

}  // namespace lifeboat::repo
