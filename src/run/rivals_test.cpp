// Two people who begin the same recovery: H2 of the fault catalogue.
#include "run/rivals.h"

#include <latch>
#include <thread>

#include "journal/heartbeat.h"
#include "repo/session.h"
#include "run/events.h"
#include "run/fake_engine.h"

namespace lifeboat::run {
namespace {

using testing::HasSubstr;

plan::Plan net_plan() { return plan_of({effect_node("net", effect_config("x"))}); }

// A repository with two runs of one plan that are driven: "first", then "second".
class RivalsTest : public testing::Test {
 protected:
  RivalsTest() {
    announced("first");
    announced("second");
  }

  Pins pins(const std::string& run) {
    Pins made = engine_.pins(net_plan());
    made.run = run;
    return made;
  }
  void announced(const std::string& run) {
    const auto session = repository_->open_session(engine_.op());
    ASSERT_TRUE((*session)->announce_run(engine_.op(), run, net_plan().name));
    const journal::Driver driver{"driver of " + run, "laptop", 7, "boot"};
    auto journal = journal::Journal::begin(
        engine_.op(), *repository_, run, driver,
        {event::run_begin(pins(run), driver), event::driver_joined(driver, "")});
    ASSERT_TRUE(journal);
    journals_[run] = *std::move(journal);
  }
  void end(const std::string& run) {
    const RunEnd withdrawn{"withdrawn", engine_.clock.wall(), {}};
    EXPECT_TRUE(journals_[run]->append(engine_.op(), {event::run_end(withdrawn)}));
  }
  // `seen`: what there was before we joined.
  Result<void> outrank(const Pins& pinned, const Rivals& seen = {}) {
    TakeoverWatch watch;
    watch.repository = repository_.get();
    return outrank_rivals(engine_.op(), watch, pinned, seen);
  }

  FakeEngine engine_{1, FakeClock::Pauses::wait_for_advance};
  std::unique_ptr<journal::FakeRepository> repository_ = engine_.repository();
  std::map<std::string, std::unique_ptr<journal::Journal>> journals_;
};

TEST_F(RivalsTest, TheLaterOneGivesWayAtOnceAndNamesTheFirst) {
  const auto told = outrank(pins("second"));
  ASSERT_FALSE(told);
  EXPECT_EQ(exit_status(told.error().effective_code()), 11);
  EXPECT_THAT(told.error().what, HasSubstr("run first, by process 7 on laptop since 2026-11-18"));
  EXPECT_THAT(told.error().hint, HasSubstr("--resume first --takeover"));
}

TEST_F(RivalsTest, TheEarlierOneWaitsUntilTheLaterHasGivenWay) {
  auto told = Result<void>();
  std::jthread earlier([&] { told = outrank(pins("first")); });
  while (engine_.clock.paused() == 0) std::this_thread::yield();
  end("second");
  engine_.clock.advance(std::chrono::seconds(1));
  earlier.join();
  EXPECT_TRUE(told) << told.error().what;
}

TEST_F(RivalsTest, TheEarlierOneGivesWayToALaterThatGoesOn) {
  auto told = Result<void>();
  std::jthread earlier([&] { told = outrank(pins("first")); });
  while (engine_.clock.paused() == 0) std::this_thread::yield();
  engine_.clock.advance(std::chrono::minutes(1));
  earlier.join();
  ASSERT_FALSE(told);
  EXPECT_THAT(told.error().what, HasSubstr("run second"));
}

TEST_F(RivalsTest, WhatHasOtherInputsAndWhatHasEndedIsNoRival) {
  Pins other = pins("second");
  other.inputs.set("target", "/srv/elsewhere");
  EXPECT_TRUE(outrank(other));
  end("first");
  EXPECT_TRUE(outrank(pins("second")));
}

TEST_F(RivalsTest, OneThatWasLeftUnfinishedIsOneAgainWhenSomebodyJoinedIt) {
  const Rivals seen{2, {{"first", 1}}};
  EXPECT_TRUE(outrank(pins("second"), seen));
  ASSERT_TRUE(journals_["first"]->append(
      engine_.op(), {event::driver_joined({"another", "phone", 8, "boot"}, "gone")}));
  const auto told = outrank(pins("second"), seen);
  ASSERT_FALSE(told);
  EXPECT_THAT(told.error().what, HasSubstr("process 8 on phone"));
}

// Whoever comes second while the first is at work.
class BeginsAgain : public testing::Test {
 protected:
  BeginsAgain() {
    engine_.heartbeat_period = unhurried;
    engine_.surely_gone = [this](const journal::Driver& driver) {
      // Virtual time runs ahead of its beats: it shows a sign of life whenever somebody looks; with
      // the next number, should its own beat have taken this one just now.
      while (!journal::Heart(*repository_, "run-1", driver).beat(engine_.op())) {
      }
      return false;
    };
    engine_.world.set_hook("net", [&](const Operation&, const std::string& verb) -> Result<void> {
      if (verb != "apply" || applying_++ > 0) return {};
      done_.wait();
      return {};
    });
    old_ = std::jthread([&] { first_ = begin("run-1", "a"); });
    while (applying_ == 0) std::this_thread::yield();
  }
  Result<Outcome> begin(const std::string& run, const std::string& target) {
    Pins pinned = engine_.pins(net_plan());
    pinned.run = run;
    pinned.inputs.set("target", target);
    return run::begin(engine_.op(), engine_.setup(*repository_), pinned);
  }
  // A run that process 9 drove, and left by `events`.
  void another_run(const std::string& run, std::vector<journal::Event> events) {
    const auto session = repository_->open_session(engine_.op());
    ASSERT_TRUE((*session)->announce_run(engine_.op(), run, net_plan().name));
    Pins pinned = engine_.pins(net_plan());
    pinned.run = run;
    pinned.inputs.set("target", "a");
    const journal::Driver driver{"driver of " + run, "host", 9, "boot"};
    events.insert(events.begin(),
                  {event::run_begin(pinned, driver), event::driver_joined(driver, "")});
    events.push_back(event::driver_left(driver));
    ASSERT_TRUE(journal::Journal::begin(engine_.op(), *repository_, run, driver, events));
  }
  Result<Outcome> resume(const std::string& run) {
    return run::resume(engine_.op(), engine_.setup(*repository_), run);
  }
  void finish() {
    done_.count_down();
    if (old_.joinable()) old_.join();
  }

