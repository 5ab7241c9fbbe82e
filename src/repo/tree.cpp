#include "repo/tree.h"

#include <utility>

namespace lifeboat::repo {
namespace {

constexpr std::uint64_t tag_hole = 0, tag_blob = 1;

Bytes encode_file(const capture::FileMetadata& file) {
  Writer out;
  out.uint(1, file.mode);
  out.uint(2, file.uid);
  out.uint(3, file.gid);
  out.text(4, file.user);
  out.text(5, file.group);
  out.sint(6, file.mtime.seconds);
  out.uint(7, file.mtime.nanoseconds);
  out.sint(8, file.ctime.seconds);
  out.uint(9, file.ctime.nanoseconds);
  out.uint(10, file.device);
  out.uint(11, file.inode);
  out.uint(12, file.links);
  out.uint(13, file.rdev);
  out.text(14, file.link_target);
  out.map(15, file.xattrs);
  return out.take();
}

std::uint32_t narrow(Fields& fields, std::uint32_t tag) {
  const std::uint64_t value = fields.uint(tag);
  if (value > UINT32_MAX) fields.refuse("holds a number that is too large");
  return static_cast<std::uint32_t>(value);
}

Result<capture::FileMetadata> decode_file(ByteView message) {
  Fields fields(message);
  capture::FileMetadata file;
  file.mode = narrow(fields, 1);
  file.uid = narrow(fields, 2);
  file.gid = narrow(fields, 3);
  file.user = fields.text(4);
  file.group = fields.text(5);
  file.mtime.seconds = fields.sint(6);
  file.mtime.nanoseconds = narrow(fields, 7);
  file.ctime.seconds = fields.sint(8);
  file.ctime.nanoseconds = narrow(fields, 9);
  file.device = fields.uint(10);
  file.inode = fields.uint(11);
  file.links = fields.uint(12);
  file.rdev = fields.uint(13);
  file.link_target = fields.text(14);
  file.xattrs = fields.map(15);
  TRY_DO(fields.done("file metadata"));
  return file;
}

bool known_kind(std::uint64_t kind) { return (kind >= 1 && kind <= 7) || kind == 16; }

}  // namespace

Bytes encode_content(const std::vector<ContentRef>& content) {
  Bytes out;
  for (const ContentRef& ref : content) {
    append_varint(out, ref.blob ? tag_blob : tag_hole);
    if (ref.blob) {
      append(out, ref.blob->view());
      append_varint(out, ref.offset);
    }
    append_varint(out, ref.length);
  }
  return out;
}

Result<std::vector<ContentRef>> decode_content(ByteView bytes) {
  const auto refuse = [] { return fail(Error::Kind::corrupt, "content is not well-formed"); };
  std::vector<ContentRef> content;
  while (!bytes.empty()) {
    ContentRef ref;
    const auto tag = take_varint(bytes);
    if (!tag || *tag > tag_blob) return refuse();
    if (*tag == tag_blob) {
      if (bytes.size() < 32) return refuse();
      ref.blob = Id::from(bytes.first(32));
      bytes = bytes.subspan(32);
      const auto offset = take_varint(bytes);
      if (!offset) return refuse();
      ref.offset = *offset;
    }
    const auto length = take_varint(bytes);
    if (!length || *length == 0) return refuse();
    ref.length = *length;
    content.push_back(ref);
  }
  return content;
}

Bytes encode(const StoredItem& stored) {
  const capture::Item& item = stored.item;
  Writer out;
  out.text(1, item.name);
  out.uint(2, static_cast<std::uint64_t>(item.kind));
  out.uint(3, item.size_bytes);
  out.map(4, item.facts);
  out.flag(5, item.changed_while_read);
  if (item.file) out.message(6, encode_file(*item.file));
  out.bytes(7, encode_content(stored.content));
  out.bytes(8, join_ids(stored.lists));
  return out.take();
}

Result<StoredItem> decode_item(ByteView message) {
  Fields fields(message);
  StoredItem stored;
  capture::Item& item = stored.item;
  item.name = fields.text(1);
  const std::uint64_t kind = fields.uint(2);
  if (!known_kind(kind)) fields.refuse("is of an unknown kind");
  item.kind = static_cast<capture::ItemKind>(kind);
  item.size_bytes = fields.uint(3);
  item.facts = fields.map(4);
  item.changed_while_read = fields.flag(5);
  if (const auto file = fields.message(6)) {
    TRY(item.file, decode_file(*file));
  }
  TRY(stored.content, decode_content(fields.bytes(7)));
  TRY(stored.lists, split_ids(fields.bytes(8)));
  if (!stored.content.empty() && !stored.lists.empty()) fields.refuse("has its content twice");
  if (item.name.empty() || item.name.size() > name_bytes_most) fields.refuse("has no good name");
  TRY_DO(fields.done("item"));
  return stored;
}

Bytes TreeWriter::take() {
  Bytes blob = out_.take();
  out_ = Writer();
  return blob;
}

Result<std::vector<StoredItem>> decode_tree(ByteView blob) {
  Fields fields(blob);
  std::vector<StoredItem> items;
  while (const auto encoded = fields.message(1)) {
    TRY(StoredItem item, decode_item(*encoded));
    if (!items.empty() && !capture::name_before(items.back().item.name, item.item.name)) {
      return fail(Error::Kind::corrupt, "tree: items are out of order");
    }
    items.push_back(std::move(item));
  }
  TRY_DO(fields.done("tree"));
  return items;
}

Bytes encode(const SnapshotRoot& root) {
  Writer out;
  out.message(1, root.random);
  encode_about(out, root.about, 2);
  out.message(7, encode_moments(root.moments, remarks_in_root));
  out.uint(8, root.items);
  out.uint(9, root.size_bytes);
  out.uint(10, root.depth);
  out.bytes(11, join_ids(root.ids));
  return out.take();
}

Result<SnapshotRoot> decode_root(ByteView blob) {
  Fields fields(blob);
  SnapshotRoot root;
  root.random = fields.array<16>(1);
  root.about = decode_about(fields, 2);
  TRY(root.moments, decode_moments(fields.message(7), remarks_in_root));
  root.items = fields.uint(8);
  root.size_bytes = fields.uint(9);
  root.depth = fields.uint(10);
  TRY(root.ids, split_ids(fields.bytes(11)));
  if (root.depth > 1) fields.refuse("is deeper than this version knows");
  TRY_DO(fields.done("root of a snapshot"));
  return root;
}

Bytes join_ids(const std::vector<Id>& ids) {
  Bytes joined;
  joined.reserve(ids.size() * 32);
  for (const Id& id : ids) append(joined, id.view());
  return joined;
}

Result<std::vector<Id>> split_ids(ByteView joined) {
  if (joined.size() % 32 != 0) return fail(Error::Kind::corrupt, "a list of ids is cut short");
  std::vector<Id> ids;
  ids.reserve(joined.size() / 32);
  for (std::size_t at = 0; at < joined.size(); at += 32) {
    ids.push_back(*Id::from(joined.subspan(at, 32)));
  }
  return ids;
}

}  // namespace lifeboat::repo
