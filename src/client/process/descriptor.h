// client/process/descriptor.h - A file descriptor that closes itself, and the pipes made of them.
//
// Ownership: unique; move only.  Threads: as an int.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace lifeboat::process {

class Descriptor {
 public:
  Descriptor() = default;
  explicit Descriptor(int number) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept;
  ~Descriptor() { close(); }

  int number() const { return number_; }
  bool open() const { return number_ >= 0; }
  void close() noexcept;
  int release() { return std::exchange(number_, -1); }

 private:
  int number_ = -1;
};

struct Pipe {
  Descriptor read, write;
};

// Both ends close on exec and have numbers above the ones that a child gets (0 to 9), so that they
// can be put there in any order.  Errors: unavailable (descriptors used up).
Result<Pipe> make_pipe();

// An anonymous file in memory with this content, positioned at its start.  Errors: unavailable.
Result<Descriptor> make_memory_file(ByteView content);

// All bytes from a blocking descriptor to its end.
Result<std::string> read_all(int number);
// Writes all; false on any error. A closed reader is an error, never a signal.
bool write_all(int number, ByteView bytes);
// write(2) that answers EPIPE instead of raising SIGPIPE in the process.
ssize_t write_quietly(int number, ByteView bytes);

void set_nonblocking(int number);
std::string errno_text(int number);

}  // namespace lifeboat::process
