// repo/tree.h - What a snapshot is made of: its root, its items, and where their content is.
//
// Threads: plain values.  Source: docs/format.md, "Snapshots".
#pragma once

#include <vector>

#include "capture/item.h"
#include "repo/log_record.h"

namespace lifeboat::repo {

// A stretch of an item's content: part of a blob, or zeros.
struct ContentRef {
  std::optional<Id> blob;  // nullopt: a hole
  std::uint64_t offset = 0, length = 0;
  bool operator==(const ContentRef&) const = default;
};

struct StoredItem {
  capture::Item item;
  std::vector<ContentRef> content;  // empty when it stands in `lists`
  std::vector<Id> lists;
};

inline constexpr std::size_t refs_in_item_most = 1024, refs_in_list_most = 4096;
inline constexpr std::size_t trees_in_root_most = 1024, trees_in_list_most = 4096;
inline constexpr std::size_t name_bytes_most = 64u << 10, item_bytes_most = 4u << 20;

Bytes encode_content(const std::vector<ContentRef>& content);
// Errors: corrupt.
Result<std::vector<ContentRef>> decode_content(ByteView bytes);

Bytes encode(const StoredItem& item);
Result<StoredItem> decode_item(ByteView message);

// A tree blob: items, as encoded, one after the other.
class TreeWriter {
 public:
  void add(ByteView encoded_item) { out_.message(1, encoded_item); }
  std::size_t size_bytes() const { return out_.view().size(); }
  Bytes take();

 private:
  Writer out_;
};
Result<std::vector<StoredItem>> decode_tree(ByteView blob);

struct SnapshotRoot {
  std::array<std::uint8_t, 16> random{};
  SnapshotDraft about;
  capture::Moments moments;
  std::uint64_t items = 0, size_bytes = 0;
  std::uint64_t depth = 0;
  std::vector<Id> ids;  // trees, or tree lists
};
Bytes encode(const SnapshotRoot& root);
Result<SnapshotRoot> decode_root(ByteView blob);

Bytes join_ids(const std::vector<Id>& ids);
Result<std::vector<Id>> split_ids(ByteView joined);

}  // namespace lifeboat::repo
