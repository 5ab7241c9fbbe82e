// Names map one to one to paths below the root. Every step of the way is opened relative to the
// one before, without following links, so that whoever may write into the directory cannot make us
// write or read elsewhere.
//
// Temporary names are random: several processes, on several machines with the same process ids,
// may share the directory, and one that reused another's temporary would link its half-written
// bytes under an object's name.
#include "store/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <set>

#include "base/descriptor.h"
#include "base/mutex.h"
#include "base/random.h"

namespace lifeboat::store {
namespace {

constexpr auto stale_after = std::chrono::hours(24);
constexpr const char* temporary_folder = "tmp";
constexpr int folder_flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;

// docs/format.md, "Limits": a file that somebody else put there is not read into memory.
std::uint64_t bytes_max(const std::string& name) {
  return name.starts_with("packs/") ? 1u << 30 : 256u << 20;
}

// The entries of a folder, without "." and "..".  Answers an errno, 0 when all were read.
int read_entries(int folder, std::vector<std::string>& leaves) {
  const int own = ::openat(folder, ".", folder_flags);
  DIR* stream = own < 0 ? nullptr : ::fdopendir(own);
  if (stream == nullptr) {
    const int error = errno;
    if (own >= 0) ::close(own);
    return error;
  }
  errno = 0;
  while (const dirent* entry = ::readdir(stream)) {
    const std::string leaf = entry->d_name;
    if (leaf != "." && leaf != "..") leaves.push_back(leaf);
    errno = 0;
  }
  const int error = errno;
  ::closedir(stream);
  return error;
}

struct Place {  // an open folder, and the last component of a name in it
  Descriptor folder;
  std::string leaf;
};

class DirectoryStore final : public Store {
 public:
  DirectoryStore(std::filesystem::path path, Descriptor root)
      : path_(std::move(path)), root_(std::move(root)) {}

  Result<Put> put(const Operation& op, const std::string& name, ByteView bytes) override;
  Result<Bytes> get(const Operation& op, const std::string& name,
                    std::optional<Range> range) override;
  Result<std::uint64_t> size(const Operation& op, const std::string& name) override;
  Result<void> remove(const Operation& op, const std::string& name) override;
  Result<std::vector<std::string>> list(const Operation& op, const std::string& prefix) override;
  std::string describe() const override { return "directory " + printable(path_.string()); }

  Result<void> remove_stale_temporaries(const Clock& clock);

 private:
  tl::unexpected<Error> failed(const std::string& what, int error, std::uint64_t needed = 0) const;
  // Opens the folder that holds `name`.  Errors: not_found when there is none.
  Result<Place> find(const std::string& name);
  // The same; makes what is missing, and sees that all of the way survives a power cut.
  Result<Place> make(const std::string& name);
  // Opens the next folder of the way. The descriptor is none, with errno, when it cannot.
  Descriptor step(const Place& place, bool may_make);
  Result<Descriptor> open_object(const std::string& name);
  Result<Descriptor> open_temporaries();
  Result<void> write_all(const Operation& op, int file, const std::string& name, ByteView bytes);
  Result<Put> link_object(const Place& temporary, const std::string& name, ByteView bytes);
  Result<bool> holds(const std::string& name, ByteView bytes);
  Result<void> list_folder(const Operation& op, const std::string& prefix,
                           std::vector<std::string>& names);

