#include "app/run_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/fake_clock.h"
#include "run/fake_engine.h"

namespace lifeboat::app {
namespace {

using namespace std::chrono_literals;
using plan::Expectation;
using testing::HasSubstr;
using testing::Not;

// A watch of a plan with one step that took 2 min before, told through its first step.
class RunWatchTest : public testing::Test {
 protected:
  RunWatchTest() {
    terminal_.configure(Output::table, "never", false);
    plan::StepNode step;
    step.name = "orders";
    plan_.steps = {step};
  }

  // What a person reads, up to the first time that is told; `gone`: since T0.
  std::string told(std::chrono::nanoseconds gone, Expectation::Basis basis) {
    const Expectation expected{{100s, 120s, 150s}, basis, 3};
    testing::internal::CaptureStderr();
    {
      RunWatch watch(terminal_, "if this is interrupted: go on");
      watch.tell_time({&plan_, {{"orders", expected}}, {}, 10min, 16}, clock_,
                      {clock_.wall().ns - gone.count()});
      watch.step_started("orders", 1);
      while (clock_.paused() == 0) std::this_thread::yield();  // it has told, and waits
      watch.step_done("orders", "9 checks");
    }
    return testing::internal::GetCapturedStderr();
  }

  const FakeClock clock_{FakeClock::Pauses::wait_for_advance};
  Terminal terminal_{clock_, {}};
  plan::Plan plan_;
};

TEST_F(RunWatchTest, TheTimeThatIsLeftIsARangeBesideTheObjective) {
  const auto text = told(30s, Expectation::Basis::learned);
  EXPECT_THAT(text, HasSubstr("  time    30s gone, about 1m40s-2m30s left, RTO 10m: ok\n"));
  EXPECT_THAT(text, HasSubstr("if this is interrupted: go on\n"));
  EXPECT_THAT(text, HasSubstr("  start   orders\n"));
}

TEST_F(RunWatchTest, WhatWasNeverMeasuredIsUnknown) {
  EXPECT_THAT(told(0s, Expectation::Basis::assumed),
              HasSubstr("  time    0s gone, time left unknown, RTO 10m\n"));
}

TEST_F(RunWatchTest, AnObjectiveThatWillBeMissedIsSaidAtOnce) {
  EXPECT_THAT(told(9min, Expectation::Basis::learned), HasSubstr("RTO 10m: will be MISSED\n"));
}

TEST_F(RunWatchTest, WithoutAnOutlookThereIsNoTime) {
  testing::internal::CaptureStderr();
  {
    RunWatch watch(terminal_);
    watch.step_started("orders", 1);
    watch.step_done("orders", "9 checks");
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(), Not(HasSubstr("time")));
}

TEST_F(RunWatchTest, WhereLinesAreNotDrawnAgainNothingStands) {
  testing::internal::CaptureStderr();
  EXPECT_FALSE(terminal_.standing("  time"));
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}

// A run of run::shop() that an engine has driven; somebody watches it from elsewhere.
class RunWatchedTest : public testing::Test {
 protected:
  using Fault = store::MemoryStore::Fault;
  RunWatchedTest() { terminal_.configure(Output::table, "never", false); }

  // The store does not answer from the call `from` on, for so many calls.
  void away(int from, int calls) {
    asked_ = 0;
    engine_.store.set_script([this, from, calls](auto...) {
      const int number = asked_++;
      return number >= from && number < from + calls ? Fault::unavailable : Fault::none;
    });
  }
  Result<Watched> watch() {
    testing::internal::CaptureStderr();
    const auto repository = engine_.repository();
    auto seen = watch_to_the_end(engine_.op(), terminal_, *repository, "run-1");
    told_ = testing::internal::GetCapturedStderr();
    return seen;
  }
  std::size_t times(const std::string& text) const {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = told_.find(text, at)) != std::string::npos; ++at) ++found;
    return found;
  }

  run::FakeEngine engine_{1};
  Terminal terminal_{engine_.clock, {}};
  std::string told_;
  int asked_ = 0;
};

TEST_F(RunWatchedTest, AStoreThatIsAwayIsWaitedForAndSaidOnce) {
  ASSERT_TRUE(engine_.begin(run::shop())->state.recovered());
  for (const int from : {0, 1, 3, 6}) {  // before the first answer, and in the midst of the chain
    away(from, 5);
    const auto seen = watch();
    ASSERT_TRUE(seen) << from << ": " << seen.error().what;
    EXPECT_EQ(seen->how, Watched::How::ended) << from;
    EXPECT_EQ(seen->state.drivers.size(), 1U);
    EXPECT_EQ(times("the repository does not answer, and is asked again: "), 1U) << told_;
    EXPECT_EQ(times("the repository answers again\n"), 1U) << told_;
    EXPECT_EQ(times("  start   net\n"), 1U) << told_;
  }
}

TEST_F(RunWatchedTest, ADriverThatDiesWhileTheStoreIsAwayIsFoundSilent) {
  engine_.world.set_hook("net", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb == "apply") engine_.reaper.kill_at(0, false);
    return {};
  });
  ASSERT_TRUE(engine_.begin(run::shop())->halted);
  away(8, 40);
  const auto seen = watch();
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->how, Watched::How::silent);
  EXPECT_EQ(times("does not answer"), 1U) << told_;
  EXPECT_EQ(times("  start   net\n"), 1U) << told_;
}

TEST_F(RunWatchedTest, WhatIsCorruptIsNotWaitedFor) {
  ASSERT_TRUE(engine_.begin(run::shop())->state.recovered());
  const std::string first = "runs/run-1/0000000000000000";
  Bytes cut = engine_.store.objects().at(first);
  cut.pop_back();
  engine_.store.set_object(first, cut);
  const auto seen = watch();
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().kind, Error::Kind::corrupt);
}

}  // namespace
}  // namespace lifeboat::app
