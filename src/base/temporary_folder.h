// base/temporary_folder.h - A private folder that goes with its owner, and with the next one if the
// owner was killed.
//
// The folder is of mode 0700, named lifeboat.PURPOSE.XXXXXX, below TMPDIR (/tmp where that is no
// absolute path), or in memory where that is asked for and the machine has it. As long as the
// object lives it holds a lock (flock) on the folder. What cannot be removed by a destructor,
// because a SIGKILL or a power cut was faster, is found by its lock being free: whoever makes a
// folder removes such remains of the same user first, of whatever purpose.
//
// Ownership: unique; move only.  Threads: make() from any; several processes at once.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "base/descriptor.h"
#include "base/result.h"

namespace lifeboat {

class TemporaryFolder {
 public:
  enum class Place { disk, memory };
  // `purpose`: letters.  Errors: unavailable (code no_space where that is the reason).
  static Result<TemporaryFolder> make(std::string_view purpose, Place place = Place::disk);
  // The same without a look for remains: for short-lived processes that are many.
  static Result<TemporaryFolder> make_only(std::string_view purpose, Place place = Place::disk);

  TemporaryFolder(TemporaryFolder&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  const std::string& path() const { return path_; }
  // Below which folders on disk are made.
  static std::string disk_folder();

 private:
  TemporaryFolder(std::string path, Descriptor lock)
      : path_(std::move(path)), lock_(std::move(lock)) {}
  static Result<TemporaryFolder> make_in(const std::string& above, std::string_view purpose);
  std::string path_;
  Descriptor lock_;
};

}  // namespace lifeboat
