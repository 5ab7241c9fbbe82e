#include "plan/frontier.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>

#include "plan/random_plan.h"

namespace lifeboat::plan {
namespace {

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

TEST(Frontier, TheMostUrgentStartsFirstAndEqualsInTheOrderOfTheFile) {
  Plan plan;
  plan.steps = {node("a"), node("b"), node("c"), node("d", {"a"})};
  const Graph graph(plan);
  Frontier frontier(plan, graph, {seconds(1), seconds(5), seconds(1), seconds(9)});
  EXPECT_THAT(frontier.all_to_start(), ElementsAre(1, 0, 2));
  EXPECT_EQ(frontier.to_start(), 1U);
  frontier.set(0, done);
  EXPECT_THAT(frontier.all_to_start(), ElementsAre(3, 1, 2));
}

TEST(Frontier, WhatIsTakenBackWaitsAgain) {
  Plan plan;
  plan.steps = {node("a"), node("b", {"a"})};
  const Graph graph(plan);
  Frontier frontier(plan, graph, {});
  frontier.set(0, done);
  EXPECT_THAT(frontier.all_to_start(), ElementsAre(1));
  frontier.set(0, waiting);
  EXPECT_THAT(frontier.all_to_start(), ElementsAre(0));
}

TEST(Frontier, AnEdgeToNowhereHoldsNothing) {
  Plan plan;
  plan.steps = {node("a", {"elsewhere"})};
  const Graph graph(plan);
  EXPECT_THAT(Frontier(plan, graph, {}).all_to_start(), ElementsAre(0));
}

// Both answers, as names in the order of the file.
void compare(const Plan& plan, const Frontier& frontier, const RunView& view) {
  const NextActions next = next_actions(plan, view);
  std::vector<std::size_t> places = frontier.all_to_start();
  RC_ASSERT(frontier.to_start() ==
            (places.empty() ? std::optional<std::size_t>() : places.front()));
  std::ranges::sort(places);
  std::vector<std::string> start;
  for (const std::size_t place : places) start.push_back(plan.steps[place].name);
  RC_ASSERT(start == next.start);
  std::map<std::string, std::string> skip;
  for (const auto& lost : frontier.all_to_skip()) {
    skip[plan.steps[lost.step].name] = plan.steps[lost.needs].name;
  }
  RC_ASSERT(skip == next.skip);
  RC_ASSERT(frontier.to_skip().has_value() == !next.skip.empty());
  std::vector<std::string> awaits;
  for (const std::size_t place : frontier.awaits()) awaits.push_back(plan.steps[place].name);
  RC_ASSERT(awaits == next.awaits);
  RC_ASSERT(frontier.finished() == next.finished);
  RC_ASSERT(frontier.waits_for_person() == next.waits_for_person);
  RC_ASSERT(frontier.succeeded() == next.succeeded);
}

// Any phase after any other, also those that no run would go through: people may change their mind.
RC_GTEST_PROP(Frontier, AnswersAsTheReferenceAfterEveryChange, ()) {
  const Plan plan = random_plan();
  const Graph graph(plan);
  std::vector<std::chrono::nanoseconds> urgency;
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    urgency.push_back(seconds(*rc::gen::inRange(0, 4)));
  }
  Frontier frontier(plan, graph, urgency);
  RunView view;
  compare(plan, frontier, view);
  const int changes = *rc::gen::inRange(1, 60);
  for (int change = 0; change < changes; ++change) {
    const auto step = *rc::gen::inRange<std::size_t>(0, plan.steps.size());
    const auto phase = *rc::gen::element(waiting, running, done, failed, skipped, undone);
    frontier.set(step, phase);
    view.phases[plan.steps[step].name] = phase;
    if (*rc::gen::inRange(0, 3) == 0) {
      const std::string& gate = plan.steps[step].name;
      if (view.approved.erase(gate) == 0) view.approved.insert(gate);
      view.paused = *rc::gen::inRange(0, 5) == 0;
      view.going_back = *rc::gen::inRange(0, 8) == 0;
      frontier.hold(view);
    }
    compare(plan, frontier, view);
    const auto ready = frontier.all_to_start();
    RC_ASSERT(std::ranges::is_sorted(ready, [&](std::size_t a, std::size_t b) {
      return std::pair(-urgency[a], a) < std::pair(-urgency[b], b);
    }));
  }
}

// A run as the engine drives it, with both side by side.
RC_GTEST_PROP(Frontier, DrivesARunToTheSameEnd, ()) {
  const Plan plan = random_plan();
  const Graph graph(plan);
  Frontier frontier(plan, graph, {});
  RunView view;
  std::vector<std::size_t> active;
  for (const StepNode& step : plan.steps) view.approved.insert(step.name);
  frontier.hold(view);
  const auto set = [&](std::size_t step, StepPhase phase) {
    frontier.set(step, phase);
    view.phases[plan.steps[step].name] = phase;
    compare(plan, frontier, view);
  };
  for (;;) {
    while (const auto lost = frontier.to_skip()) set(lost->step, skipped);
    while (const auto next = frontier.to_start()) {
      active.push_back(*next);
      set(*next, running);
    }
    if (active.empty()) break;
    const auto at = *rc::gen::inRange<std::size_t>(0, active.size());
    const std::size_t ended = active[at];
    active.erase(active.begin() + static_cast<std::ptrdiff_t>(at));
    set(ended, *rc::gen::element(done, done, done, failed));
  }
  RC_ASSERT(frontier.finished());
}

}  // namespace
}  // namespace lifeboat::plan
