#include "source/files/tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>

namespace lifeboat::source::files {
namespace {

constexpr int folder_flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;

struct CloseFolder {
  void operator()(DIR* folder) const { closedir(folder); }
};
using Folder = std::unique_ptr<DIR, CloseFolder>;

// openat2(2), which glibc 2.36 does not wrap. -1 with errno as usual.
int kernel_open_beneath(int root, const std::string& name, int flags, mode_t mode) {
  open_how how = {};
  how.flags = static_cast<std::uint64_t>(flags) | O_NOFOLLOW;
  how.mode = mode;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS;
  return static_cast<int>(syscall(SYS_openat2, root, name.c_str(), &how, sizeof how));
}

Result<Descriptor> walk_beneath(int root, std::string_view name, int flags, mode_t mode) {
  Descriptor held;
  int folder = root;
  for (;;) {
    const std::size_t slash = name.find('/');
    const std::string component(name.substr(0, slash));
    const bool last = slash == std::string_view::npos;
    if (component == ".." || component.empty()) return fail(system_error(EINVAL, component));
    const int wanted = last ? flags | O_NOFOLLOW : folder_flags | O_NOFOLLOW;
    Descriptor next(openat(folder, component.c_str(), wanted, last ? mode : 0));
    if (!next.open()) return fail(system_error(errno, name));
    if (last) return next;
    held = std::move(next);
    folder = held.number();
    name.remove_prefix(slash + 1);
  }
}

bool is_folder(const struct stat& seen) { return S_ISDIR(seen.st_mode); }

// One folder on the way down of remove_tree().
struct Level {
  Descriptor folder;
  std::vector<std::string> left;
  std::string base;
};

Result<Level> descend(int parent, const std::string& base) {
  Level level;
  level.base = base;
  // It is going anyway: a folder without rights for its owner must not be in the way.
  TRY(const struct stat seen, look_at(parent, base));
  if ((seen.st_mode & 0700) != 0700 && fchmodat(parent, base.c_str(), 0700, 0) != 0) {
    return fail(system_error(errno, base));
  }
  level.folder = Descriptor(openat(parent, base.c_str(), folder_flags | O_NOFOLLOW));
  if (!level.folder.open()) return fail(system_error(errno, base));
  TRY(level.left, entries_of(level.folder.number()));
  return level;
}

}  // namespace

Error system_error(int number, std::string_view what) {
  using Kind = Error::Kind;
  const std::string text = printable(what) + ": " + process::errno_text(number);
  switch (number) {
    case ENOENT:
      return {Kind::not_found, text, "", {}};
    case EACCES:
    case EPERM:
    case EROFS:
      return {Kind::denied, text, "run as a user who may do this (root may)", {}};
    case EEXIST:
    case ENOTEMPTY:
    case EBUSY:
      return {Kind::conflict, text, "", {}};
    case ENOSPC:
    case EDQUOT:
      return {Kind::unavailable, text, "make room and start again", Error::Code::no_space};
    case EINVAL:
    case ENOTDIR:
    case ELOOP:
    case EXDEV:
    case ENAMETOOLONG:
      return {Kind::invalid, text, "", {}};
    default:
      return {Kind::unavailable, text, "", {}};
  }
}

Result<Descriptor> open_root(const std::string& path) {
  Descriptor root(open(path.c_str(), folder_flags));
  if (!root.open()) return fail(system_error(errno, path));
  return root;
}

Result<Descriptor> open_beneath(int root, std::string_view name, int flags, mode_t mode) {
  const std::string text(name);
  const int opened = kernel_open_beneath(root, text, flags | O_CLOEXEC, mode);
  if (opened >= 0) return Descriptor(opened);
  const bool cannot = errno == ENOSYS || errno == ENAMETOOLONG || errno == EPERM;
  if (!cannot) return fail(system_error(errno, name));
  return walk_beneath(root, name, flags | O_CLOEXEC, mode);
}

Result<struct stat> look_at(int parent, const std::string& base) {
  struct stat seen = {};
  if (fstatat(parent, base.c_str(), &seen, AT_SYMLINK_NOFOLLOW) != 0) {
    return fail(system_error(errno, base));
  }
  return seen;
}

std::string_view parent_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return slash == std::string_view::npos ? root_name : name.substr(0, slash);
}

