// The checks. A life of a step is the engine's own order of verbs; a death drops the Step object.
#include "plan/step_contract.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <optional>
#include <set>

#include "schema/json.h"

namespace lifeboat::plan {
namespace {

using Violations = std::vector<std::string>;

// Later than anything, and far enough from the last instant that adding to it is safe.
constexpr std::chrono::nanoseconds end_of_time = std::chrono::nanoseconds::max() / 2;

// How long whoever takes over is let wait for a lock that the paused one holds.
constexpr std::chrono::nanoseconds longest_wait = std::chrono::seconds(1);

// A clock that counts how often an operation looks at it, from 0. What a look brings about is the
// check's: the operation can be cut (its deadline has passed all at once) or stand still in its
// middle, at a place of its own choosing, without a second thread or process.
class WatchedClock final : public Clock {
 public:
  // Answers the time that this look shows; nullopt: the real one.
  using Look = std::function<std::optional<std::chrono::nanoseconds>(std::uint64_t number)>;
  explicit WatchedClock(const Clock& real, Look look = {}) : real_(real), look_(std::move(look)) {}
  WallTime wall() const override { return real_.wall(); }
  std::chrono::nanoseconds boot() const override {
    const std::uint64_t number = seen_++;
    const auto shown = look_ ? look_(number) : std::nullopt;
    return shown ? *shown : real_.boot();
  }
  void pause(std::chrono::nanoseconds time, bool (*stop)(const void*),
             const void* context) const override {
    real_.pause(time, stop, context);
  }
  std::uint64_t seen() const { return seen_; }

 private:
  const Clock& real_;
  const Look look_;
  mutable std::atomic<std::uint64_t> seen_ = 0;
};

// The context of a driver that was replaced while it was paused: its attempt stays what it was.
class ReplacedContext final : public StepContext {
 public:
  explicit ReplacedContext(StepContext& shared)
      : shared_(shared), generation_(shared.generation()) {}
  const std::string& run() const override { return shared_.run(); }
  const std::string& step() const override { return shared_.step(); }
  std::uint64_t generation() const override { return generation_; }
  const Clock& clock() const override { return shared_.clock(); }
  Launcher& launcher() override { return shared_.launcher(); }
  std::string bundle_directory() const override { return shared_.bundle_directory(); }
  std::string secret_directory() const override { return shared_.secret_directory(); }
  Result<Secret> keep_secret(const Operation& op, const std::string& name,
                             const std::function<Secret()>& make) override {
    return shared_.keep_secret(op, name, make);
  }
  Result<void> left_running(const Operation& op,
                            const std::vector<std::string>& processes) override {
    return shared_.left_running(op, processes);
  }
  void log(std::string_view line) override { shared_.log(line); }
  void progress(std::uint64_t done, std::uint64_t total, std::string_view unit) override {
    shared_.progress(done, total, unit);
  }

 private:
  StepContext& shared_;
  const std::uint64_t generation_;
};

// One world under examination: its step, its configuration, what was wrong.
class Exam {
 public:
  Exam(const MakeStepWorld& make_world, Violations& violations)
      : world_(make_world()), violations_(violations), op_{&world_->context().clock()} {
    config_ = world_->config();
    std::vector<Finding> findings;
    validate(config_, world_->type().fields, {.path = world_->type().name}, findings);
    for (const Finding& finding : findings) wrong("its configuration: " + finding.text());
    if (findings.empty()) make();
  }

  // False: the configuration is not valid or the type makes no step of it (and this was said).
  bool ready() const { return step_ != nullptr; }
  StepWorld& world() { return *world_; }
  Step& step() { return *step_; }
  const Operation& op() const { return op_; }
  const Value& config() const { return config_; }

