// The order: a folder's names are sorted bytewise and "." is one of the root's names, so that the
// root has a place among its entries without a name that no sink would take for one.
#include "source/files/walk.h"

#include <fcntl.h>
#include <fnmatch.h>

#include <algorithm>
#include <cerrno>

namespace lifeboat::source::files {

Walk::Walk(Descriptor root, WalkOptions options)
    : root_(std::move(root)), options_(std::move(options)) {}

Result<Walk> Walk::begin(const std::string& path, WalkOptions options) {
  TRY(Descriptor root, open_root(path));
  Walk walk(std::move(root), std::move(options));
  struct stat seen = {};
  if (fstat(walk.root_.number(), &seen) != 0) return fail(system_error(errno, path));
  walk.device_ = seen.st_dev;
  walk.mount_point_ = is_mount_point(walk.root_.number());
  auto names = entries_of(walk.root_.number());
  if (!names) return wrap(names.error(), path);
  const std::string self(root_name);
  names->insert(std::lower_bound(names->begin(), names->end(), self), self);
  Level level;
  level.names = *std::move(names);
  level.folder = Descriptor(openat(walk.root_.number(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!level.folder.open()) return fail(system_error(errno, path));
  walk.levels_.push_back(std::move(level));
  return walk;
}

bool matches(const std::string& name, const std::string& base,
             const std::vector<std::string>& patterns) {
  return std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
    if (pattern.find('/') == std::string::npos) {
      return fnmatch(pattern.c_str(), base.c_str(), 0) == 0;
    }
    const std::size_t slashes = pattern.front() == '/' ? 1 : 0;
    return fnmatch(pattern.c_str() + slashes, name.c_str(), FNM_PATHNAME) == 0;
  });
}

bool left_out(const std::string& name, const std::vector<std::string>& patterns) {
  std::string_view each = name;
  for (;;) {
    if (matches(std::string(each), base_of(each), patterns)) return true;
    if (each.find('/') == std::string_view::npos) return false;
    each = parent_of(each);
  }
}

void Walk::trouble(const std::string& name, const Error& why) const {
  if (options_.trouble) options_.trouble(name, why);
}

void Walk::enter(const Place& folder) {
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Level level;
  level.folder = Descriptor(openat(folder.parent, folder.base.c_str(), flags));
  if (!level.folder.open()) return trouble(folder.name, system_error(errno, "its entries"));
  auto names = entries_of(level.folder.number());
  if (!names) return trouble(folder.name, names.error());
  level.names = *std::move(names);
  level.prefix = folder.name + "/";
  levels_.push_back(std::move(level));
}

Result<std::optional<Found>> Walk::next(const Operation& op) {
  if (pending_) enter(*std::exchange(pending_, std::nullopt));
  for (;;) {
    TRY_DO(op.proceed());
    while (!levels_.empty() && levels_.back().at == levels_.back().names.size()) levels_.pop_back();
    if (levels_.empty()) return std::optional<Found>();
    Level& level = levels_.back();
    Found found;
    found.place.parent = level.folder.number();
    found.place.base = level.names[level.at++];
    found.place.name = level.prefix + found.place.base;
    const bool root = found.place.name == root_name;
    if (!root && matches(found.place.name, found.place.base, options_.exclude)) continue;
    // mkfs makes it in every new ext file system: neither captured nor in the way of a restore.
    if (mount_point_ && found.place.name == "lost+found") continue;
    const auto seen = look_at(found.place.parent, found.place.base);
    if (!seen) {
      trouble(found.place.name, seen.error());
      continue;
    }
    found.seen = *seen;
    const bool folder = S_ISDIR(found.seen.st_mode) && !root;
    if (folder && options_.one_file_system && found.seen.st_dev != device_) {
      if (options_.skipped) options_.skipped(found.place.name, "another file system, not entered");
    } else if (folder) {
      pending_ = found.place;
    }
    return std::optional<Found>(std::move(found));
  }
}

}  // namespace lifeboat::source::files
