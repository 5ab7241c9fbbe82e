#include "run/guard.h"

#include <algorithm>

#include "plan/guard_fixture.h"
#include "run/events.h"
#include "run/fake_engine.h"
#include "run/plan_codec.h"
#include "run/report.h"

namespace lifeboat::run {
namespace {

using testing::HasSubstr;

// A target that answers what the test says; two steps change it, one after the other.
class GuardedRun : public testing::Test {
 protected:
  GuardedRun() {
    engine_.guards.add(plan::told_guard([this](const std::string& where) {
      ++looks_;
      if (identity_.empty()) {
        return Result<plan::Fingerprint>(
            fail(Error::Kind::unavailable, where + ": connection refused"));
      }
      return Result<plan::Fingerprint>(plan::Fingerprint{identity_, where});
    }));
    plan_ = plan_of({effect_node("first", effect_config("a")),
                     effect_node("second", effect_config("b"), {"first"})});
    for (auto& step : plan_.steps) step.retry = {};
  }
  // The plan with a guard: of this identity, or one that adopts when it is "".
  const plan::Plan& guarded(const std::string& id) {
    Value config;
    config.set("where", "postgresql://db:5432");
    if (!id.empty()) config.set("id", id);
    plan_.guards = {{"told", "told", std::move(config), id.empty(), {}}};
    return plan_;
  }
  void when(const std::string& step, const std::string& verb, std::function<void()> act) {
    engine_.world.set_hook(step, [verb, act](const Operation&, const std::string& now) {
      if (now == verb) act();
      return Result<void>();
    });
  }
  std::size_t events_of(const std::string& kind) {
    const auto events = engine_.events();
    return static_cast<std::size_t>(std::ranges::count(events, kind, &journal::Event::kind));
  }
  void pass_the_cache() { (void)engine_.op().pause(Guards::good_for + std::chrono::seconds(1)); }

  FakeEngine engine_{1};
  plan::Plan plan_;
  std::string identity_ = "7301";
  int looks_ = 0;
};

TEST_F(GuardedRun, TheRightTargetIsChanged) {
  const auto outcome = engine_.begin(guarded("7301"));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_TRUE(outcome->state.recovered());
  EXPECT_GE(looks_, 2);  // before the run, and before a change
}

TEST_F(GuardedRun, AnotherTargetIsRefusedBeforeThereIsARun) {
  identity_ = "7302";
  const auto outcome = engine_.begin(guarded("7301"));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Error::Code::refused);
  EXPECT_EQ(outcome.error().what, "guard told: wanted 7301, found 7302 at postgresql://db:5432");
  EXPECT_TRUE(engine_.world.effects().empty());
  EXPECT_TRUE(engine_.events().empty());
}

TEST_F(GuardedRun, ASecretThatIsWantedIsComparedAndNotShown) {
  guarded("${inputs.id}");
  plan_.inputs.push_back({});
  plan_.inputs.back().name = "id";
  plan_.inputs.back().secret = true;
  const auto run_with = [&](const std::string& id) {
    Pins pinned = engine_.pins(plan_);
    pinned.inputs.set("id", Value(id).taint());
    return engine_.dry_run(pinned);
  };
  EXPECT_FALSE(run_with("7301")->guards[0].refused);
  const auto other = run_with("correct-horse");
  ASSERT_TRUE(other && other->guards[0].refused);
  EXPECT_EQ(other->guards[0].wanted, "(a secret)");
  EXPECT_EQ(other->guards[0].refused->what.find("horse"), std::string::npos);
}

TEST_F(GuardedRun, ATargetThatIsExchangedInTheMiddleIsNotChanged) {
  when("first", "verify", [this] {
    identity_ = "7302";
    pass_the_cache();
  });
  const auto outcome = engine_.begin(guarded("7301"));
  ASSERT_TRUE(outcome) << outcome.error().what;
  const StepState second = outcome->state.step("second");
  ASSERT_TRUE(second.error);
  EXPECT_EQ(second.error->code, Error::Code::refused);
  EXPECT_THAT(second.error->what, HasSubstr("wanted 7301, found 7302"));
  EXPECT_EQ(second.intent_open, false);
  EXPECT_EQ(engine_.world.effect("second").parts, 0);
}

TEST_F(GuardedRun, ATargetThatDoesNotAnswerProvesNothing) {
  identity_ = "";
  const auto outcome = engine_.begin(guarded("7301"));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().kind, Error::Kind::unavailable);
  EXPECT_THAT(outcome.error().what, HasSubstr("guard told"));
}

