#include "evidence/folder.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

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

// The folder that is being written: a draft beside the one that is wanted, or that one itself when
// it is there already. Takes away what it has written unless it was kept.
class Draft {
 public:
  static Result<Draft> make(const std::string& wanted) {
    struct stat status{};
    if (::stat(wanted.c_str(), &status) == 0) {
      std::error_code error;
      const bool empty = S_ISDIR(status.st_mode) && std::filesystem::is_empty(wanted, error);
      if (empty && !error) return Draft(wanted, wanted);
      return not_ours(wanted);
    }
    if (errno != ENOENT) return file_error(wanted);
    const std::filesystem::path path(wanted);
    std::string made = (path.has_filename() ? path : path.parent_path()).string() + ".XXXXXX";
    if (::mkdtemp(made.data()) == nullptr) return file_error(wanted);
    return Draft(wanted, made);
  }
  Draft(Draft&& other) noexcept
      : wanted_(std::move(other.wanted_)),
        path_(std::exchange(other.path_, {})),
        written_(std::move(other.written_)) {}
  Draft& operator=(Draft&&) = delete;
  ~Draft() {
    if (path_.empty()) return;
    for (const std::string& file : written_) ::unlink(file.c_str());
    if (path_ != wanted_) ::rmdir(path_.c_str());
  }

  Result<void> write(const std::string& name, ByteView bytes) {
    const std::string file = path_ + "/" + name;
    const Descriptor made(
        ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (!made.open()) return file_error(file);
    written_.push_back(file);
    if (write_all(made.number(), bytes) && ::fsync(made.number()) == 0) return {};
    return file_error(file);
  }
  // Gives it its name.
  Result<void> keep() {
    if (path_ != wanted_ && ::rename(path_.c_str(), wanted_.c_str()) != 0) {
      const bool taken = errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR;
      return taken ? not_ours(wanted_) : file_error(wanted_);
    }
    path_.clear();
    return {};
  }

 private:
  Draft(std::string wanted, std::string path)
      : wanted_(std::move(wanted)), path_(std::move(path)) {}
  static tl::unexpected<Error> not_ours(const std::string& wanted) {
    return fail(Error::Kind::conflict, printable(wanted) + " is not an empty folder",
                "name a new one: evidence is never written over", Error::Code::refused);
  }

  std::string wanted_, path_;  // path_: "" = nothing is to be taken away
  std::vector<std::string> written_;
};

}  // namespace

Result<void> write_folder(const std::string& folder, const Files& files) {
  for (const auto& [name, bytes] : files) {
    if (is_plain_name(name)) continue;
    return fail(Error::Kind::corrupt, "the bundle holds a hostile name: " + printable(name), "",
                Error::Code::integrity);
  }
  TRY(Draft draft, Draft::make(folder));
  for (const auto& [name, bytes] : files) {
    if (name != signatures_file) TRY_DO(draft.write(name, bytes));
  }
  const auto last = files.find(std::string(signatures_file));
  if (last != files.end()) TRY_DO(draft.write(last->first, last->second));
  return draft.keep();
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