std::string base_of(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  return std::string(slash == std::string_view::npos ? name : name.substr(slash + 1));
}

std::string through_proc(int parent, const std::string& base) {
  return "/proc/self/fd/" + std::to_string(parent) + "/" + base;
}

Result<std::vector<std::string>> entries_of(int folder) {
  const int again = openat(folder, ".", folder_flags);
  if (again < 0) return fail(system_error(errno, "."));
  const Folder stream(fdopendir(again));
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* entry = readdir(stream.get());
    if (entry == nullptr) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") names.emplace_back(name);
  }
  if (errno != 0) return fail(system_error(errno, "its entries"));
  std::sort(names.begin(), names.end());
  return names;
}

bool safe_name(std::string_view name) {
  if (name == root_name) return true;
  if (name.find('\0') != std::string_view::npos) return false;
  for (;;) {
    const std::size_t slash = name.find('/');
    const std::string_view component = name.substr(0, slash);
    if (component.empty() || component == "." || component == ".." || component.size() > 255) {
      return false;
    }
    if (slash == std::string_view::npos) return true;
    name.remove_prefix(slash + 1);
  }
}

Result<void> remove_tree(const Operation& op, int parent, const std::string& base) {
  const auto seen = look_at(parent, base);
  if (!seen && seen.error().kind == Error::Kind::not_found) return {};
  if (!seen) return fail(seen.error());
  if (!is_folder(*seen)) {
    if (unlinkat(parent, base.c_str(), 0) != 0) return fail(system_error(errno, base));
    return {};
  }
  std::vector<Level> levels;
  TRY(Level first, descend(parent, base));
  levels.push_back(std::move(first));
  while (!levels.empty()) {
    TRY_DO(op.proceed());
    Level& level = levels.back();
    if (level.left.empty()) {
      const std::string name = level.base;
      levels.pop_back();
      const int above = levels.empty() ? parent : levels.back().folder.number();
      if (unlinkat(above, name.c_str(), AT_REMOVEDIR) != 0) return fail(system_error(errno, name));
      continue;
    }
    const std::string name = std::move(level.left.back());
    level.left.pop_back();
    TRY(const struct stat entry, look_at(level.folder.number(), name));
    if (is_folder(entry)) {
      if (entry.st_dev != seen->st_dev) {
        return fail(Error::Kind::conflict,
                    printable(base) + ": another file system is mounted at " + printable(name),
                    "unmount it first", Error::Code::refused);
      }
      TRY(Level below, descend(level.folder.number(), name));
      levels.push_back(std::move(below));
    } else if (unlinkat(level.folder.number(), name.c_str(), 0) != 0) {
      return fail(system_error(errno, name));
    }
  }
  return {};
}

Result<void> write_durably(int parent, const std::string& base, std::string_view content) {
  const std::string next = base + ".next";
  const int flags = O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC;
  const Descriptor file(openat(parent, next.c_str(), flags, 0600));
  if (!file.open()) return fail(system_error(errno, next));
  errno = 0;
  if (fchmod(file.number(), 0600) != 0 || !process::write_all(file.number(), as_bytes(content)) ||
      fsync(file.number()) != 0 || renameat(parent, next.c_str(), parent, base.c_str()) != 0 ||
      fsync(parent) != 0) {
    return fail(system_error(errno, base));
  }
  return {};
}

Result<std::string> read_small_file(int parent, const std::string& base, std::size_t limit_bytes) {
  const Descriptor file(openat(parent, base.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file.open()) return fail(system_error(errno, base));
  struct stat seen = {};
  if (fstat(file.number(), &seen) != 0) return fail(system_error(errno, base));
  if (!S_ISREG(seen.st_mode) || seen.st_size > static_cast<off_t>(limit_bytes)) {
    return fail(system_error(EINVAL, base));
  }
  return process::read_all(file.number());
}

bool is_mount_point(int folder) {
  struct statx seen = {};
  if (statx(folder, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &seen) != 0) return false;
  return (seen.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0 &&
         (seen.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

}  // namespace lifeboat::source::files
