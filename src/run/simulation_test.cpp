#include "run/simulation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "base/fake_clock.h"
#include "plan/generated_plan.h"
#include "plan/random_plan.h"

namespace lifeboat::run {
namespace {

using std::chrono::seconds;

plan::Expectations expected(const plan::Plan& plan, const plan::Times& times) {
  plan::Expectations all;
  for (std::size_t i = 0; i < times.size(); ++i) {
    all[plan.steps[i].name] = {{times[i], times[i], times[i]}, plan::Expectation::Basis::given, 0};
  }
  return all;
}

struct Both {
  plan::Scheduled pure;
  SimulatedRun real;
};

Both run_both(const plan::Plan& plan, const plan::Times& times, unsigned workers) {
  const FakeClock clock;  // waits for nothing
  SeededRandom random(1);
  const plan::Graph graph(plan);
  auto real = simulate_run({&clock}, {&plan, times, expected(plan, times), workers, &random});
  if (!real) throw std::runtime_error(real.error().what);
  return {plan::simulate(plan, graph, {times, plan::tails(graph, times), workers, {}}),
          *std::move(real)};
}

// The engine does what plan/schedule.h says it will, to the nanosecond and to the step.
RC_GTEST_PROP(Simulation, TheEngineKeepsToTheSchedule, ()) {
  plan::Plan plan = plan::random_plan();
  for (plan::StepNode& step : plan.steps)
    step.on_failure = plan::OnFailure::pause, step.approve.reset();
  plan::Times times;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    times.push_back(seconds(*rc::gen::inRange(0, 5)));
  }
  const auto both = run_both(plan, times, *rc::gen::inRange(1U, 5U));
  RC_ASSERT(both.real.makespan == both.pure.makespan);
  RC_ASSERT(both.real.start == both.pure.start);
  RC_ASSERT(both.real.end == both.pure.end);
  RC_ASSERT(both.real.at_once == both.pure.at_once);
}

TEST(Simulation, ALargePlanRunsAsItIsScheduled) {
  const auto made = plan::generate_plan({.steps = 600, .width = 12, .seed = 7});
  const auto both = run_both(made.plan, made.times, 16);
  EXPECT_EQ(both.real.makespan, both.pure.makespan);
  EXPECT_EQ(both.real.start, both.pure.start);
  EXPECT_GT(both.real.segments, 1U);
}

TEST(Simulation, AStopEndsIt) {
  const FakeClock clock;  // waits for nothing
  SeededRandom random(1);
  const auto made = plan::generate_plan({.steps = 50, .width = 3, .seed = 7});
  std::stop_source stop;
  stop.request_stop();
  const auto ended =
      simulate_run({&clock, stop.get_token()}, {&made.plan, made.times, {}, 2, &random});
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().kind, Error::Kind::cancelled);
}

TEST(Simulation, APlanWithoutStepsTakesNoTime) {
  const FakeClock clock;  // waits for nothing
  SeededRandom random(1);
  const plan::Plan nothing;
  const auto ended = simulate_run({&clock}, {&nothing, {}, {}, 2, &random});
  ASSERT_TRUE(ended) << ended.error().what;
  EXPECT_EQ(ended->makespan, seconds(0));
}

}  // namespace
}  // namespace lifeboat::run
