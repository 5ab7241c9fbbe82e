// plan/step.h - A Step is one typed action of a recovery plan, safe to repeat after a crash.
//
// The engine drives every step the same way and journals each arrow before it follows it:
//   preflight -> observe -> [ours_done? verify only] -> (intent durable) -> apply -> verify -> done
// and, when a person rolls back:  undo(what the first observe saw).
// Before its first change a step leaves a marker (run, step, generation) in its target where the
// target can hold one, so that observe() can tell our own half-done work from somebody else's.
//
// Threads: one verb at a time per Step.  Ownership: the engine owns steps and context.
// Contract: plan/step_contract.h; every step type passes it (killed between any two verbs, same
// end).
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/operation.h"
#include "base/secret.h"
#include "plan/expectation.h"
#include "schema/fields.h"
#include "schema/value.h"

namespace lifeboat {
class Launcher;  // client/process/launcher.h
}

namespace lifeboat::plan {

class ByHand;  // plan/by_hand.h

// What observe() found in the target.
enum class State {
  absent,        // nothing of the effect is there
  ours_partial,  // our marker, unfinished: may be continued or wiped without asking
  ours_done,     // the effect is there and complete
  foreign,       // something is there that is not ours: refuse, or keep aside as the plan says
  drifted,       // it was done, and has been changed since
};
std::string_view state_name(State state);

// One thing that apply() would change, for people: a secret is no part of it, and `from` or `to` is
// "" where there is nothing.
struct Change {
  std::string what;  // "apps/values.yaml: db.host", "role shop: LOGIN"
  std::string from, to;
};

struct Observation {
  State state = State::absent;
  std::uint64_t generation = 0;  // of the marker that was found
  std::string summary;           // one line for dry run and log: "database shop_orders: absent"
  std::string would;             // what apply() would do, for dry run
  Value before;                  // what undo() needs; tainted parts go to the vault
  Value outputs;                 // when ours_done: the step's outputs, read again
  // What apply() would change, as far as that can be told beforehand: for dry run.
  std::vector<Change> changes = {};
};

// One proof with its values; green only if it was really compared.
struct Check {
  std::string name, expected, actual;
  bool ok = false;
};
struct Verification {
  std::vector<Check> checks;
  Value outputs;  // typed as the step type declares; tainted parts go to the vault
  std::vector<std::string> losses;  // what is known to be lost: "12 messages of queue shop/orders"
  std::vector<std::string> kept_aside;
  std::vector<std::string> remarks;
};

// What a step may use. Everything outlives the step.
class StepContext {
 public:
  virtual ~StepContext() = default;
  virtual const std::string& run() const = 0;
  virtual const std::string& step() const = 0;   // path within the plan: "orders", "shop/orders"
  virtual std::uint64_t generation() const = 0;  // attempt, from 1
  virtual const Clock& clock() const = 0;
  virtual Launcher& launcher() = 0;
  // Folder with the files of the bundle (read-only); relative paths of the plan are below it.
  virtual std::string bundle_directory() const = 0;
  // Where relative paths of secrets are: they never travel in a bundle.
  virtual std::string secret_directory() const { return bundle_directory(); }
  // A secret of this step that must survive a crash: answers the one kept under `name`, or keeps
  // what `make` answers, durable in the run's vault before it returns.
  virtual Result<Secret> keep_secret(const Operation& op, const std::string& name,
                                     const std::function<Secret()>& make) = 0;
  // Names processes that apply() left running on purpose ("4711 postgres -D ..."): durable when it
  // answers, so that they are known whatever becomes of the step.
  virtual Result<void> left_running(const Operation& op,
                                    const std::vector<std::string>& processes) = 0;
  // One line into the step's side stream (masked); progress for people.
  virtual void log(std::string_view line) = 0;
  virtual void progress(std::uint64_t done, std::uint64_t total, std::string_view unit) = 0;
};

class Step {
 public:
  virtual ~Step() = default;
  // Would this work now? Reads only.  Errors say what is missing and how to get it. While a step
  // before it is not done, `unavailable` and `not_found` are not held against it: what only a
  // person can mend is of another kind.
  virtual Result<void> preflight(const Operation& op) = 0;
  // Reads, never writes. Inputs that come from the outputs of other steps are there by now.
  virtual Result<Observation> observe(const Operation& op) = 0;
  // Idempotent; continues what an earlier generation of the same run began.
  virtual Result<void> apply(const Operation& op) = 0;
  // Observes again and proves the effect; an unequal value is a Check that is not ok, not an Error.
  virtual Result<Verification> verify(const Operation& op) = 0;
  // Idempotent.  Errors: invalid ("irreversible") when there is no way back.
  virtual Result<void> undo(const Operation& op, const Value& before) = 0;
};

// How a zombie engine is kept from a change that its successor has taken over.
enum class Fence {
  native,  // the target itself refuses (ref compare, transaction with fence row, lock)
  none,    // the outside cannot check: needs the old holder's release or a person's word
};

struct StepType {
  std::string name;  // the word of plan files; never reused
  int version = 1;   // raised when the meaning of a field changes
  std::string help;
  Record fields;
  // Outputs that are known from the type; `outputs_field` names a field of the configuration that
  // declares more ({name: type}).
  std::map<std::string, Shape> outputs;
  std::string outputs_field;
  std::vector<std::string> secret_outputs;  // tainted whatever they hold
  Fence fence = Fence::none;
  // How long one usually takes: assumed until runs have taught better (run/expectation.h).
  DurationRange usually{std::chrono::seconds(2), std::chrono::seconds(30), std::chrono::minutes(5)};
  // Endpoints and identities that it may change ("postgresql://10.0.0.7:5432/shop"): for guards,
  // dry run and drills. Empty: it changes nothing.
  std::function<std::vector<std::string>(const Value& config)> effects;
  // Writes down what a person would type instead of this step, for the runbook. `config` is that
  // of the plan, references unresolved: its values reach the text only through `hand`, which quotes
  // them. Pure. Empty: there is nothing to type (a gate).
  std::function<void(const Value& config, ByHand& hand)> by_hand;
  // `config` was validated and all references in it are resolved. For preflight before a run,
  // references to outputs of other steps are left as null.
  std::function<Result<std::unique_ptr<Step>>(const Value& config, StepContext& context)> make;
};

}  // namespace lifeboat::plan
