#include "app/written_page.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "base/bytes.h"
#include "base/descriptor.h"

namespace lifeboat::app {
namespace {

namespace fs = std::filesystem;

// The file that a name leads to, "" when it leads to what is no file. One that is not there yet is
// itself.
std::string file_behind(const std::string& path) {
  struct stat facts{};
  if (::lstat(path.c_str(), &facts) != 0) return path;
  if (::stat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return {};
  std::error_code error;
  const fs::path behind = fs::canonical(path, error);
  return error ? std::string() : behind.string();
}

bool sync_folder_of(const std::string& path) {
  const fs::path folder = fs::path(path).parent_path();
  const Descriptor open(
      ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  // There are file systems that cannot: the file itself is durable.
  return open.open() && (::fsync(open.number()) == 0 || errno == EINVAL);
}

Result<void> write_as_it_is(const std::string& path, std::string_view text) {
  const Descriptor file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (file.open() && write_all(file.number(), as_bytes(text))) return {};
  return fail(file_error(path, errno));
}

}  // namespace

Error file_error(const std::string& path, int number) {
  Error error{Error::Kind::unavailable, printable(path) + ": " + errno_text(number), "",
              Error::Code::automatic};
  if (number == ENOSPC || number == EDQUOT) {
    error.code = Error::Code::no_space;
    error.hint = "free some space, or name another place";
  } else if (number == ENOENT || number == ENOTDIR) {
    error.kind = Error::Kind::not_found;
  } else if (number == EACCES || number == EPERM || number == EROFS) {
    error.kind = Error::Kind::denied;
  } else if (number == EISDIR || number == ELOOP || number == ENAMETOOLONG) {
    error.kind = Error::Kind::invalid;
    error.code = Error::Code::usage;
  }
  return error;
}

Result<void> write_page(const std::string& path, std::string_view text) {
  const std::string file = file_behind(path);
  if (file.empty()) return write_as_it_is(path, text);
  // A name that nobody can have put there before.
  std::string draft = file + ".part-XXXXXX";
  const Descriptor part(::mkostemp(draft.data(), O_CLOEXEC));
  if (!part.open()) return fail(file_error(path, errno));
  if (write_all(part.number(), as_bytes(text)) && ::fsync(part.number()) == 0 &&
      ::rename(draft.c_str(), file.c_str()) == 0 && sync_folder_of(file)) {
    return {};
  }
  const int number = errno;
  ::unlink(draft.c_str());
  return fail(file_error(path, number));
}

}  // namespace lifeboat::app
