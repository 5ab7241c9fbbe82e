// run/guard.h - The fingerprints of a plan, held against the target before anything is changed.
//
// Whoever restores into the wrong database has two disasters. So a run looks at what its plan
// guards (plan/guard.h) before it begins, and again before each change that a step announces: what
// is found there must be what the plan says, or, for a guard that adopts, what was found there when
// it first answered in this run. That is journaled before anything is changed by it, and holds for
// whoever goes on with the run.
//
// A target that does not answer proves nothing: a guard with an expected identity refuses then. One
// that adopts lets pass, before and after it has adopted: what a run makes is not there at first,
// and the step that brings it up again must be able to.
//
// Threads: hold() from any thread.  Ownership: everything outlives it.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "plan/guard.h"
#include "run/context.h"

namespace lifeboat::run {

// What one look at one guard said.
struct GuardSeen {
  std::string guard;
  std::string wanted;  // "" when it is still to be adopted
  std::string found;   // "" when there was no answer
  std::string at;
  bool fresh = false;            // adopts, and answered for the first time
  std::optional<Error> refused;  // nothing may be changed: code refused when it is another target
};

using AdoptedNames = std::map<std::string, Adopted>;  // RunState::adopted

// Looks at all guards of a plan, by name.  Errors: cancelled.
Result<std::vector<GuardSeen>> look_at_guards(const Operation& op, const Surroundings& around,
                                              const plan::Plan& plan, const plan::Scope& scope,
                                              const AdoptedNames& adopted);

// The same before a run is begun or gone on with.  Errors: that of the first guard that refuses.
Result<void> prove_guards(const Operation& op, const Surroundings& around, const plan::Plan& plan,
                          const plan::Scope& scope, const AdoptedNames& adopted);

// The guards of a running run.
class Guards {
 public:
  // What was seen stays good for this long, as long as no step ends: steps that change one target
  // at the same time ask it once.
  static constexpr std::chrono::nanoseconds good_for = std::chrono::seconds(5);

  Guards(const Surroundings& around, Ledger& ledger) : around_(around), ledger_(ledger) {}

  // Before each change. What is adopted is durable when it answers.
  // Errors: refused, naming what was wanted and what is there; as the target's; of the journal,
  // then `journal_error` is set.
  Result<void> hold(const Operation& op, std::optional<Error>& journal_error);
  // Whenever a step may have changed something: what it did may lead to another target.
  void forget();

 private:
  // Journals what is new of it, with what is recorded next: with the intent of the change.
  void tell(const std::vector<GuardSeen>& all);
  Result<void> adopt(const GuardSeen& seen, std::optional<Error>& journal_error);
  bool seen_lately() const;
  std::uint64_t forgotten() const;

  const Surroundings& around_;
  Ledger& ledger_;
  mutable Mutex mutex_;
  std::optional<std::chrono::nanoseconds> seen_ GUARDED_BY(mutex_);  // boot time
  std::uint64_t forgotten_ GUARDED_BY(mutex_) = 0;                   // how often
  std::map<std::string, std::string> told_ GUARDED_BY(mutex_);       // by guard
};

}  // namespace lifeboat::run
