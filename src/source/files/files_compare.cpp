#include "source/files/files_compare.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "source/files/open_files.h"

namespace lifeboat::source::files {
namespace {

using capture::FileMetadata;
using capture::Item;
using capture::ItemKind;
using capture::Piece;

constexpr std::size_t differences_max = 50;
constexpr std::size_t batch_files_max = 4096;
constexpr std::uint64_t batch_bytes_max = 256u << 20;
constexpr std::size_t buffer_bytes = 256u << 10;

std::string octal(std::uint32_t mode) {
  std::string text;
  for (int shift = 9; shift >= 0; shift -= 3) {
    text += static_cast<char>('0' + ((mode >> shift) & 7));
  }
  return text;
}

std::string text_of(const capture::FileTime& time) {
  std::string fraction = std::to_string(time.nanoseconds);
  fraction.insert(0, 9 - fraction.size(), '0');
  return std::to_string(time.seconds) + "." + fraction;
}

std::string owner_of(const FileMetadata& file) {
  return std::to_string(file.uid) + ":" + std::to_string(file.gid);
}

std::string_view kind_text(ItemKind kind) {
  switch (kind) {
    case ItemKind::file:
    case ItemKind::hard_link:
      return "file";
    case ItemKind::directory:
      return "folder";
    case ItemKind::symlink:
      return "symbolic link";
    case ItemKind::fifo:
      return "FIFO";
    case ItemKind::char_device:
      return "character device";
    case ItemKind::block_device:
      return "block device";
    case ItemKind::stream:
      return "stream";
  }
  return "unknown";
}

bool has_content(const Item& item) { return item.kind == ItemKind::file; }

// True when the file holds exactly `bytes` at the offset.
Result<bool> holds(int file, std::uint64_t offset_bytes, ByteView bytes) {
  Bytes buffer(std::min(bytes.size(), buffer_bytes));
  while (!bytes.empty()) {
    const auto want = std::min(bytes.size(), buffer.size());
    const ssize_t count = pread(file, buffer.data(), want, static_cast<off_t>(offset_bytes));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error(errno, "reading"));
    const auto got = static_cast<std::size_t>(count);
    if (got == 0 || std::memcmp(buffer.data(), bytes.data(), got) != 0) return false;
    bytes = bytes.subspan(got);
    offset_bytes += got;
  }
  return true;
}

}  // namespace

void FilesCompare::note(Outcome outcome) {
  Aspect& aspect = aspects_[outcome.aspect];
  ++aspect.compared;
  if (outcome.equal) {
    ++aspect.equal;
  } else if (differences_.size() < differences_max) {
    differences_.push_back({printable(outcome.name) + ": " + outcome.aspect,
                            printable(outcome.expected), printable(outcome.actual), false});
  }
}

void FilesCompare::attributes_of(const Item& item, const Found& found) {
  const auto live = attributes(found.place);
  Outcome outcome{"extended attributes", item.name, "as captured", "", false};
  if (!live) {
    outcome.actual = live.error().what;
  } else if (*live == item.file->xattrs) {
    outcome.equal = true;
  } else {
    for (const auto& [name, value] : item.file->xattrs) {
      const auto there = live->find(name);
      if (there == live->end()) outcome.actual += name + " is missing; ";
      if (there != live->end() && there->second != value) outcome.actual += name + " differs; ";
    }
    for (const auto& [name, value] : *live) {
      if (!item.file->xattrs.contains(name)) outcome.actual += name + " is new; ";
    }
  }
  note(std::move(outcome));
}

void FilesCompare::metadata(const Item& item, const Found& found) {
  const FileMetadata& wanted = *item.file;
  const FileMetadata live = numbers_of(found.seen);
  note({"owner", item.name, owner_of(wanted), owner_of(live),
        wanted.uid == live.uid && wanted.gid == live.gid});
  note({"time", item.name, text_of(wanted.mtime), text_of(live.mtime), wanted.mtime == live.mtime});
  if (item.kind == ItemKind::symlink) {
    const auto text = link_text(found.place);
    note({"link target", item.name, wanted.link_target, text ? *text : text.error().what,
          text && *text == wanted.link_target});
    return;
  }
  note({"mode", item.name, octal(wanted.mode), octal(live.mode), wanted.mode == live.mode});
  attributes_of(item, found);
  if (item.kind == ItemKind::char_device || item.kind == ItemKind::block_device) {
    note({"device number", item.name, std::to_string(wanted.rdev), std::to_string(live.rdev),
          wanted.rdev == live.rdev});
  }
}

void FilesCompare::hard_link(const Item& item, const Found& found) {
  const std::string& first = item.file->link_target;
  Outcome outcome{"hard link", item.name, "linked to " + first, "another file", false};
  const auto parent = open_beneath(root_.number(), parent_of(first), O_RDONLY | O_DIRECTORY);
  if (parent) {
    const auto seen = look_at(parent->number(), base_of(first));
    outcome.equal = seen && seen->st_ino == found.seen.st_ino && seen->st_dev == found.seen.st_dev;
  }
  note(std::move(outcome));
}