  void wrong(const std::string& violation) { violations_.push_back(violation); }
  bool holds(bool fact, const std::string& otherwise) {
    if (!fact) wrong(otherwise);
    return fact;
  }
  template <class T>
  bool works(const Result<T>& result, const std::string& what) {
    return holds(result.has_value(), what + " failed: " + (result ? "" : result.error().what));
  }

  void conceals(std::string_view text, const std::string& where) {
    for (const std::string& secret : world_->secrets()) {
      holds(text.find(secret) == std::string_view::npos, where + " shows a secret");
    }
  }

  // The engine dies here and another one makes the step anew.
  void die() {
    step_.reset();
    world_->context().next_attempt();
    make();
  }
  // Observes: the state, or foreign when it could not look (which was said).
  State observed(const std::string& when) {
    const auto seen = step_->observe(op_);
    if (!works(seen, "observe " + when)) return State::foreign;
    conceals(seen->summary, "the summary of observe");
    conceals(seen->would, "the preview of observe");
    for (const Change& change : seen->changes) {
      conceals(change.what + change.from + change.to, "a change that observe tells");
    }
    conceals(to_json(seen->before), "what observe saw before");
    return seen->state;
  }
  // A whole life without a death. False: a verb failed, and it was said.
  bool live(const std::string& when) {
    if (!works(step_->preflight(op_), "preflight " + when)) return false;
    const auto seen = step_->observe(op_);
    if (!works(seen, "observe " + when)) return false;
    if (seen->state == State::ours_done) return true;
    if (!holds(seen->state != State::foreign, "observe " + when + " calls our own work foreign")) {
      return false;
    }
    return works(step_->apply(op_), "apply " + when);
  }
  // The engine is paused within apply, at the Nth look at the clock (nullopt: before it). Another
  // one takes over, and once it is done somebody alters the target; then the first one wakes up.
  // When apply does not look that often this time, nothing is seen.
  void wakes_up_replaced(std::optional<std::uint64_t> looks, const std::string& when) {
    ReplacedContext context(world_->context());
    const auto paused = world_->type().make(config_, context);
    if (!works(paused, "make")) return;
    works((*paused)->observe(op_), "observe " + when);
    Result<void> successor;
    std::string left;
    const auto meanwhile = [&] {
      die();
      successor = live_within(op_.within(longest_wait));
      if (!successor) return;
      world_->alter();
      left = world_->digest();
    };
    const WatchedClock clock(*op_.clock, [&](std::uint64_t look) {
      if (looks && look == *looks) meanwhile();
      return std::optional<std::chrono::nanoseconds>();
    });
    Operation slow = op_.within(longest_wait * 10);
    slow.clock = &clock;
    if (!looks) meanwhile();
    const auto applied = (*paused)->apply(slow);
    if (looks && clock.seen() <= *looks) return;
    if (successor) {
      holds(world_->digest() == left, "a driver that was replaced changed the target " + when +
                                          (applied ? "" : ": " + applied.error().what));
      return;
    }
    // A lock of the paused one makes the other wait: then the change is whole before it goes on.
    holds(successor.error().kind == Error::Kind::cancelled ||
              successor.error().kind == Error::Kind::unavailable,
          "whoever takes over fails " + when + ": " + successor.error().what);
    if (live(when)) proves(when);
  }
  void proves(const std::string& when) {
    const auto proof = step_->verify(op_);
    if (!works(proof, "verify " + when)) return;
    holds(!proof->checks.empty(), "verify " + when + " compared nothing");
    for (const Check& check : proof->checks) {
      holds(check.ok, "verify " + when + ": " + check.name + ": expected " + check.expected +
                          ", actual " + check.actual);
      conceals(check.name + check.expected + check.actual, "check '" + check.name + "'");
    }
    outputs_hold(proof->outputs);
  }
  bool proof_is_green() {
    const auto proof = step_->verify(op_);
    return proof && std::all_of(proof->checks.begin(), proof->checks.end(),
                                [](const Check& check) { return check.ok; });
  }

