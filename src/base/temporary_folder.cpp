#include "base/temporary_folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <vector>

namespace lifeboat {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view prefix = "lifeboat.", pattern = ".XXXXXX";
constexpr const char* memory = "/dev/shm";
// Somebody who looks for remains may take a new folder for one before it is locked.
constexpr int attempts = 20;

bool has_memory() { return access(memory, W_OK | X_OK) == 0; }

// The folder, if it is one of this user's.
Descriptor opened(const std::string& path) {
  Descriptor folder(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat held{};
  const bool ours = folder.open() && fstat(folder.number(), &held) == 0 &&
                    held.st_uid == geteuid() && (held.st_mode & 0777) == 0700;
  return ours ? std::move(folder) : Descriptor();
}

bool locked(const Descriptor& folder) {
  return folder.open() && flock(folder.number(), LOCK_EX | LOCK_NB) == 0;
}

// Whether the path still names it: a lock on what was removed meanwhile says nothing.
bool still_there(const Descriptor& folder, const std::string& path) {
  struct stat held{}, named{};
  return folder.open() && fstat(folder.number(), &held) == 0 && lstat(path.c_str(), &named) == 0 &&
         named.st_dev == held.st_dev && named.st_ino == held.st_ino;
}

// lifeboat.PURPOSE.XXXXXX
bool is_one_of_these(const std::string& name) {
  return name.starts_with(prefix) && name.size() > prefix.size() + pattern.size() &&
         name[name.size() - pattern.size()] == '.';
}

void remove_remains(const std::string& above) {
  std::vector<std::string> found;
  std::error_code error;
  for (fs::directory_iterator each(above, error), end; !error && each != end;
       each.increment(error)) {
    if (is_one_of_these(each->path().filename().string())) found.push_back(each->path().string());
  }
  for (const std::string& path : found) {
    const Descriptor folder = opened(path);
    if (locked(folder) && still_there(folder, path)) fs::remove_all(path, error);
  }
}

}  // namespace

Result<TemporaryFolder> TemporaryFolder::make(std::string_view purpose, Place place) {
  remove_remains(disk_folder());
  if (has_memory()) remove_remains(memory);
  return make_only(purpose, place);
}

std::string TemporaryFolder::disk_folder() {
  const char* said = std::getenv("TMPDIR");
  return said != nullptr && *said == '/' ? said : "/tmp";
}

Result<TemporaryFolder> TemporaryFolder::make_only(std::string_view purpose, Place place) {
  if (place == Place::memory && has_memory()) {
    auto made = make_in(memory, purpose);
    if (made) return made;  // it may be full
  }
  return make_in(disk_folder(), purpose);
}

Result<TemporaryFolder> TemporaryFolder::make_in(const std::string& above,
                                                 std::string_view purpose) {
  for (int attempt = 0; attempt < attempts; ++attempt) {
    std::string path = fmt::format("{}/{}{}{}", above, prefix, purpose, pattern);
    if (mkdtemp(path.data()) == nullptr) {
      const int error = errno;
      return fail(Error::Kind::unavailable,
                  fmt::format("no temporary folder {}: {}", path, errno_text(error)),
                  "TMPDIR says where it is made",
                  error == ENOSPC ? Error::Code::no_space : Error::Code::automatic);
    }
    Descriptor folder = opened(path);
    // Where a folder cannot be locked at all (NFS) nobody takes it for remains either.
    const bool taken = !locked(folder) && errno == EWOULDBLOCK;
    if (!taken && still_there(folder, path)) {
      return TemporaryFolder(std::move(path), std::move(folder));
    }
  }
  return fail(Error::Kind::unavailable, "new folders in " + above + " vanish",
              "something removes them at once; let TMPDIR name another folder");
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;  // what is left, the next one removes
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace lifeboat
