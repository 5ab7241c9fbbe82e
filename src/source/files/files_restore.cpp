#include "source/files/files_restore.h"

#include <fcntl.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "capture/partial_feed.h"
#include "source/files/open_files.h"

namespace lifeboat::source::files {
namespace {

using capture::Item;
using capture::ItemKind;
using capture::Piece;
using capture::selected;
using capture::within;

constexpr std::size_t batch_files_max = 4096;
constexpr std::uint64_t batch_bytes_max = 256u << 20;

Error hostile(const Item& item, const std::string& why) {
  return {Error::Kind::invalid,
          "item '" + printable(item.name) + "' " + why,
          "the snapshot was not made by a files source; nothing was written",
          {}};
}

// ENOSPC with what is needed and what is free: the figures that decide what to do.
Error with_figures(Error error, int folder, std::uint64_t needed_bytes) {
  if (error.effective_code() != Error::Code::no_space) return error;
  struct statvfs space = {};
  if (fstatvfs(folder, &space) != 0) return error;
  const std::uint64_t free_bytes = std::uint64_t{space.f_bavail} * space.f_frsize;
  error.hint = "still to be written: " + std::to_string(needed_bytes) +
               " bytes, free: " + std::to_string(free_bytes) + " bytes; make room and run it again";
  return error;
}

Result<void> write_at(int file, const Piece& piece, const std::string& name) {
  ByteView left = piece.bytes;
  auto at = static_cast<off_t>(piece.offset_bytes);
  while (!left.empty()) {
    const ssize_t count = pwrite(file, left.data(), left.size(), at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(system_error(errno, name));
    left = left.subspan(static_cast<std::size_t>(count));
    at += count;
  }
  return {};
}

}  // namespace

Result<void> FilesRestore::each_item(const Operation& op, const Visit& visit) {
  TRY(const auto cursor, feed_.items(op));
  for (;;) {
    TRY_DO(op.proceed());
    TRY(const auto item, cursor->next(op));
    if (!item) return {};
    if (selected(item->name, options_.only, item->kind == ItemKind::directory)) {
      TRY_DO(visit(*item));
    }
  }
}

// The way down is kept as a stack: in canonical order a folder is over when a name comes that is
// not within it.
Result<void> FilesRestore::check_item(const Item& item) {
  if (!safe_name(item.name)) return fail(hostile(item, "has a name that leads out of the target"));
  if (!item.file) return fail(hostile(item, "is no file"));
  if (item.name == root_name) {
    if (item.kind != ItemKind::directory) return fail(hostile(item, "is the root and no folder"));
    return {};
  }
  while (!open_folders_.empty() && !within(item.name, open_folders_.back().name)) {
    open_folders_.pop_back();
  }
  const std::string_view parent = parent_of(item.name);
  const std::string_view open = open_folders_.empty() ? root_name : open_folders_.back().name;
  if (parent != open) return fail(hostile(item, "lies in what is no folder"));
  if (item.kind == ItemKind::hard_link &&
      (!safe_name(item.file->link_target) || item.file->link_target == root_name)) {
    return fail(hostile(item, "is linked to a name that leads out of the target"));
  }
  if (item.kind == ItemKind::directory) {
    Item folder;
    folder.name = item.name;
    open_folders_.push_back(std::move(folder));
  } else if (selected(item.name, options_.only, false)) {
    total_bytes_ += item.kind == ItemKind::file ? item.size_bytes : 0;
  }
  if (selected(item.name, options_.only, false)) ++selected_items_;
  return {};
}

Result<void> FilesRestore::look(const Operation& op) {
  open_folders_.clear();
  TRY_DO(each_item(op, [this](const Item& item) { return check_item(item); }));
  open_folders_.clear();
  if (selected_items_ == 0 && !options_.only.empty()) {
    return fail(Error::Kind::not_found,
                "the snapshot holds nothing named '" + printable(options_.only.front()) + "'",
                "list its items with: lifeboat ls");
  }
  return {};
}

// The folder of `name`, opened beneath the root; kept open for the next name in the same folder.
Result<Place> FilesRestore::place_of(const std::string& name) {
  const std::string_view parent = parent_of(name);
  if (!parent_.open() || parent_name_ != parent) {
    TRY(parent_, open_beneath(root_, parent, O_RDONLY | O_DIRECTORY));
    parent_name_ = parent;
  }
  return Place{parent_.number(), base_of(name), name};
}

Result<void> FilesRestore::add_file_or_folder(const Operation& op, const Item& item) {
  if (item.kind == ItemKind::directory && item.name != root_name) {
    TRY(const Place place, place_of(item.name));
    if (mkdirat(place.parent, place.base.c_str(), 0700) != 0) {
      return fail(system_error(errno, item.name));
    }
    ++report_.items;
  }
  if (item.kind == ItemKind::file) return add_file(op, item.name, item);
  if (item.kind != ItemKind::hard_link || options_.only.empty() ||
      selected(item.file->link_target, options_.only, false)) {
    return {};
  }
  // The first name of the file stays behind: this one gets the content, later ones are its links.
  const std::string& first = item.file->link_target;
  const auto standing = std::find_if(stand_ins_.begin(), stand_ins_.end(),
                                     [&](const auto& each) { return each.second == first; });
  stand_ins_[item.name] = first;
  if (standing != stand_ins_.end()) return {};
  TRY(const Item content, feed_.find(op, first));
  return add_file(op, item.name, content);
}

Result<void> FilesRestore::add_file(const Operation& op, std::string name, const Item& item) {
  batch_.push_back({std::move(name), item});
  batch_bytes_ += item.size_bytes;
  if (batch_.size() < batch_files_max && batch_bytes_ < batch_bytes_max) return {};
  return write_batch(op);
}

Result<void> FilesRestore::create(const NewFile& file) {
  TRY(const Place place, place_of(file.name));
  const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const Descriptor made(openat(place.parent, place.base.c_str(), flags, 0600));
  if (!made.open()) return fail(system_error(errno, file.name));
  // The full length at once: what no piece fills stays a hole.
  if (ftruncate(made.number(), static_cast<off_t>(file.item.size_bytes)) != 0) {
    return fail(system_error(errno, file.name));
  }
  return {};
}

Result<void> FilesRestore::write_batch(const Operation& op) {
  std::vector<Item> items;
  items.reserve(batch_.size());
  for (const NewFile& file : batch_) {
    TRY_DO(op.proceed());
    TRY_DO(create(file));
    items.push_back(file.item);
  }
  OpenFiles files(batch_.size(), [this](std::size_t index) {
    return open_beneath(root_, batch_[index].name, O_WRONLY);
  });
  const auto deliver = [&](const Piece& piece) -> Result<void> {
    const NewFile& file = batch_[piece.item];
    if (piece.offset_bytes + piece.bytes.size() > file.item.size_bytes) {
      return fail(Error::Kind::corrupt, printable(file.name) + ": a piece lies behind its end");
    }
    TRY_DO(files.with(piece.item, [&](int number) { return write_at(number, piece, file.name); }));
    files.came(piece.item, piece.bytes.size(), file.item.size_bytes);
    const std::uint64_t done = done_bytes_ += piece.bytes.size();
    if (options_.progress) options_.progress(std::min(done, total_bytes_), total_bytes_);
    return {};
  };
  TRY_DO(feed_.fetch(op, items, deliver));
  for (const NewFile& file : batch_) {
    TRY(const Place place, place_of(file.name));
    apply_metadata(place, file.item, shortfalls_);
    if (const auto cut = file.item.facts.find("unreadable"); cut != file.item.facts.end()) {
      report_.remarks.push_back(printable(file.name) + ": was captured in part only (" +
                                cut->second + ")");
    }
    report_.bytes += file.item.size_bytes;
    ++report_.items;
  }
  batch_.clear();
  batch_bytes_ = 0;
  return {};
}

Result<void> FilesRestore::make_hard_link(const Place& place, const Item& item) {
  std::string first = item.file->link_target;
  const auto stand_in = stand_ins_.find(item.name);
  if (stand_in != stand_ins_.end()) {
    // The first selected name of this file, in the order in which files were made.
    for (const auto& [name, target] : stand_ins_) {
      if (target == first &&
          (first == item.file->link_target || capture::name_before(name, first))) {
        first = name;
      }
    }
    if (first == item.name) return {};  // made with the files
  }
  TRY(const Descriptor parent, open_beneath(root_, parent_of(first), O_RDONLY | O_DIRECTORY));
  const std::string base = base_of(first);
  const auto seen = look_at(parent.number(), base);
  if (!seen || !S_ISREG(seen->st_mode)) {
    return fail(hostile(item, "is linked to '" + printable(first) + "', which is no file"));
  }
  if (linkat(parent.number(), base.c_str(), place.parent, place.base.c_str(), 0) != 0) {
    return fail(system_error(errno, item.name));
  }
  ++report_.items;
  return {};
}

Result<void> FilesRestore::make_special(const Place& place, const Item& item) {
  const char* base = place.base.c_str();
  int made = 0;
  if (item.kind == ItemKind::symlink) {
    made = symlinkat(item.file->link_target.c_str(), place.parent, base);
  } else if (item.kind == ItemKind::fifo) {
    made = mkfifoat(place.parent, base, 0600);
  } else {
    const mode_t type = item.kind == ItemKind::char_device ? S_IFCHR : S_IFBLK;
    made = mknodat(place.parent, base, type | 0600, item.file->rdev);
  }
  if (made == 0) {
    apply_metadata(place, item, shortfalls_);
    ++report_.items;
    return {};
  }
  const bool device = item.kind == ItemKind::char_device || item.kind == ItemKind::block_device;
  if (!device || errno != EPERM) return fail(system_error(errno, item.name));
  shortfalls_.add("device node", item.name, errno);
  return {};
}

Result<void> FilesRestore::add_special(const Item& item) {
  if (item.kind == ItemKind::file || item.kind == ItemKind::directory) return {};
  if (item.kind == ItemKind::stream) return fail(hostile(item, "is no file"));
  TRY(const Place place, place_of(item.name));
  if (item.kind == ItemKind::hard_link) return make_hard_link(place, item);
  return make_special(place, item);
}

Result<void> FilesRestore::finish_folder(const Item& item) {
  if (item.name == root_name) {
    apply_metadata({root_, ".", item.name}, item, shortfalls_);
    return {};
  }
  // Not place_of(): the folder above may have lost its rights only after those within it.
  TRY(const Descriptor parent, open_beneath(root_, parent_of(item.name), O_RDONLY | O_DIRECTORY));
  apply_metadata({parent.number(), base_of(item.name), item.name}, item, shortfalls_);
  return {};
}

// Folders that end before `next_name` get their metadata, deepest first.
Result<void> FilesRestore::leave_folders(const std::string& next_name) {
  while (!open_folders_.empty() && !within(next_name, open_folders_.back().name)) {
    TRY_DO(finish_folder(open_folders_.back()));
    open_folders_.pop_back();
  }
  return {};
}

Result<RestoreReport> FilesRestore::build(const Operation& op, int root) {
  root_ = root;
  const auto work = [&]() -> Result<void> {
    TRY_DO(each_item(op, [&](const Item& item) { return add_file_or_folder(op, item); }));
    TRY_DO(write_batch(op));
    TRY_DO(each_item(op, [&](const Item& item) { return add_special(item); }));
    std::optional<Item> top;
    TRY_DO(each_item(op, [&](const Item& item) -> Result<void> {
      if (item.kind != ItemKind::directory) return {};
      if (item.name == root_name) {
        top = item;
        return {};
      }
      TRY_DO(leave_folders(item.name));
      open_folders_.push_back(item);
      return {};
    }));
    TRY_DO(leave_folders(std::string(root_name)));
    if (top) TRY_DO(finish_folder(*top));
    if (syncfs(root_) != 0) return fail(system_error(errno, "the restored tree"));
    return {};
  };
  if (const auto done = work(); !done) {
    const std::uint64_t left = total_bytes_ - std::min(total_bytes_, done_bytes_.load());
    return fail(with_figures(done.error(), root_, left));
  }
  for (std::string& line : shortfalls_.remarks()) report_.remarks.push_back(std::move(line));
  if (options_.progress) options_.progress(total_bytes_, total_bytes_);
  return std::move(report_);
}

}  // namespace lifeboat::source::files
