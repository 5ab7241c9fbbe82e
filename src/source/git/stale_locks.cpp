#include "source/git/stale_locks.h"

#include <sys/stat.h>

#include <filesystem>
#include <map>

namespace lifeboat::source::git {
namespace {

namespace fs = std::filesystem;

constexpr auto patience = std::chrono::seconds(2);
constexpr auto look_every = std::chrono::milliseconds(100);

// Which file has this name now; nothing when none has.
using Identity = std::pair<ino_t, std::int64_t>;
std::optional<Identity> identity_of(const std::string& path) {
  struct stat status{};
  if (lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return Identity{status.st_ino,
                  std::int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec};
}

}  // namespace

std::vector<std::string> all_locks(const std::string& git_dir) {
  std::vector<std::string> found;
  std::error_code error;
  fs::recursive_directory_iterator each(git_dir, error), end;
  for (; !error && each != end; each.increment(error)) {
    // Objects are named by their content, and not locked; there may be a million.
    if (each.depth() == 0 && each->path().filename() == "objects") each.disable_recursion_pending();
    if (each->path().extension() == ".lock") found.push_back(each->path().string());
  }
  return found;
}

std::vector<std::string> locks_of(const std::string& git_dir, const std::string& reference) {
  return {git_dir + "/" + reference + ".lock", git_dir + "/HEAD.lock"};
}

Result<std::vector<std::string>> remove_stale_locks(const Operation& op,
                                                    const std::vector<std::string>& locks) {
  std::map<std::string, Identity> held;
  for (const std::string& lock : locks) {
    if (const auto identity = identity_of(lock)) held.emplace(lock, *identity);
  }
  const auto end = op.clock->boot() + patience;
  while (!held.empty() && op.clock->boot() < end) {
    TRY_DO(op.pause(look_every));
    std::erase_if(held, [](const auto& each) { return identity_of(each.first) != each.second; });
  }
  std::vector<std::string> removed;
  for (const auto& [lock, identity] : held) {
    std::error_code error;
    if (fs::remove(lock, error)) removed.push_back(lock);
  }
  return removed;
}

}  // namespace lifeboat::source::git
