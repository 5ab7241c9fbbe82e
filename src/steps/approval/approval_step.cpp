#include "steps/approval/approval_step.h"

#include "plan/plan.h"

namespace lifeboat::steps {
namespace {

class ApprovalStep final : public plan::Step {
 public:
  Result<void> preflight(const Operation& op) override { return op.proceed(); }
  Result<plan::Observation> observe(const Operation& op) override {
    TRY_DO(op.proceed());
    plan::Observation seen;
    seen.state = plan::State::ours_done;
    seen.summary = "people decide; there is nothing to change";
    return seen;
  }
  Result<void> apply(const Operation& op) override { return op.proceed(); }
  Result<plan::Verification> verify(const Operation& op) override {
    TRY_DO(op.proceed());
    return plan::Verification{};
  }
  Result<void> undo(const Operation& op, const Value&) override { return op.proceed(); }
};

}  // namespace

plan::StepType approval_step() {
  plan::StepType type;
  type.name = plan::approval_type;
  type.usually = {std::chrono::milliseconds(1), std::chrono::milliseconds(10),
                  std::chrono::seconds(1)};
  type.help = "Waits until people have agreed; the word of a step that only has `approve:`";
  type.fields.name = type.name;
  type.fields.help = type.help;
  type.fence = plan::Fence::native;  // there is nothing that a zombie could change
  type.effects = [](const Value&) { return std::vector<std::string>(); };
  type.make = [](const Value&, plan::StepContext&) -> Result<std::unique_ptr<plan::Step>> {
    return std::unique_ptr<plan::Step>(std::make_unique<ApprovalStep>());
  };
  return type;
}

}  // namespace lifeboat::steps
