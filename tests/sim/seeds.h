// tests/sim/seeds.h - Which seeds a simulation runs, as the environment says.
//
// LIFEBOAT_SEED=N: that one alone, to see a failure again; LIFEBOAT_SEEDS=N: 1 to N; LIFEBOAT_LONG:
// 1 to 20,000. It stops at the first seed that fails, and says which. A seed decides all but how
// the machine takes turns between threads, so one alone is told a hundred times. Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <functional>
#include <string>

namespace lifeboat::run {

inline std::uint64_t from_environment(const char* name, std::uint64_t fallback) {
  const char* text = std::getenv(name);
  return text != nullptr ? std::strtoull(text, nullptr, 10) : fallback;
}

// `usual`: how many, when the environment says nothing.
inline void each_seed(std::uint64_t usual, const std::function<void(std::uint64_t seed)>& story) {
  const std::uint64_t only = from_environment("LIFEBOAT_SEED", 0);
  const std::uint64_t many = std::getenv("LIFEBOAT_LONG") != nullptr ? 20'000 : usual;
  const std::uint64_t count = from_environment("LIFEBOAT_SEEDS", many);
  constexpr std::uint64_t again = 100;
  for (std::uint64_t turn = 1; turn <= (only != 0 ? again : count); ++turn) {
    const std::uint64_t seed = only != 0 ? only : turn;
    SCOPED_TRACE("LIFEBOAT_SEED=" + std::to_string(seed));
    story(seed);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace lifeboat::run
