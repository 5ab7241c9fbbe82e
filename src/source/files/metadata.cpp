#include "source/files/metadata.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string_view>

#include "base/bytes.h"
#include "client/process/descriptor.h"
#include "source/files/tree.h"

namespace lifeboat::source::files {
namespace {

using capture::FileMetadata;
using capture::Item;
using capture::ItemKind;

bool label_of_the_host(std::string_view name) {
  return name == "security.selinux" || name == "security.ima" || name == "security.evm";
}

// Both lists and values may grow between asking for the size and reading: then asked again.
template <class Ask>
Result<std::string> grown_to_fit(const std::string& name, Ask&& ask) {
  std::string text(256, '\0');
  for (;;) {
    const ssize_t size = ask(text.data(), text.size());
    if (size >= 0) {
      text.resize(static_cast<std::size_t>(size));
      return text;
    }
    if (errno != ERANGE) return fail(system_error(errno, name));
    if (text.size() > (1u << 20)) return fail(system_error(E2BIG, name));
    text.resize(text.size() * 4);
  }
}

capture::FileTime time_of(const timespec& time) {
  return {time.tv_sec, static_cast<std::uint32_t>(time.tv_nsec)};
}

bool set_owner(const Place& place, const FileMetadata& wanted, Shortfalls& shortfalls) {
  const auto seen = look_at(place.parent, place.base);
  if (seen && seen->st_uid == wanted.uid && seen->st_gid == wanted.gid) return true;
  if (fchownat(place.parent, place.base.c_str(), wanted.uid, wanted.gid, AT_SYMLINK_NOFOLLOW) !=
      0) {
    shortfalls.add("owner", place.name, errno);
    return false;
  }
  return true;
}

void set_attributes(const Place& place, const FileMetadata& wanted, Shortfalls& shortfalls) {
  const std::string path = through_proc(place.parent, place.base);
  const auto present = attributes(place);
  if (present) {
    for (const auto& [name, value] : *present) {
      if (wanted.xattrs.contains(name)) continue;
      if (lremovexattr(path.c_str(), name.c_str()) != 0) {
        shortfalls.add("absence of attribute " + name, place.name, errno);
      }
    }
  }
  for (const auto& [name, value] : wanted.xattrs) {
    if (lsetxattr(path.c_str(), name.c_str(), value.data(), value.size(), 0) != 0) {
      shortfalls.add("attribute " + name, place.name, errno);
    }
  }
}

}  // namespace

std::optional<ItemKind> kind_of(mode_t mode) {
  switch (mode & S_IFMT) {
    case S_IFREG:
      return ItemKind::file;
    case S_IFDIR:
      return ItemKind::directory;
    case S_IFLNK:
      return ItemKind::symlink;
    case S_IFIFO:
      return ItemKind::fifo;
    case S_IFCHR:
      return ItemKind::char_device;
    case S_IFBLK:
      return ItemKind::block_device;
    default:
      return std::nullopt;
  }
}

const std::string& Owners::user(uid_t uid) {
  const auto known = users_.find(uid);
  if (known != users_.end()) return known->second;
  std::array<char, 4096> buffer{};
  passwd entry = {};
  passwd* found = nullptr;
  getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found);
  return users_.emplace(uid, found != nullptr ? entry.pw_name : "").first->second;
}

const std::string& Owners::group(gid_t gid) {
  const auto known = groups_.find(gid);
  if (known != groups_.end()) return known->second;
  std::array<char, 16384> buffer{};
  ::group entry = {};
  ::group* found = nullptr;
  getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found);
  return groups_.emplace(gid, found != nullptr ? entry.gr_name : "").first->second;
}

FileMetadata numbers_of(const struct stat& seen) {
  FileMetadata file;
  file.mode = seen.st_mode & 07777;
  file.uid = seen.st_uid;
  file.gid = seen.st_gid;
  file.mtime = time_of(seen.st_mtim);
  file.ctime = time_of(seen.st_ctim);
  file.device = seen.st_dev;
  file.inode = seen.st_ino;
  file.links = seen.st_nlink;
  if (S_ISCHR(seen.st_mode) || S_ISBLK(seen.st_mode)) file.rdev = seen.st_rdev;
  return file;
}

Result<std::string> link_text(const Place& place) {
  return grown_to_fit(place.name, [&](char* out, std::size_t size) {
    const ssize_t count = readlinkat(place.parent, place.base.c_str(), out, size);
    // A text that fills the buffer may have been cut.
    if (count >= 0 && static_cast<std::size_t>(count) == size) {
      errno = ERANGE;
      return ssize_t{-1};
    }
    return count;
  });
}

Result<std::map<std::string, std::string>> attributes(const Place& place) {
  const std::string path = through_proc(place.parent, place.base);
  const auto names = grown_to_fit(place.name, [&](char* out, std::size_t size) {
    const ssize_t count = llistxattr(path.c_str(), out, size);
    return count < 0 && errno == ENOTSUP ? ssize_t{0} : count;
  });
  if (!names) return fail(names.error());
  std::map<std::string, std::string> all;
  for (std::size_t at = 0; at < names->size();) {
    const std::string name(names->c_str() + at);
    at += name.size() + 1;
    if (label_of_the_host(name)) continue;
    auto value = grown_to_fit(place.name, [&](char* out, std::size_t size) {
      return lgetxattr(path.c_str(), name.c_str(), out, size);
    });
    if (!value) return fail(value.error());
    all.emplace(name, *std::move(value));
  }
  return all;
}

void Shortfalls::add(const std::string& what, const std::string& name, int number) {
  Told& told = told_[what];
  if (told.count++ > 0) return;
  told.first = name;
  told.why = process::errno_text(number);
}

std::vector<std::string> Shortfalls::remarks() const {
  std::vector<std::string> lines;
  for (const auto& [what, told] : told_) {
    std::string line = printable(told.first) + ": " + what + " could not be put back";
    if (told.count > 1) line += " (nor of " + std::to_string(told.count - 1) + " others)";
    lines.push_back(line + ": " + told.why);
  }
  return lines;
}

void apply_metadata(const Place& place, const Item& wanted, Shortfalls& shortfalls) {
  const FileMetadata& file = *wanted.file;
  const bool link = wanted.kind == ItemKind::symlink;
  const bool owned = set_owner(place, file, shortfalls);
  set_attributes(place, file, shortfalls);
  // A program that was to run as its owner must not run as somebody else instead.
  const mode_t mode = owned ? file.mode : file.mode & ~mode_t{S_ISUID | S_ISGID};
  if (!link && fchmodat(place.parent, place.base.c_str(), mode, 0) != 0) {
    shortfalls.add("mode", place.name, errno);
  }
  timespec times[2] = {};
  times[0].tv_nsec = UTIME_OMIT;
  times[1].tv_sec = file.mtime.seconds;
  times[1].tv_nsec = static_cast<long>(file.mtime.nanoseconds);
  if (utimensat(place.parent, place.base.c_str(), times, AT_SYMLINK_NOFOLLOW) != 0) {
    shortfalls.add("time", place.name, errno);
  }
}

}  // namespace lifeboat::source::files
