// Names map one to one to paths below the root. Every step of the way is opened relative to the
// one before, without following links, so that whoever may write into the directory cannot make us
// write or read elsewhere.
#include "store/directory.h"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

namespace lifeboat::store {
namespace {

constexpr auto stale_after = std::chrono::hours(24);
constexpr const char* temporary_folder = "tmp";

class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  explicit operator bool() const { return fd_ >= 0; }
  int get() const { return fd_; }

 private:
  int fd_;
};

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
  std::string describe() const override { return "directory " + path_.string(); }

  Result<void> remove_stale_temporaries(const Clock& clock);

 private:
  tl::unexpected<Error> failed(const std::string& what, int error, std::uint64_t needed = 0) const;
  Result<Place> find(const std::string& name, bool make_folders);
  Result<Descriptor> open_object(const std::string& name);
  Result<std::string> write_temporary(const Operation& op, const std::string& name, ByteView bytes);
  Result<Put> link_temporary(const std::string& temporary, const std::string& name, ByteView bytes);
  Result<bool> holds(const std::string& name, ByteView bytes);
  Result<void> list_folder(const Operation& op, const std::string& prefix,
                           std::vector<std::string>& names);

  const std::filesystem::path path_;
  const Descriptor root_;
  std::atomic<std::uint64_t> next_temporary_ = 0;
};

tl::unexpected<Error> DirectoryStore::failed(const std::string& what, int error,
                                             std::uint64_t needed) const {
  const std::string text = fmt::format("{}: {}: {}", describe(), what, std::strerror(error));
  if (error == ENOSPC || error == EDQUOT) {
    struct statvfs space{};
    std::string figures;
    if (::fstatvfs(root_.get(), &space) == 0) {
      figures = fmt::format(" ({} bytes needed, {} free)", needed,
                            std::uint64_t{space.f_bavail} * space.f_frsize);
    }
    return fail(Error::Kind::unavailable, text + figures,
                "make room there and run it again; what was stored before is whole",
                Error::Code::no_space);
  }
  if (error == EACCES || error == EPERM || error == EROFS || error == ELOOP) {
    return fail(Error::Kind::denied, text, "the folder must belong to the user who runs this");
  }
  return fail(Error::Kind::unavailable, text,
              error == EIO ? "the disk reports errors: look at the kernel's log" : "");
}

// Opens the folder that holds `name`.  Errors: not_found when a folder is missing.
Result<Place> DirectoryStore::find(const std::string& name, bool make_folders) {
  constexpr int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  Place place{Descriptor(::openat(root_.get(), ".", flags)), {}};
  if (!place.folder) return failed("cannot be opened", errno);
  std::string_view rest = name;
  for (std::size_t slash = rest.find('/'); slash != std::string_view::npos;
       slash = rest.find('/')) {
    const std::string component(rest.substr(0, slash));
    Descriptor next(::openat(place.folder.get(), component.c_str(), flags));
    if (!next && errno == ENOENT && make_folders) {
      const bool made = ::mkdirat(place.folder.get(), component.c_str(), 0700) == 0;
      if (!made && errno != EEXIST) return failed("folder of " + name, errno, 4096);
      // The folder must survive a power cut before an object in it can.
      if (made && ::fsync(place.folder.get()) != 0) return failed("folder of " + name, errno);
      next = Descriptor(::openat(place.folder.get(), component.c_str(), flags));
    }
    if (!next && errno == ENOENT) return fail(no_object(name));
    if (!next) return failed(name, errno == ENOTDIR ? ELOOP : errno);
    place.folder = std::move(next);
    rest.remove_prefix(slash + 1);
  }
  place.leaf = std::string(rest);
  return place;
}

// A failed fsync means that pages may be lost for good: the file is given up, never synced again.
Result<std::string> DirectoryStore::write_temporary(const Operation& op, const std::string& name,
                                                    ByteView bytes) {
  const std::string temporary =
      fmt::format("{}/{}-{}", temporary_folder, ::getpid(), next_temporary_.fetch_add(1));
  if (::mkdirat(root_.get(), temporary_folder, 0700) != 0 && errno != EEXIST) {
    return failed(temporary_folder, errno, bytes.size());
  }
  ::unlinkat(root_.get(), temporary.c_str(), 0);  // of a dead process with our pid
  const Descriptor file(::openat(root_.get(), temporary.c_str(),
                                 O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400));
  if (!file) return failed(name, errno, bytes.size());
  Result<void> written;
  for (std::size_t at = 0; at < bytes.size() && written;) {
    const std::size_t slice = std::min<std::size_t>(bytes.size() - at, 8u << 20);
    const ssize_t put = ::write(file.get(), bytes.data() + at, slice);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) {
      written = failed(name, errno, bytes.size());
    } else {
      at += static_cast<std::size_t>(put);
      written = op.proceed();
    }
  }
  if (written && ::fsync(file.get()) != 0) written = failed(name, errno, bytes.size());
  if (!written) {
    ::unlinkat(root_.get(), temporary.c_str(), 0);
    return fail(std::move(written).error());
  }
  return temporary;
}

Result<Put> DirectoryStore::link_temporary(const std::string& temporary, const std::string& name,
                                           ByteView bytes) {
  TRY(const Place place, find(name, true));
  if (::linkat(root_.get(), temporary.c_str(), place.folder.get(), place.leaf.c_str(), 0) != 0) {
    if (errno != EEXIST) return failed(name, errno, bytes.size());
    TRY(const bool ours, holds(name, bytes));
    return ours ? Put::created : Put::exists;
  }
  if (::fsync(place.folder.get()) != 0) return failed(name, errno, bytes.size());
  return Put::created;
}

