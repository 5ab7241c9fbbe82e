// run/ledger.h - What a running engine knows: the state of its run, in step with its journal.
//
// Every change of the state is an event, believed in the order of the journal: none can become
// durable before those that it follows from. record() answers when it is durable (an intent, a kept
// secret); note() lets it become so within a second. Secrets in outputs go through the vault; the
// ledger holds their revealed form for the steps that need them.
//
// Journal writes are not stopped with the run: what happened is still told.  Errors of all that
// write: lease_held, unavailable: this engine is no longer the driver, or cannot prove that it is.
//
// Threads: all methods from any thread.  Ownership: the journal outlives the ledger.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "client/process/launcher.h"
#include "journal/journal.h"
#include "run/request.h"
#include "run/state.h"

namespace lifeboat::run {

// What is new in a run.
struct Changes {
  // `phases` of the steps that something was recorded of; approvals and holds of all.
  plan::RunView view;
  // The view is that of the whole run: `to_undo` and `undo_failed` are told only then.
  bool whole = false;
};

class Ledger {
 public:
  Ledger(journal::Journal& journal, Launcher& launcher, const Clock& clock, RunState state);

  // Reads the secrets of inputs and outputs back from the vault. Once, before all else.
  Result<void> reveal();

  Result<void> record(std::vector<journal::Event> events);
  void note(journal::Event event);
  // For what was decided by the changes that were taken last: nothing, and false, when a person has
  // been heard since. `act` is called under the lock of the ledger.
  bool note_unless_asked(journal::Event event);
  bool unless_asked(const std::function<void()>& act);
  // Answers when all that was written so far is durable.  Errors: as above; cancelled.
  Result<void> settle(const Operation& op);

  RunState state() const;
  StepState step(const std::string& name) const;
  std::map<std::string, Adopted> adopted() const;
  plan::RunView view() const;
  // What was recorded since the last call; all of the run the first time.
  Changes take_changes();
  std::uint64_t requests_read() const;
  bool cancelled() const;
  // What steps may refer to now; and what this one does refer to, at the cost of just that.
  plan::Scope scope() const;
  plan::Scope scope(const plan::StepNode& step) const;
  const Pins& pins() const { return pins_; }

  // Judges what a person asks, and writes words and verdict; the state follows it, and steps are
  // given the inputs that it gives. Nobody is to be told before settle().
  // Both functions are called under the lock of the ledger: `judged` once the verdict is written.
  // Errors: unavailable, cancelled (of the vault); nothing was written then.
  Result<Verdict> take(const Operation& op, const journal::Request& asked,
                       const std::function<bool(const std::string& step)>& running,
                       const std::function<void(const Verdict& verdict)>& judged);
  // Announces the change of a step that is approved still, durable when it answers: of this and a
  // person's decline the one is before the other.  Errors: as record(); denied.
  Result<void> announce(const plan::StepNode& step, std::uint64_t generation);
  // What the first observe of a step saw, revealed: for undo.
  Result<Value> before(const std::string& step) const;

  // Journals the end of a step; its outputs are there for others when this answers.
  Result<void> step_done(const std::string& step, const plan::Verification& found,
                         std::chrono::nanoseconds took);
  Result<void> step_observed(const std::string& step, plan::Observation seen);
  // The secret that the step keeps under this name: the one of before, or a new one, durable.
  Result<Secret> keep_secret(const std::string& step, const std::string& name,
                             const std::function<Secret()>& make);
  // Journals processes that a step left running; durable when it answers.
  Result<void> children_left(const std::string& step, const std::vector<std::string>& processes);
  void log(const std::string& step, std::string_view line) { journal_.log(step, line); }

 private:
  Operation operation() const { return {&clock_}; }
  void write(journal::Event event) REQUIRES(mutex_);
  Result<void> reveal_inputs();
  plan::Scope scope_without_outputs() const REQUIRES(mutex_);
  plan::Verification masked(plan::Verification proof) const;
  void taint_known(Value& value) const;

  journal::Journal& journal_;
  Launcher& launcher_;
  const Clock& clock_;
  const Pins pins_;
  std::vector<const plan::StepNode*> gated_;  // of pins_
  mutable Mutex mutex_;
  RunState state_ GUARDED_BY(mutex_);
  std::set<std::string> changed_ GUARDED_BY(mutex_);         // steps
  bool all_changed_ GUARDED_BY(mutex_) = true;               // as far as we know
  Value inputs_ GUARDED_BY(mutex_);                          // revealed
  Value sources_ GUARDED_BY(mutex_);                         // revealed
  std::map<std::string, Value> outputs_ GUARDED_BY(mutex_);  // revealed, of steps that are done
};

// What steps of a run may refer to before any step is done; inputs and sources as they are pinned.
plan::Scope first_scope(const Pins& pins, WallTime begun);

}  // namespace lifeboat::run
