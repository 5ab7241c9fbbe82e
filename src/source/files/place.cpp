#include "source/files/place.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>

#include "schema/json.h"

namespace lifeboat::source::files {
namespace {

constexpr std::size_t record_bytes_max = 1u << 20;

Error refused(const std::string& what, const std::string& hint) {
  return {Error::Kind::conflict, what, hint, Error::Code::refused};
}

// mkfs makes lost+found in every new ext file system: it is nobody's.
bool nobodys(const std::string& name, bool mount_point) {
  return mount_point && name == "lost+found";
}

// A run's name becomes part of file names: it must not lead anywhere.
bool plain_word(const std::string& word) {
  return !word.empty() && word.size() <= 100 && word.find('/') == std::string::npos &&
         word.find('\0') == std::string::npos && word != "." && word != "..";
}

bool same_act(const Marker& a, const Marker& b) { return a.run == b.run && a.step == b.step; }

}  // namespace

Result<TargetPlace> TargetPlace::at(const std::string& path) {
  TargetPlace place;
  // A link at the end is resolved, so that the tree behind it is replaced and not the link.
  const std::unique_ptr<char, decltype(&std::free)> real(realpath(path.c_str(), nullptr),
                                                         &std::free);
  place.path_ = real ? real.get() : std::filesystem::path(path).lexically_normal().string();
  while (place.path_.size() > 1 && place.path_.back() == '/') place.path_.pop_back();
  if (place.path_.empty() || place.path_.front() != '/') {
    return fail(Error::Kind::invalid, "'" + printable(path) + "' is not an absolute path");
  }
  if (place.path_ == "/") {
    return fail(Error::Kind::invalid, "the root of the file system cannot be a restore's target",
                "restore into a folder and move from there");
  }
  const std::size_t slash = place.path_.rfind('/');
  place.folder_ = slash == 0 ? "/" : place.path_.substr(0, slash);
  place.base_ = place.path_.substr(slash + 1);
  auto folder = open_root(place.folder_);
  if (folder) {
    place.dir_ = *std::move(folder);
  } else if (folder.error().kind != Error::Kind::not_found) {
    return fail(folder.error());
  }
  TRY(place.record_, place.read_record());
  return place;
}

std::string TargetPlace::staging_of(const std::string& run) const {
  return "." + base_ + ".lifeboat-" + run;
}

Result<TargetPlace::Record> TargetPlace::read_record() const {
  Record record;
  if (!dir_.open()) return record;
  const auto text = read_small_file(dir_.number(), marker_base(), record_bytes_max);
  if (!text && text.error().kind == Error::Kind::not_found) return record;
  if (!text) return wrap(text.error(), folder_);
  record.marker = Marker::parse(*text);
  const auto value = parse_json(*text, {.depth = 8, .size_bytes = record_bytes_max});
  if (!record.marker || !value) {
    return fail(Error::Kind::conflict, folder_ + "/" + marker_base() + " is no marker of ours",
                "look at it and move it away", Error::Code::refused);
  }
  record.tree = static_cast<ino_t>(value->integer("tree", 0));
  record.next = static_cast<ino_t>(value->integer("next", 0));
  record.in_place = value->boolean("in_place", false);
  record.device = static_cast<dev_t>(value->integer("device", 0));
  if (!value->at("kept").is(Value::Type::map)) return record;
  for (const auto& [name, kept] : value->at("kept").map()) {
    const auto bytes = from_base64(kept.text("name"));
    if (!bytes) continue;
    record.kept[std::string(as_text(*bytes))] = {kept.text("run"),
                                                 static_cast<ino_t>(kept.integer("inode", 0))};
  }
  return record;
}

Result<void> TargetPlace::write_record() {
  TRY(Value value, parse_json(record_.marker->text()));
  value.set("tree", static_cast<std::uint64_t>(record_.tree));
  value.set("next", static_cast<std::uint64_t>(record_.next));
  value.set("in_place", record_.in_place);
  value.set("device", static_cast<std::uint64_t>(record_.device));
  Value kept = Value(Value::Map());
  for (const auto& [name, tree] : record_.kept) {
    Value entry;
    entry.set("run", tree.run);
    entry.set("inode", static_cast<std::uint64_t>(tree.inode));
    entry.set("name", to_base64(as_bytes(name)));
    kept.set(printable(name), std::move(entry));
  }
  value.set("kept", std::move(kept));
  const auto written = write_durably(dir_.number(), marker_base(), to_json(value));
  if (!written) return wrap(written.error(), folder_);
  return {};
}

Result<std::optional<struct stat>> TargetPlace::look(const std::string& base) const {
  if (!dir_.open()) return std::optional<struct stat>();
  const auto seen = look_at(dir_.number(), base);
  if (seen) return std::optional<struct stat>(*seen);
  if (seen.error().kind == Error::Kind::not_found) return std::optional<struct stat>();
  return wrap(seen.error(), folder_);
}

// True when the marker speaks of what is under the final name. Every file system has the same
// inode for its root: for a mount point the device must agree, too.
bool TargetPlace::explained(const struct stat& seen) const {
  if (record_.in_place && record_.device != seen.st_dev) return false;
  return (record_.tree != 0 && seen.st_ino == record_.tree) ||
         (record_.next != 0 && seen.st_ino == record_.next);
}

// False also for what is no folder.
Result<bool> TargetPlace::is_empty(const Operation& op) const {
  TRY_DO(op.proceed());
  const Descriptor tree(
      openat(dir_.number(), base_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!tree.open() && (errno == ENOTDIR || errno == ELOOP)) return false;
  if (!tree.open()) return fail(system_error(errno, path_));
  const auto names = entries_of(tree.number());
  if (!names) return wrap(names.error(), path_);
  const bool mount_point = is_mount_point(tree.number());
  for (const std::string& name : *names) {
    if (!nobodys(name, mount_point)) return false;
  }
  return true;
}

Result<TargetState> TargetPlace::state(const Operation& op) const {
  TargetState state;
  TRY(const auto seen, look(base_));
  struct stat folder = {};
  if (dir_.open() && fstat(dir_.number(), &folder) != 0) return fail(system_error(errno, folder_));
  state.identity = path_ + " on device " + std::to_string(seen ? seen->st_dev : folder.st_dev);
  const bool known = seen && explained(*seen);
  bool empty = false;
  if (seen) {
    TRY(empty, is_empty(op));
  }
  const bool vacant = !seen || empty;
  if (record_.marker && (known || (!record_.marker->done && vacant))) {
    state.occupancy = Occupancy::ours;
    state.marker = record_.marker;
  } else if (!seen) {
    state.occupancy = Occupancy::absent;
  } else {
    state.occupancy = empty ? Occupancy::empty : Occupancy::foreign;
  }
  static constexpr const char* words[] = {"absent", "an empty folder", "restored by Lifeboat",
                                          "holds something else"};
  state.summary = "folder " + printable(path_) + ": " + words[static_cast<int>(state.occupancy)];
  return state;
}

Result<void> TargetPlace::make_folder() {
  if (dir_.open()) return {};
  std::error_code why;
  std::filesystem::create_directories(folder_, why);
  if (why) return fail(system_error(why.value(), folder_));
  TRY(dir_, open_root(folder_));
  return {};
}

// False: what lies under the final name is ours or nobody's. True: foreign, and to be kept aside.
Result<bool> TargetPlace::may_replace(const Operation& op, const RestoreOptions& options) {
  TRY(const TargetState now, state(op));
  const bool keep = options.foreign == Foreign::keep_aside;
  const bool other = now.marker && !same_act(*now.marker, options.marker);
  if (other && !keep) {
    return fail(refused(printable(path_) + ": was restored by run " + now.marker->run + ", step " +
                            now.marker->step + ", and not by this one",
                        "name another target, or ask for what is there to be kept aside"));
  }
  if (now.occupancy == Occupancy::foreign && !keep) {
    return fail(refused(printable(path_) + ": holds something that no restore put there",
                        "name an empty or new folder, or ask for what is there to be kept aside"));
  }
  return now.occupancy == Occupancy::foreign || (other && record_.tree != 0);
}

Result<Descriptor> TargetPlace::prepare(const Operation& op, const RestoreOptions& options) {
  if (!plain_word(options.marker.run)) {
    return fail(Error::Kind::invalid, "the run's name '" + printable(options.marker.run) +
                                          "' cannot be part of a file name");
  }
  TRY_DO(make_folder());
  TRY(const bool foreign, may_replace(op, options));
  TRY(const auto seen, look(base_));
  bool mount_point = false;
  if (seen && S_ISDIR(seen->st_mode)) {
    const Descriptor tree(
        openat(dir_.number(), base_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    mount_point = tree.open() && is_mount_point(tree.number());
  }
  if (foreign && mount_point) {
    return fail(refused(printable(path_) + ": is a mount point that is not empty",
                        "a mount point cannot be renamed: empty it, or restore beside it"));
  }
  foreign_ = foreign;
  const bool ours = record_.marker && same_act(*record_.marker, options.marker);
  const ino_t tree_before = ours && seen && explained(*seen) ? seen->st_ino : 0;
  TRY(const auto kept_before, kept(op));
  kept_now_.clear();
  for (const Kept& each : kept_before) {
    if (ours && each.run == options.marker.run && !record_.marker->done) {
      kept_now_.push_back(each.name);
    }
  }
  if (record_.marker && !ours) TRY_DO(keep_unfinished(*record_.marker));
  record_.marker = options.marker;
  record_.marker->done = false;
  record_.in_place = mount_point;
  record_.tree = tree_before;
  record_.next = 0;
  TRY_DO(write_record());
  return mount_point ? prepare_in_place(op) : prepare_beside(op);
}

// may_replace() has seen that it is empty, or that our own run filled it.
Result<Descriptor> TargetPlace::prepare_in_place(const Operation& op) {
  TRY(Descriptor tree, open_root(path_));
  const auto names = entries_of(tree.number());
  if (!names) return wrap(names.error(), path_);
  for (const std::string& name : *names) {
    if (!nobodys(name, true)) TRY_DO(remove_tree(op, tree.number(), name));
  }
  struct stat seen = {};
  if (fstat(tree.number(), &seen) != 0) return fail(system_error(errno, path_));
  record_.tree = seen.st_ino;
  record_.device = seen.st_dev;
  TRY_DO(write_record());
  return tree;
}

Result<Descriptor> TargetPlace::prepare_beside(const Operation& op) {
  const std::string staging = staging_of(record_.marker->run);
  for (const std::string& left : {staging, old_of(staging)}) {
    const auto removed = remove_tree(op, dir_.number(), left);
    if (!removed) return wrap(removed.error(), folder_);
  }
  if (mkdirat(dir_.number(), staging.c_str(), 0700) != 0) {
    return fail(system_error(errno, folder_ + "/" + staging));
  }
  // What is built must not inherit the ACLs of the folder around it.
  const std::string path = through_proc(dir_.number(), staging);
  lremovexattr(path.c_str(), "system.posix_acl_default");
  lremovexattr(path.c_str(), "system.posix_acl_access");
  if (fchmodat(dir_.number(), staging.c_str(), 0700, 0) != 0) {
    return fail(system_error(errno, staging));
  }
  return open_beneath(dir_.number(), staging, O_RDONLY | O_DIRECTORY);
}

Result<void> TargetPlace::keep_aside(const std::string& run) {
  TRY(const auto seen, look(base_));
  if (!seen) return {};
  std::string name = base_ + "_before_" + run;
  for (int number = 2;; ++number) {
    TRY(const auto taken, look(name));
    if (!taken) break;
    name = base_ + "_before_" + run + "_" + std::to_string(number);
  }
  // Written before the rename, with the inode: kept() believes it only where both agree.
  record_.kept[name] = {run, seen->st_ino};
  TRY_DO(write_record());
  if (renameat2(dir_.number(), base_.c_str(), dir_.number(), name.c_str(), RENAME_NOREPLACE) != 0) {
    return fail(system_error(errno, path_));
  }
  kept_now_.push_back(name);
  return {};
}

// The unfinished tree of another run is ours to keep, not to wipe.
Result<void> TargetPlace::keep_unfinished(const Marker& other) {
  if (other.done || !plain_word(other.run)) return {};
  const std::string staging = staging_of(other.run);
  TRY(const auto seen, look(staging));
  if (!seen) return {};
  record_.kept[staging] = {other.run, seen->st_ino};
  kept_now_.push_back(staging);
  return {};
}

// Swaps the built tree with what has its name. File systems that cannot swap get two renames: the
// name is absent in between, and the marker says that it is ours.
Result<void> TargetPlace::take_name(const std::string& staging) {
  const int dir = dir_.number();
  TRY(const auto there, look(base_));
  const unsigned flags = there ? RENAME_EXCHANGE : RENAME_NOREPLACE;
  if (renameat2(dir, staging.c_str(), dir, base_.c_str(), flags) == 0) return {};
  if (errno != EINVAL && errno != ENOSYS) return fail(system_error(errno, path_));
  if (there && renameat(dir, base_.c_str(), dir, old_of(staging).c_str()) != 0) {
    return fail(system_error(errno, path_));
  }
  if (renameat(dir, staging.c_str(), dir, base_.c_str()) != 0) {
    return fail(system_error(errno, path_));
  }
  return {};
}

Result<std::vector<std::string>> TargetPlace::publish(const Operation& op) {
  const std::string staging = staging_of(record_.marker->run);
  if (!record_.in_place) {
    TRY(const auto built, look(staging));
    if (!built) return fail(system_error(ENOENT, folder_ + "/" + staging));
    if (foreign_) TRY_DO(keep_aside(record_.marker->run));
    record_.next = built->st_ino;
    TRY_DO(write_record());
    TRY_DO(take_name(staging));
    record_.tree = std::exchange(record_.next, 0);
  }
  if (fsync(dir_.number()) != 0) return fail(system_error(errno, folder_));
  record_.marker->done = true;
  TRY_DO(write_record());
  // Under the staging name there is now what was ours, or an empty folder, before the exchange.
  for (const std::string& left : {staging, old_of(staging)}) {
    if (!record_.in_place) TRY_DO(remove_tree(op, dir_.number(), left));
  }
  return kept_now_;
}

Result<void> TargetPlace::discard(const Operation& op) {
  if (record_.in_place) {
    TRY(const Descriptor tree, prepare_in_place(op));
    return {};
  }
  return remove_tree(op, dir_.number(), staging_of(record_.marker->run));
}

Result<std::vector<Kept>> TargetPlace::kept(const Operation& op) const {
  std::vector<Kept> all;
  for (const auto& [name, tree] : record_.kept) {
    TRY_DO(op.proceed());
    TRY(const auto seen, look(name));
    if (!seen || seen->st_ino != tree.inode) continue;
    const bool folder = S_ISDIR(seen->st_mode);
    all.push_back({name, tree.run,
                   std::string(folder ? "folder " : "file ") + printable(folder_ + "/" + name)});
  }
  return all;
}

Result<void> TargetPlace::remove_kept(const Operation& op, const std::string& name) {
  const auto known = record_.kept.find(name);
  TRY(const auto seen, look(name));
  if (known == record_.kept.end() || !seen || seen->st_ino != known->second.inode) {
    return fail(Error::Kind::not_found,
                printable(folder_) + ": nothing is kept as '" + printable(name) + "'",
                "list what is kept with: lifeboat kept");
  }
  const auto removed = remove_tree(op, dir_.number(), name);
  if (!removed) return wrap(removed.error(), folder_);
  record_.kept.erase(known);
  return write_record();
}

}  // namespace lifeboat::source::files
