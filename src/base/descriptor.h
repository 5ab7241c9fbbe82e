// base/descriptor.h - A file descriptor that closes itself, and whole reads and writes on one.
//
// Ownership: unique; move only.  Threads: as an int.
#pragma once

#include <sys/types.h>

#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"

namespace lifeboat {

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

// All bytes from a blocking descriptor to its end.  Errors: unavailable.
Result<std::string> read_all(int number);
// Writes all; false on any error, which errno tells. A closed reader is an error, never a signal.
bool write_all(int number, ByteView bytes);
// write(2) that answers EPIPE instead of raising SIGPIPE in the process.
ssize_t write_quietly(int number, ByteView bytes);

std::string errno_text(int number);

}  // namespace lifeboat
