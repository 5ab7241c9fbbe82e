// What is looked at before it is weighed: the runs that were, and the age of the point.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include "readiness/readiness.h"
#include "run/events.h"
#include "run/fake_engine.h"

namespace lifeboat::readiness {
namespace {

using std::chrono::hours;
using testing::HasSubstr;

class Gather : public testing::Test {
 protected:
  Gather() {
    pins_ = engine_.pins(run::shop());
    pins_.plan.name = "shop";
  }
  // Begins the next run of the plan, through its end, unless a step's hook says otherwise.
  std::string begin() {
    pins_.run = "run-" + std::to_string(++runs_);
    EXPECT_TRUE(engine_.begin(engine_.op(), pins_));
    announce(pins_.run);
    return pins_.run;
  }
  // Everything that runs have made is lost.
  void forget() {
    for (const auto& [name, effect] : engine_.world.effects()) {
      EXPECT_TRUE(engine_.world.remove(name));
    }
  }
  void announce(const std::string& run) {
    log_.push_back({run, log_.size(), engine_.clock.wall(), "shop"});
  }
  void fail_at_dns() {
    engine_.world.set_hook("dns", [](const Operation&, const std::string& verb) -> Result<void> {
      if (verb == "apply") return fail(Error::Kind::denied, "no right to");
      return {};
    });
  }
  Facts gathered() {
    const auto repository = engine_.repository();
    for (const repo::RunRecord& run : log_) repository->announced(run);
    run::Observer nobody;
    run::Surroundings around = engine_.setup(*repository).around;
    around.observer = &nobody;
    Ground ground{around, pins_, *repository, {}, {}, BundleState::same, lessons_};
    ground.heartbeat_period = std::chrono::seconds(5);
    auto facts = gather(engine_.op(), ground);
    EXPECT_TRUE(facts) << facts.error().what;
    return facts ? *facts : Facts{};
  }
  // The journal of a run that another driver gave way with: it has changed nothing.
  void withdraw(const std::string& run) {
    const auto repository = engine_.repository();
    run::Pins pins = pins_;
    pins.run = run;
    const journal::Driver driver{"second", "host", 99, "boot"};
    ASSERT_TRUE(journal::Journal::begin(
        engine_.op(), *repository, run, driver,
        {run::event::run_begin(pins, driver), run::event::driver_joined(driver, ""),
         run::event::run_end({"cancelled", engine_.clock.wall(), {}}),
         run::event::driver_left(driver)}));
    announce(run);
  }

  run::FakeEngine engine_{1};
  run::Pins pins_;
  std::vector<repo::RunRecord> log_;
  Lessons lessons_;
  int runs_ = 0;
};

TEST_F(Gather, TheNewestRunOfThePlanTells) {
  EXPECT_FALSE(gathered().last_run);
  const std::string first = begin();
  ASSERT_TRUE(gathered().last_run);
  EXPECT_EQ(gathered().last_run->run, first);
  EXPECT_TRUE(gathered().last_run->recovered);
  forget();
  fail_at_dns();
  begin();
  EXPECT_FALSE(gathered().last_run->recovered);
  EXPECT_EQ(gathered().last_run->outcome, "failed");
}

TEST_F(Gather, WhoGaveWayBeforeTheFirstStepTellsNothing) {
  const std::string first = begin();
  withdraw("run-2");
  const Facts facts = gathered();
  ASSERT_TRUE(facts.last_run);
  EXPECT_EQ(facts.last_run->run, first);
  EXPECT_TRUE(facts.last_run->recovered);
}

TEST_F(Gather, OneThatAPersonCancelledDidNotRecover) {
  begin();
  forget();
  fail_at_dns();
  const std::string second = begin();
  const auto repository = engine_.repository();
  run::Request request{second, "cancel", "", "enough", {}, "root@host", ""};
  ASSERT_TRUE(
      journal::put_request(engine_.op(), *repository, second,
                           run::written(request, {}, engine_.clock.wall(), engine_.random)));
  ASSERT_TRUE(run::resume(engine_.op(), engine_.setup(*repository), second));
  EXPECT_EQ(gathered().last_run->outcome, "cancelled");
}

TEST_F(Gather, OneThatSomebodyDrivesIsNoFailure) {
  const std::string first = begin();
  // Dies in the middle; and then the store shows beats of its driver, as if it had not.
  forget();
  engine_.world.set_hook("net", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb == "apply") engine_.reaper.kill_at(0, false);
    return {};
  });
  const std::string second = begin();
  engine_.world.set_hook("net", {});
  engine_.reaper.revive();
  Facts facts = gathered();
  ASSERT_TRUE(facts.last_run) << "nobody shows life";
  EXPECT_EQ(facts.last_run->run, second);
  EXPECT_EQ(facts.last_run->outcome, "");

  int beats = 0;
  engine_.store.set_script(
      [&](std::uint64_t, store::MemoryStore::Verb verb, const std::string& name) {
        if (verb == store::MemoryStore::Verb::list && name.starts_with("heartbeats/")) {
          engine_.store.set_object(fmt::format("heartbeats/{}/{:016x}", second, ++beats), {});
        }
        return store::MemoryStore::Fault::none;
      });
  facts = gathered();
  EXPECT_EQ(facts.runs_now, second);
  ASSERT_TRUE(facts.last_run);
  EXPECT_EQ(facts.last_run->run, first);
}

TEST_F(Gather, WhatCannotBeReadIsSaidAndWhetherItMayPass) {
  begin();
  const std::string second = "run-2";
  pins_.run = second;
  withdraw(second);
  engine_.store.set_script([&](std::uint64_t, store::MemoryStore::Verb, const std::string& name) {
    return name.starts_with("runs/" + second) ? store::MemoryStore::Fault::unavailable
                                              : store::MemoryStore::Fault::none;
  });
  Facts facts = gathered();
  EXPECT_FALSE(facts.last_run);
  ASSERT_TRUE(facts.unread_run);
  EXPECT_EQ(facts.unread_run->run, second);
  EXPECT_TRUE(facts.unread_run->passing);

  engine_.store.set_script({});
  for (auto [name, bytes] : engine_.store.objects()) {
    if (!name.starts_with("runs/" + second)) continue;
    bytes[bytes.size() / 2] ^= 1;
    engine_.store.set_object(name, bytes);
  }
  facts = gathered();
  EXPECT_FALSE(facts.last_run);
  ASSERT_TRUE(facts.unread_run);
  EXPECT_FALSE(facts.unread_run->passing);
}

TEST_F(Gather, APointThatIsYoungerThanNowHasNoAgeToPassWith) {
  pins_.objectives.rpo = hours(1);
  pins_.point = {"p", engine_.clock.wall(), engine_.clock.wall(), true, {}};
  pins_.point.earliest.ns += std::chrono::nanoseconds(hours(2)).count();
  const Facts facts = gathered();
  EXPECT_LT(facts.point_age.count(), 0);
  EXPECT_FALSE(judge(facts).ready);
}

TEST_F(Gather, WhatRunsTaughtIsHandedOn) {
  lessons_.open = {{"run-1", "rto", "too slow", "", false}};
  EXPECT_EQ(gathered().lessons.open.size(), 1U);
}

}  // namespace
}  // namespace lifeboat::readiness
