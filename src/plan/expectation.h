// plan/expectation.h - How long a step is expected to take: a range, and what the range rests on.
//
// Advisory: it decides in which order ready steps start, and what a person is told; never whether
// something works. Threads: a plain value.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

namespace lifeboat::plan {

// low <= likely <= high.
struct DurationRange {
  std::chrono::nanoseconds low{}, likely{}, high{};
};

struct Expectation {
  enum class Basis { assumed, given, learned };  // by type of step, by a person, from earlier runs
  DurationRange range;
  Basis basis = Basis::assumed;
  std::uint64_t samples = 0;  // runs that it was learned from
};

// By name of step.
using Expectations = std::map<std::string, Expectation, std::less<>>;

}  // namespace lifeboat::plan
