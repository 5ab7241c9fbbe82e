// client/process/lease.h - Until when programs may work: one number in memory that a launcher
// shares with all its supervisors.
//
// A launcher that is stopped (SIGSTOP, a laptop that sleeps) cannot end what it started; its
// supervisors can. They look at the number every second, and end their trees once the machine's
// boot clock, which counts sleep, has passed it. Zero: no limit.
//
// Threads: set() and until() from any thread and process.
#pragma once

#include <chrono>
#include <cstdint>

#include "client/process/descriptor.h"

namespace lifeboat::process {

class Lease {
 public:
  // Its memory, without a limit.  Errors: unavailable.
  static Result<Lease> make();
  // The lease that a launcher passed on; none when the descriptor is not one.
  static Lease from(int descriptor);
  Lease() = default;
  Lease(Lease&& other) noexcept;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease();

  int descriptor() const { return file_.number(); }
  // By the boot clock of this machine.
  void set(std::chrono::nanoseconds until);
  std::chrono::nanoseconds until() const;
  bool over(std::chrono::nanoseconds now) const;

 private:
  Descriptor file_;
  std::int64_t* shared_ = nullptr;
};

}  // namespace lifeboat::process
