// run/step_life.h - The life of one step: preflight, observe, intent, apply, verify, done or
// failed.
//
// Every arrow is journaled before the next is followed; only the intent waits for durability. What
// observe() answers decides: done by us - verify only; absent or partly ours - apply; foreign or
// drifted - the step fails and says so. Errors of kind `unavailable` are tried again as the plan
// says, each time from observe() on with a new generation: a change whose answer was lost is found,
// not repeated.
//
// Two more things hold a change back. A gate (`approve:`) is open before a life begins, and still
// when the change is announced; who opened it is one of the step's checks. And where a driver that
// may still be at work announced a change that the target cannot refuse (Fence::none), we observe
// and verify, but apply nothing, until that driver let go or a person said that it is stopped.
//
// Before each change of a step that changes anything, the fingerprints of the plan must hold
// (run/guard.h); nothing was announced yet when they do not.
//
// undo() is the way back, from what the first observe saw, with an intent of its own before it. It
// is tried once: a failure is for a person (never a loop).
//
// Threads: one per life.
#pragma once

#include "run/context.h"
#include "run/guard.h"

namespace lifeboat::run {

class StepLife {
 public:
  StepLife(const Surroundings& around, Ledger& ledger, FaultPoints& faults, Guards& guards,
           const plan::StepNode& node);

  // Returns when the ledger knows the step as done or failed, or when it was stopped through `op`.
  // Errors: only of the journal (lease_held, unavailable): this engine is no longer the driver.
  Result<void> live(const Operation& op);
  // The same for the way back: the ledger knows the step as undone, or as failed.
  Result<void> undo(const Operation& op);

 private:
  Result<std::string> bring_back(const Operation& op);
  Result<void> announce();
  Result<void> refuse_doubt(const std::string& summary) const;
  Result<void> hold_guards(const Operation& op);
  void begin_attempt();
  Result<void> attempt(const Operation& op);
  Result<std::unique_ptr<plan::Step>> make_step();
  Result<void> bring_about(const Operation& op, plan::Step& step);
  Result<plan::Verification> prove(const Operation& op, plan::Step& step);
  Result<void> check_outputs(plan::Verification& proof) const;
  Result<bool> try_again(const Operation& op, const Error& error);
  bool ended_by_its_timeout(const Error& error) const;
  Result<void> end_with(const Operation& op, Error error);
  std::chrono::nanoseconds took() const { return around_.clock->boot() - began_; }

  const Surroundings& around_;
  Ledger& ledger_;
  Guards& guards_;
  const plan::StepNode& node_;
  RunContext context_;
  int attempts_ = 0;                               // of this life
  bool changes_ = true;                            // its type says that it may change something
  std::chrono::nanoseconds began_{}, deadline_{};  // of this attempt
  std::optional<plan::Check> gate_;                // who opened it
  Value observed_outputs_;
  std::vector<plan::Check> failed_checks_;
};

// Kind and text of what an observation that forbids to apply means.
Error refusal(const std::string& step, const plan::Observation& seen);

}  // namespace lifeboat::run
