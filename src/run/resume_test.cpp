// Going on with a run: after a stop, after a death, beside a driver that lives.
#include <latch>
#include <thread>

#include "journal/heartbeat.h"
#include "journal/segment.h"
#include "run/events.h"
#include "run/fake_engine.h"
#include "run/report.h"

namespace lifeboat::run {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

Result<void> no(Error::Kind kind, const std::string& what) { return fail(kind, what); }

plan::StepPhase phase(const Outcome& outcome, const std::string& step) {
  return outcome.state.step(step).phase;
}

TEST(Resume, StoppedByRequestItCanBeResumed) {
  FakeEngine engine(18);
  std::stop_source stop;
  engine.world.set_hook("db", [&](const Operation& op, const std::string& verb) -> Result<void> {
    if (verb != "apply" || stop.stop_requested()) return {};
    stop.request_stop();
    return op.proceed();
  });
  Operation op = engine.op();
  op.stop = stop.get_token();
  const auto outcome = engine.begin(op, engine.pins(shop()));
  ASSERT_TRUE(outcome) << outcome.error().what;
  ASSERT_TRUE(outcome->halted);
  EXPECT_EQ(exit_status(outcome->halted->effective_code()), 130);
  EXPECT_EQ(phase(*outcome, "db"), plan::StepPhase::waiting);
  EXPECT_TRUE(outcome->state.drivers.back().left);
  // Nobody has to wait for signs of life of a driver that left.
  engine.surely_gone = [](const journal::Driver&) { return false; };
  const auto again = engine.resume();
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_TRUE(make_report(*again).recovered);
}

TEST(Resume, ARunThatIsDoneIsNotTouchedAgain) {
  FakeEngine engine(19);
  ASSERT_TRUE(engine.begin(shop())->state.recovered());
  const auto before = engine.reaper.changes();
  const auto segments = engine.events().size();
  // Somebody changed the target since: a restore that is done stays done.
  ASSERT_TRUE(engine.world.change("net", [](Effect& effect) { effect.value = "moved on"; }));
  const auto again = engine.resume();
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_TRUE(again->state.recovered());
  EXPECT_EQ(engine.events().size(), segments);
  EXPECT_EQ(engine.world.effect("net").value, "moved on");
  EXPECT_LE(engine.reaper.changes() - before, 2U);  // ours above, and the vault's key once more
}

TEST(Resume, ASecondDriverTakesOverAndTheFirstStopsBeforeItChangesAnything) {
  FakeEngine engine(20);
  std::latch applying(1), taken(1);
  std::atomic<int> applies = 0;
  engine.world.set_hook("net", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "apply" || ++applies > 1) return {};
    applying.count_down();
    taken.wait();
    return no(Error::Kind::unavailable, "the zombie woke up");
  });
  auto first = Result<Outcome>(Outcome{});
  const auto plan = plan_of(
      {effect_node("net", effect_config("x")), effect_node("b", effect_config("b"), {"net"})});
  std::jthread zombie([&] { first = engine.begin(plan); });
  applying.wait();
  const auto second = engine.resume();
  const auto world = engine.world.effects();
  taken.count_down();
  zombie.join();
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_TRUE(second->state.recovered());
  ASSERT_TRUE(first) << first.error().what;
  ASSERT_TRUE(first->halted);
  EXPECT_EQ(exit_status(first->halted->effective_code()), 11);
  for (const auto& [name, effect] : world) {
    EXPECT_EQ(engine.world.effect(name).completed, 1U) << name;
  }
  EXPECT_THAT(engine.world.violations(), IsEmpty());
}

TEST(Resume, ADriverThatWaitsForALongStepNoticesThatItWasReplaced) {
  FakeEngine engine(21);
  engine.heartbeat_period = unhurried;
  std::latch applying(1);
  std::atomic<int> applies = 0;
  engine.world.set_hook("net", [&](const Operation& op, const std::string& verb) -> Result<void> {
    if (verb != "apply" || ++applies > 1) return {};
    applying.count_down();
    while (op.proceed()) std::this_thread::yield();  // until it is told to stop
    return op.proceed();
  });
  auto first = Result<Outcome>(Outcome{});
  std::jthread zombie(
      [&] { first = engine.begin(plan_of({effect_node("net", effect_config("x"))})); });
  applying.wait();
  const auto second = engine.resume();
  zombie.join();
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_TRUE(second->state.recovered());
  ASSERT_TRUE(first && first->halted);
  EXPECT_EQ(first->halted->code, Error::Code::lease_held);
}