  const std::filesystem::path path_;
  const Descriptor root_;
  SystemRandom random_;
  Mutex mutex_;
  // Folders whose entry in their own folder is known to be on disk.
  std::set<std::string, std::less<>> durable_ GUARDED_BY(mutex_);
};

tl::unexpected<Error> DirectoryStore::failed(const std::string& what, int error,
                                             std::uint64_t needed) const {
  const std::string text = fmt::format("{}: {}: {}", describe(), what, std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) {
    struct statvfs space{};
    std::string figures;
    if (::fstatvfs(root_.number(), &space) == 0) {
      figures = fmt::format(" ({} bytes needed, {} free)", needed,
                            std::uint64_t{space.f_bavail} * space.f_frsize);
    }
    return fail(Error::Kind::unavailable, text + figures,
                "make room there and run it again; what was stored before is whole",
                Error::Code::no_space);
  }
  if (error == EACCES || error == EPERM || error == EROFS || error == ELOOP) {
    return fail(Error::Kind::denied, text,
                error == ELOOP ? "links are not followed: move it away, and run 'lifeboat check'"
                               : "the folder must belong to the user who runs this");
  }
  return fail(Error::Kind::unavailable, text,
              error == EIO ? "the disk reports errors: look at the kernel's log" : "");
}

Descriptor DirectoryStore::step(const Place& place, bool may_make) {
  Descriptor next(::openat(place.folder.number(), place.leaf.c_str(), folder_flags));
  if (next.open() || errno != ENOENT || !may_make) return next;
  if (::mkdirat(place.folder.number(), place.leaf.c_str(), 0700) != 0 && errno != EEXIST) {
    return next;
  }
  return Descriptor(::openat(place.folder.number(), place.leaf.c_str(), folder_flags));
}

Result<Place> DirectoryStore::find(const std::string& name) {
  Place place{Descriptor(::openat(root_.number(), ".", folder_flags)), {}};
  if (!place.folder.open()) return failed("cannot be opened", errno);
  std::string_view rest = name;
  for (std::size_t slash = rest.find('/'); slash != std::string_view::npos;
       slash = rest.find('/')) {
    place.leaf = rest.substr(0, slash);
    Descriptor next = step(place, false);
    // ENOTDIR: an object, or a link, which is not followed; either way no folder of ours.
    if (!next.open() && (errno == ENOENT || errno == ENOTDIR)) return fail(no_object(name));
    if (!next.open()) return failed(name, errno);
    place.folder = std::move(next);
    rest.remove_prefix(slash + 1);
  }
  place.leaf = rest;
  return place;
}

// Also a folder that exists may be another writer's of this very moment, not on disk yet: the
// first time that a folder is met, the one above it is synced.
Result<Place> DirectoryStore::make(const std::string& name) {
  Place place{Descriptor(::openat(root_.number(), ".", folder_flags)), {}};
  if (!place.folder.open()) return failed("cannot be opened", errno);
  std::size_t start = 0;
  for (std::size_t slash = name.find('/'); slash != std::string::npos;
       slash = name.find('/', start)) {
    place.leaf = name.substr(start, slash - start);
    Descriptor next = step(place, true);
    if (!next.open() && errno == ENOTDIR) {
      return fail(Error::Kind::denied,
                  fmt::format("{}: {} is no folder", describe(), name.substr(0, slash)),
                  "something else wrote there: move it away, and run 'lifeboat check'");
    }
    if (!next.open()) return failed("folder of " + name, errno, 4096);
    const auto known = [&] {
      const MutexLock lock(mutex_);
      return durable_.contains(std::string_view(name).substr(0, slash));
    };
    if (!known()) {
      if (::fsync(place.folder.number()) != 0) return failed("folder of " + name, errno, 4096);
      const MutexLock lock(mutex_);
      durable_.insert(name.substr(0, slash));
    }
    place.folder = std::move(next);
    start = slash + 1;
  }
  place.leaf = name.substr(start);
  return place;
}

Result<Descriptor> DirectoryStore::open_temporaries() {
  Place place{Descriptor(::openat(root_.number(), ".", folder_flags)), temporary_folder};
  if (!place.folder.open()) return failed("cannot be opened", errno);
  Descriptor folder = step(place, true);
  if (!folder.open()) return failed(temporary_folder, errno, 4096);
  return folder;
}

// A failed fsync means that pages may be lost for good: the file is given up, never synced again.
Result<void> DirectoryStore::write_all(const Operation& op, int file, const std::string& name,
                                       ByteView bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    TRY_DO(op.proceed());
    const std::size_t slice = std::min<std::size_t>(bytes.size() - at, 8u << 20);
    const ssize_t put = ::write(file, bytes.data() + at, slice);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return failed(name, errno, bytes.size());
    at += static_cast<std::size_t>(put);
  }
  if (::fchmod(file, 0400) != 0) return failed(name, errno);  // whatever the umask
  if (::fsync(file) != 0) return failed(name, errno, bytes.size());
  return {};
}

Result<Put> DirectoryStore::link_object(const Place& temporary, const std::string& name,
                                        ByteView bytes) {
  TRY(const Place place, make(name));
  const bool linked = ::linkat(temporary.folder.number(), temporary.leaf.c_str(),
                               place.folder.number(), place.leaf.c_str(), 0) == 0;
  if (!linked && errno == EPERM) {
    return fail(
        Error::Kind::invalid, describe() + ": this file system has no hard links",
        "put the repository on one that has: ext4, xfs, btrfs, zfs, NFS; not vfat or exFAT");
  }
  if (!linked && errno != EEXIST) return failed(name, errno, bytes.size());
  // Also when another was first: what is built on its object must not outlive it.
  if (::fsync(place.folder.number()) != 0) return failed(name, errno, bytes.size());
  if (linked) return Put::created;
  TRY(const bool ours, holds(name, bytes));
  return ours ? Put::created : Put::exists;
}

Result<Put> DirectoryStore::put(const Operation& op, const std::string& name, ByteView bytes) {
  TRY_DO(op.proceed());
  TRY_DO(check_name(name));
  TRY(Descriptor folder, open_temporaries());
  const Place temporary{std::move(folder), to_hex(random_.array<16>())};
  const Descriptor file(::openat(temporary.folder.number(), temporary.leaf.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400));
  if (!file.open()) return failed(name, errno, bytes.size());
  const auto written = write_all(op, file.number(), name, bytes);
  Result<Put> outcome = Put::exists;
  if (written) {
    outcome = link_object(temporary, name, bytes);
  } else {
    outcome = fail(written.error());
  }
  ::unlinkat(temporary.folder.number(), temporary.leaf.c_str(), 0);
  return outcome;
}

Result<Descriptor> DirectoryStore::open_object(const std::string& name) {
  TRY_DO(check_name(name));
  TRY(const Place place, find(name));
  // Non-blocking: a FIFO that somebody left there must not hold us up.
  Descriptor file(::openat(place.folder.number(), place.leaf.c_str(),
                           O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.open() && errno == ENOENT) return fail(no_object(name));
  if (!file.open()) return failed(name, errno);
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) return failed(name, errno);
  if (S_ISDIR(status.st_mode)) return fail(no_object(name));
  if (!S_ISREG(status.st_mode)) {
    return fail(Error::Kind::denied, fmt::format("{}: {} is no regular file", describe(), name),
                "something else wrote there: move it away, and run 'lifeboat check'");
  }
  return file;
}

Result<bool> DirectoryStore::holds(const std::string& name, ByteView bytes) {
  TRY(const Descriptor file, open_object(name));
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) return failed(name, errno);
  if (static_cast<std::uint64_t>(status.st_size) != bytes.size()) return false;
  Bytes buffer(std::min<std::size_t>(bytes.size(), 1u << 20));
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got =
        ::pread(file.number(), buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(name, errno);
    const auto count = std::min(static_cast<std::size_t>(got), bytes.size() - at);
    if (count == 0 || std::memcmp(buffer.data(), bytes.data() + at, count) != 0) return false;
    at += count;
  }
  return true;
}

