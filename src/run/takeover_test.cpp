#include "run/takeover.h"

#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "journal/heartbeat.h"
#include "run/fake_engine.h"
#include "run/report.h"

namespace lifeboat::run {
namespace {

// The pid of a process that has ended.
int ended_process() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  int status = 0;
  waitpid(child, &status, 0);
  return child;
}

TEST(Takeover, OnlyWhatCertainlyEndedIsSurelyGone) {
  SystemRandom random;
  const journal::Driver ours = this_driver(random);
  EXPECT_EQ(ours.pid, getpid());
  EXPECT_FALSE(ours.host.empty());

  journal::Driver other = ours;
  other.pid = ended_process();
  EXPECT_TRUE(surely_gone(other, ours));
  other.pid = getppid();
  EXPECT_FALSE(surely_gone(other, ours));
  other.pid = getpid();  // an earlier run in this very process: heartbeats must tell
  EXPECT_FALSE(surely_gone(other, ours));

  other.pid = ended_process();
  other.host = "elsewhere";
  EXPECT_FALSE(surely_gone(other, ours));
  other.host = ours.host;
  // Two laptops may have one name, and the one that is at work is no ghost of ours.
  other.boot = "another-boot-id" + ours.boot.substr(ours.boot.find(' '));
  EXPECT_FALSE(surely_gone(other, ours));
  // Another pid namespace of this boot: its processes are not ours to see.
  other.boot = ours.boot.substr(0, ours.boot.find(' ')) + " pid:[1]";
  EXPECT_FALSE(surely_gone(other, ours));
  EXPECT_FALSE(surely_gone({}, ours));
}

TEST(Takeover, NoTwoDriversHaveOneName) {
  SystemRandom random;
  EXPECT_NE(this_driver(random).id, this_driver(random).id);
}

// A driver that ends in the middle of its change, and says nothing: dead, asleep or cut off.
void fall_silent(FakeEngine& engine, const plan::Plan& plan) {
  engine.heartbeat_period = unhurried;
  engine.surely_gone = [](const journal::Driver&) { return false; };
  engine.world.set_hook("net", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb == "apply") engine.reaper.kill_at(0, false);
    return {};
  });
  ASSERT_TRUE(engine.begin(plan)->halted);
  engine.world.set_hook("net", {});
  engine.reaper.revive();
}

plan::Plan net_only(const std::string& type = "effect") {
  auto plan = plan_of({effect_node("net", effect_config("x"))});
  plan.steps.front().type = type;
  return plan;
}

TEST(Takeover, H3WhatASilentDriverAnnouncedIsHeldBackUntilAPersonSaysThatItIsStopped) {
  FakeEngine engine(1);
  fall_silent(engine, net_only());
  for (int again = 0; again < 2; ++again) {
    const auto held = engine.resume();
    ASSERT_TRUE(held) << held.error().what;
    EXPECT_FALSE(held->state.recovered());
    const auto& error = held->state.step("net").error;
    ASSERT_TRUE(error);
    EXPECT_EQ(exit_status(error->effective_code()), 5);
    EXPECT_THAT(error->what, testing::HasSubstr("may still be at work on it"));
    EXPECT_TRUE(engine.world.effect("net").run.empty());
  }
  Request word;
  word.action = "release";
  word.by = "carol@host";
  word.reason = "I pulled its plug";
  ASSERT_TRUE(engine.ask(word));
  EXPECT_TRUE(engine.resume()->state.recovered());
}

TEST(Takeover, WhatWasHeldBackGoesOnWhenAPersonReleasesItWhileTheRunIsDriven) {
  FakeEngine engine(9);
  auto plan = net_only();
  plan.steps.front().on_failure = plan::OnFailure::go_on;
  plan.steps.push_back(effect_node("disk", effect_config("y"), {"net"}));
  plan.steps.back().needs.clear();
  fall_silent(engine, plan);
  engine.world.set_hook("disk", [&](const Operation& op, const std::string& verb) -> Result<void> {
    if (verb != "verify") return {};
    EXPECT_TRUE(engine.ask(request("release", "", "carol@host")));
    return op.proceed();
  });
  const auto done = engine.resume();
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_TRUE(done->state.recovered()) << last_line(make_report(*done));
}

TEST(Takeover, WhatTheTargetItselfRefusesToASecondHandIsNotHeldBack) {
  FakeEngine engine(2);
  auto fenced = effect_type(engine.world, engine.random);
  fenced.name = "fenced";
  fenced.fence = plan::Fence::native;
  engine.types.add(fenced);
  fall_silent(engine, net_only("fenced"));
  EXPECT_TRUE(engine.resume()->state.recovered());
}

