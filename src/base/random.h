// base/random.h - Randomness as a dependency: the system's for keys, a seed for tests.
// Threads: fill() may be called from any thread.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <span>

namespace lifeboat {

class Random {
 public:
  virtual ~Random() = default;
  virtual void fill(std::span<std::uint8_t> out) = 0;

  template <std::size_t N>
  std::array<std::uint8_t, N> array() {
    std::array<std::uint8_t, N> out{};
    fill(out);
    return out;
  }
  // Uniform in [0, bound). bound > 0.
  std::uint64_t below(std::uint64_t bound);
};

// The kernel's generator through libsodium. The only one that may make keys outside of tests.
class SystemRandom final : public Random {
 public:
  SystemRandom();
  void fill(std::span<std::uint8_t> out) override;
};

// A reproducible stream from a seed (ChaCha20 keyed by it): tests and simulation only.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed) : seed_(seed) {}
  void fill(std::span<std::uint8_t> out) override;

 private:
  std::mutex mutex_;
  std::uint64_t seed_, counter_ = 0;
};

}  // namespace lifeboat
