#include "steps/looking_step.h"

#include <algorithm>

#include "base/bytes.h"
#include "schema/json.h"

namespace lifeboat::steps {
namespace {

using plan::Check;
using plan::Observation;
using plan::State;

constexpr std::size_t shown_bytes_max = 200;

const Check* first_failed(const std::vector<Check>& checks) {
  const auto found =
      std::find_if(checks.begin(), checks.end(), [](const Check& check) { return !check.ok; });
  return found == checks.end() ? nullptr : &*found;
}

// The first thing that is not as expected, in one line; "" when all is.
std::string complaint(const Result<Sight>& seen) {
  if (!seen) return seen.error().what;
  const Check* wrong = first_failed(seen->checks);
  return wrong == nullptr ? ""
                          : wrong->name + ": expected " + wrong->expected + ", " + wrong->actual;
}

class LookingStep final : public plan::Step {
 public:
  LookingStep(std::unique_ptr<Question> question, const Patience& patience,
              plan::StepContext& context)
      : question_(std::move(question)), patience_(patience), context_(context) {}

  Result<void> preflight(const Operation& op) override {
    TRY_DO(op.proceed());
    TRY_DO(question_->words());
    return question_->files();
  }

  Result<Observation> observe(const Operation& op) override {
    TRY_DO(op.proceed());
    const auto seen = question_->look(op);
    TRY_DO(op.proceed());
    if (!seen && !may_come(seen.error())) return fail(seen.error());
    Observation observation;
    observation.would = "look at " + question_->what();
    if (patience_.within.count() > 0) {
      observation.would += " until it is as expected, at most " + human_duration(patience_.within);
    }
    const std::string wrong = complaint(seen);
    observation.state = wrong.empty() ? State::ours_done : State::absent;
    observation.summary =
        question_->what() + (wrong.empty() ? " is as expected" : " is not as expected: " + wrong);
    if (wrong.empty()) observation.outputs = seen->outputs;
    return observation;
  }

  // Not good in the end is no Error here: verify() tells what differs. No answer at all is one.
  Result<void> apply(const Operation& op) override {
    const auto until = op.clock->boot() + patience_.within;
    auto pause = patience_.first_pause;
    std::string said;
    for (;;) {
      TRY_DO(op.proceed());
      const auto seen = question_->look(op);
      TRY_DO(op.proceed());
      const std::string wrong = complaint(seen);
      if (wrong.empty()) return {};
      if (!seen && seen.error().kind != Error::Kind::unavailable) return fail(seen.error());
      if (wrong != said) context_.log(wrong);
      said = wrong;
      if (op.clock->boot() + pause > until) {
        return seen ? Result<void>() : Result<void>(fail(seen.error()));
      }
      TRY_DO(op.pause(pause));
      pause = std::min(pause * 2, patience_.longest_pause);
    }
  }

  Result<plan::Verification> verify(const Operation& op) override {
    TRY_DO(op.proceed());
    auto seen = question_->look(op);
    TRY_DO(op.proceed());
    plan::Verification proof;
    if (!seen) {
      if (seen.error().kind != Error::Kind::unavailable) return fail(seen.error());
      proof.checks.push_back({question_->what(), "answers", seen.error().what, false});
      return proof;
    }
    proof.checks = std::move(seen->checks);
    proof.remarks = std::move(seen->remarks);
    if (first_failed(proof.checks) == nullptr) proof.outputs = std::move(seen->outputs);
    return proof;
  }

  Result<void> undo(const Operation& op, const Value&) override { return op.proceed(); }

 private:
  const std::unique_ptr<Question> question_;
  const Patience patience_;
  plan::StepContext& context_;
};

}  // namespace

bool Sight::good() const { return first_failed(checks) == nullptr; }

bool may_come(const Error& error) {
  // `cancelled`: one question took longer than it may; whoever asks knows whether all is over.
  return is_transient(error) || error.kind == Error::Kind::not_found ||
         error.kind == Error::Kind::cancelled;
}

Patience patience_of(const Value& config) {
  Patience patience;
  if (const auto within = parse_duration(config.text("within"))) patience.within = *within;
  return patience;
}

std::unique_ptr<plan::Step> make_looking_step(std::unique_ptr<Question> question,
                                              const Patience& patience,
                                              plan::StepContext& context) {
  return std::make_unique<LookingStep>(std::move(question), patience, context);
}

std::string shown_text(std::string_view text) {
  return text.size() <= shown_bytes_max ? printable(text)
                                        : printable(text.substr(0, shown_bytes_max)) + "...";
}

std::string shown_value(const Value& value) {
  if (value.tainted()) return "***";
  return shown_text(value.is(Value::Type::string) ? value.string() : to_json(value));
}

}  // namespace lifeboat::steps
