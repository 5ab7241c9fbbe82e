#include "evidence/folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "base/descriptor.h"
#include "evidence/manifest.h"

namespace lifeboat::evidence {
namespace {

constexpr std::uint64_t bundle_bytes_max = 512u << 20;
constexpr std::size_t bundle_files_max = 10'000;

tl::unexpected<Error> file_error(const std::string& path) {
  const int error = errno;
  const auto kind = error == ENOENT                     ? Error::Kind::not_found
                    : error == EACCES || error == EPERM ? Error::Kind::denied
                                                        : Error::Kind::unavailable;
  const bool full = error == ENOSPC || error == EDQUOT;
  return fail(kind, printable(path) + ": " + errno_text(error), "",
              full ? Error::Code::no_space : Error::Code::automatic);
}

tl::unexpected<Error> no_bundle(const std::string& path, std::string_view what) {
  return fail(Error::Kind::invalid, fmt::format("{}: {}", printable(path), what),
              "a bundle is a folder of plain files, as `lifeboat evidence export` writes it",
              Error::Code::usage);
}

// A name of ours, which leads nowhere else.
bool is_plain_name(const std::string& name) {
  return !name.empty() && name.front() != '.' && name.find('/') == std::string::npos &&
         name.find('\0') == std::string::npos;
}

Result<void> write_file(const std::string& path, ByteView bytes) {
  const Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  const bool written =
      file.open() && write_all(file.number(), bytes) && ::fsync(file.number()) == 0;
  if (written) return {};
  return file_error(path);
}

Result<Bytes> read_file(const std::string& path, std::uint64_t bytes_max) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!file.open()) {
    return errno == ELOOP ? Result<Bytes>(no_bundle(path, "is a link")) : file_error(path);
  }
  struct stat status{};
  if (::fstat(file.number(), &status) != 0) return file_error(path);
  if (!S_ISREG(status.st_mode)) return no_bundle(path, "is no plain file");
  if (static_cast<std::uint64_t>(status.st_size) > bytes_max) {
    return no_bundle(path, "is larger than evidence is");
  }
  TRY(const std::string text, read_all(file.number()));
  return to_bytes(text);
}

}  // namespace

Result<void> write_folder(const std::string& folder, const Files& files) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) return file_error(folder);
  std::error_code error;
  const bool empty = std::filesystem::is_empty(folder, error);
  if (error || !empty) {
    return fail(Error::Kind::conflict, printable(folder) + " is not an empty folder",
                "name a new one: evidence is never written over", Error::Code::refused);
  }
  for (const auto& [name, bytes] : files) {
    if (!is_plain_name(name)) {
      return fail(Error::Kind::corrupt, "the bundle holds a hostile name: " + printable(name), "",
                  Error::Code::integrity);
    }
    if (name != signatures_file) TRY_DO(write_file(folder + "/" + name, bytes));
  }
  const auto last = files.find(std::string(signatures_file));
  if (last != files.end()) TRY_DO(write_file(folder + "/" + last->first, last->second));
  return {};
}

Result<Files> read_folder(const std::string& folder) {
  std::error_code error;
  std::filesystem::directory_iterator entry(folder, error);
  if (error) {
    errno = error.value();
    return errno == ENOTDIR ? Result<Files>(no_bundle(folder, "is no folder")) : file_error(folder);
  }
  Files files;
  std::uint64_t total = 0;
  for (; entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (files.size() == bundle_files_max) return no_bundle(folder, "holds too many files");
    TRY(Bytes bytes, read_file(entry->path().string(), bundle_bytes_max - total));
    total += bytes.size();
    files[entry->path().filename().string()] = std::move(bytes);
  }
  if (error) return fail(Error::Kind::unavailable, printable(folder) + ": " + error.message());
  return files;
}

}  // namespace lifeboat::evidence
