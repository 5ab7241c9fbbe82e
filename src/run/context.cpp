#include "run/context.h"

namespace lifeboat::run {

Error masked(const Launcher& launcher, Error error) {
  error.what = launcher.masked(error.what);
  error.hint = launcher.masked(error.hint);
  return error;
}

RunContext::RunContext(const Surroundings& around, Ledger& ledger, FaultPoints& faults,
                       std::string step)
    : around_(around),
      ledger_(ledger),
      faults_(faults),
      step_(std::move(step)),
      launcher_(*around.launcher, faults, step_, *around.clock) {}

void RunContext::enter(std::string_view verb) {
  launcher_.verb(verb);
  around_.observer->step_phase(step_, verb);
  faults_.verb_starts(step_, verb);
}

Result<void> RunContext::journaled(Result<void> result) {
  if (!result) journal_error_ = result.error();
  return result;
}

Result<Secret> RunContext::keep_secret(const Operation& op, const std::string& name,
                                       const std::function<Secret()>& make) {
  TRY_DO(op.proceed());
  auto secret = ledger_.keep_secret(step_, name, make);
  if (!secret) journal_error_ = secret.error();
  return secret;
}

Result<void> RunContext::left_running(const Operation&, const std::vector<std::string>& processes) {
  return journaled(ledger_.children_left(step_, processes));
}

void RunContext::log(std::string_view line) {
  const std::string masked = launcher_.masked(line);
  ledger_.log(step_, masked);
  around_.observer->step_line(step_, masked);
}

void RunContext::progress(std::uint64_t done, std::uint64_t total, std::string_view unit) {
  around_.observer->step_progress(step_, done, total, unit);
}

LookingContext::LookingContext(const Surroundings& around, std::string run, std::string step)
    : around_(around), run_(std::move(run)), step_(std::move(step)) {}

Result<Secret> LookingContext::keep_secret(const Operation& op, const std::string&,
                                           const std::function<Secret()>& make) {
  TRY_DO(op.proceed());
  Secret value = make();
  around_.launcher->mask(value);
  return value;
}

Result<void> LookingContext::left_running(const Operation& op, const std::vector<std::string>&) {
  return op.proceed();  // to look starts nothing that lasts
}

void LookingContext::log(std::string_view line) {
  around_.observer->step_line(step_, around_.launcher->masked(line));
}

void LookingContext::progress(std::uint64_t done, std::uint64_t total, std::string_view unit) {
  around_.observer->step_progress(step_, done, total, unit);
}

}  // namespace lifeboat::run
