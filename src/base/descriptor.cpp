#include "base/descriptor.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace lifeboat {

Descriptor& Descriptor::operator=(Descriptor&& other) noexcept {
  if (this != &other) {
    close();
    number_ = std::exchange(other.number_, -1);
  }
  return *this;
}

void Descriptor::close() noexcept {
  if (number_ >= 0) ::close(std::exchange(number_, -1));
}

std::string errno_text(int number) { return std::generic_category().message(number); }

Result<std::string> read_all(int number) {
  std::string all;
  std::array<char, 16384> part{};
  while (true) {
    const ssize_t count = ::read(number, part.data(), part.size());
    if (count == 0) return all;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return fail(Error::Kind::unavailable, "cannot read: " + errno_text(errno));
    }
    all.append(part.data(), static_cast<std::size_t>(count));
  }
}

bool write_all(int number, ByteView bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write_quietly(number, bytes);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return true;
}

// SIGPIPE is blocked for this thread during the write and taken away if it came, so that neither
// the process's disposition nor other threads are touched.
ssize_t write_quietly(int number, ByteView bytes) {
  sigset_t pipe_signal, before, pending;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  sigpending(&pending);
  const bool was_pending = sigismember(&pending, SIGPIPE) == 1;
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &before);
  const ssize_t count = ::write(number, bytes.data(), bytes.size());
  const int saved = errno;
  if (count < 0 && saved == EPIPE && !was_pending) {
    const timespec now{0, 0};
    sigtimedwait(&pipe_signal, nullptr, &now);
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  errno = saved;
  return count;
}

}  // namespace lifeboat
