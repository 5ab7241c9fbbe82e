// The suite itself under test: a small correct step passes it, and ten broken ones do not.
#include "plan/step_contract.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>

namespace lifeboat::plan {
namespace {

// What the memory step changes: a list of words, written one by one, with a marker beside.
struct Target {
  std::vector<std::string> words;
  std::optional<std::string> owner;  // the run that wrote or writes them
  std::uint64_t generation = 0;      // attempt that wrote or writes them
  bool done = false;
};

enum class Fault {
  none,
  observe_writes,
  appends_again,
  verify_is_blind,
  undo_forgets,
  overwrites_foreign,
  never_continues,
  forgets_that_it_is_done,
  has_no_fence,
  looks_at_its_fence_once,
  shows_a_secret,
};

const std::vector<std::string> wanted = {"network", "database", "broker", "traffic"};

class MemoryStep final : public Step {
 public:
  MemoryStep(Target& target, Fault fault, StepContext& context)
      : target_(target), fault_(fault), context_(context) {}

  Result<void> preflight(const Operation& op) override { return op.proceed(); }

  Result<Observation> observe(const Operation& op) override {
    TRY_DO(op.proceed());
    if (fault_ == Fault::observe_writes) target_.words.emplace_back("observed");
    Observation seen;
    seen.summary = std::to_string(target_.words.size()) + " words";
    seen.would = "write " + std::to_string(wanted.size()) + " words";
    Value::List before;
    for (const std::string& word : target_.words) before.emplace_back(word);
    seen.before = Value(std::move(before));
    if (fault_ == Fault::shows_a_secret) seen.changes.push_back({"password", "", "hunter2"});
    seen.state = state();
    if (seen.state == State::ours_done) seen.outputs = outputs();
    return seen;
  }

  Result<void> apply(const Operation& op) override {
    const State now = state();
    if (now == State::foreign && fault_ != Fault::overwrites_foreign) {
      return fail(Error::Kind::conflict, "the target holds words of somebody else", "",
                  Error::Code::refused);
    }
    if (target_.generation > context_.generation() && fault_ != Fault::has_no_fence) {
      return fail(Error::Kind::conflict, "a later attempt was here", "", Error::Code::refused);
    }
    if (now == State::ours_done && fault_ != Fault::appends_again) return {};
    if (now == State::ours_partial && fault_ == Fault::never_continues) return {};
    target_.owner = context_.run();
    target_.generation = context_.generation();
    target_.done = false;
    if (fault_ != Fault::appends_again) target_.words.clear();
    for (const std::string& word : wanted) {
      TRY_DO(op.proceed());
      if (target_.generation != context_.generation() && fault_ != Fault::has_no_fence &&
          fault_ != Fault::looks_at_its_fence_once) {
        return fail(Error::Kind::conflict, "a later attempt was here", "", Error::Code::refused);
      }
      target_.words.push_back(word);
    }
    target_.done = fault_ != Fault::forgets_that_it_is_done;
    return {};
  }

  Result<Verification> verify(const Operation& op) override {
    TRY_DO(op.proceed());
    Verification proof;
    const bool equal = target_.words == wanted || fault_ == Fault::verify_is_blind;
    proof.checks.push_back(
        {"words", std::to_string(wanted.size()), std::to_string(target_.words.size()), equal});
    proof.outputs = outputs();
    return proof;
  }

  Result<void> undo(const Operation& op, const Value& before) override {
    TRY_DO(op.proceed());
    if (fault_ == Fault::undo_forgets) return {};
    target_ = {};
    for (const Value& word : before.list()) target_.words.push_back(word.string());
    return {};
  }

 private:
  State state() const {
    if (target_.words.empty() && !target_.owner) return State::absent;
    if (target_.owner != context_.run()) return State::foreign;
    if (!target_.done) return State::ours_partial;
    return target_.words == wanted ? State::ours_done : State::drifted;
  }
  Value outputs() const {
    Value outputs;
    outputs.set("count", static_cast<std::int64_t>(target_.words.size()));
    return outputs;
  }

  Target& target_;
  Fault fault_;
  StepContext& context_;
};

class MemoryWorld final : public StepWorld {
 public:
  explicit MemoryWorld(Fault fault) : context_({.clock = &clock_}) {
    type_.name = "words";
    type_.help = "Writes words";
    type_.fields = {.name = "words", .help = "", .fields = {}, .short_form = "", .reserved = {}};
    type_.fence = Fence::native;
    type_.outputs = {{"count", shape::integer()}};
    type_.effects = [](const Value&) { return std::vector<std::string>{"memory:words"}; };
    type_.make = [this, fault](const Value&, StepContext& context) {
      return Result<std::unique_ptr<Step>>(std::make_unique<MemoryStep>(target_, fault, context));
    };
  }
  const StepType& type() override { return type_; }
  Value config() override { return Value(Value::Map()); }
  FakeContext& context() override { return context_; }
  std::string digest() override {
    std::string all;
    for (const std::string& word : target_.words) all += word + ";";
    return all;
  }
  void alter() override { target_.words = {"altered"}; }
  std::vector<std::string> secrets() override { return {"hunter2"}; }
  bool make_foreign() override {
    target_.words = {"not", "ours"};
    return true;
  }

 private:
  SystemClock clock_;
  Target target_;
  StepType type_;
  FakeContext context_;
};

LIFEBOAT_STEP_CONTRACT(MemoryStepContract,
                       [] { return std::make_unique<MemoryWorld>(Fault::none); });

class BrokenStep : public testing::TestWithParam<std::pair<Fault, std::string>> {};

TEST_P(BrokenStep, FailsTheContractForItsFault) {
  const auto& [fault, told] = GetParam();
  const auto violations =
      step_violations([which = fault] { return std::make_unique<MemoryWorld>(which); });
  EXPECT_THAT(violations, testing::Contains(testing::HasSubstr(told)));
}

INSTANTIATE_TEST_SUITE_P(
    Step, BrokenStep,
    testing::Values(
        std::pair{Fault::observe_writes, "preflight and observe changed the target"},
        std::pair{Fault::appends_again, "applying twice is not the same as applying once"},
        std::pair{Fault::verify_is_blind, "verify is green after an alteration"},
        std::pair{Fault::undo_forgets, "did not bring the first state back"},
        std::pair{Fault::overwrites_foreign, "apply changed what is foreign"},
        std::pair{Fault::never_continues, "with a death within apply"},
        std::pair{Fault::forgets_that_it_is_done, "does not say that it is done"},
        std::pair{Fault::has_no_fence, "a driver that was replaced changed the target"},
        std::pair{Fault::looks_at_its_fence_once, "a driver that was replaced changed the target"},
        std::pair{Fault::shows_a_secret, "a change that observe tells shows a secret"}),
    [](const auto& parameter) {
      return "Number" + std::to_string(static_cast<int>(parameter.param.first));
    });

}  // namespace
}  // namespace lifeboat::plan
