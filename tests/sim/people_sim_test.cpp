// Recoveries with people in them, under one seed: gates, approvals by some and by the wrong ones,
// pauses, skips, undos, retries with the same and with other inputs, declines, the way back, words
// of honour; drivers that die or fall silent at any change of store or world, or are replaced by
// order; a store that fails for a while or loses answers; clocks that jump by days.
//
// The law: whatever was asked and whatever died, once the faults stop and people have agreed, the
// world is as an undisturbed run with the last inputs leaves it, or empty when the run was sent
// back, and each effect was brought about once; until then a driver that ends says which step,
// request or person it stopped for. No gated effect ever exists before enough of the right people
// approved.
//
// LIFEBOAT_SEEDS=N runs N seeds (default 200, with LIFEBOAT_LONG 20,000); LIFEBOAT_SEED=N that one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "run/fake_engine.h"
#include "run/report.h"
#include "seeds.h"

namespace lifeboat::run {
namespace {

constexpr int lives_max = 60;
const std::vector<std::string> all_people = {"alice", "bob", "carol"};

// Steps after random earlier ones; a third of them gated; some make secrets, some are fenced.
plan::Plan random_plan(SeededRandom& random) {
  std::vector<plan::StepNode> steps;
  const std::uint64_t count = 2 + random.below(6);
  for (std::uint64_t i = 0; i < count; ++i) {
    std::string value = "v" + std::to_string(i);
    if (random.below(4) == 0) value += "@${inputs.zone}";
    std::vector<std::string> after;
    for (std::uint64_t before = 0; before < i; ++before) {
      const std::string other = "step" + std::to_string(before);
      if (random.below(4) == 0) value += "+${" + other + ".value}";
      if (random.below(5) == 0) after.push_back(other);
    }
    auto node = effect_node("step" + std::to_string(i),
                            effect_config(value, std::int64_t(1 + random.below(3))), after);
    node.retry = {40, std::chrono::milliseconds(100)};
    if (random.below(3) == 0) {
      const bool two = random.below(2) == 0;
      node.approve = plan::ApprovalRule{{"alice", "bob"}, two ? 2 : 1, std::chrono::hours(24), ""};
    }
    steps.push_back(std::move(node));
  }
  auto plan = plan_of(std::move(steps));
  plan.inputs = {{"zone", shape::string(), "", Value(), false}};
  return plan;
}

std::map<std::string, std::string> picture(const FakeWorld& world) {
  std::map<std::string, std::string> shown;
  for (const auto& [name, effect] : world.effects()) {
    shown[name] = effect.value + (effect.done ? " done" : " NOT DONE") + " parts " +
                  std::to_string(effect.parts) + " ends " + std::to_string(effect.completed);
  }
  return shown;
}

// One platform, its operators, and what goes wrong.
class Story {
 public:
  Story(std::uint64_t seed, plan::Plan plan, std::string zone)
      : engine(seed), plan_(std::move(plan)), zone_(std::move(zone)), random_(seed) {
    for (const std::string& name : all_people) engine.hire(name);
    for (const plan::StepNode& node : plan_.steps) {
      if (!node.approve) continue;
      engine.world.set_hook(node.name, [this, node](const Operation&, const std::string& verb) {
        if (verb == "apply" && !may_be_applied(node)) {
          engine.world.violation(node.name + ": applied without approval");
        }
        return Result<void>();
      });
    }
  }

  // True when the platform is back, or all of it was taken back.
  bool live() {
    const bool begun = engine.store.objects().contains("runs/run-1/0000000000000000");
    const auto outcome = begun ? engine.resume() : begin();
    said_ = !outcome ? outcome.error().what : outcome->halted ? outcome->halted->what : "";
    if (!outcome && !engine.reaper.dead() && outcome.error().what.empty()) {
      ADD_FAILURE() << "a driver ended without a word";
    }
    if (outcome && !outcome->state.recovered() && !engine.reaper.dead()) {
      EXPECT_GT(last_line(make_report(*outcome)).size(), std::string("NOT RECOVERED: ").size());
    }
    if (!outcome || engine.reaper.dead()) return false;
    went_back_ = outcome->state.end && outcome->state.end->outcome == "undone";
    return went_back_ || outcome->state.recovered();
  }
  bool went_back() const { return went_back_; }
  std::string zone() { return state()->pins.inputs.text("zone"); }

  // Faults, then somebody asks for something.
  void disturb() {
    engine.reaper.revive();
    if (random_.below(2) == 0)
      engine.reaper.fail_sometimes(random_.below(1 << 20), 5 + random_.below(30));
    if (random_.below(3) != 0) engine.reaper.kill_at(random_.below(90), random_.below(2) == 0);
    const bool silent = random_.below(3) == 0;
    engine.heartbeat_period = silent ? std::chrono::seconds(5) : std::chrono::seconds(0);
    engine.surely_gone = [silent](const journal::Driver&) { return !silent; };
    engine.take_over = random_.below(8) == 0;
    if (random_.below(6) == 0) {
      engine.clock.jump_wall(std::chrono::hours(static_cast<int>(random_.below(61)) - 30));
    }
    live();
    for (std::uint64_t asked = random_.below(4); asked > 0; --asked) ask_something();
  }