  FakeEngine engine_{2};
  std::unique_ptr<journal::FakeRepository> repository_ = engine_.repository();
  std::latch done_{1};
  std::atomic<int> applying_ = 0;
  Result<Outcome> first_ = Outcome{};
  std::jthread old_;
};

TEST_F(BeginsAgain, H2TheSecondIsToldWhoIsAtWorkAndNothingIsBegun) {
  const auto second = begin("run-2", "a");
  const auto runs = repository_->runs();
  finish();
  ASSERT_FALSE(second);
  EXPECT_EQ(exit_status(second.error().effective_code()), 11);
  EXPECT_THAT(second.error().what, HasSubstr("run run-1, by process 1 on host since"));
  EXPECT_EQ(runs.size(), 1U);
  EXPECT_TRUE(first_->state.recovered());
  EXPECT_EQ(engine_.world.effect("net").completed, 1U);
}

TEST_F(BeginsAgain, AnotherRunOfItIsNotGoneOnWithMeanwhile) {
  another_run("run-0", {});
  const auto resumed = resume("run-0");
  finish();
  ASSERT_FALSE(resumed);
  EXPECT_EQ(exit_status(resumed.error().effective_code()), 11);
  EXPECT_THAT(resumed.error().what, HasSubstr("run run-1, by process 1 on host since"));
}

TEST_F(BeginsAgain, WhatGaveWayIsNotGoneOnWithAndNotTheLatest) {
  finish();
  another_run("run-2", {event::run_end({"withdrawn", engine_.clock.wall(), {}})});
  EXPECT_EQ(newest_run(engine_.op(), *repository_)->value_or("none"), "run-1");
  const auto resumed = resume("run-2");
  ASSERT_FALSE(resumed);
  EXPECT_EQ(exit_status(resumed.error().effective_code()), 6);
}

TEST_F(BeginsAgain, ARecoveryWithOtherInputsIsNotHeldUp) {
  const auto second = begin("run-2", "b");
  finish();
  // Its own target would be another one; this world has one only.
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_EQ(repository_->runs().size(), 2U);
}

}  // namespace
}  // namespace lifeboat::run