TEST_F(GuardedRun, WhatWasWantedAndFoundIsJournaledBeforeTheFirstChangeAndOnce) {
  when("first", "apply", [this] { pass_the_cache(); });
  ASSERT_TRUE(engine_.begin(guarded("7301"))->state.recovered());
  const auto events = engine_.events();
  EXPECT_EQ(events_of("guard.seen"), 1U) << "it was looked at twice, and nothing was new";
  const auto seen = std::ranges::find(events, "guard.seen", &journal::Event::kind);
  const auto intent = std::ranges::find(events, "step.intent", &journal::Event::kind);
  ASSERT_LT(seen, intent);
  EXPECT_EQ(seen->facts.text("wanted"), "7301");
  EXPECT_EQ(seen->facts.text("found"), "7301");
  EXPECT_EQ(seen->facts.text("at"), "postgresql://db:5432");
  EXPECT_TRUE(seen->facts.boolean("held", false));
}

TEST_F(GuardedRun, AnotherTargetInTheMiddleIsJournaledWithWhatItIs) {
  when("first", "verify", [this] {
    pass_the_cache();
    identity_ = "7302";
  });
  EXPECT_FALSE(engine_.begin(guarded("7301"))->state.recovered());
  const auto events = engine_.events();
  const auto last = std::ranges::find_if(events, [](const journal::Event& event) {
    return event.kind == "guard.seen" && !event.facts.boolean("held", true);
  });
  ASSERT_NE(last, events.end());
  EXPECT_EQ(last->facts.text("found"), "7302");
}

TEST_F(GuardedRun, WhatFirstAnswersIsAdoptedOnceAndHeldOnTo) {
  identity_ = "";
  when("first", "verify", [this] { identity_ = "made-here"; });
  const auto outcome = engine_.begin(guarded(""));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_TRUE(outcome->state.recovered());
  EXPECT_EQ(outcome->state.adopted.at("told").identity, "made-here");
  EXPECT_EQ(events_of("guard.adopted"), 1U);
}

TEST_F(GuardedRun, WhatWasAdoptedHoldsAfterAResume) {
  when("second", "apply", [this] { throw std::runtime_error("dies"); });
  const auto first = engine_.begin(guarded(""));
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_FALSE(first->state.recovered());
  ASSERT_EQ(first->state.adopted.at("told").identity, "7301");
  when("second", "", [] {});
  identity_ = "7302";
  const auto refused = engine_.resume();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Error::Code::refused);
  EXPECT_THAT(refused.error().what, HasSubstr("wanted 7301 (adopted by this run at "));
  EXPECT_THAT(refused.error().what, HasSubstr("found 7302"));
  identity_ = "7301";
  const auto done = engine_.resume();
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_TRUE(done->state.recovered());
  EXPECT_EQ(events_of("guard.adopted"), 1U);
}

TEST_F(GuardedRun, AnUndoIsAChangeToo) {
  engine_.hire("alice");
  when("second", "apply", [this] { throw std::runtime_error("dies"); });
  ASSERT_TRUE(engine_.begin(guarded("7301")));
  Request request;
  request.action = "undo";
  request.step = "first";
  request.by = "alice";
  request.reason = "wrong";
  ASSERT_TRUE(engine_.ask(request));
  // From the resume's own look on, the target is another one.
  int before = looks_;
  when("second", "preflight", [this, before] {
    if (looks_ > before) identity_ = "7302";
  });
  const auto outcome = engine_.resume();
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_TRUE(engine_.world.removed().empty());
  EXPECT_TRUE(engine_.world.effect("first").done);
  const StepState first = outcome->state.step("first");
  ASSERT_TRUE(first.error);
  EXPECT_THAT(first.error->what, HasSubstr("undo: guard told: wanted 7301, found 7302"));
}

