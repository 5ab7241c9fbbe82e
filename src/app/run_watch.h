// app/run_watch.h - A run as the person at the terminal sees it, step by step.
//
// One line whenever a step begins, ends or fails; between them the progress of the step that told
// last. Threads: as run::Observer.
#pragma once

#include <atomic>

#include "app/terminal.h"
#include "run/observer.h"

namespace lifeboat::app {

class RunWatch final : public run::Observer {
 public:
  // `once_begun` is said when the first step begins: from then on the run exists.
  explicit RunWatch(Terminal& terminal, std::string once_begun = {})
      : terminal_(terminal), once_begun_(std::move(once_begun)) {}
  void step_started(const std::string& step, std::uint64_t generation) override;
  void step_progress(const std::string& step, std::uint64_t done, std::uint64_t total,
                     std::string_view unit) override;
  void step_done(const std::string& step, std::string_view summary) override;
  void step_failed(const std::string& step, const Error& error) override;
  void step_skipped(const std::string& step, const std::string& needs) override;
  void step_awaits(const std::string& step, std::string_view wanted,
                   std::string_view reason) override;
  void asked(const std::string& by, const std::string& action, const std::string& step,
             const std::string& why) override;
  void remark(std::string_view text) override;

 private:
  Terminal& terminal_;
  const std::string once_begun_;
  std::atomic<bool> begun_ = false;
};

}  // namespace lifeboat::app