Result<Bytes> DirectoryStore::get(const Operation& op, const std::string& name,
                                  std::optional<Range> range) {
  TRY_DO(op.proceed());
  TRY(const Descriptor file, open_object(name));
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) return failed(name, errno);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const Range wanted = range.value_or(Range{0, size});
  if (wanted.length_bytes > bytes_max(name)) {
    return fail(Error::Kind::corrupt,
                fmt::format("{}: {} bytes are more than any object of this program has", name,
                            wanted.length_bytes),
                "somebody else wrote it; `lifeboat check` looks at the others");
  }
  if (wanted.offset_bytes > size || wanted.length_bytes > size - wanted.offset_bytes) {
    return fail(short_object(name, wanted, size));
  }
  Bytes bytes(wanted.length_bytes);
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got = ::pread(file.number(), bytes.data() + at, bytes.size() - at,
                                static_cast<off_t>(wanted.offset_bytes + at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed(name, errno);
    if (got == 0) return fail(short_object(name, wanted, wanted.offset_bytes + at));
    at += static_cast<std::size_t>(got);
  }
  return bytes;
}

Result<std::uint64_t> DirectoryStore::size(const Operation& op, const std::string& name) {
  TRY_DO(op.proceed());
  TRY(const Descriptor file, open_object(name));
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) return failed(name, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> DirectoryStore::remove(const Operation& op, const std::string& name) {
  TRY_DO(op.proceed());
  TRY_DO(check_name(name));
  auto place = find(name);
  if (!place && place.error().kind == Error::Kind::not_found) return {};
  if (!place) return fail(std::move(place).error());
  if (::unlinkat(place->folder.number(), place->leaf.c_str(), 0) != 0) {
    // A folder is no object: the object is absent.
    if (errno != ENOENT && errno != EISDIR) return failed(name, errno);
  }
  if (::fsync(place->folder.number()) != 0) return failed(name, errno);
  return {};
}

Result<void> DirectoryStore::list_folder(const Operation& op, const std::string& prefix,
                                         std::vector<std::string>& names) {
  TRY_DO(op.proceed());
  auto place = find(prefix + "x");  // the folder that "prefix/x" would stand in
  if (!place && place.error().kind == Error::Kind::not_found) return {};
  if (!place) return fail(std::move(place).error());
  std::vector<std::string> leaves;
  if (const int error = read_entries(place->folder.number(), leaves)) return failed(prefix, error);
  for (const std::string& leaf : leaves) {
    if (!check_name(prefix + leaf)) continue;
    struct stat status{};
    if (::fstatat(place->folder.number(), leaf.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0)
      continue;
    if (S_ISDIR(status.st_mode)) TRY_DO(list_folder(op, prefix + leaf + "/", names));
    if (S_ISREG(status.st_mode)) names.push_back(prefix + leaf);
  }
  return {};
}

Result<std::vector<std::string>> DirectoryStore::list(const Operation& op,
                                                      const std::string& prefix) {
  TRY_DO(check_prefix(prefix));
  std::vector<std::string> names;
  TRY_DO(list_folder(op, prefix, names));
  std::ranges::sort(names);
  return names;
}

// Temporaries of processes that died. Young ones may belong to somebody who still writes.
Result<void> DirectoryStore::remove_stale_temporaries(const Clock& clock) {
  const Descriptor folder(::openat(root_.number(), temporary_folder, folder_flags));
  if (!folder.open()) return errno == ENOENT ? Result<void>{} : failed(temporary_folder, errno);
  std::vector<std::string> leaves;
  if (const int error = read_entries(folder.number(), leaves))
    return failed(temporary_folder, error);
  const auto oldest = std::chrono::nanoseconds(clock.wall().ns) - stale_after;
  for (const std::string& leaf : leaves) {
    struct stat status{};
    if (::fstatat(folder.number(), leaf.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(status.st_mode) && std::chrono::seconds(status.st_mtim.tv_sec) < oldest) {
      ::unlinkat(folder.number(), leaf.c_str(), 0);
    }
  }
  return {};
}

tl::unexpected<Error> cannot_open(const std::filesystem::path& path, int error) {
  const std::string text = fmt::format("directory {}: ", printable(path.string()));
  if (error == ENOENT) {
    return fail(Error::Kind::not_found, text + "there is no repository",
                "check the path; is the disk mounted? `lifeboat init` makes a new one",
                Error::Code::repository_missing);
  }
  if (error == ENOTDIR) return fail(Error::Kind::invalid, text + "is no directory");
  if (error == EACCES || error == EPERM) {
    return fail(Error::Kind::denied, text + std::strerror(error),
                "run as the user to whom it belongs");
  }
  return fail(Error::Kind::unavailable, text + std::strerror(error));
}

// The new directory's own entry must survive a power cut as well.
Result<void> make_root(const std::filesystem::path& path) {
  const std::string text = fmt::format("directory {}: ", printable(path.string()));
  if (::mkdir(path.c_str(), 0700) != 0) {
    if (errno == EEXIST) return {};
    if (errno == ENOENT || errno == ENOTDIR) {
      return fail(errno == ENOENT ? Error::Kind::not_found : Error::Kind::invalid,
                  text + "the folder above it does not exist", "make that one first",
                  Error::Code::general);
    }
    const bool full = errno == ENOSPC || errno == EDQUOT;
    return fail(full ? Error::Kind::unavailable : Error::Kind::denied,
                text + "cannot be made: " + std::strerror(errno),
                full ? "make room there" : "make it by hand, or run as another user",
                full ? Error::Code::no_space : Error::Code::automatic);
  }
  const auto above = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const Descriptor folder(::open(above.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.open() || ::fsync(folder.number()) != 0) return cannot_open(above, errno);
  return {};
}

}  // namespace

Result<std::unique_ptr<Store>> open_directory(const std::filesystem::path& path, bool create,
                                              const Clock& clock) {
  if (create) TRY_DO(make_root(path));
  Descriptor root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.open()) return cannot_open(path, errno);
  auto store = std::make_unique<DirectoryStore>(path, std::move(root));
  // Only a convenience: whoever may only read must still be able to open.
  (void)store->remove_stale_temporaries(clock);
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace lifeboat::store
