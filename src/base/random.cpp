#include "base/random.h"

#include <sodium.h>

#include <cstring>
#include <limits>

#include "base/guard.h"

namespace lifeboat {

std::uint64_t Random::below(std::uint64_t bound) {
  ASSERT(bound > 0);
  // Rejection keeps it uniform: values past the last whole multiple of `bound` are drawn again.
  const std::uint64_t limit = std::numeric_limits<std::uint64_t>::max() / bound * bound;
  for (;;) {
    const auto bytes = array<8>();
    std::uint64_t value = 0;
    std::memcpy(&value, bytes.data(), sizeof value);
    if (value < limit) return value % bound;
  }
}

SystemRandom::SystemRandom() { ASSERT(sodium_init() >= 0); }

void SystemRandom::fill(std::span<std::uint8_t> out) { randombytes_buf(out.data(), out.size()); }

void SeededRandom::fill(std::span<std::uint8_t> out) {
  if (out.empty()) return;  // libsodium's pointers are never null
  std::array<std::uint8_t, randombytes_SEEDBYTES> key{};
  {
    const std::lock_guard lock(mutex_);
    std::memcpy(key.data(), &seed_, sizeof seed_);
    std::memcpy(key.data() + sizeof seed_, &counter_, sizeof counter_);
    ++counter_;
  }
  randombytes_buf_deterministic(out.data(), out.size(), key.data());
}

}  // namespace lifeboat