TEST(Takeover, NoUndoRacesASilentDriverEvenWhereTheTargetHasAFence) {
  FakeEngine engine(7);
  auto fenced = effect_type(engine.world, engine.random);
  fenced.name = "fenced";
  fenced.fence = plan::Fence::native;
  engine.types.add(fenced);
  fall_silent(engine, net_only("fenced"));
  Request word;
  word.action = "undo";
  word.by = "carol@host";
  word.step = "net";
  word.reason = "not this network";
  ASSERT_TRUE(engine.ask(word));
  const auto held = engine.resume();
  ASSERT_TRUE(held) << held.error().what;
  const auto& error = held->state.step("net").error;
  ASSERT_TRUE(error);
  EXPECT_THAT(error->what, testing::HasSubstr("may still be at work on it"));
  word.action = "release";
  word.step.clear();
  ASSERT_TRUE(engine.ask(word));
  EXPECT_EQ(engine.resume()->state.step("net").phase, plan::StepPhase::undone);
}

TEST(Takeover, WhatWasDoneByASilentDriverIsVerifiedOnly) {
  FakeEngine engine(3);
  fall_silent(engine, net_only());
  ASSERT_TRUE(engine.world.change("net", [](Effect& effect) {
    effect = {"run-1", 1, true, "x", 1};  // it was at work all the time
  }));
  EXPECT_TRUE(engine.resume()->state.recovered());
  EXPECT_EQ(engine.world.effect("net").completed, 1U);
}

TEST(Takeover, H5ClocksThatDisagreeByDaysNeitherHideLifeNorFeignIt) {
  for (const auto jump : {std::chrono::hours(-72), std::chrono::hours(72)}) {
    FakeEngine engine(8);
    fall_silent(engine, net_only());
    engine.clock.jump_wall(jump);
    engine.surely_gone = [&](const journal::Driver& driver) {
      const auto seen = engine.repository();
      EXPECT_TRUE(journal::Heart(*seen, "run-1", driver).beat(engine.op()));
      return false;
    };
    const auto refused = engine.resume();
    ASSERT_FALSE(refused);
    EXPECT_EQ(exit_status(refused.error().effective_code()), 11);
    engine.clock.jump_wall(-2 * jump);
    engine.surely_gone = [](const journal::Driver&) { return false; };
    const auto later = engine.resume();
    ASSERT_TRUE(later) << later.error().what;
    EXPECT_EQ(later->state.drivers.back().over, "silent");
  }
}

TEST(Takeover, ADriverThatLetGoIsNoReasonToWait) {
  FakeEngine engine(4);
  fall_silent(engine, net_only());
  const auto seen = engine.repository();
  ASSERT_TRUE(journal::let_go(engine.op(), *seen, "run-1", {"driver-1", "host", 1, "boot"}));
  EXPECT_TRUE(engine.resume()->state.recovered());
}

TEST(Takeover, H2ALivingDriverIsReplacedByOrderAndLetsGoOfWhatItDid) {
  FakeEngine engine(5);
  engine.heartbeat_period = unhurried;
  engine.surely_gone = [](const journal::Driver&) { return false; };
  std::atomic<int> applying = 0, stopped = 0;
  engine.world.set_hook("net", [&](const Operation& op, const std::string& verb) -> Result<void> {
    if (verb != "apply" || applying++ > 0) return {};
    while (op.proceed()) std::this_thread::yield();  // until it is told to stop
    ++stopped;
    return op.proceed();
  });
  auto first = Result<Outcome>(Outcome{});
  std::atomic<bool> ended = false;
  std::jthread old([&] {
    first = engine.begin(net_only());
    ended = true;
  });
  while (applying == 0) std::this_thread::yield();
  engine.take_over = true;
  int looks = 0;
  engine.surely_gone = [&](const journal::Driver&) {
    // The first look is before the run is ours, the second one after.
    while (looks > 0 && !ended) std::this_thread::yield();
    ++looks;
    return false;
  };
  const auto second = engine.resume();
  old.join();
  ASSERT_TRUE(second) << second.error().what;
  EXPECT_EQ(stopped, 1);
  ASSERT_TRUE(first && first->halted);
  EXPECT_EQ(first->halted->effective_code(), Error::Code::lease_held);
  EXPECT_TRUE(second->state.recovered()) << last_line(make_report(*second));
  EXPECT_EQ(engine.world.effect("net").completed, 1U);
  EXPECT_THAT(engine.world.violations(), testing::IsEmpty());
}

TEST(Takeover, H4ADriverThatCannotShowLifeStopsWhatItDoes) {
  FakeEngine engine(6);
  engine.heartbeat_period = std::chrono::seconds(5);
  std::atomic<bool> stopped = false;
  engine.world.set_hook("net", [&](const Operation& op, const std::string& verb) -> Result<void> {
    if (verb != "apply") return {};
    engine.reaper.kill_at(0, false);  // the store is cut off
    while (op.proceed()) std::this_thread::yield();
    stopped = true;
    return op.proceed();
  });
  const auto outcome = engine.begin(net_only());
  ASSERT_TRUE(outcome) << outcome.error().what;
  ASSERT_TRUE(outcome->halted);
  EXPECT_TRUE(stopped);
  EXPECT_EQ(exit_status(outcome->halted->effective_code()), 16);
  EXPECT_THAT(outcome->halted->what, testing::HasSubstr("no sign of life could be left"));
}

}  // namespace
}  // namespace lifeboat::run