Result<Put> DirectoryStore::put(const Operation& op, const std::string& name, ByteView bytes) {
  TRY_DO(op.proceed());
  TRY_DO(check_name(name));
  TRY(const std::string temporary, write_temporary(op, name, bytes));
  auto outcome = link_temporary(temporary, name, bytes);
  ::unlinkat(root_.get(), temporary.c_str(), 0);
  return outcome;
}

Result<Descriptor> DirectoryStore::open_object(const std::string& name) {
  TRY_DO(check_name(name));
  TRY(const Place place, find(name, false));
  Descriptor file(
      ::openat(place.folder.get(), place.leaf.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (!file && errno == ENOENT) return fail(no_object(name));
  if (!file) return failed(name, errno);
  return file;
}

Result<bool> DirectoryStore::holds(const std::string& name, ByteView bytes) {
  TRY(const Descriptor file, open_object(name));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failed(name, errno);
  if (static_cast<std::uint64_t>(status.st_size) != bytes.size()) return false;
  Bytes buffer(std::min<std::size_t>(bytes.size(), 1u << 20));
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got = ::pread(file.get(), buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (got < 0) return failed(name, errno);
    if (got == 0) return false;
    const auto count = static_cast<std::size_t>(got);
    if (!std::equal(buffer.begin(), buffer.begin() + got, bytes.begin() + static_cast<long>(at))) {
      return false;
    }
    at += count;
  }
  return true;
}

Result<Bytes> DirectoryStore::get(const Operation& op, const std::string& name,
                                  std::optional<Range> range) {
  TRY_DO(op.proceed());
  TRY(const Descriptor file, open_object(name));
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) return failed(name, errno);
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const Range wanted = range.value_or(Range{0, size});
  if (wanted.offset_bytes > size || wanted.length_bytes > size - wanted.offset_bytes) {
    return fail(short_object(name, wanted, size));
  }
  Bytes bytes(wanted.length_bytes);
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t got = ::pread(file.get(), bytes.data() + at, bytes.size() - at,
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
  if (::fstat(file.get(), &status) != 0) return failed(name, errno);
  return static_cast<std::uint64_t>(status.st_size);
}

Result<void> DirectoryStore::remove(const Operation& op, const std::string& name) {
  TRY_DO(op.proceed());
  TRY_DO(check_name(name));
  auto place = find(name, false);
  if (!place && place.error().kind == Error::Kind::not_found) return {};
  if (!place) return fail(std::move(place).error());
  if (::unlinkat(place->folder.get(), place->leaf.c_str(), 0) != 0) {
    return errno == ENOENT ? Result<void>{} : failed(name, errno);
  }
  if (::fsync(place->folder.get()) != 0) return failed(name, errno);
  return {};
}

Result<void> DirectoryStore::list_folder(const Operation& op, const std::string& prefix,
                                         std::vector<std::string>& names) {
  TRY_DO(op.proceed());
  auto place = find(prefix + "x", false);  // the folder that "prefix/x" would stand in
  if (!place && place.error().kind == Error::Kind::not_found) return {};
  if (!place) return fail(std::move(place).error());
  const int fd = ::openat(place->folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR* folder = fd < 0 ? nullptr : ::fdopendir(fd);
  if (folder == nullptr) return failed(prefix, errno);
  std::vector<std::string> folders;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string leaf = entry->d_name;
    if (leaf == "." || leaf == ".." || (prefix.empty() && leaf == temporary_folder)) continue;
    struct stat status{};
    if (::fstatat(place->folder.get(), leaf.c_str(), &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISDIR(status.st_mode)) folders.push_back(leaf);
    if (S_ISREG(status.st_mode) && check_name(prefix + leaf)) names.push_back(prefix + leaf);
  }
  ::closedir(folder);
  for (const std::string& leaf : folders) {
    if (check_name(prefix + leaf)) TRY_DO(list_folder(op, prefix + leaf + "/", names));
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
  const int fd = ::openat(root_.get(), temporary_folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  if (fd < 0) return errno == ENOENT ? Result<void>{} : failed(temporary_folder, errno);
  DIR* folder = ::fdopendir(fd);
  if (folder == nullptr) return failed(temporary_folder, errno);
  const auto oldest = std::chrono::nanoseconds(clock.wall().ns) - stale_after;
  while (const dirent* entry = ::readdir(folder)) {
    struct stat status{};
    if (::fstatat(fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(status.st_mode) && std::chrono::seconds(status.st_mtim.tv_sec) < oldest) {
      ::unlinkat(fd, entry->d_name, 0);
    }
  }
  ::closedir(folder);
  return {};
}

}  // namespace

Result<std::unique_ptr<Store>> open_directory(const std::filesystem::path& path, bool create,
                                              const Clock& clock) {
  if (create && ::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail(errno == ENOENT ? Error::Kind::not_found : Error::Kind::denied,
                fmt::format("directory {}: {}", path.string(), std::strerror(errno)),
                "make the folder above it first");
  }
  Descriptor root(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root && errno == ENOENT) {
    return fail(Error::Kind::not_found, "directory " + path.string() + ": there is no repository",
                "check the path; is the disk mounted? `lifeboat init` makes a new one",
                Error::Code::repository_missing);
  }
  if (!root) {
    return fail(errno == ENOTDIR ? Error::Kind::invalid : Error::Kind::denied,
                fmt::format("directory {}: {}", path.string(), std::strerror(errno)));
  }
  auto store = std::make_unique<DirectoryStore>(path, std::move(root));
  // Only a convenience: whoever may only read must still be able to open.
  (void)store->remove_stale_temporaries(clock);
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace lifeboat::store