TEST_F(GuardedRun, ATargetThatAStepExchangedIsAskedAgainAtOnce) {
  when("first", "verify", [this] { identity_ = "7302"; });
  const auto outcome = engine_.begin(guarded("7301"));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_EQ(outcome->state.step("first").phase, plan::StepPhase::done);
  EXPECT_EQ(outcome->state.step("second").phase, plan::StepPhase::failed);
  EXPECT_EQ(engine_.world.effect("second").parts, 0);
}

// A clock that stands still: what is forgotten is so for another reason than its age.
TEST_F(GuardedRun, ChangesOfAMomentAskTheTargetOnceUntilAStepHasEnded) {
  FakeEngine still(1, FakeClock::Pauses::wait_for_advance);
  const auto repository = still.repository();
  const Pins pins = still.pins(guarded("7301"));
  const journal::Driver driver{"d", "host", 1, "boot"};
  const auto journal =
      journal::Journal::begin(still.op(), *repository, pins.run, driver,
                              {event::run_begin(pins, driver), event::driver_joined(driver, "")});
  ASSERT_TRUE(journal) << journal.error().what;
  Observer nobody;
  Surroundings around = still.setup(*repository).around;
  around.observer = &nobody;
  around.guards = &engine_.guards;
  Ledger ledger(**journal, still.launcher, still.clock, *replay((*journal)->events()));
  Guards guards(around, ledger);
  std::optional<Error> journal_error;
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(guards.hold(still.op(), journal_error));
  EXPECT_EQ(looks_, 1);
  guards.forget();
  ASSERT_TRUE(guards.hold(still.op(), journal_error));
  EXPECT_EQ(looks_, 2);
  still.clock.advance(Guards::good_for);
  ASSERT_TRUE(guards.hold(still.op(), journal_error));
  EXPECT_EQ(looks_, 3);
  EXPECT_FALSE(journal_error);
}

TEST_F(GuardedRun, ADryRunTellsWhatItFound) {
  const auto right = engine_.dry_run(guarded("7301"));
  ASSERT_TRUE(right);
  EXPECT_TRUE(right->ready());
  EXPECT_THAT(render_text(*right),
              HasSubstr("guard told: 7301 at postgresql://db:5432, as wanted"));
  identity_ = "7302";
  const auto wrong = engine_.dry_run(guarded("7301"));
  EXPECT_FALSE(wrong->ready());
  EXPECT_THAT(render_text(*wrong), HasSubstr("REFUSED guard told: wanted 7301, found 7302"));
  EXPECT_EQ(to_value(*wrong).at("guards").list()[0].boolean("holds", true), false);
  const auto fresh = engine_.dry_run(guarded(""));
  EXPECT_THAT(render_text(*fresh), HasSubstr("would be adopted"));
}

TEST_F(GuardedRun, ThePlanIsPinnedWithItsGuards) {
  const auto back = plan_from(to_value(guarded("7301")));
  ASSERT_TRUE(back) << back.error().what;
  ASSERT_EQ(back->guards.size(), 1U);
  EXPECT_EQ(back->guards[0].kind, "told");
  EXPECT_EQ(back->guards[0].config.text("id"), "7301");
}

TEST_F(GuardedRun, AKindThatNobodyKnowsIsRefused) {
  guarded("7301");
  plan_.guards[0].kind = "later";
  const auto outcome = engine_.begin(plan_);
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Error::Code::version_too_new);
}

}  // namespace
}  // namespace lifeboat::run
