#include "run/outlook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "run/fake_world.h"

namespace lifeboat::run {
namespace {

using plan::Expectation;
using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::nanoseconds;
using std::chrono::seconds;
using testing::ElementsAre;

TEST(Rough, RoundsToWhatAnyoneCouldMean) {
  EXPECT_EQ(rough(milliseconds(12'300), Round::down), "10s");
  EXPECT_EQ(rough(milliseconds(12'300), Round::up), "15s");
  EXPECT_EQ(rough(seconds(133), Round::down), "2m10s");
  EXPECT_EQ(rough(seconds(133), Round::up), "2m20s");
  EXPECT_EQ(rough(seconds(120), Round::up), "2m");
  EXPECT_EQ(rough(seconds(58), Round::up), "1m");
  EXPECT_EQ(rough(minutes(34) + seconds(10), Round::up), "35m");
  EXPECT_EQ(rough(minutes(83), Round::down), "1h20m");
  EXPECT_EQ(rough(hours(51), Round::down), "2d3h");
  EXPECT_EQ(rough(seconds(0), Round::up), "0s");
  EXPECT_EQ(rough(seconds(-5), Round::up), "0s");
}

Expectation learned(nanoseconds low, nanoseconds likely, nanoseconds high) {
  return {{low, likely, high}, Expectation::Basis::learned, 3};
}
Expectation assumed() {
  return {{seconds(1), seconds(30), minutes(5)}, Expectation::Basis::assumed, 0};
}

class OutlookTest : public testing::Test {
 protected:
  OutlookTest() {
    plan = plan_of({effect_node("net", effect_config("a")),
                    effect_node("db", effect_config("b"), {"net"}),
                    effect_node("app", effect_config("c"), {"db"})});
    all = {{"net", learned(seconds(10), seconds(20), seconds(30))},
           {"db", learned(minutes(2), minutes(3), minutes(4))},
           {"app", learned(seconds(3), seconds(5), seconds(9))}};
  }
  Outlook outlook(std::optional<nanoseconds> rto = minutes(30)) {
    return Outlook({&plan, all, {}, rto, 16});
  }
  plan::Plan plan;
  plan::Expectations all;
};

TEST_F(OutlookTest, TellsARangeAndThatItIsInTime) {
  Outlook view = outlook();
  view.started("net", seconds(100));
  const TimeLeft left = view.look(seconds(110), seconds(75));
  EXPECT_EQ(left_text(left), "about 2m-4m30s left");
  EXPECT_EQ(text(left, view.rto()), "1m10s gone, about 2m-4m30s left, RTO 30m: ok");
  EXPECT_THAT(left.chain, ElementsAre("net", "db", "app"));
}

TEST_F(OutlookTest, GetsShorterAsStepsEnd) {
  Outlook view = outlook();
  for (const char* step : {"net", "db"}) {
    view.started(step, seconds(0));
    view.ended(step, plan::StepPhase::done);
  }
  view.started("app", seconds(200));
  EXPECT_EQ(left_text(view.look(seconds(203), seconds(203))), "less than 10s left");
}

TEST_F(OutlookTest, IsUnknownWhenNothingWasLearned) {
  all = {{"net", assumed()}, {"db", assumed()}, {"app", assumed()}};
  const TimeLeft left = outlook().look(seconds(0), seconds(0));
  EXPECT_EQ(text(left, minutes(30)), "0s gone, time left unknown, RTO 30m");
  EXPECT_EQ(left.rto, InTime::unknown);
}

TEST_F(OutlookTest, SaysHowMuchOfItIsAssumed) {
  all["db"] = assumed();
  EXPECT_THAT(text(outlook().look(seconds(0), seconds(0)), std::nullopt),
              testing::EndsWith("1 of 3 steps assumed"));
}

TEST_F(OutlookTest, SeesALateEndBeforeItIsThere) {
  EXPECT_THAT(text(outlook(minutes(4)).look(seconds(0), seconds(0)), minutes(4)),
              testing::HasSubstr("RTO 4m: at risk"));
  EXPECT_THAT(text(outlook(minutes(4)).look(seconds(0), minutes(3)), minutes(4)),
              testing::HasSubstr("RTO 4m: will be MISSED"));
  EXPECT_THAT(text(outlook(minutes(4)).look(seconds(0), minutes(5)), minutes(4)),
              testing::EndsWith("RTO 4m: MISSED"));
}

TEST_F(OutlookTest, AnObjectiveThatIsOverIsMissedWhateverIsKnown) {
  all.clear();
  EXPECT_EQ(outlook(minutes(4)).look(seconds(0), minutes(5)).rto, InTime::no);
}

TEST_F(OutlookTest, NamesWhatTakesLongerThanEver) {
  Outlook view = outlook();
  view.ended("net", plan::StepPhase::done);
  view.started("db", seconds(0));
  EXPECT_THAT(text(view.look(minutes(6), minutes(6)), view.rto()),
              testing::HasSubstr("; longer than ever: db"));
}

TEST_F(OutlookTest, StepsThatAFailureHoldsAreNotInTime) {
  Outlook view = outlook();
  view.ended("net", plan::StepPhase::failed);
  const TimeLeft left = view.look(seconds(0), seconds(10));
  EXPECT_EQ(left.held, 2U);
  EXPECT_EQ(left.rto, InTime::at_risk);
}

TEST_F(OutlookTest, AResumedRunCountsWhatIsDone) {
  const Outlook view({&plan,
                      all,
                      {{{"net", plan::StepPhase::done}, {"db", plan::StepPhase::done}}},
                      minutes(30),
                      16});
  EXPECT_EQ(left_text(view.look(seconds(0), minutes(3))), "less than 10s left");
}

TEST_F(OutlookTest, OnlyMuchIsNews) {
  Outlook view = outlook();
  view.started("net", seconds(0));
  const TimeLeft first = view.look(seconds(0), seconds(0));
  EXPECT_FALSE(changed_much(first, view.look(seconds(5), seconds(5))));
  const TimeLeft late = view.look(minutes(4), minutes(4));
  EXPECT_TRUE(changed_much(first, late));
  EXPECT_FALSE(changed_much(late, late));
}

TEST_F(OutlookTest, ForecastsARunThatHasNotBegun) {
  EXPECT_EQ(run::forecast_text(outlook(minutes(4)).look(seconds(0), seconds(0)), minutes(4)),
            "expected to take about 2m10s-4m40s, RTO 4m: at risk");
  all.clear();
  EXPECT_THAT(run::forecast_text(outlook().look(seconds(0), seconds(0)), minutes(4)),
              testing::HasSubstr("unknown"));
}

TEST_F(OutlookTest, NamesThatThePlanDoesNotHaveAreNoMatter) {
  Outlook view = outlook();
  view.started("nobody", seconds(0));
  view.ended("nobody", plan::StepPhase::done);
  EXPECT_EQ(view.look(seconds(0), seconds(0)).steps, 3U);
}

RC_GTEST_PROP(RoughProperty, NeverNarrowsARange, ()) {
  const auto time = milliseconds(*rc::gen::inRange<std::int64_t>(0, 400'000'000));
  RC_ASSERT(parse_duration(rough(time, Round::down)).value() <= time);
  RC_ASSERT(parse_duration(rough(time, Round::up)).value() >= time);
}

}  // namespace
}  // namespace lifeboat::run
