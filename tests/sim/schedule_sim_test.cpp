// Generated plans of 10,000 steps in virtual time: how close to the shortest possible they end.
//
// No order of any kind ends before the longest chain of the plan, nor before all its work spread
// evenly over the steps that may run at once: the lower bound. An end within 1.1 of it is shown for
// plans of every width; where the work of a plan keeps fewer steps busy, on average, than may run
// at once, that is an end within 1.1 of its critical path. Times are virtual and the plans are
// seeded: the same each time.
#include <gtest/gtest.h>

#include "plan/generated_plan.h"
#include "run/simulation.h"

namespace lifeboat::run {
namespace {

using plan::GeneratedPlan;

constexpr std::size_t steps = 10'000;
constexpr unsigned workers = 16;  // EngineSetup::running_at_most
constexpr double within = 1.1;

double ratio(std::chrono::nanoseconds a, std::chrono::nanoseconds b) {
  return static_cast<double>(a.count()) / static_cast<double>(b.count());
}

struct Ended {
  std::chrono::nanoseconds makespan, chain, bound;
};

enum class Order { longest_chain_first, of_the_file };

Ended schedule(const GeneratedPlan& made, unsigned at_once,
               Order order = Order::longest_chain_first) {
  const plan::Graph graph(made.plan);
  const bool by_chain = order == Order::longest_chain_first;
  const auto bound = plan::lower_bound(graph, made.times);
  const auto done = plan::simulate(
      made.plan, graph,
      {made.times, by_chain ? plan::tails(graph, made.times) : plan::Times{}, at_once, {}});
  return {done.makespan, bound.chain, bound.with(at_once)};
}

TEST(ScheduleSim, PlansWithRoomForTheirWorkEndWithinTheCriticalPath) {
  for (const std::size_t width : {12, 24, 48}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const auto ended = schedule(plan::generate_plan({steps, width, seed}), workers);
      EXPECT_LE(ratio(ended.makespan, ended.chain), within)
          << "width " << width << " seed " << seed;
    }
  }
}

TEST(ScheduleSim, WiderPlansEndWithinTheLowerBound) {
  for (const std::size_t width : {64, 100, 400}) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      const auto ended = schedule(plan::generate_plan({steps, width, seed}), workers);
      EXPECT_LE(ratio(ended.makespan, ended.bound), within)
          << "width " << width << " seed " << seed << " vs chain "
          << ratio(ended.makespan, ended.chain);
    }
  }
}

// The bound is no matter of course: in the order of the file these end later.
TEST(ScheduleSim, InTheOrderOfTheFileTheBoundIsMissed) {
  const auto ended = schedule(plan::generate_plan({steps, 100, 1}), workers, Order::of_the_file);
  EXPECT_GT(ratio(ended.makespan, ended.bound), within);
}

TEST(ScheduleSim, WithRoomForAllReadyStepsTheMakespanIsTheCriticalPath) {
  for (const std::size_t width : {48, 100, 400}) {
    const auto ended = schedule(plan::generate_plan({steps, width, 1}), steps);
    EXPECT_EQ(ended.makespan, ended.chain) << "width " << width;
  }
}

// The engine itself, threads and journal and all, keeps to it.
TEST(ScheduleSim, TheEngineEndsTenThousandStepsWithinTheCriticalPath) {
  const GeneratedPlan made = plan::generate_plan({steps, 48, 1});
  plan::Expectations expected;
  for (std::size_t i = 0; i < steps; ++i) {
    const auto time = made.times[i];
    expected[made.plan.steps[i].name] = {{time, time, time}, plan::Expectation::Basis::given, 0};
  }
  const SystemClock clock;
  SeededRandom random(1);
  const auto run = simulate_run({&clock}, {&made.plan, made.times, expected, workers, &random});
  ASSERT_TRUE(run) << run.error().what;
  const Ended ended = schedule(made, workers);
  EXPECT_EQ(run->makespan, ended.makespan);
  EXPECT_LE(ratio(run->makespan, ended.chain), within);
  RecordProperty("engine_us_a_step", static_cast<int>(run->engine.count() / 1000 / steps));
}

}  // namespace
}  // namespace lifeboat::run
