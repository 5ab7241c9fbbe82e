#include "app/run_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "base/fake_clock.h"

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

}  // namespace
}  // namespace lifeboat::app