  // Everybody agrees, nothing fails any more.
  void settle() {
    engine.reaper.revive();
    engine.heartbeat_period = {};
    engine.surely_gone = [](const journal::Driver&) { return true; };
    engine.take_over = false;
    for (int life = 0; life < lives_max; ++life) {
      if (live()) return;
      agree();
    }
    ADD_FAILURE() << "not done after " << lives_max << " lives\n" << how_it_stands();
  }

  FakeEngine engine;

 private:
  Result<Outcome> begin() {
    auto pins = engine.pins(plan_);
    pins.inputs.set("zone", zone_);
    return engine.begin(engine.op(), pins);
  }
  Result<RunState> state() {
    const auto seen = engine.repository();
    TRY(auto outcome, read_run(engine.op(), *seen, "run-1"));
    return std::move(outcome.state);
  }

  std::string how_it_stands() {
    const auto now = state();
    if (!now) return now.error().what;
    std::string text;
    for (const plan::StepNode& node : plan_.steps) {
      const StepState& step = now->step(node.name);
      text += node.name + ": " + std::string(plan::phase_name(step.phase)) + ", " +
              std::to_string(step.checks.size()) + " checks" + (step.doubtful ? ", doubtful" : "") +
              (step.undo_wanted ? ", undo wanted" : "") +
              (step.error ? ", " + step.error->what : "") + "\n";
    }
    return text + (now->paused ? "paused\n" : "") + (now->going_back ? "going back\n" : "") +
           (now->cancelled ? "cancelled\n" : "") + said_ + "\n" +
           (now->end ? now->end->outcome : "no end");
  }

  bool may_be_applied(const plan::StepNode& node) {
    const auto now = state();
    return !now || approved(node, now->step(node.name), engine.clock.wall());
  }

  void request(const std::string& action, const std::string& step, const std::string& by) {
    Request asked;
    asked.action = action;
    asked.step = step;
    asked.by = by;
    asked.reason = "for the test";
    const auto now = state();
    if (now && !step.empty()) asked.subject = subject_of(*now, step);
    if (action == "retry" && random_.below(3) == 0) {
      asked.inputs.set("zone", "z" + std::to_string(random_.below(3)));
    }
    static_cast<void>(engine.ask(asked));  // the store may be failing
  }

  void ask_something() {
    static const std::vector<std::string> of_steps = {"approve", "approve", "approve", "decline",
                                                      "skip",    "retry",   "undo"};
    static const std::vector<std::string> of_runs = {"pause", "continue", "cancel", "release",
                                                     "pause", "continue", "cancel", "go-back"};
    const std::string& by = all_people[random_.below(all_people.size())];
    const std::string& step = plan_.steps[random_.below(plan_.steps.size())].name;
    if (random_.below(4) == 0) return request(of_runs[random_.below(of_runs.size())], "", by);
    request(of_steps[random_.below(of_steps.size())], step, by);
  }

  // What it takes to go on from where the run stands.
  void agree() {
    const auto now = state();
    if (!now) return;
    if (now->paused) request("continue", "", "alice");
    request("release", "", "alice");
    for (const plan::StepNode& node : plan_.steps) {
      const StepState& step = now->step(node.name);
      const bool left = !step.skipped_by.empty() || step.phase == plan::StepPhase::undone ||
                        step.phase == plan::StepPhase::failed || step.undo_wanted;
      // Made with the inputs of before, and nobody heard of it: the proof says so, people undo it.
      const bool unproven = step.phase == plan::StepPhase::failed && step.error &&
                            step.error->what.find("checks failed") != std::string::npos;
      if (left) request(unproven ? "undo" : "retry", node.name, "alice");
      if (!node.approve || step.phase == plan::StepPhase::done) continue;
      for (const char* person : {"alice", "bob"}) request("approve", node.name, person);
    }
  }

  const plan::Plan plan_;
  const std::string zone_;
  SeededRandom random_;
  bool went_back_ = false;
  std::string said_;  // by the last driver that did not end its run
};

std::map<std::string, std::string> undisturbed(std::uint64_t seed, plan::Plan plan,
                                               const std::string& zone) {
  for (plan::StepNode& node : plan.steps) node.approve.reset();
  Story story(seed, std::move(plan), zone);
  story.settle();
  return picture(story.engine.world);
}

void one_story(std::uint64_t seed) {
  SeededRandom random(seed);
  const plan::Plan plan = random_plan(random);
  Story story(seed, plan, "z");
  for (std::uint64_t turns = 1 + random.below(6); turns > 0; --turns) story.disturb();
  story.settle();
  const auto expected = story.went_back() ? std::map<std::string, std::string>()
                                          : undisturbed(seed, plan, story.zone());
  EXPECT_EQ(picture(story.engine.world), expected);
  EXPECT_THAT(story.engine.world.violations(), testing::IsEmpty());
}

TEST(PeopleSim, WhateverPeopleAskAndWhoeverDiesTheRunEndsAsAgreed) { each_seed(200, one_story); }

}  // namespace
}  // namespace lifeboat::run
