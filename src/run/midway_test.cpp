// What people ask while a step is at work, or while its undoing is; and what they said before the
// run became another one.
#include <mutex>
#include <thread>

#include "run/engine.h"
#include "run/fake_engine.h"
#include "run/report.h"

namespace lifeboat::run {
namespace {

using testing::HasSubstr;

// Asks when the step is first looked at; what it then does is for the driver to judge.
void ask_at_observe(FakeEngine& engine, const std::string& step,
                    const std::function<void()>& asking) {
  engine.heartbeat_period = unhurried;
  const auto asked = std::make_shared<std::atomic<bool>>(false);
  engine.world.set_hook(
      step, [&engine, asked, asking](const Operation& op, const std::string& verb) -> Result<void> {
        if (verb != "observe" || asked->exchange(true)) return {};
        asking();
        const auto taken = [](const journal::Event& event) {
          return event.kind == "request.taken" && event.facts.text("action") != "approve";
        };
        while (op.proceed() && std::ranges::none_of(engine.events(), taken)) {
          std::this_thread::yield();
        }
        return {};
      });
}

TEST(Midway, WhatIsAtWorkWhenTheRunIsSentBackLeavesNothing) {
  FakeEngine engine(1);
  ask_at_observe(engine, "net",
                 [&] { ASSERT_TRUE(engine.ask(request("go-back", "", "carol@host"))); });
  const auto back = engine.begin(plan_of({effect_node("net", effect_config("x"))}));
  ASSERT_TRUE(back) << back.error().what;
  ASSERT_TRUE(back->state.end) << back->halted->what;
  EXPECT_EQ(back->state.end->outcome, "undone");
  EXPECT_TRUE(engine.world.effects().empty());
}

plan::Plan gated(std::vector<plan::StepNode> before = {}) {
  before.push_back(effect_node("dns", effect_config("y")));
  before.back().approve = plan::ApprovalRule{{}, 1, std::chrono::hours(1), "shall we?"};
  return plan_of(std::move(before));
}

TEST(Midway, AStepThatIsDeclinedWhileItLooksChangesNothing) {
  FakeEngine engine(2);
  engine.hire("alice");
  ASSERT_TRUE(engine.begin(gated())->halted);
  ASSERT_TRUE(engine.approve("dns", "alice"));
  ask_at_observe(engine, "dns", [&] {
    auto no = request("decline", "dns", "alice");
    const auto seen = engine.repository();
    no.subject = subject_of(read_run(engine.op(), *seen, "run-1")->state, "dns");
    ASSERT_TRUE(engine.ask(no));
  });
  const auto declined = engine.resume();
  ASSERT_TRUE(declined) << declined.error().what;
  EXPECT_EQ(declined->state.step("dns").phase, plan::StepPhase::failed);
  EXPECT_TRUE(engine.world.effect("dns").run.empty());
  // Whoever goes on asks again.
  const auto waits = engine.resume();
  ASSERT_TRUE(waits->halted);
  EXPECT_THAT(waits->halted->what, HasSubstr("dns awaits"));
}

// `plan` has one input, `host`, and alice to approve.  The gate holds: it is `halted`.
void begin_with_host(FakeEngine& engine, plan::Plan plan) {
  engine.hire("alice");
  plan.inputs = {{"host", shape::string(), "", Value(), false}};
  auto pins = engine.pins(plan);
  pins.inputs.set("host", "old");
  ASSERT_TRUE(engine.begin(engine.op(), pins)->halted);
}

void refuse(FakeEngine& engine, const std::string& step, const std::string& verb) {
  engine.world.set_hook(step, [verb](const Operation&, const std::string& now) -> Result<void> {
    if (now != verb) return {};
    return fail(Error::Kind::denied, "no such host");
  });
}

// Other inputs for `step`; the yes of before opens no gate, another one does.
void other_host_needs_another_yes(FakeEngine& engine, const std::string& step) {
  auto other = request("retry", step, "alice");
  other.inputs.set("host", "new");
  ASSERT_TRUE(engine.ask(other));
  const auto waits = engine.resume();
  ASSERT_TRUE(waits->halted) << "the old yes opened the gate";
  EXPECT_THAT(waits->halted->what, HasSubstr("dns awaits"));
  ASSERT_TRUE(engine.approve("dns", "alice"));
  EXPECT_TRUE(engine.resume()->state.recovered());
}

TEST(Midway, AnApprovalIsNoneOfOtherInputs) {
  FakeEngine engine(3);
  refuse(engine, "db", "apply");
  refuse(engine, "dns", "observe");
  begin_with_host(engine, gated({effect_node("db", effect_config("at ${inputs.host}"))}));
  ASSERT_TRUE(engine.approve("dns", "alice"));
  ASSERT_FALSE(engine.resume()->state.recovered());
  engine.world.set_hook("db", {});
  engine.world.set_hook("dns", {});
  other_host_needs_another_yes(engine, "db");
}

TEST(Midway, AnApprovalAgesFromWhenItWasGiven) {
  FakeEngine engine(4);
  engine.hire("alice");
  ASSERT_TRUE(engine.begin(gated())->halted);
  ASSERT_TRUE(engine.approve("dns", "alice"));
  engine.clock.advance(std::chrono::hours(3));  // nobody drives
  const auto waits = engine.resume();
  ASSERT_TRUE(waits->halted) << "it was good for an hour";
  EXPECT_THAT(waits->halted->what, HasSubstr("dns awaits"));
  EXPECT_THAT(waits->state.deeds.back().why, HasSubstr("by the clock there, and holds for"));
}

// Also when the change had been announced with the old yes, and failed.
TEST(Midway, AnApprovalOfAChangeThatFailedIsNoneOfOtherInputs) {
  FakeEngine engine(6);
  refuse(engine, "dns", "apply");
  auto plan = gated();
  plan.steps.back().config.set("value", "at ${inputs.host}");
  begin_with_host(engine, plan);
  ASSERT_TRUE(engine.approve("dns", "alice"));
  ASSERT_FALSE(engine.resume()->state.recovered());
  engine.world.set_hook("dns", {});
  other_host_needs_another_yes(engine, "dns");
  EXPECT_EQ(engine.world.effect("dns").value, "at new");
}

// A driver that falls silent in the middle of an undo may still be at it.
TEST(Midway, AnUndoOfASilentDriverIsHeldBackUntilAPersonSaysThatItIsStopped) {
  FakeEngine engine(5);
  auto spoilt = effect_node("app", effect_config("y"), {"net"});
  spoilt.config.set("spoil", true);
  ASSERT_FALSE(
      engine.begin(plan_of({effect_node("net", effect_config("x")), spoilt}))->state.recovered());
  ASSERT_TRUE(engine.ask(request("undo", "net", "carol@host")));
  engine.world.set_hook("net", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb == "undo") engine.reaper.kill_at(0, false);
    return {};
  });
  engine.heartbeat_period = unhurried;
  engine.surely_gone = [](const journal::Driver&) { return false; };
  ASSERT_TRUE(engine.resume()->halted);
  engine.world.set_hook("net", {});
  engine.reaper.revive();
  for (int again = 0; again < 2; ++again) {
    const auto held = engine.resume();
    ASSERT_TRUE(held) << held.error().what;
    ASSERT_TRUE(held->state.step("net").error);
    EXPECT_THAT(held->state.step("net").error->what, HasSubstr("may still be at work on it"));
    EXPECT_TRUE(engine.world.effect("net").done);
  }
  ASSERT_TRUE(engine.ask(request("release", "", "carol@host")));
  EXPECT_EQ(engine.resume()->state.step("net").phase, plan::StepPhase::undone);
}

