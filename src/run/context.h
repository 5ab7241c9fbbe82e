// run/context.h - What the engine gives to steps: one context for runs, one for looking only.
//
// Threads: as StepContext; log() and progress() from any thread.
#pragma once

#include <string>

#include "plan/step.h"
#include "run/fault_point.h"
#include "run/ledger.h"
#include "run/observer.h"

namespace lifeboat::run {

// What all steps of an engine share. Everything outlives them.
struct Surroundings {
  const plan::StepTypes* types = nullptr;
  Launcher* launcher = nullptr;
  const Clock* clock = nullptr;
  Random* random = nullptr;
  Observer* observer = nullptr;
  std::string bundle_directory;
  std::string secret_directory;              // "" = the same
  const plan::GuardKinds* guards = nullptr;  // null: a plan with guards is refused
};

inline const std::string& secrets_of(const Surroundings& around) {
  return around.secret_directory.empty() ? around.bundle_directory : around.secret_directory;
}

// An error as it may be shown and kept: a step that was given a secret may have put it into either
// text.
Error masked(const Launcher& launcher, Error error);

// One attempt of one step of a run.
class RunContext final : public plan::StepContext {
 public:
  RunContext(const Surroundings& around, Ledger& ledger, FaultPoints& faults, std::string step);

  // The verb that comes now.
  void enter(std::string_view verb);
  void set_generation(std::uint64_t generation) { generation_ = generation; }
  // Whether the last error came from the journal: then the run is over for this engine.
  const std::optional<Error>& journal_error() const { return journal_error_; }
  Result<void> journaled(Result<void> result);

  const std::string& run() const override { return ledger_.pins().run; }
  const std::string& step() const override { return step_; }
  std::uint64_t generation() const override { return generation_; }
  const Clock& clock() const override { return *around_.clock; }
  Launcher& launcher() override { return launcher_; }
  std::string bundle_directory() const override { return around_.bundle_directory; }
  std::string secret_directory() const override { return secrets_of(around_); }
  Result<Secret> keep_secret(const Operation& op, const std::string& name,
                             const std::function<Secret()>& make) override;
  Result<void> left_running(const Operation& op,
                            const std::vector<std::string>& processes) override;
  void log(std::string_view line) override;
  void progress(std::uint64_t done, std::uint64_t total, std::string_view unit) override;

 private:
  const Surroundings& around_;
  Ledger& ledger_;
  FaultPoints& faults_;
  const std::string step_;
  CountingLauncher launcher_;
  std::uint64_t generation_ = 0;
  std::optional<Error> journal_error_;
};

// For preflight and dry run: nothing is kept, nothing is written anywhere.
class LookingContext final : public plan::StepContext {
 public:
  LookingContext(const Surroundings& around, std::string run, std::string step);

  const std::string& run() const override { return run_; }
  const std::string& step() const override { return step_; }
  std::uint64_t generation() const override { return 1; }
  const Clock& clock() const override { return *around_.clock; }
  Launcher& launcher() override { return *around_.launcher; }
  std::string bundle_directory() const override { return around_.bundle_directory; }
  std::string secret_directory() const override { return secrets_of(around_); }
  Result<Secret> keep_secret(const Operation& op, const std::string& name,
                             const std::function<Secret()>& make) override;
  Result<void> left_running(const Operation& op,
                            const std::vector<std::string>& processes) override;
  void log(std::string_view line) override;
  void progress(std::uint64_t done, std::uint64_t total, std::string_view unit) override;

 private:
  const Surroundings& around_;
  const std::string run_, step_;
};

}  // namespace lifeboat::run
