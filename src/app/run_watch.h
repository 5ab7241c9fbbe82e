// app/run_watch.h - A run as the person at the terminal sees it, step by step.
//
// One line whenever a step begins, ends or fails; between them the progress of the step that told
// last. With an outlook also the time: how much is gone, how much is left as a range, and whether
// that is within the objective; on a terminal as a line that stands, elsewhere as a line at the
// beginning and whenever it has changed much.
//
// Threads: as run::Observer; one of its own from the first step on, which ends with it.
#pragma once

#include <optional>
#include <thread>

#include "app/terminal.h"
#include "base/mutex.h"
#include "base/operation.h"
#include "repo/repository.h"
#include "run/observer.h"
#include "run/outlook.h"
#include "run/state.h"

namespace lifeboat::app {

class RunWatch final : public run::Observer {
 public:
  // `once_begun` is said when the first step begins: from then on the run exists.
  explicit RunWatch(Terminal& terminal, std::string once_begun = {})
      : terminal_(terminal), once_begun_(std::move(once_begun)) {}
  // From now on with the time that is left. `clock` outlives us.  Before the run.
  void tell_time(run::OutlookGround ground, const Clock& clock, WallTime t0);

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
  // What happens to the outlook, and when.
  struct Time {
    run::Outlook outlook;
    const Clock& clock;
    std::chrono::nanoseconds gone_before{}, since{};  // T0 to the begin of the watch, and that
    std::optional<run::TimeLeft> told;                // in a line of its own
  };

  void ended(const std::string& step, plan::StepPhase phase);
  void begun(const std::string& step);
  void show_time();

  Terminal& terminal_;
  const std::string once_begun_;
  Mutex mutex_;
  bool begun_ GUARDED_BY(mutex_) = false;
  std::optional<Time> time_ GUARDED_BY(mutex_);
  std::jthread ticking_;  // last: it uses all of the above
};

// A run that somebody else drove, as it was last seen.
struct Watched {
  enum class How { ended, left, silent };  // silent: its driver, for so long that it may be gone
  How how{};
  run::RunState state;
};

// Shows what the run does until it ends or nobody drives it any more; with JSON output each event
// as a line. Who watches is there when the driver dies: a repository that does not answer is waited
// for, and a driver has its time to show life once it does.
// Errors: as run::Follower, but for unavailable; cancelled.
Result<Watched> watch_to_the_end(const Operation& op, Terminal& terminal,
                                 repo::Repository& repository, const std::string& run);

}  // namespace lifeboat::app
