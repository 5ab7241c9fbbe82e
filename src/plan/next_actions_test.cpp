#include "plan/next_actions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "plan/random_plan.h"

namespace lifeboat::plan {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

StepNode node(const std::string& name, std::vector<std::string> after,
              std::vector<std::string> needs = {}, OnFailure failure = OnFailure::pause) {
  StepNode made;
  made.name = name;
  made.after = std::move(after);
  made.needs = std::move(needs);
  made.on_failure = failure;
  return made;
}

// net -> db -> app, net -> mail; app needs db's output.
Plan sample(OnFailure db = OnFailure::pause) {
  Plan plan;
  plan.steps = {node("net", {}), node("db", {"net"}, {"net"}, db), node("mail", {"net"}),
                node("app", {"db"}, {"db"}), node("page", {"db"})};
  return plan;
}

using enum StepPhase;

TEST(NextActions, EverythingThatWaitsForNothingStartsAtOnce) {
  const auto first = next_actions(sample(), {});
  EXPECT_THAT(first.start, ElementsAre("net"));
  EXPECT_THAT(first.blocked_by.at("app"), ElementsAre("db"));
  EXPECT_FALSE(first.finished);
  const auto second = next_actions(sample(), {{{"net", done}}});
  EXPECT_THAT(second.start, ElementsAre("db", "mail"));
}

TEST(NextActions, AFailureThatPausesHoldsItsDependantsOnly) {
  const auto next = next_actions(sample(), {{{"net", done}, {"db", failed}}});
  EXPECT_THAT(next.start, ElementsAre("mail"));
  EXPECT_THAT(next.blocked_by.at("app"), ElementsAre("db"));
  const auto end = next_actions(sample(), {{{"net", done}, {"db", failed}, {"mail", done}}});
  EXPECT_TRUE(end.finished);
  EXPECT_FALSE(end.succeeded);
}

TEST(NextActions, AFailureThatStopsLetsNothingNewStart) {
  const Plan plan = sample(OnFailure::stop);
  const auto busy =
      next_actions(plan, {{{"net", done}, {"db", failed}, {"mail", StepPhase::running}}});
  EXPECT_THAT(busy.start, IsEmpty());
  EXPECT_FALSE(busy.finished);
  const auto next = next_actions(plan, {{{"net", done}, {"db", failed}}});
  EXPECT_THAT(next.start, IsEmpty());
  EXPECT_THAT(next.blocked_by.at("mail"), ElementsAre("db"));
  EXPECT_TRUE(next.finished);
  EXPECT_FALSE(next.succeeded);
}

TEST(NextActions, AFailureThatContinuesSkipsOnlyWhatNeedsItsOutput) {
  const Plan plan = sample(OnFailure::go_on);
  RunView view{{{"net", done}, {"db", failed}, {"mail", done}}};
  const auto next = next_actions(plan, view);
  EXPECT_THAT(next.start, ElementsAre("page"));
  EXPECT_THAT(next.skip, ElementsAre(Pair("app", "db")));
  EXPECT_FALSE(next.finished);
  view.phases["app"] = skipped;
  view.phases["page"] = done;
  EXPECT_TRUE(next_actions(plan, view).succeeded);
}

TEST(NextActions, AFinishedRunOfDoneStepsSucceeded) {
  RunView view;
  for (const StepNode& step : sample().steps) view.phases[step.name] = done;
  EXPECT_TRUE(next_actions(sample(), view).succeeded);
}

TEST(CriticalPath, IsTheLongestChain) {
  using std::chrono::seconds;
  const auto path = critical_path(
      sample(),
      {{"net", seconds(1)}, {"db", seconds(5)}, {"mail", seconds(9)}, {"app", seconds(1)}});
  EXPECT_THAT(path, ElementsAre("net", "mail"));
  EXPECT_THAT(critical_path(sample(), {{"app", seconds(20)}}), ElementsAre("net", "db", "app"));
  EXPECT_THAT(critical_path(Plan{}, {}), IsEmpty());
}

// Plays a run with random outcomes: whatever happens, it ends, and no rule is broken on the way.
RC_GTEST_PROP(NextActions, EveryRunEndsAndEveryStartIsAllowed, ()) {
  const Plan plan = random_plan();
  RunView view;
  for (std::size_t turns = 0;; ++turns) {
    RC_ASSERT(turns <= 4 * plan.steps.size() + 4);
    const NextActions next = next_actions(plan, view);
    if (next.finished) {
      for (const auto& [step, holders] : next.blocked_by) RC_ASSERT(!holders.empty());
      break;
    }
    for (const auto& [step, cause] : next.skip) view.phases[step] = skipped;
    for (const std::string& name : next.start) {
      for (const std::string& dependency : plan.find(name)->after) {
        const StepPhase phase = view.phase(dependency);
        const bool passed =
            phase == done || phase == skipped ||
            (phase == failed && plan.find(dependency)->on_failure == OnFailure::go_on);
        RC_ASSERT(passed);
      }
      view.phases[name] = StepPhase::running;
    }
    std::vector<std::string> active;
    for (const auto& [name, phase] : view.phases) {
      if (phase == StepPhase::running) active.push_back(name);
    }
    if (active.empty()) continue;
    const std::string ended = *rc::gen::elementOf(active);
    view.phases[ended] = *rc::gen::element(done, done, done, failed);
  }
}

}  // namespace
}  // namespace lifeboat::plan
