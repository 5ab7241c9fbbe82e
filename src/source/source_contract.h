// source/source_contract.h - What every source must do, as checks that run against its real system.
//
// One suite for all sources, unchanged. A source's test builds a World - real systems that are
// filled, empty, or hold something foreign - and names it in one line:
//
//   LIFEBOAT_SOURCE_CONTRACT(FilesContract, [] { return std::make_unique<FilesWorld>(); });
//
// A check is a function that answers violations, one sentence each, none = it holds; so that
// broken doubles can be shown to fail it (source/memory/memory_source_test.cpp does).
//
// Threads: one check at a time per world.  Ownership: worlds own what they start; a System must not
// outlive its World.  With LIFEBOAT_LONG=1 in the environment the huge item has 4 GiB, otherwise
// 256 MiB; the bound on memory is the same.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "source/source.h"

namespace lifeboat::source {

// One live system of a world, to be captured or restored into.
class System {
 public:
  virtual ~System() = default;
  // A Source on this system, made anew: it remembers nothing of an earlier one, as after a crash.
  virtual std::unique_ptr<Source> open() = 0;
  // Changes one small thing of what a capture holds (a row, a byte of a file, a binding), behind
  // the source's back, and leaves markers alone.
  virtual void alter() = 0;
  // For foreign() systems of sources that rename: what is in the system (`kept` = ""), or in what a
  // restore kept aside under this name, as a person would look at it, without the source. Equal
  // data give equal text; "" where nothing is there.
  virtual std::string look(const std::string& kept);
};

// Makes systems. What cannot be made (a server does not start) ends the test program with a
// message; it is never skipped.
class World {
 public:
  virtual ~World() = default;
  virtual const Clock& clock() = 0;
  virtual KeepsAside keeps_aside() const = 0;
  // Holds a sample with everything that the source is proud of. May answer the same system each
  // time: the suite only reads it.
  virtual std::unique_ptr<System> filled() = 0;
  // A new target with nothing in it (or that is absent and can be made by a restore).
  virtual std::unique_ptr<System> empty() = 0;
  // A new target that holds something which no marker of ours explains.
  virtual std::unique_ptr<System> foreign() = 0;
  // A new system that holds one item of this many bytes; null where items live in memory by nature.
  virtual std::unique_ptr<System> huge(std::uint64_t size_bytes) = 0;
};

using Violations = std::vector<std::string>;

struct ContractCheck {
  std::string name;  // a sentence in PascalCase
  std::function<Violations(World&)> violations;
  friend void PrintTo(const ContractCheck& check, std::ostream* out) { *out << check.name; }
};

// All checks, in the order in which they build upon each other.
const std::vector<ContractCheck>& source_contract();

// The names of the checks that `world` violates, each with its violations behind ": ".
Violations violated_checks(World& world);

}  // namespace lifeboat::source

// Makes the suite `Suite` out of every check, each with a new world from `make_world()`.
#define LIFEBOAT_SOURCE_CONTRACT(Suite, make_world)                                    \
  class Suite : public ::testing::TestWithParam<::lifeboat::source::ContractCheck> {}; \
  TEST_P(Suite, Holds) {                                                               \
    const auto world = (make_world)();                                                 \
    EXPECT_THAT(GetParam().violations(*world), ::testing::IsEmpty());                  \
  }                                                                                    \
  INSTANTIATE_TEST_SUITE_P(Source, Suite,                                              \
                           ::testing::ValuesIn(::lifeboat::source::source_contract()), \
                           [](const auto& parameter) { return parameter.param.name; })
