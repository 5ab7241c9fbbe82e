#include "client/process/descriptor.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>

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

void set_nonblocking(int number) { fcntl(number, F_SETFL, fcntl(number, F_GETFL) | O_NONBLOCK); }

}  // namespace lifeboat::process
