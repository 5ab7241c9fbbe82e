#include "source/files/files_capture.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace lifeboat::source::files {
namespace {

using capture::Cut;
using capture::FileMetadata;
using capture::Item;
using capture::ItemKind;

constexpr std::size_t buffer_bytes = 1u << 20;
constexpr std::size_t remarks_max = 1000;
constexpr std::int64_t tick_s = 2;

// Images and databases are rewritten in place, at fixed places: cut there.
Cut cut_of(const std::string& name) {
  static constexpr std::array<std::string_view, 9> endings = {
      ".img", ".raw", ".qcow2", ".vmdk", ".vdi", ".ibd", ".mdf", ".sqlite", ".db"};
  const bool fixed = std::any_of(endings.begin(), endings.end(),
                                 [&](std::string_view ending) { return name.ends_with(ending); });
  return fixed ? Cut::fixed : Cut::by_content;
}

// With O_NOATIME where the system lets us; a reading backup should leave no trace.
Descriptor open_to_read(const Place& place) {
  const int flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  Descriptor file(openat(place.parent, place.base.c_str(), flags | O_NOATIME));
  if (!file.open() && errno == EPERM) {
    file = Descriptor(openat(place.parent, place.base.c_str(), flags));
  }
  return file;
}

bool same_state(const struct stat& a, const struct stat& b) {
  const FileMetadata left = numbers_of(a), right = numbers_of(b);
  return a.st_size == b.st_size && left.mtime == right.mtime && left.ctime == right.ctime;
}

bool same_as_before(const Item& before, const struct stat& seen) {
  const FileMetadata now = numbers_of(seen);
  return before.kind == ItemKind::file && before.file && !before.changed_while_read &&
         before.facts.empty() && before.size_bytes == static_cast<std::uint64_t>(seen.st_size) &&
         before.file->mtime == now.mtime && before.file->ctime == now.ctime &&
         before.file->inode == now.inode;
}

}  // namespace

void FilesCapture::remark(const std::string& name, const std::string& why) {
  if (moments_.remarks.size() < remarks_max) {
    moments_.remarks.push_back(printable(name) + ": " + why);
  } else {
    ++remarks_left_out_;
  }
}

void FilesCapture::flaw(const std::string& name, const std::string& why) {
  moments_.partial = true;
  remark(name, why);
}

bool FilesCapture::recent(const struct stat& seen) const {
  const std::int64_t edge = moments_.begin.ns / 1'000'000'000 - tick_s;
  return seen.st_mtim.tv_sec >= edge || seen.st_ctim.tv_sec >= edge;
}

// Metadata of an entry. False: it is gone or may not be looked at; that is in the remarks.
bool FilesCapture::describe(const Found& found, Item& item) {
  item.name = found.place.name;
  item.kind = *kind_of(found.seen.st_mode);
  FileMetadata file = numbers_of(found.seen);
  file.user = owners_.user(found.seen.st_uid);
  file.group = owners_.group(found.seen.st_gid);
  auto xattrs = attributes(found.place);
  if (!xattrs) {
    flaw(item.name, "its attributes cannot be read: " + xattrs.error().what);
    return false;
  }
  file.xattrs = *std::move(xattrs);
  if (item.kind == ItemKind::symlink) {
    auto text = link_text(found.place);
    if (!text) {
      flaw(item.name, "the link cannot be read: " + text.error().what);
      return false;
    }
    file.link_target = *std::move(text);
  }
  item.file = std::move(file);
  return true;
}

Result<void> FilesCapture::take_other(const Operation& op, const Item& item) {
  TRY_DO(sink_.begin(op, item));
  return sink_.finish(op, item);
}

Result<bool> FilesCapture::take_unchanged(const Operation& op, const Found& found) {
  TRY(const auto before, sink_.previous(op, found.place.name));
  if (!before || !same_as_before(*before, found.seen)) return false;
  Item item = *before;
  item.file->device = found.seen.st_dev;
  item.file->links = found.seen.st_nlink;
  TRY_DO(sink_.unchanged(op, item));
  ++unchanged_;
  return true;
}

// Reads from at_ to `end`, or to the end of the file. A read that fails ends the item there.
Result<void> FilesCapture::take_range(const Operation& op, int file, Item& item, off_t end) {
  while (at_ < end) {
    TRY_DO(op.proceed());
    const auto want = std::min<std::size_t>(buffer_.size(), static_cast<std::size_t>(end - at_));
    const ssize_t count = pread(file, buffer_.data(), want, at_);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      item.facts["unreadable"] = process::errno_text(errno) + " from byte " + std::to_string(at_);
      return {};
    }
    if (count == 0) return {};
    const ByteView bytes(buffer_.data(), static_cast<std::size_t>(count));
    TRY_DO(sink_.write(op, bytes));
    bytes_ += bytes.size();
    at_ += count;
  }
  return {};
}

