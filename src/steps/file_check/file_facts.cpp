#include "steps/file_check/file_facts.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <grp.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <vector>

#include "base/bytes.h"
#include "base/descriptor.h"
#include "crypt/crypt.h"

namespace lifeboat::steps {
namespace {

namespace fs = std::filesystem;
using Kind = Error::Kind;

constexpr std::size_t files_max = 2'000'000;
constexpr std::size_t chunk_bytes = 1u << 20;

Error trouble(const std::string& path, int number) {
  const std::string what = printable(path) + ": " + errno_text(number);
  if (number == ENOENT || number == ENOTDIR) return {Kind::not_found, what, "", {}};
  if (number == EACCES || number == EPERM) {
    return {Kind::denied, what, "run it as a user who may read this", {}};
  }
  return {Kind::invalid, what, "", {}};
}

std::string kind_of(const struct stat& seen) {
  if (S_ISREG(seen.st_mode)) return "file";
  if (S_ISDIR(seen.st_mode)) return "folder";
  if (S_ISLNK(seen.st_mode)) return "link";
  if (S_ISSOCK(seen.st_mode)) return "socket";
  if (S_ISFIFO(seen.st_mode)) return "pipe";
  return "device";
}

std::string user_name(uid_t id) {
  std::array<char, 16384> buffer;
  passwd entry = {};
  passwd* found = nullptr;
  getpwuid_r(id, &entry, buffer.data(), buffer.size(), &found);
  return found == nullptr ? std::to_string(id) : found->pw_name;
}

std::string group_name(gid_t id) {
  std::array<char, 16384> buffer;
  group entry = {};
  group* found = nullptr;
  getgrgid_r(id, &entry, buffer.data(), buffer.size(), &found);
  return found == nullptr ? std::to_string(id) : found->gr_name;
}

void add(const struct stat& seen, FileFacts& facts) {
  facts.bytes += static_cast<std::uint64_t>(seen.st_size);
  ++facts.files;
  const WallTime changed{seen.st_mtim.tv_sec * std::int64_t{1'000'000'000} + seen.st_mtim.tv_nsec};
  facts.newest = std::max(facts.newest, changed);
}

// Calls `each(path below the folder, what it is)` for every regular file in it, in no order.
template <class Each>
Result<void> walk(const Operation& op, const std::string& folder, Each&& each) {
  std::error_code error;
  fs::recursive_directory_iterator at(folder, error);
  const fs::recursive_directory_iterator end;
  std::size_t count = 0;
  for (; !error && at != end; at.increment(error)) {
    TRY_DO(op.proceed());
    const std::string path = at->path().string();
    struct stat seen = {};
    if (lstat(path.c_str(), &seen) != 0) {
      if (errno == ENOENT) continue;  // gone since the folder was read
      return fail(trouble(path, errno));
    }
    if (!S_ISREG(seen.st_mode)) continue;
    if (++count > files_max) {
      return fail(Kind::invalid,
                  fmt::format("{} holds more than {} files", printable(folder), files_max),
                  "look at a folder within it");
    }
    each(path.substr(folder.size() + (folder.ends_with('/') ? 0 : 1)), seen);
  }
  if (error) return fail(trouble(folder, error.value()));
  return {};
}

// Hands the file's bytes over in chunks.
template <class Take>
Result<void> read_file(const Operation& op, const std::string& path, Take&& take) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.open()) return fail(trouble(path, errno));
  struct stat seen = {};
  if (fstat(file.number(), &seen) != 0) return fail(trouble(path, errno));
  if (!S_ISREG(seen.st_mode)) {
    return fail(Kind::invalid, printable(path) + " is a " + kind_of(seen) + ", not a file");
  }
  Bytes chunk(chunk_bytes);
  for (;;) {
    TRY_DO(op.proceed());
    const ssize_t count = read(file.number(), chunk.data(), chunk.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(trouble(path, errno));
    if (count == 0) return {};
    TRY_DO(take(ByteView(chunk.data(), static_cast<std::size_t>(count))));
  }
}

Result<std::string> file_digest(const Operation& op, const std::string& path) {
  crypt::Sha256 hash;
  TRY_DO(read_file(op, path, [&](ByteView bytes) -> Result<void> {
    hash.add(bytes);
    return {};
  }));
  return hash.finish().hex();
}

}  // namespace

Result<FileFacts> file_facts(const Operation& op, const std::string& path, bool follow) {
  TRY_DO(op.proceed());
  FileFacts facts;
  struct stat seen = {};
  const int done = follow ? stat(path.c_str(), &seen) : lstat(path.c_str(), &seen);
  if (done != 0 && (errno == ENOENT || errno == ENOTDIR)) return facts;
  if (done != 0) return fail(trouble(path, errno));
  facts.kind = kind_of(seen);
  facts.mode = fmt::format("{:04o}", seen.st_mode & 07777);
  facts.owner = user_name(seen.st_uid);
  facts.group = group_name(seen.st_gid);
  facts.owner_id = std::to_string(seen.st_uid);
  facts.group_id = std::to_string(seen.st_gid);
  if (S_ISREG(seen.st_mode)) add(seen, facts);
  if (S_ISDIR(seen.st_mode)) {
    TRY_DO(walk(op, path, [&](const std::string&, const struct stat& one) { add(one, facts); }));
  }
  return facts;
}

Result<std::string> digest_of(const Operation& op, const std::string& path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) return file_digest(op, path);
  std::vector<std::string> names;
  TRY_DO(walk(op, path,
              [&](const std::string& name, const struct stat&) { names.push_back("./" + name); }));
  std::sort(names.begin(), names.end());
  crypt::Sha256 all;
  for (const std::string& name : names) {
    TRY(std::string line, file_digest(op, path + "/" + name));
    line += "  " + name;
    line += '\0';
    all.add(as_bytes(line));
  }
  return all.finish().hex();
}

Result<std::string> content_of(const Operation& op, const std::string& path,
                               std::size_t bytes_max) {
  std::string content;
  TRY_DO(read_file(op, path, [&](ByteView bytes) -> Result<void> {
    if (content.size() + bytes.size() > bytes_max) {
      return fail(Kind::invalid,
                  fmt::format("{} is larger than {} MiB", printable(path), bytes_max >> 20),
                  "compare its sha256 instead of its text");
    }
    content += as_text(bytes);
    return {};
  }));
  return content;
}

}  // namespace lifeboat::steps