 private:
  // Preflight, observe, apply, without a word about what fails.
  Result<void> live_within(const Operation& op) {
    TRY_DO(step_->preflight(op));
    TRY(const Observation seen, step_->observe(op));
    if (seen.state == State::ours_done) return {};
    return step_->apply(op);
  }
  void make() {
    auto made = world_->type().make(config_, world_->context());
    if (works(made, "make")) step_ = *std::move(made);
  }
  void outputs_hold(const Value& outputs) {
    for (const auto& [name, shape] : world_->type().outputs) {
      if (!holds(outputs.has(name), "verify answers no output '" + name + "'")) continue;
      Value value = outputs.at(name);
      std::vector<Finding> findings;
      if (shape.kind != Shape::Kind::secret) validate(value, shape, {.path = name}, findings);
      for (const Finding& finding : findings) wrong("output " + finding.text());
    }
    for (const std::string& name : world_->type().secret_outputs) {
      holds(!outputs.has(name) || outputs.at(name).tainted(),
            "the secret output '" + name + "' is not tainted");
    }
  }

  std::unique_ptr<StepWorld> world_;
  Violations& violations_;
  Operation op_;
  Value config_;
  std::unique_ptr<Step> step_;
};

// The end of the life that nothing disturbs; "" when it did not come that far (which was said).
std::string undisturbed_end(const MakeStepWorld& make_world, Violations& violations) {
  Exam exam(make_world, violations);
  if (!exam.ready() || !exam.live("in an undisturbed life")) return "";
  return exam.world().digest();
}

Violations observing(const MakeStepWorld& make_world) {
  Violations violations;
  Exam exam(make_world, violations);
  if (!exam.ready()) return violations;
  const std::string before = exam.world().digest();
  exam.works(exam.step().preflight(exam.op()), "preflight");
  const State first = exam.observed("of an untouched target");
  const State second = exam.observed("of an untouched target, again");
  exam.holds(first == second, "observe of an untouched target answers two different states");
  exam.holds(first == State::absent || first == State::ours_done,
             "an untouched target is called something else than absent");
  exam.holds(exam.world().digest() == before, "preflight and observe changed the target");
  return violations;
}

Violations applying(const MakeStepWorld& make_world) {
  Violations violations;
  Exam exam(make_world, violations);
  if (!exam.ready() || !exam.live("in a first life")) return violations;
  exam.proves("after apply");
  exam.holds(exam.observed("after apply") == State::ours_done,
             "observe after apply does not say that it is done");
  const std::string after = exam.world().digest();
  exam.proves("once more");
  exam.holds(exam.world().digest() == after, "verify changed the target");
  exam.die();
  exam.holds(exam.observed("by the next engine") == State::ours_done,
             "the next engine does not see that it is done");
  for (const std::string& line : exam.world().context().lines()) {
    exam.conceals(line, "a line of its log");
  }
  return violations;
}

Violations applying_twice(const MakeStepWorld& make_world) {
  Violations violations;
  Exam exam(make_world, violations);
  if (!exam.ready() || !exam.works(exam.step().apply(exam.op()), "apply")) return violations;
  const std::string once = exam.world().digest();
  exam.works(exam.step().apply(exam.op()), "apply again");
  exam.holds(exam.world().digest() == once, "applying twice is not the same as applying once");
  exam.die();
  exam.works(exam.step().apply(exam.op()), "apply by the next engine");
  exam.holds(exam.world().digest() == once, "applying by the next engine changed the target");
  exam.proves("after three applies");
  return violations;
}

// The verbs of a life; each is one place to die after.
bool verb(Exam& exam, int which, const std::string& when) {
  if (which == 0) return exam.works(exam.step().preflight(exam.op()), "preflight " + when);
  if (which == 1) return exam.works(exam.step().observe(exam.op()), "observe " + when);
  if (which == 2) return exam.works(exam.step().apply(exam.op()), "apply " + when);
  return exam.works(exam.step().verify(exam.op()), "verify " + when);
}

// Two deaths, each after any verb; then a life to the end.
Violations killed_between_verbs(const MakeStepWorld& make_world) {
  Violations violations;
  const std::string end = undisturbed_end(make_world, violations);
  if (!violations.empty()) return violations;
  static constexpr const char* names[] = {"preflight", "observe", "apply", "verify"};
  for (int first = 0; first < 4; ++first) {
    for (int second = 0; second < 4; ++second) {
      const std::string when =
          std::string("with deaths after ") + names[first] + " and then " + names[second];
      Exam exam(make_world, violations);
      if (!exam.ready()) return violations;
      for (int at = 0; at <= first; ++at) verb(exam, at, when);
      exam.die();
      const bool done = exam.observed(when) == State::ours_done;
      for (int at = 0; at <= second; ++at) {
        if (at != 2 || !done) verb(exam, at, when);
      }
      exam.die();
      if (exam.live(when)) exam.proves(when);
      exam.holds(exam.world().digest() == end, "another end " + when);
    }
  }
  return violations;
}

// Looks of an apply at which it is cut or paused: close together at its beginning, where it makes
// up its mind, and at its end, where it changes things.
std::vector<std::uint64_t> moments_of_apply(const MakeStepWorld& make_world,
                                            Violations& violations) {
  Exam exam(make_world, violations);
  if (!exam.ready()) return {};
  exam.observed("before an apply that is counted");
  const WatchedClock clock(*exam.op().clock);
  Operation counted = exam.op();
  counted.clock = &clock;
  counted.deadline = end_of_time;
  exam.works(exam.step().apply(counted), "apply");
  const std::uint64_t all = clock.seen();
  std::set<std::uint64_t> moments{0};
  for (std::uint64_t distance = 1; distance <= all; distance *= 2) {
    if (distance < all) moments.insert(distance);
    moments.insert(all - distance);
  }
  return {moments.begin(), moments.end()};
}

Violations killed_within_apply(const MakeStepWorld& make_world) {
  Violations violations;
  const std::string end = undisturbed_end(make_world, violations);
  if (!violations.empty()) return violations;
  for (const std::uint64_t looks : moments_of_apply(make_world, violations)) {
    const std::string when = "with a death within apply, at look " + std::to_string(looks);
    Exam exam(make_world, violations);
    if (!exam.ready()) return violations;
    exam.observed(when);
    const WatchedClock clock(*exam.op().clock, [looks](std::uint64_t look) {
      return look < looks ? std::nullopt : std::optional(end_of_time);
    });
    Operation cut = exam.op();
    cut.clock = &clock;
    cut.deadline = end_of_time - std::chrono::nanoseconds(1);
    const auto applied = exam.step().apply(cut);
    exam.holds(applied || applied.error().kind == Error::Kind::cancelled ||
                   applied.error().kind == Error::Kind::unavailable,
               when + ": another error than cancelled: " + (applied ? "" : applied.error().what));
    exam.die();
    if (exam.live(when)) exam.proves(when);
    exam.holds(exam.world().digest() == end, "another end " + when);
  }
  return violations;
}

// Of types that say that their target refuses whoever was replaced.
Violations replaced(const MakeStepWorld& make_world) {
  Violations violations;
  {
    Exam exam(make_world, violations);
    if (!exam.ready() || exam.world().type().fence != Fence::native) return violations;
    const auto& effects = exam.world().type().effects;
    if (effects && effects(exam.config()).empty()) return violations;  // nothing to refuse
    exam.wakes_up_replaced(std::nullopt, "when it wakes up before apply");
  }
  for (const std::uint64_t looks : moments_of_apply(make_world, violations)) {
    Exam exam(make_world, violations);
    exam.wakes_up_replaced(looks,
                           "when it wakes up within apply, at look " + std::to_string(looks));
  }
  return violations;
}

Violations alteration(const MakeStepWorld& make_world) {
  Violations violations;
  Exam exam(make_world, violations);
  if (!exam.ready() || !exam.live("before an alteration")) return violations;
  exam.proves("before an alteration");
  exam.world().alter();
  exam.holds(!exam.proof_is_green(), "verify is green after an alteration");
  exam.die();
  exam.holds(!exam.proof_is_green(), "verify by the next engine is green after an alteration");
  return violations;
}

Violations undoing(const MakeStepWorld& make_world) {
  Violations violations;
  Exam exam(make_world, violations);
  if (!exam.ready()) return violations;
  const std::string first = exam.world().digest();
  const auto seen = exam.step().observe(exam.op());
  if (!exam.works(seen, "observe") || !exam.live("before undo")) return violations;
  const std::string done = exam.world().digest();
  exam.die();
  for (const char* which : {"undo", "undo again"}) {
    const auto undone = exam.step().undo(exam.op(), seen->before);
    if (!undone) {
      exam.holds(undone.error().kind == Error::Kind::invalid &&
                     undone.error().what.find("irreversible") != std::string::npos,
                 std::string(which) +
                     " failed and does not say that it is irreversible: " + undone.error().what);
      exam.holds(exam.world().digest() == done, "an undo that was refused changed the target");
      return violations;
    }
    exam.holds(exam.world().digest() == first,
               std::string(which) + " did not bring the first state back");
  }
  return violations;
}

Violations foreign(const MakeStepWorld& make_world) {
  Violations violations;
  Exam exam(make_world, violations);
  if (!exam.ready() || !exam.world().make_foreign()) return violations;
  const std::string before = exam.world().digest();
  const auto seen = exam.step().observe(exam.op());
  if (exam.works(seen, "observe of a foreign target")) {
    exam.holds(seen->state == State::foreign, "something foreign is not called foreign");
  }
  const auto applied = exam.step().apply(exam.op());
  exam.holds(!applied, "apply over something foreign was not refused");
  exam.holds(exam.world().digest() == before, "apply changed what is foreign");
  return violations;
}

Violations effects_named(const MakeStepWorld& make_world) {
  Violations violations;
  Exam exam(make_world, violations);
  if (!exam.ready()) return violations;
  if (!exam.holds(static_cast<bool>(exam.world().type().effects), "the type has no effects()")) {
    return violations;
  }
  const auto effects = exam.world().type().effects(exam.config());
  const std::string before = exam.world().digest();
  if (!exam.live("for its effects")) return violations;
  exam.holds(exam.world().digest() == before || !effects.empty(),
             "it changed the target and effects() names nothing");
  return violations;
}

}  // namespace

const std::vector<StepContractCheck>& step_contract() {
  static const std::vector<StepContractCheck> checks = {
      {"ObservingChangesNothing", observing},
      {"ApplyingIsProvenAndSeenAsDone", applying},
      {"ApplyingTwiceEqualsApplyingOnce", applying_twice},
      {"KilledBetweenAnyTwoVerbsItEndsTheSame", killed_between_verbs},
      {"KilledWithinApplyItEndsTheSame", killed_within_apply},
      {"ANativeFenceRefusesADriverThatWasReplaced", replaced},
      {"AnAlterationIsSeen", alteration},
      {"UndoBringsTheFirstStateBackOrSaysIrreversible", undoing},
      {"WhatIsForeignIsReportedAndLeftAlone", foreign},
      {"WhatItChangesIsNamedByEffects", effects_named},
  };
  return checks;
}

std::vector<std::string> step_violations(const MakeStepWorld& make_world) {
  Violations all;
  for (const StepContractCheck& check : step_contract()) {
    for (const std::string& violation : check.violations(make_world)) {
      all.push_back(check.name + ": " + violation);
    }
  }
  return all;
}

}  // namespace lifeboat::plan
