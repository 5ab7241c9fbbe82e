// steps/lazy_step.h - A step that is made by the first operation that reaches it.
//
// Making one may take time: a secret of its configuration is asked of a program, which a person has
// to be able to stop. StepType::make() has no operation; the step's verbs do.
//
// Threads: as Step.
#pragma once

#include <functional>
#include <memory>
#include <utility>

#include "plan/step.h"

namespace lifeboat::steps {

class LazyStep final : public plan::Step {
 public:
  using Make = std::function<Result<std::unique_ptr<plan::Step>>(const Operation& op)>;
  explicit LazyStep(Make make) : make_(std::move(make)) {}

  Result<void> preflight(const Operation& op) override {
    TRY_DO(ready(op));
    return made_->preflight(op);
  }
  Result<plan::Observation> observe(const Operation& op) override {
    TRY_DO(ready(op));
    return made_->observe(op);
  }
  Result<void> apply(const Operation& op) override {
    TRY_DO(ready(op));
    return made_->apply(op);
  }
  Result<plan::Verification> verify(const Operation& op) override {
    TRY_DO(ready(op));
    return made_->verify(op);
  }
  Result<void> undo(const Operation& op, const Value& before) override {
    TRY_DO(ready(op));
    return made_->undo(op, before);
  }

 private:
  Result<void> ready(const Operation& op) {
    if (made_) return {};
    TRY(made_, make_(op));
    return {};
  }
  const Make make_;
  std::unique_ptr<plan::Step> made_;
};

}  // namespace lifeboat::steps
