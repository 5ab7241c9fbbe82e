// run/drive.h - The loop of one driver: start what may start, wait for news, ask again.
//
// Decides nothing itself: plan/frontier.h says what may start, and which first, and
// plan/next_actions.h what may be undone; run/step_life.h lives the steps, run/request.h judges
// what people ask, run/vigil.h watches over the lease. News are: a step ended, a request was taken,
// the driver has to stop. What one step costs here does not grow with the plan, unless steps are
// undone.
//
// Threads: run() in the caller's; one thread a running step; the vigil's.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "plan/frontier.h"
#include "run/engine.h"
#include "run/guard.h"
#include "run/ledger.h"

namespace lifeboat::run {

class Drive {
 public:
  Drive(const EngineSetup& setup, journal::Journal& journal, Ledger& ledger,
        std::shared_ptr<FaultPoints> faults);

  // Until nothing can start any more, or this driver has to leave: then why.
  std::optional<Error> run(const Operation& op);

 private:
  enum class Way { forward, back };
  struct Heard {
    Verdict verdict;
    std::optional<std::stop_source> at_work;  // of the step that it names, before it was judged
  };

  void drive_on(const Operation& op);
  plan::RunView view() const;
  void heed(const std::string& step, plan::StepPhase phase);
  void heed(const Changes& changes);
  void start_ready(const Operation& op);
  // False when a person was heard since the changes were taken.
  bool skip_lost();
  bool undo_ready(const Operation& op);
  bool go_forward(const Operation& op);
  bool start(const Operation& op, const plan::StepNode& node, Way way);
  bool tell_who_is_awaited();
  bool stopping(const Operation& op) const;
  bool listens(const Operation& op) const;
  bool stays(const Operation& op) const;
  bool nothing_more_was_asked(const Operation& op);
  void wait_for_news();
  void wake();

  Result<void> read_backlog(const Operation& op);
  Result<void> read_all_requests(const Operation& op);
  Result<void> look(const Operation& op);
  Result<void> read_requests(const Operation& op);
  Result<void> follow_taken(const Operation& op);
  void follow(Heard& heard);
  void stop_unless_begun(const std::string& step);
  std::optional<std::stop_source> at_work(const std::string& step) const;

  void halt(Error error);
  void stop_steps();
  std::optional<Error> finish(const Operation& op);
  Result<void> leave();
  Result<void> end_run();
  std::string outcome_of(const RunState& state) const;
  Error awaits_people() const;
  std::optional<WallTime> newest_heartbeat();

  const EngineSetup& setup_;
  journal::Journal& journal_;
  Ledger& ledger_;
  const plan::Plan& plan_;
  const plan::Graph graph_;
  plan::Frontier frontier_;  // of the thread in run()
  // Shared with the journal, whose own thread may pass a point while we leave.
  const std::shared_ptr<FaultPoints> faults_;
  Guards guards_;                                // of all steps
  std::map<std::string, std::jthread> running_;  // of the thread in run()
  std::set<std::size_t> told_;                   // gates that the observer knows of; likewise
  bool undoing_ = false;                         // somebody wants a step undone; likewise
  std::vector<Heard> taken_;  // and not followed yet; of the one thread that reads requests

  // The run's thread reads them first, the vigil while it hears, the run's thread at the end. Held
  // while the store is read: what it keeps waiting is the end of the run, or the vigil's next look.
  Mutex looking_;
  bool hears_ GUARDED_BY(looking_) = false;

  mutable Mutex mutex_;
  Condition changed_;
  std::map<std::string, std::stop_source> stops_ GUARDED_BY(mutex_);  // of steps at work
  std::vector<std::string> ended_ GUARDED_BY(mutex_);                 // threads about to end
  bool news_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;  // nothing starts any more
  std::optional<Error> halted_ GUARDED_BY(mutex_);
};

}  // namespace lifeboat::run