Result<void> FilesCompare::both(const Operation& op, const Item& item, const Found& found) {
  if (!item.file)
    return fail(Error::Kind::invalid, "item '" + printable(item.name) + "' is no file");
  const auto kind = kind_of(found.seen.st_mode);
  const std::string_view expected = kind_text(item.kind);
  const std::string_view actual = kind ? kind_text(*kind) : "socket";
  note({"kind", item.name, std::string(expected), std::string(actual), expected == actual});
  if (expected != actual) return {};
  if (item.kind == ItemKind::hard_link) {
    hard_link(item, found);
    return {};
  }
  metadata(item, found);
  if (!has_content(item)) return {};
  const auto size_bytes = static_cast<std::uint64_t>(found.seen.st_size);
  const bool same_size = item.size_bytes == size_bytes;
  note({"size", item.name, std::to_string(item.size_bytes), std::to_string(size_bytes), same_size});
  if (!same_size) {
    note({"content", item.name, "as captured", "of another size", false});
    return {};
  }
  batch_.push_back(item);
  batch_bytes_ += item.size_bytes;
  if (batch_.size() < batch_files_max && batch_bytes_ < batch_bytes_max) return {};
  return compare_batch(op);
}

// Holes are not delivered by fetch(): such files are read in order, zeros and all.
Result<bool> FilesCompare::same_with_holes(const Operation& op, const Item& item) {
  TRY(const Descriptor file, open_beneath(root_.number(), item.name, O_RDONLY));
  TRY(const auto reader, feed_.open(op, item));
  Bytes buffer(buffer_bytes);
  for (std::uint64_t at = 0;;) {
    TRY_DO(op.proceed());
    TRY(const std::size_t count, reader->read(op, buffer));
    if (count == 0) return at == item.size_bytes;
    TRY(const bool same, holds(file.number(), at, ByteView(buffer).first(count)));
    if (!same) return false;
    at += count;
  }
}

Result<void> FilesCompare::compare_batch(const Operation& op) {
  std::vector<std::atomic<bool>> different(batch_.size());
  OpenFiles files(batch_.size(), [this](std::size_t index) {
    return open_beneath(root_.number(), batch_[index].name, O_RDONLY);
  });
  const auto deliver = [&](const Piece& piece) -> Result<void> {
    const auto compared = files.with(piece.item, [&](int file) -> Result<void> {
      TRY(const bool same, holds(file, piece.offset_bytes, piece.bytes));
      if (!same) different[piece.item] = true;
      return {};
    });
    // A file that cannot be read is not equal; the comparison of the others goes on.
    if (!compared) different[piece.item] = true;
    files.came(piece.item, piece.bytes.size(), batch_[piece.item].size_bytes);
    return {};
  };
  TRY_DO(feed_.fetch(op, batch_, deliver));
  for (std::size_t index = 0; index < batch_.size(); ++index) {
    const Item& item = batch_[index];
    bool same = !different[index];
    if (same && files.bytes_of(index) != item.size_bytes) {
      const auto read = same_with_holes(op, item);
      if (!read && read.error().kind == Error::Kind::cancelled) return fail(read.error());
      if (!read && read.error().kind == Error::Kind::corrupt) return fail(read.error());
      same = read && *read;
    }
    note({"content", item.name, "as captured", same ? "as captured" : "different", same});
  }
  batch_.clear();
  batch_bytes_ = 0;
  return {};
}

void FilesCompare::extra(const Found& found) {
  if (!kind_of(found.seen.st_mode)) return;  // sockets are not captured
  if (left_out(found.place.name, options_.exclude)) return;
  note({"nothing else", found.place.name, "absent", "present", false});
}

Result<void> FilesCompare::merge(const Operation& op) {
  WalkOptions all = options_;
  all.exclude.clear();  // what was captured is compared, whatever is excluded by now
  all.trouble = [this](const std::string& name, const Error& why) {
    note({"readable", name, "readable", why.what, false});
  };
  TRY(Walk walk, Walk::begin(path_, std::move(all)));
  TRY(const auto cursor, feed_.items(op));
  TRY(auto found, walk.next(op));
  TRY(auto item, cursor->next(op));
  while (found || item) {
    const bool only_live = !item || (found && capture::name_before(found->place.name, item->name));
    const bool only_captured =
        !found || (item && capture::name_before(item->name, found->place.name));
    if (only_live) {
      extra(*found);
    } else {
      note(
          {"present", item->name, "present", only_captured ? "absent" : "present", !only_captured});
    }
    if (!only_live && !only_captured) TRY_DO(both(op, *item, *found));
    if (!only_captured) {
      TRY(found, walk.next(op));
    }
    if (!only_live) {
      TRY(item, cursor->next(op));
    }
  }
  return compare_batch(op);
}

std::vector<Check> FilesCompare::checks() const {
  std::vector<Check> all;
  for (const auto& [name, aspect] : aspects_) {
    if (name == "nothing else") continue;
    all.push_back({printable(path_) + ": " + name, std::to_string(aspect.compared) + " equal",
                   std::to_string(aspect.equal) + " equal", aspect.compared == aspect.equal});
  }
  const auto extras = aspects_.find("nothing else");
  const std::uint64_t more = extras == aspects_.end() ? 0 : extras->second.compared;
  all.push_back({printable(path_) + ": entries that were not captured", "0", std::to_string(more),
                 more == 0});
  all.insert(all.end(), differences_.begin(), differences_.end());
  return all;
}

Result<std::vector<Check>> FilesCompare::run(const Operation& op) {
  auto root = open_root(path_);
  if (!root && root.error().kind == Error::Kind::not_found) {
    return std::vector<Check>{{"folder " + printable(path_), "present", "absent", false}};
  }
  if (!root) return fail(root.error());
  root_ = *std::move(root);
  TRY_DO(merge(op));
  return checks();
}

}  // namespace lifeboat::source::files
