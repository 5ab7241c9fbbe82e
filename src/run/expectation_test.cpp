#include "run/expectation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "journal/segment.h"
#include "run/fake_engine.h"
#include "run/report.h"

namespace lifeboat::run {
namespace {

using plan::Expectation;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;

TEST(RangeOf, OneSampleSaysLittle) {
  const auto range = range_of({seconds(60)});
  EXPECT_EQ(range.low, seconds(30));
  EXPECT_EQ(range.likely, seconds(60));
  EXPECT_EQ(range.high, seconds(120));
}

TEST(RangeOf, FiveEqualSamplesAreBelieved) {
  const auto range = range_of(std::vector<nanoseconds>(5, seconds(60)));
  EXPECT_EQ(range.low, seconds(60));
  EXPECT_EQ(range.high, seconds(60));
}

TEST(RangeOf, OneThatWentWrongMovesTheHighEndOnly) {
  std::vector<nanoseconds> samples(19, seconds(60));
  samples.push_back(std::chrono::hours(3));
  const auto range = range_of(samples);
  EXPECT_EQ(range.likely, seconds(60));
  EXPECT_EQ(range.high, seconds(60));
  EXPECT_EQ(range_of({seconds(10), seconds(60), seconds(60), seconds(60), seconds(600)}).likely,
            seconds(60));
}

TEST(RangeOf, TheSpreadOfManyIsFromTheTenthToTheNinetiethPercentile) {
  std::vector<nanoseconds> samples;
  for (int i = 0; i <= 100; ++i) samples.push_back(seconds(i < 5 ? 0 : i > 95 ? 1000 : 500));
  const auto range = range_of(samples);
  EXPECT_EQ(range.low, seconds(500));
  EXPECT_EQ(range.high, seconds(500));
}

RC_GTEST_PROP(RangeOf, IsInOrderAndHoldsTheMedian, ()) {
  const auto count = *rc::gen::inRange<std::size_t>(1, 30);
  std::vector<nanoseconds> samples;
  for (std::size_t i = 0; i < count; ++i) {
    samples.push_back(milliseconds(*rc::gen::inRange(0, 2'000'000'000)));
  }
  const auto range = range_of(samples);
  RC_ASSERT(range.low >= nanoseconds{});
  RC_ASSERT(range.low <= range.likely);
  RC_ASSERT(range.likely <= range.high);
  RC_ASSERT(range.likely >= *std::ranges::min_element(samples));
  RC_ASSERT(range.likely <= *std::ranges::max_element(samples));
}

// Recoveries of one repository, with steps that take as long as they are told to.
class LearnTest : public testing::Test {
 protected:
  LearnTest() : engine(1, FakeClock::Pauses::wait_for_advance), repository(engine.repository()) {}

  // Begins a run in which each step's apply takes the time that stands at it.
  Outcome run(const std::string& name, const plan::Plan& plan,
              const std::map<std::string, nanoseconds>& takes) {
    return run_in(engine, name, plan, takes);
  }
  // In a world of its own: where another run has been its effects would be foreign.
  Outcome run_in(FakeEngine& world, const std::string& name, const plan::Plan& plan,
                 const std::map<std::string, nanoseconds>& takes) {
    for (const auto& [step, time] : takes) {
      world.world.set_hook(step, [&world, time](const Operation&, const std::string& verb) {
        if (verb == "apply") world.clock.advance(time);
        return Result<void>();
      });
    }
    Pins pins = world.pins(plan);
    pins.run = name;
    auto outcome = run::begin(world.op(), world.setup(*repository), pins);
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().what);
    return outcome ? *std::move(outcome) : Outcome{};
  }
  static plan::Plan chain(const std::string& prefix, const std::string& plan_name = "fake") {
    auto plan =
        plan::Plan(plan_of({effect_node(prefix + "1", effect_config("a")),
                            effect_node(prefix + "2", effect_config("b"), {prefix + "1"})}));
    plan.name = plan_name;
    return plan;
  }
  Learned learned(const plan::Plan& plan, const std::string& except = "") {
    return learn(engine.op(), *repository, plan, engine.types, except);
  }

  FakeEngine engine;
  std::unique_ptr<journal::FakeRepository> repository;
};

TEST_F(LearnTest, WithoutRunsEverythingIsAssumedByItsType) {
  plan::Plan plan = chain("s");
  plan.steps[0].timeout = seconds(3);
  const auto found = learned(plan);
  EXPECT_EQ(found.learned, 0U);
  EXPECT_EQ(found.steps.at("s1").basis, Expectation::Basis::assumed);
  EXPECT_EQ(found.steps.at("s1").range.high, seconds(3));
  EXPECT_LE(found.steps.at("s1").range.likely, seconds(3));
  EXPECT_EQ(found.steps.at("s2").range.high, plan::StepType().usually.high);
}

TEST_F(LearnTest, AStepIsMeasuredByTheRunsBefore) {
  run("one", chain("s"), {{"s1", seconds(60)}, {"s2", seconds(5)}});
  const auto found = learned(chain("s"));
  EXPECT_EQ(found.runs, 1U);
  EXPECT_EQ(found.learned, 2U);
  EXPECT_EQ(found.steps.at("s1").basis, Expectation::Basis::learned);
  EXPECT_EQ(found.steps.at("s1").samples, 1U);
  EXPECT_EQ(found.steps.at("s1").range.likely, seconds(60));
  EXPECT_EQ(found.steps.at("s2").range.likely, seconds(5));
}

TEST_F(LearnTest, AnotherTypeOfTheSameNameTeachesNothing) {
  run("one", chain("s"), {{"s1", seconds(60)}});
  plan::Plan other = chain("s");
  other.steps[0].type = "restore";
  EXPECT_EQ(learned(other).steps.at("s1").basis, Expectation::Basis::assumed);
}

TEST_F(LearnTest, TheRunItselfIsLeftOut) {
  run("one", chain("s"), {{"s1", seconds(60)}});
  EXPECT_EQ(learned(chain("s"), "one").runs, 0U);
}

TEST_F(LearnTest, WhatFailedOrWasInterruptedIsNoMeasure) {
  auto plan = chain("s");
  plan.steps[1].config.set("spoil", true);
  run("one", plan, {{"s1", seconds(60)}, {"s2", seconds(5)}});
  const auto found = learned(chain("s"));
  EXPECT_EQ(found.steps.at("s1").samples, 1U);
  EXPECT_EQ(found.steps.at("s2").basis, Expectation::Basis::assumed);
}

TEST_F(LearnTest, UnreadableJournalsAreSkippedAndCounted) {
  run("one", chain("s"), {{"s1", seconds(60)}});
  run("two", chain("t"), {{"t1", seconds(60)}});
  engine.store.set_object(journal::segment_name("one", 1), to_bytes("not a segment"));
  const auto found = learned(chain("t"));
  EXPECT_EQ(found.unreadable, 1U);
  EXPECT_EQ(found.runs, 1U);
  EXPECT_EQ(found.steps.at("t1").range.likely, seconds(60));
}

TEST_F(LearnTest, NoMoreThanTheNewestAreReadThoseOfThePlanFirst) {
  run("of-the-plan", chain("s"), {{"s1", seconds(60)}});
  for (int i = 0; i < 25; ++i) run("other-" + std::to_string(i), chain("t", "other"), {});
  const auto found = learned(chain("s"));
  EXPECT_EQ(found.runs, runs_learned_from);
  EXPECT_EQ(found.steps.at("s1").samples, 1U);
}

TEST_F(LearnTest, AReportRemarksWhatTookLongerThanItEverDid) {
  run("one", chain("s"), {{"s1", seconds(60)}, {"s2", seconds(5)}});
  FakeEngine later(2, FakeClock::Pauses::wait_for_advance);
  Report report =
      make_report(run_in(later, "two", chain("s"), {{"s1", seconds(300)}, {"s2", seconds(5)}}));
  add_expectations(report, learned(chain("s"), "two").steps);
  EXPECT_THAT(report.remarks,
              testing::ElementsAre("s1: took 300.0 s; 30.0 to 120.0 s were expected from 1 run"));
  EXPECT_EQ(report.steps[0].expected->likely, seconds(60));
}

TEST_F(LearnTest, ItEndsInTimeWithWhatWasRead) {
  run("one", chain("s"), {{"s1", seconds(60)}});
  const auto found =
      learn(engine.op().within(seconds(-1)), *repository, chain("s"), engine.types, "");
  EXPECT_FALSE(found.in_time);
  EXPECT_EQ(found.runs, 0U);
  EXPECT_EQ(found.steps.at("s1").basis, Expectation::Basis::assumed);
}

}  // namespace
}  // namespace lifeboat::run
