// The whole life of a recovery under one seed: plan, world, store and clock in memory, and a Reaper
// that kills the process at any change of store or world, before or right after it happens, or lets
// changes fail for a while. After each death another machine goes on with nothing but the store.
//
// The law: the world ends as it would have without a death; nothing that was done is applied again;
// secrets that steps made are those that the world got; and a run that never began changed nothing.
//
// LIFEBOAT_SEEDS=N runs N random worlds (default 300, with LIFEBOAT_LONG 20,000: two minutes of a
// release build; a failing one is named by its seed).
// LIFEBOAT_SEED=N runs that one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "run/fake_engine.h"
#include "run/report.h"
#include "seeds.h"

namespace lifeboat::run {
namespace {

constexpr int lives_max = 40;

// Steps that refer to random earlier ones, or only come after them; some make secrets.
plan::Plan random_plan(SeededRandom& random) {
  std::vector<plan::StepNode> steps;
  const std::uint64_t count = 2 + random.below(7);
  for (std::uint64_t i = 0; i < count; ++i) {
    const std::string name = "step" + std::to_string(i);
    std::string value = "v" + std::to_string(i);
    std::vector<std::string> after;
    for (std::uint64_t before = 0; before < i; ++before) {
      const std::string other = "step" + std::to_string(before);
      if (random.below(4) == 0) value += "+${" + other + ".password}${" + other + ".value}";
      if (random.below(6) == 0) after.push_back(other);
    }
    const bool secret = random.below(3) == 0;
    auto node =
        secret ? effect_node(name, secret_effect_config(), after)
               : effect_node(name, effect_config(value, std::int64_t(1 + random.below(3))), after);
    node.retry = {40, std::chrono::milliseconds(100)};
    steps.push_back(std::move(node));
  }
  return plan_of(std::move(steps));
}

// The plan that is killed at every single place: a diamond with a secret in it, and a loner.
plan::Plan small_plan() {
  return plan_of({effect_node("net", effect_config("10.0.0.0/8", 2)),
                  effect_node("db", secret_effect_config(), {"net"}),
                  effect_node("mq", effect_config("queue in ${net.value}", 1)),
                  effect_node("app", effect_config("${db.password} at ${mq.value}", 2)),
                  effect_node("dns", effect_config("shop.example", 1))});
}

// What the world looks like, with each secret named after the step that made it.
std::map<std::string, std::string> picture(const FakeWorld& world) {
  const auto effects = world.effects();
  std::map<std::string, std::string> shown;
  for (const auto& [name, effect] : effects) {
    std::string value = effect.value;
    for (const auto& [maker, made] : effects) {
      if (!made.value.starts_with("hush-")) continue;
      for (auto at = value.find(made.value); at != std::string::npos; at = value.find(made.value)) {
        value.replace(at, made.value.size(), "<secret of " + maker + ">");
      }
    }
    shown[name] = value + (effect.done ? " done" : " NOT DONE") + " parts " +
                  std::to_string(effect.parts) + " ends " + std::to_string(effect.completed);
  }
  return shown;
}

// A platform that dies now and then, and the people who bring it back.
class Recovery {
 public:
  Recovery(std::uint64_t seed, plan::Plan plan) : engine(seed), plan_(std::move(plan)) {}

  // One life; true when the run is done.
  // `faulty`: changes fail now and then, and an answer may be that it does not work for now.
  bool live(bool faulty = false) {
    const bool begun = !engine.store.objects().empty() && has_segments();
    if (!begun) {
      EXPECT_TRUE(engine.world.effects().empty()) << "changed before it began";
    }
    const auto outcome = begun ? engine.resume() : engine.begin(plan_);
    const bool died = engine.reaper.dead();
    const bool patience = faulty && !outcome && outcome.error().kind == Error::Kind::unavailable;
    if (!died && !outcome && !patience)
      ADD_FAILURE() << outcome.error().what << "\n" << outcome.error().hint;
    if (!died && !faulty && outcome && !outcome->halted && !outcome->state.recovered()) {
      ADD_FAILURE() << last_line(make_report(*outcome));
    }
    return !died && outcome && outcome->state.recovered();
  }
  // Lives without faults until the run is done.
  void finish() {
    engine.reaper.revive();
    for (int life = 0; life < lives_max; ++life) {
      if (live() || testing::Test::HasFailure()) return;
    }
    ADD_FAILURE() << "not done after " << lives_max << " lives";
  }
  void expect_like(const std::map<std::string, std::string>& undisturbed) {
    EXPECT_EQ(picture(engine.world), undisturbed);
    EXPECT_THAT(engine.world.violations(), testing::IsEmpty());
  }