// Something is asked in the middle of a decision of the driver.
class AsksAtASkip final : public Observer {
 public:
  explicit AsksAtASkip(std::function<void()> act) : act_(std::move(act)) {}
  void step_skipped(const std::string&, const std::string&) override {
    std::call_once(once_, act_);
  }

 private:
  const std::function<void()> act_;
  std::once_flag once_;
};

// `net` is done; `app` fails, so that `needs` is lost and `dns` may start, both at once.
plan::Plan loses_a_step() {
  auto spoilt = effect_node("app", effect_config("y"), {"net"});
  spoilt.config.set("spoil", true);
  spoilt.on_failure = plan::OnFailure::go_on;
  auto lost = effect_node("needs", effect_config("${app.value}"), {"app"});
  lost.needs = {"app"};
  return plan_of({effect_node("net", effect_config("x")), spoilt, lost,
                  effect_node("dns", effect_config("z"), {"app", "net"})});
}

void ask_and_wait(FakeEngine& engine, const std::string& action, const std::string& step) {
  ASSERT_TRUE(engine.ask(request(action, step, "carol@host")));
  engine.await_taken(engine.op());
}

TEST(Midway, AnUndoThatIsAcceptedBeforeAStepStartsIsDoneAndTheStepDoesNotStart) {
  FakeEngine engine(15);
  engine.heartbeat_period = unhurried;
  AsksAtASkip asks([&] { ask_and_wait(engine, "undo", "net"); });
  engine.observer = &asks;
  const auto ended = engine.begin(loses_a_step());
  ASSERT_TRUE(ended) << ended.error().what;
  EXPECT_EQ(ended->state.deeds.back().why, "");
  EXPECT_EQ(ended->state.step("net").phase, plan::StepPhase::undone);
  EXPECT_EQ(ended->state.step("dns").phase, plan::StepPhase::waiting);
  EXPECT_TRUE(engine.world.effect("dns").run.empty());
}

