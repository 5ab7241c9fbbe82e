#include "client/process/descriptor.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <system_error>

namespace lifeboat::process {
namespace {

constexpr int first_free_number = 10;  // below it stand the descriptors that a child is given
constexpr int pipe_size_bytes = 1 << 20;

// Lifts a fresh descriptor above the reserved numbers.
Descriptor lifted(int number) {
  Descriptor fresh(number);
  return Descriptor(fcntl(fresh.number(), F_DUPFD_CLOEXEC, first_free_number));
}

}  // namespace

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

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return fail(Error::Kind::unavailable, "cannot make a pipe: " + errno_text(errno),
                "raise the limit of open files (ulimit -n)");
  }
  Pipe pipe{lifted(ends[0]), lifted(ends[1])};
  if (!pipe.read.open() || !pipe.write.open()) {
    return fail(Error::Kind::unavailable, "cannot make a pipe: " + errno_text(errno),
                "raise the limit of open files (ulimit -n)");
  }
  fcntl(pipe.write.number(), F_SETPIPE_SZ, pipe_size_bytes);  // speed only; may be refused
  return pipe;
}

Result<Descriptor> make_memory_file(ByteView content) {
  Descriptor file = lifted(memfd_create("lifeboat", MFD_CLOEXEC));
  if (!file.open() || !write_all(file.number(), content) ||
      lseek(file.number(), 0, SEEK_SET) != 0) {
    return fail(Error::Kind::unavailable, "cannot make a file in memory: " + errno_text(errno));
  }
  return file;
}

Result<std::string> read_all(int number) {
  std::string all;
  std::array<char, 16384> part{};
  while (true) {
    const ssize_t count = ::read(number, part.data(), part.size());
    if (count == 0) return all;
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) {
      return fail(Error::Kind::unavailable, "cannot read a pipe: " + errno_text(errno));
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

void set_nonblocking(int number) { fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK); }

}  // namespace lifeboat::process
