#include "plan/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "plan/random_plan.h"

namespace lifeboat::plan {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::IsEmpty;
using enum StepPhase;

StepNode node(const std::string& name, std::vector<std::string> after = {}) {
  StepNode made;
  made.name = name;
  made.after = std::move(after);
  return made;
}

// net(10) -> db(50) -> app(5), net -> mail(20); lone(3).
struct Sample {
  Sample() {
    plan.steps = {node("net"), node("db", {"net"}), node("app", {"db"}), node("mail", {"net"}),
                  node("lone")};
  }
  Plan plan;
  Times times{seconds(10), seconds(50), seconds(5), seconds(20), seconds(3)};
};

Expectation learned(seconds low, seconds likely, seconds high) {
  return {{low, likely, high}, Expectation::Basis::learned, 3};
}

TEST(Schedule, TailsAndHeadsAreTheLongestChainsOnBothSides) {
  const Sample sample;
  const Graph graph(sample.plan);
  EXPECT_THAT(tails(graph, sample.times),
              ElementsAre(seconds(65), seconds(55), seconds(5), seconds(20), seconds(3)));
  EXPECT_THAT(heads(graph, sample.times),
              ElementsAre(seconds(0), seconds(10), seconds(60), seconds(10), seconds(0)));
  EXPECT_THAT(longest_chain(graph, sample.times), ElementsAre(0, 1, 2));
}

TEST(Schedule, OneWorkerTakesTheLongestTailFirst) {
  const Sample sample;
  const Graph graph(sample.plan);
  const auto done = simulate(sample.plan, graph, {sample.times, tails(graph, sample.times), 1, {}});
  EXPECT_EQ(done.makespan, seconds(88));
  EXPECT_THAT(done.start,
              ElementsAre(seconds(0), seconds(10), seconds(80), seconds(60), seconds(85)));
  EXPECT_EQ(done.at_once, 1U);
}

TEST(Schedule, TheLongestTailFirstEndsSoonerThanTheOrderOfTheFile) {
  Plan plan;
  plan.steps = {node("small1"), node("small2"), node("long"), node("end", {"long"})};
  const Times times{seconds(10), seconds(10), seconds(20), seconds(20)};
  const Graph graph(plan);
  EXPECT_EQ(simulate(plan, graph, {times, {}, 2, {}}).makespan, seconds(50));
  EXPECT_EQ(simulate(plan, graph, {times, tails(graph, times), 2, {}}).makespan, seconds(40));
}

TEST(Schedule, TheLowerBoundIsTheChainOrTheWork) {
  const Sample sample;
  const auto bound = lower_bound(Graph(sample.plan), sample.times);
  EXPECT_EQ(bound.with(16), seconds(65));
  EXPECT_EQ(bound.with(1), seconds(88));
}

TEST(Schedule, SumsStopAtTheEndOfTime) {
  Plan plan;
  plan.steps = {node("a"), node("b", {"a"}), node("c", {"b"})};
  const Times times(3, nanoseconds::max() - nanoseconds(1));
  const Graph graph(plan);
  EXPECT_EQ(tails(graph, times).front(), nanoseconds::max());
  EXPECT_EQ(simulate(plan, graph, {times, {}, 1, {}}).makespan, nanoseconds::max());
}

TEST(Remaining, IsTheRangeFromAllQuickToAllSlow) {
  const Sample sample;
  const Graph graph(sample.plan);
  const Expectations expected{{"net", learned(seconds(8), seconds(10), seconds(20))},
                              {"db", learned(seconds(40), seconds(50), seconds(90))},
                              {"app", learned(seconds(5), seconds(5), seconds(10))}};
  const auto left =
      remaining(sample.plan, graph, expected,
                {{done, running, waiting, done, done}, {{}, seconds(15), {}, {}, {}}, 16});
  EXPECT_EQ(left.range.low, seconds(30));
  EXPECT_EQ(left.range.likely, seconds(40));
  EXPECT_EQ(left.range.high, seconds(85));
  EXPECT_EQ(left.steps, 2U);
  EXPECT_EQ(left.learned, 2U);
  EXPECT_THAT(left.chain, ElementsAre(1, 2));
  EXPECT_THAT(left.overdue, IsEmpty());
}

TEST(Remaining, AStepThatIsOverdueIsNamedAndMayTakeHalfAsLongAgain) {
  const Sample sample;
  const Expectations expected{{"db", learned(seconds(40), seconds(50), seconds(60))}};
  const auto left =
      remaining(sample.plan, Graph(sample.plan), expected,
                {{done, running, done, done, done}, {{}, seconds(100), {}, {}, {}}, 16});
  EXPECT_THAT(left.overdue, ElementsAre(1));
  EXPECT_EQ(left.range.low, seconds(0));
  EXPECT_EQ(left.range.high, seconds(50));
}

TEST(Remaining, WhatAFailureHoldsIsCountedApart) {
  const Sample sample;
  const Expectations expected{{"app", learned(seconds(5), seconds(5), seconds(5))},
                              {"mail", learned(seconds(7), seconds(7), seconds(7))}};
  const auto left = remaining(sample.plan, Graph(sample.plan), expected,
                              {{done, failed, waiting, waiting, done}, Times(5), 16});
  EXPECT_EQ(left.held, 1U);
  EXPECT_EQ(left.range.likely, seconds(7));
}

RC_GTEST_PROP(Schedule, NoScheduleBreaksAnEdgeOrTheLimitOrTheBounds, ()) {
  Plan plan = random_plan();
  for (StepNode& step : plan.steps) step.on_failure = OnFailure::pause;
  const Graph graph(plan);
  Times times;
  for (std::size_t i = 0; i < graph.size(); ++i) times.push_back(seconds(*rc::gen::inRange(0, 9)));
  const auto workers = *rc::gen::inRange(1U, 6U);
  const auto done = simulate(plan, graph, {times, tails(graph, times), workers, {}});
  const LowerBound bound = lower_bound(graph, times);
  RC_ASSERT(done.held == 0U);
  RC_ASSERT(done.at_once <= workers);
  RC_ASSERT(done.makespan >= bound.with(workers));
  // Graham's bound: no list schedule is worse.
  RC_ASSERT(done.makespan <= bound.chain + bound.work / workers);
  for (std::size_t i = 0; i < graph.size(); ++i) {
    RC_ASSERT(done.ran[i] == 1);
    for (const Edge& edge : graph.before(i)) RC_ASSERT(done.start[i] >= done.end[edge.step]);
  }
}

RC_GTEST_PROP(Schedule, WithWorkersForAllTheMakespanIsTheLongestChain, ()) {
  const Plan plan = random_plan();
  const Graph graph(plan);
  Times times;
  std::map<std::string, nanoseconds> named;
  for (const StepNode& step : plan.steps) {
    times.push_back(seconds(*rc::gen::inRange(1, 9)));
    named[step.name] = times.back();
  }
  const auto done = simulate(plan, graph, {times, {}, 15, {}});
  nanoseconds chain{}, reference{};
  for (const std::size_t step : longest_chain(graph, times)) chain += times[step];
  for (const std::string& step : critical_path(plan, named)) reference += named[step];
  RC_ASSERT(done.makespan == chain);
  RC_ASSERT(chain == reference);
}

}  // namespace
}  // namespace lifeboat::plan