// Whatever a person says of a step at work counts, also when the step ends by itself just then.
TEST(Midway, H8WhatIsSaidOfAStepThatFailsMeanwhileHasTheLastWord) {
  for (const std::string action : {"skip", "retry"}) {
    FakeEngine engine(19);
    engine.heartbeat_period = unhurried;
    std::atomic<int> tried = 0;
    engine.world.set_hook("net", [&](const Operation&, const std::string& verb) -> Result<void> {
      if (verb != "apply" || tried++ > 0) return {};
      ask_and_wait(engine, action, "net");
      return fail(Error::Kind::invalid, "not today");
    });
    const auto ended = engine.begin(plan_of({effect_node("net", effect_config("x"))}));
    ASSERT_TRUE(ended) << ended.error().what;
    EXPECT_EQ(ended->state.step("net").phase,
              action == "skip" ? plan::StepPhase::skipped : plan::StepPhase::done);
  }
}

TEST(Midway, AStepThatEndsWithTheInputsOfBeforeIsTriedAgainWithTheOthers) {
  FakeEngine engine(20);
  engine.heartbeat_period = unhurried;
  auto plan = plan_of({effect_node("dns", effect_config("in ${inputs.zone}"))});
  plan.inputs = {{"zone", shape::string(), "", Value(), false}};
  auto pins = engine.pins(plan);
  pins.inputs.set("zone", "old");
  std::atomic<int> tried = 0;
  engine.world.set_hook("dns", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "verify" || tried++ > 0) return {};
    auto other = request("retry", "dns", "carol@host");
    other.inputs.set("zone", "new");
    EXPECT_TRUE(engine.ask(other));
    engine.await_taken(engine.op());
    return {};
  });
  const auto ended = engine.begin(engine.op(), pins);
  ASSERT_TRUE(ended) << ended.error().what;
  EXPECT_EQ(ended->state.deeds.back().why, "");
  EXPECT_GT(ended->state.step("dns").attempts, 1U);
}

TEST(Midway, WhatIsAskedWhenTheLastStepFailedIsHeard) {
  class AsksAtTheEnd final : public Observer {
   public:
    explicit AsksAtTheEnd(FakeEngine& engine) : engine_(engine) {}
    void step_failed(const std::string& step, const Error&) override {
      std::call_once(once_, [&] {
        engine_.world.set_hook("net", {});
        EXPECT_TRUE(engine_.ask(request("retry", step, "carol@host")));
      });
    }

   private:
    FakeEngine& engine_;
    std::once_flag once_;
  };
  FakeEngine engine(16);
  engine.heartbeat_period = unhurried;
  engine.world.set_hook("net", [](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "apply") return {};
    return fail(Error::Kind::invalid, "not today");
  });
  AsksAtTheEnd asks(engine);
  engine.observer = &asks;
  const auto done = engine.begin(plan_of({effect_node("net", effect_config("x"))}));
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_TRUE(done->state.recovered());
}

TEST(Midway, WhoSkipsAStepWhoseUndoFailedHasTheLastWord) {
  FakeEngine engine(18);
  auto app = effect_node("app", effect_config("y"), {"net"});
  app.config.set("spoil", true);
  const auto plan = plan_of({effect_node("net", effect_config("x")), app});
  ASSERT_FALSE(engine.begin(plan)->state.recovered());
  engine.world.set_hook("net", [](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "undo") return {};
    return fail(Error::Kind::invalid, "it does not let go");
  });
  ASSERT_TRUE(engine.ask(request("undo", "net", "carol@host")));
  EXPECT_EQ(engine.resume()->state.step("net").phase, plan::StepPhase::failed);
  engine.world.set_hook("net", {});
  ASSERT_TRUE(engine.ask(request("skip", "net", "carol@host")));
  for (int again = 0; again < 2; ++again) {
    EXPECT_EQ(engine.resume()->state.step("net").phase, plan::StepPhase::skipped);
  }
  EXPECT_TRUE(engine.world.effect("net").done);
}

}  // namespace
}  // namespace lifeboat::run