TEST(Resume, ALivingDriverIsNotReplaced) {
  FakeEngine engine(22);
  engine.reaper.kill_at(12, true);
  ASSERT_TRUE(engine.begin(shop())->halted);
  engine.reaper.revive();
  engine.heartbeat_period = unhurried;
  engine.surely_gone = [&](const journal::Driver& driver) {
    // The driver of before shows a sign of life each time somebody asks for it.
    const auto seen = engine.repository();
    EXPECT_TRUE(journal::Heart(*seen, "run-1", driver).beat(engine.op()));
    return false;
  };
  const auto before = engine.world.effects().size();
  const auto outcome = engine.resume();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(exit_status(outcome.error().effective_code()), 11);
  EXPECT_THAT(outcome.error().what, HasSubstr("process 1 on host"));
  EXPECT_EQ(engine.world.effects().size(), before);
  // A silent one is, once three periods passed on our own clock.
  engine.surely_gone = [](const journal::Driver&) { return false; };
  const auto later = engine.resume();
  ASSERT_TRUE(later) << later.error().what;
  EXPECT_EQ(later->state.drivers.back().over, "silent");
}

TEST(Resume, WhatTheLastDriverStillDidWhileItWasWatchedIsReadAgain) {
  FakeEngine engine(31);
  engine.reaper.kill_at(12, true);
  ASSERT_TRUE(engine.begin(shop())->halted);
  engine.reaper.revive();
  const auto gone = engine.surely_gone;
  engine.surely_gone = [&](const journal::Driver&) {
    engine.surely_gone = gone;
    EXPECT_TRUE(engine.resume()->state.recovered());  // and its vault is gone with it
    return true;
  };
  const auto outcome = engine.resume();
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_TRUE(make_report(*outcome).recovered);
  EXPECT_THAT(engine.world.violations(), IsEmpty());
}

// Two resume at once: the children that the slower one sees are those of the quicker one.
TEST(Resume, LivingChildrenOfADriverThatJustWonAreNotToldToBeKilled) {
  FakeEngine engine(32);
  engine.reaper.kill_at(12, true);
  ASSERT_TRUE(engine.begin(shop())->halted);
  engine.reaper.revive();
  engine.heartbeat_period = unhurried;
  bool won = false;
  engine.surely_gone = [&](const journal::Driver& driver) {
    if (won) {
      const auto seen = engine.repository();
      EXPECT_TRUE(journal::Heart(*seen, "run-1", driver).beat(engine.op()));
      return false;
    }
    won = true;
    const auto seen = engine.repository();
    auto journal =
        journal::Journal::open(engine.op(), *seen, "run-1", {"winner", "host", 77, "boot"});
    EXPECT_TRUE((*journal)->append(engine.op(),
                                   {event::driver_joined({"winner", "host", 77, "boot"}, "")}));
    engine.launcher.plant({4711}, 1'000'000);
    return true;
  };
  const auto outcome = engine.resume();
  ASSERT_FALSE(outcome);
  EXPECT_EQ(exit_status(outcome.error().effective_code()), 11);
  EXPECT_THAT(outcome.error().what, HasSubstr("process 77 on host"));
}

TEST(Resume, ADamagedHeartbeatDoesNotStandInTheWayOfAResume) {
  FakeEngine engine(30);
  engine.reaper.kill_at(12, true);
  ASSERT_TRUE(engine.begin(shop())->halted);
  engine.reaper.revive();
  engine.heartbeat_period = unhurried;
  engine.surely_gone = [](const journal::Driver&) { return false; };
  const std::string damaged = "heartbeats/run-1/" + journal::number_hex(40);
  ASSERT_TRUE(engine.store.put(engine.op(), damaged, as_bytes("damaged")));
  const auto outcome = engine.resume();
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_EQ(outcome->state.drivers.back().over, "silent");
}

TEST(Resume, LivingChildrenOfTheDeadDriverRefuseTheResumeAndAreNamed) {
  FakeEngine engine(23);
  engine.reaper.kill_at(12, true);
  ASSERT_TRUE(engine.begin(shop())->halted);
  engine.reaper.revive();
  engine.launcher.plant({4711, 4712}, 1'000'000);
  const auto before = engine.reaper.changes();
  const auto refused = engine.resume();
  ASSERT_FALSE(refused);
  EXPECT_EQ(exit_status(refused.error().effective_code()), 6);
  EXPECT_THAT(refused.error().what, HasSubstr("4711, 4712"));
  EXPECT_EQ(engine.reaper.changes(), before);
  engine.launcher.plant({4711}, 3);  // their supervisor is about to end them
  const auto outcome = engine.resume();
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_TRUE(outcome->state.recovered());
}

TEST(Resume, AResumeWithoutMemorySaysThatFreshnessIsUnproven) {
  FakeEngine engine(28);
  engine.reaper.kill_at(12, true);
  ASSERT_TRUE(engine.begin(shop())->halted);
  engine.reaper.revive();
  const auto outcome = engine.resume();
  ASSERT_TRUE(outcome);
  EXPECT_FALSE(outcome->freshness_proven);
  EXPECT_THAT(make_report(*outcome).remarks, Contains(HasSubstr("freshness unproven")));
}

}  // namespace
}  // namespace lifeboat::run
