#include "client/secret/secret_file.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/descriptor.h"

namespace lifeboat {
namespace {

constexpr std::size_t limit_bytes = 1u << 20;
constexpr int look_ms = 50;  // how often a wait looks at the operation

tl::unexpected<Error> failed(const std::string& path, int error) {
  const auto kind = error == ENOENT || error == ENOTDIR ? Error::Kind::not_found
                    : error == EACCES || error == EPERM ? Error::Kind::denied
                    : error == EISDIR                   ? Error::Kind::invalid
                                                        : Error::Kind::unavailable;
  return fail(kind, "secret file " + printable(path) + ": " + errno_text(error),
              "put the secret there, readable by this user only");
}

}  // namespace

Result<Secret> read_secret_file(const Operation& op, const std::string& path) {
  // O_NONBLOCK: opening a pipe would wait for a writer, whatever the operation says.
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat facts{};
  if (!file.open() || fstat(file.number(), &facts) != 0) return failed(path, errno);
  std::string text(limit_bytes + 1, '\0');  // as large as it may get: no copy of it is left behind
  std::size_t size = 0;
  while (size < text.size()) {
    TRY_DO(op.proceed());
    const ssize_t got = ::read(file.number(), text.data() + size, text.size() - size);
    if (got > 0) size += static_cast<std::size_t>(got);
    if (got < 0 && errno != EINTR && errno != EAGAIN) return failed(path, errno);
    // A pipe that nobody has opened for writing yet looks as if it had ended.
    const bool no_writer_yet = got == 0 && size == 0 && S_ISFIFO(facts.st_mode);
    if (got == 0 && !no_writer_yet) break;
    if (got > 0) continue;
    pollfd polled{file.number(), POLLIN, 0};
    poll(&polled, 1, look_ms);
    const bool came_and_went = (polled.revents & (POLLIN | POLLHUP)) == POLLHUP;
    if (no_writer_yet && came_and_went) break;
  }
  if (size == text.size()) {
    return fail(Error::Kind::invalid, "secret file " + printable(path) + " is larger than 1 MiB");
  }
  text.resize(size);
  if (text.ends_with('\n')) text.pop_back();
  return Secret(std::move(text));
}

}  // namespace lifeboat