  FakeEngine engine;

 private:
  bool has_segments() { return engine.store.objects().contains("runs/run-1/0000000000000000"); }
  const plan::Plan plan_;
};

std::map<std::string, std::string> undisturbed(std::uint64_t seed, const plan::Plan& plan) {
  Recovery recovery(seed, plan);
  recovery.finish();
  return picture(recovery.engine.world);
}

TEST(RecoverySim, H1KilledAtEverySingleChangeItEndsTheSame) {
  const auto expected = undisturbed(1, small_plan());
  std::uint64_t killed = 0;
  for (const bool after : {false, true}) {
    for (std::uint64_t change = 0;; ++change) {
      SCOPED_TRACE((after ? "killed after change " : "killed before change ") +
                   std::to_string(change));
      Recovery recovery(1, small_plan());
      recovery.engine.reaper.kill_at(change, after);
      const bool done = recovery.live();
      if (done) break;
      ++killed;
      recovery.finish();
      recovery.expect_like(expected);
      if (HasFailure()) return;
    }
  }
  RecordProperty("killed", static_cast<int>(killed));
  EXPECT_GE(killed, 60U);
}

TEST(RecoverySim, KilledAgainWhileGoingOnItEndsTheSame) {
  const auto expected = undisturbed(2, small_plan());
  for (std::uint64_t first = 3; first < 40; first += 4) {
    for (std::uint64_t second = 0; second < 30; second += 3) {
      SCOPED_TRACE("killed at " + std::to_string(first) + ", then " + std::to_string(second));
      Recovery recovery(2, small_plan());
      recovery.engine.reaper.kill_at(first, second % 2 == 0);
      if (recovery.live()) continue;
      recovery.engine.reaper.revive();
      recovery.engine.reaper.kill_at(second, first % 2 == 0);
      recovery.live();
      recovery.finish();
      recovery.expect_like(expected);
      if (HasFailure()) return;
    }
  }
}

void random_life(std::uint64_t seed) {
  SeededRandom random(seed);
  const plan::Plan plan = random_plan(random);
  const auto expected = undisturbed(seed, plan);
  Recovery recovery(seed, plan);
  const std::uint64_t deaths = random.below(5);
  for (std::uint64_t death = 0; death < deaths; ++death) {
    recovery.engine.reaper.revive();
    // Sometimes so rarely that nothing comes of it, sometimes so often that patience ends.
    const bool faulty = random.below(2) == 0;
    if (faulty) recovery.engine.reaper.fail_sometimes(seed + death, 4 + random.below(30));
    recovery.engine.reaper.kill_at(random.below(80), random.below(2) == 0);
    recovery.live(faulty);
  }
  recovery.finish();
  recovery.expect_like(expected);
}

TEST(RecoverySim, RandomWorldsEndAsIfNobodyHadDied) { each_seed(300, random_life); }

// The simulation must be able to fail: a step type that forgets its marker is caught.
TEST(RecoverySim, AStepThatDoesNotKnowItsOwnWorkIsCaught) {
  std::uint64_t caught = 0;
  for (std::uint64_t change = 0; change < 40; ++change) {
    Recovery recovery(3, small_plan());
    auto type = effect_type(recovery.engine.world, recovery.engine.random);
    type.name = "forgetful";
    const auto honest = type.make;
    class Forgetful final : public plan::Step {
     public:
      explicit Forgetful(std::unique_ptr<plan::Step> step) : step_(std::move(step)) {}
      Result<void> preflight(const Operation& op) override { return step_->preflight(op); }
      Result<plan::Observation> observe(const Operation&) override { return plan::Observation{}; }
      Result<void> apply(const Operation& op) override { return step_->apply(op); }
      Result<plan::Verification> verify(const Operation& op) override { return step_->verify(op); }
      Result<void> undo(const Operation& op, const Value& v) override { return step_->undo(op, v); }

     private:
      std::unique_ptr<plan::Step> step_;
    };
    type.make = [honest](const Value& config, plan::StepContext& context) {
      auto step = honest(config, context);
      return Result<std::unique_ptr<plan::Step>>(std::make_unique<Forgetful>(*std::move(step)));
    };
    recovery.engine.types.add(type);
    plan::Plan plan = small_plan();
    for (plan::StepNode& node : plan.steps) node.type = "forgetful";
    recovery.engine.reaper.kill_at(change, true);
    const auto first = recovery.engine.begin(plan);
    recovery.engine.reaper.revive();
    if (first) caught += !recovery.engine.resume() || !recovery.engine.world.violations().empty();
  }
  EXPECT_GE(caught, 1U);
}

}  // namespace
}  // namespace lifeboat::run
