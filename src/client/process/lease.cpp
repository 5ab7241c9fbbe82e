#include "client/process/lease.h"

#include <sys/mman.h>

#include <atomic>
#include <cerrno>
#include <utility>

namespace lifeboat::process {
namespace {

constexpr std::size_t bytes = sizeof(std::int64_t);

std::int64_t* map(int descriptor, int rights) {
  void* memory = mmap(nullptr, bytes, rights, MAP_SHARED, descriptor, 0);
  return memory == MAP_FAILED ? nullptr : static_cast<std::int64_t*>(memory);
}

}  // namespace

Result<Lease> Lease::make() {
  Lease lease;
  TRY(lease.file_, make_memory_file(Bytes(bytes)));
  lease.shared_ = map(lease.file_.number(), PROT_READ | PROT_WRITE);
  if (lease.shared_ != nullptr) return lease;
  return fail(Error::Kind::unavailable, "cannot share memory: " + errno_text(errno));
}

Lease Lease::from(int descriptor) {
  Lease lease;
  lease.shared_ = map(descriptor, PROT_READ);
  return lease;
}

Lease::Lease(Lease&& other) noexcept
    : file_(std::move(other.file_)), shared_(std::exchange(other.shared_, nullptr)) {}

Lease& Lease::operator=(Lease&& other) noexcept {
  std::swap(file_, other.file_);
  std::swap(shared_, other.shared_);
  return *this;
}

Lease::~Lease() {
  if (shared_ != nullptr) munmap(shared_, bytes);
}

void Lease::set(std::chrono::nanoseconds until) {
  if (shared_ != nullptr) std::atomic_ref(*shared_).store(until.count());
}

std::chrono::nanoseconds Lease::until() const {
  if (shared_ == nullptr) return {};
  return std::chrono::nanoseconds(std::atomic_ref(*shared_).load());
}

bool Lease::over(std::chrono::nanoseconds now) const {
  const auto limit = until();
  return limit.count() != 0 && now > limit;
}

}  // namespace lifeboat::process