// Data and holes in turn, up to the size that the file had when it was opened: a log that grows
// faster than we read must not hold the capture for ever.
Result<void> FilesCapture::take_content(const Operation& op, int file, Item& item,
                                        const struct stat& before) {
  at_ = 0;
  const bool may_have_holes = before.st_blocks * 512 < before.st_size;
  while (at_ < before.st_size && !item.facts.contains("unreadable")) {
    off_t data = at_;
    off_t end = before.st_size;
    if (may_have_holes) {
      data = lseek(file, at_, SEEK_DATA);
      if (data < 0) data = errno == ENXIO ? before.st_size : at_;
      data = std::min(data, before.st_size);
      const off_t hole = data < before.st_size ? lseek(file, data, SEEK_HOLE) : before.st_size;
      if (hole > data) end = std::min(hole, before.st_size);
    }
    if (data > at_) TRY_DO(sink_.hole(op, static_cast<std::uint64_t>(data - at_)));
    at_ = data;
    TRY_DO(take_range(op, file, item, end));
    if (at_ < end) break;  // it became shorter, or cannot be read further
  }
  return {};
}

Result<void> FilesCapture::take_file(const Operation& op, const Found& found, Item item) {
  const Descriptor file = open_to_read(found.place);
  if (!file.open()) {
    flaw(item.name, errno == ENOENT ? "went away while the capture ran"
                                    : "cannot be read: " + process::errno_text(errno));
    return {};
  }
  struct stat before = {};
  if (fstat(file.number(), &before) != 0 || !S_ISREG(before.st_mode) ||
      before.st_ino != found.seen.st_ino) {
    flaw(item.name, "was replaced while the capture ran");
    return {};
  }
  item.size_bytes = static_cast<std::uint64_t>(before.st_size);
  TRY_DO(sink_.begin(op, item, cut_of(item.name)));
  TRY_DO(take_content(op, file.number(), item, before));
  struct stat after = {};
  const bool looked = fstat(file.number(), &after) == 0;
  if (!looked || !same_state(found.seen, after)) {
    item.changed_while_read = true;
    flaw(item.name, "changed while it was read");
  }
  if (item.facts.contains("unreadable")) {
    flaw(item.name, "cannot be read: " + item.facts["unreadable"]);
  }
  if (looked && recent(after)) item.facts["recent"] = "yes";
  if (found.seen.st_nlink > 1) {
    linked_[{found.seen.st_dev, found.seen.st_ino}] = {item.name, found.seen.st_nlink - 1};
  }
  ++files_;
  return sink_.finish(op, item);
}

Result<void> FilesCapture::take(const Operation& op, const Found& found) {
  const auto kind = kind_of(found.seen.st_mode);
  if (!kind) {
    remark(found.place.name, "a socket, skipped");
    return {};
  }
  const bool file = *kind == ItemKind::file;
  const auto known = found.seen.st_nlink > 1 && file
                         ? linked_.find({found.seen.st_dev, found.seen.st_ino})
                         : linked_.end();
  const bool second_name = known != linked_.end();
  if (file && !second_name) {
    TRY(const bool unchanged, take_unchanged(op, found));
    if (unchanged) {
      ++files_;
      if (found.seen.st_nlink > 1) {
        linked_[{found.seen.st_dev, found.seen.st_ino}] = {found.place.name,
                                                           found.seen.st_nlink - 1};
      }
      return {};
    }
  }
  Item item;
  if (!describe(found, item)) return {};
  if (file && !second_name) return take_file(op, found, std::move(item));
  if (second_name) {
    item.kind = ItemKind::hard_link;
    item.file->link_target = known->second.name;
    if (--known->second.unseen == 0) linked_.erase(known);
  }
  return take_other(op, item);
}

Result<void> FilesCapture::run(const Operation& op, const std::string& path, WalkOptions options) {
  buffer_.resize(buffer_bytes);
  moments_.begin = moments_.consistent_at = clock_.wall();
  options.trouble = [this](const std::string& name, const Error& why) {
    flaw(name, why.kind == Error::Kind::not_found ? "went away while the capture ran"
                                                  : "cannot be read: " + why.what);
  };
  options.skipped = [this](const std::string& name, const std::string& why) { remark(name, why); };
  TRY(Walk walk, Walk::begin(path, std::move(options)));
  for (;;) {
    TRY(const auto found, walk.next(op));
    if (!found) break;
    TRY_DO(take(op, *found));
  }
  if (remarks_left_out_ > 0) {
    moments_.remarks.push_back("and " + std::to_string(remarks_left_out_) + " more remarks");
  }
  moments_.facts["files"] = std::to_string(files_);
  moments_.facts["unchanged"] = std::to_string(unchanged_);
  moments_.facts["bytes_read"] = std::to_string(bytes_);
  moments_.end = clock_.wall();
  TRY_DO(op.proceed());
  return sink_.commit(op, moments_);
}

}  // namespace lifeboat::source::files
