// plan/fake_context.h - A StepContext for tests of steps: vault in memory, log lines kept.
//
// It outlives the steps made with it, as the vault and journal outlive an engine: a test that
// drops a Step and makes it anew has killed the engine in between (`next_attempt`).
//
// Threads: log() and progress() from any thread; the rest as StepContext.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "plan/step.h"

namespace lifeboat::plan {

class FakeContext final : public StepContext {
 public:
  struct Setup {
    const Clock* clock = nullptr;  // required
    Launcher* launcher = nullptr;  // required by steps that start programs
    std::string bundle_directory = ".";
    std::string run = "run-1";
    std::string step = "contract/step";
  };
  explicit FakeContext(Setup setup) : setup_(std::move(setup)) {}

  const std::string& run() const override { return setup_.run; }
  const std::string& step() const override { return setup_.step; }
  std::uint64_t generation() const override { return generation_; }
  const Clock& clock() const override { return *setup_.clock; }
  Launcher& launcher() override { return *setup_.launcher; }
  std::string bundle_directory() const override { return setup_.bundle_directory; }
  Result<Secret> keep_secret(const Operation& op, const std::string& name,
                             const std::function<Secret()>& make) override {
    TRY_DO(op.proceed());
    const auto found = vault_.find(name);
    return found != vault_.end() ? found->second : vault_.emplace(name, make()).first->second;
  }
  Result<void> left_running(const Operation&, const std::vector<std::string>& processes) override {
    left_running_.insert(left_running_.end(), processes.begin(), processes.end());
    return {};
  }
  void log(std::string_view line) override {
    MutexLock lock(mutex_);
    lines_.emplace_back(line);
  }
  void progress(std::uint64_t done, std::uint64_t total, std::string_view) override {
    MutexLock lock(mutex_);
    progress_.emplace_back(done, total);
  }

  // The engine died and another one goes on.
  void next_attempt() { ++generation_; }
  const std::map<std::string, Secret>& vault() const { return vault_; }
  const std::vector<std::string>& left_running() const { return left_running_; }
  std::vector<std::string> lines() {
    MutexLock lock(mutex_);
    return lines_;
  }
  std::vector<std::pair<std::uint64_t, std::uint64_t>> progress_reports() {
    MutexLock lock(mutex_);
    return progress_;
  }

 private:
  const Setup setup_;
  std::uint64_t generation_ = 1;
  std::map<std::string, Secret> vault_;
  std::vector<std::string> left_running_;
  Mutex mutex_;
  std::vector<std::string> lines_ GUARDED_BY(mutex_);
  std::vector<std::pair<std::uint64_t, std::uint64_t>> progress_ GUARDED_BY(mutex_);
};

}  // namespace lifeboat::plan
