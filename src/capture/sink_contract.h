// capture/sink_contract.h - What every sink, and the feed of what it committed, must do.
//
// One suite for all: the memory capture, and the repository's snapshots. A sink's test builds a
// SinkWorld and names it in one line:
//
//   LIFEBOAT_SINK_CONTRACT(MemoryContract, [] { return std::make_unique<MemoryWorld>(); });
//
// A check answers violations, none = it holds, so that broken doubles can be shown to fail it
// (capture/memory_capture_test.cpp does).
//
// Threads: one check at a time per world.
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "capture/feed.h"
#include "capture/sink.h"

namespace lifeboat::capture {

// A place for captures of one source, each building upon the last that was committed.
class SinkWorld {
 public:
  virtual ~SinkWorld() = default;
  virtual const Clock& clock() = 0;
  virtual std::unique_ptr<Sink> sink() = 0;
  // The last committed capture, opened anew; null when there is none.
  virtual std::shared_ptr<Feed> feed() = 0;
};

struct SinkCheck {
  std::string name;  // a sentence in PascalCase
  std::function<std::vector<std::string>(SinkWorld&)> violations;
  friend void PrintTo(const SinkCheck& check, std::ostream* out) { *out << check.name; }
};

const std::vector<SinkCheck>& sink_contract();

}  // namespace lifeboat::capture

// Makes the suite `Suite` out of every check, each with a new world from `make_world()`.
#define LIFEBOAT_SINK_CONTRACT(Suite, make_world)                                                  \
  class Suite : public ::testing::TestWithParam<::lifeboat::capture::SinkCheck> {};                \
  TEST_P(Suite, Holds) {                                                                           \
    const auto world = (make_world)();                                                             \
    EXPECT_THAT(GetParam().violations(*world), ::testing::IsEmpty());                              \
  }                                                                                                \
  INSTANTIATE_TEST_SUITE_P(Sink, Suite, ::testing::ValuesIn(::lifeboat::capture::sink_contract()), \
                           [](const auto& parameter) { return parameter.param.name; })
