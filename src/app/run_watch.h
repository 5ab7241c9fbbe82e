// app/run_watch.h - A run as the person at the terminal sees it, step by step.
//
// One line whenever a step begins, ends or fails; between them the progress of the step that told
// last. Threads: as run::Observer.
#pragma once

#include "app/terminal.h"
#include "run/observer.h"

namespace lifeboat::app {

class RunWatch final : public run::Observer {
 public:
  explicit RunWatch(Terminal& terminal) : terminal_(terminal) {}
  void step_started(const std::string& step, std::uint64_t generation) override;
  void step_progress(const std::string& step, std::uint64_t done, std::uint64_t total,
                     std::string_view unit) override;
  void step_done(const std::string& step, std::string_view summary) override;
  void step_failed(const std::string& step, const Error& error) override;
  void step_skipped(const std::string& step, const std::string& needs) override;
  void remark(std::string_view text) override;

 private:
  Terminal& terminal_;
};

}  // namespace lifeboat::app
