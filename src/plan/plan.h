// plan/plan.h - A recovery plan: a graph of typed steps for one scenario. Pure: no I/O.
//
// compile() turns the validated tree of a plan (from the platform file) into a Plan: every
// reference resolved to an edge, every cycle, unknown step, unknown output and unknown word found,
// all findings at once with line and column. A Plan is immutable; the engine asks it what depends
// on what, and resolves a step's configuration once its inputs are known.
//
// Threads: immutable after compile().
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plan/step.h"
#include "schema/fields.h"
#include "schema/value.h"

namespace lifeboat::plan {

class GuardKinds;  // plan/guard.h

// Known step types, by name. Filled once, in app/registry.cpp.
class StepTypes {
 public:
  void add(StepType type);
  const StepType* find(std::string_view name) const;
  std::vector<std::string> names() const;
  const std::map<std::string, StepType, std::less<>>& all() const { return types_; }

 private:
  std::map<std::string, StepType, std::less<>> types_;
};

struct Retry {
  int times = 0;  // besides the first attempt; only errors of kind unavailable are retried
  std::chrono::nanoseconds backoff = std::chrono::seconds(1);  // doubled each time, with jitter
};
enum class OnFailure { pause, stop, go_on };

// A fingerprint of the target that must hold before anything is changed (plan/guard.h).
struct GuardRule {
  std::string name;  // its kind, with "-2" and so on when the plan has more of it
  std::string kind;
  Value config;  // validated; strings may hold ${...} of inputs, never of outputs
  // The identity is not told by the plan, but taken when the target first answers, and kept.
  bool adopt = false;
  Mark mark;
};

// The step type of a gate that stands alone (`go: { approve: alice }`).
inline constexpr const char* approval_type = "approval";

// A gate before a step: how many of whom must have approved it before it may start.
struct ApprovalRule {
  std::vector<std::string> by;  // operators of the platform file; empty: any of them
  int count = 1;
  std::chrono::nanoseconds expires = std::chrono::hours(24);  // an approval holds until the start
  std::string reason;                                         // what the approvers are told
};

struct StepNode {
  std::string name;
  std::string type;
  Value config;                    // validated; strings may still hold ${...}
  std::string why;                 // `description:` of the file, for people
  std::vector<std::string> after;  // all steps it waits for: references and `after:`, sorted
  std::vector<std::string> needs;  // those of them whose outputs it cannot do without, sorted
  std::optional<std::chrono::nanoseconds> timeout;
  Retry retry;
  OnFailure on_failure = OnFailure::pause;
  std::optional<ApprovalRule> approve;
  std::string when;  // "" = always; "graceful", "ungraceful", an expression over inputs
  Mark when_mark;
  std::map<std::string, Shape> outputs;  // declared by type and configuration
  Mark mark;
};

struct InputField {
  std::string name;
  Shape shape;
  std::string ask;  // prompt
  Value fallback;   // null: required
  bool secret = false;
};

struct Plan {
  std::string name;
  std::string scenario;
  std::vector<InputField> inputs;
  std::vector<StepNode> steps;    // in the order of the file
  std::vector<GuardRule> guards;  // in the order of their names
  // `heartbeat: STEP.OUTPUT` of the file: an expression whose value, once all is restored, is the
  // RFC 3339 time of the newest heartbeat that came back; tightens the RPO. "" = none.
  std::string heartbeat;
  std::vector<std::string> files;  // `files:` of the plan: local files that its steps read
  Mark mark;
  const StepNode* find(std::string_view name) const;
  // Steps in an order that respects all edges; ties in the order of the file.
  std::vector<std::string> topological() const;
};

// Facts that expressions may refer to besides steps: `inputs.*`, `sources.NAME`, `run.*`,
// `point.*`, `platform.*`.
struct CompileContext {
  const StepTypes* types = nullptr;
  const GuardKinds* guards = nullptr;    // null: none are known
  std::map<std::string, Value> sources;  // names that `${sources.X}` and `source: X` may use
  std::vector<std::string> operators;    // names that may approve
};

// `tree` is plans.NAME of the platform file (unvalidated). Appends all findings; the Plan is fit
// for use only when none was added.
Plan compile(const std::string& name, const Value& tree, const CompileContext& context,
             std::vector<Finding>& findings);

// What is known when a step is about to run.
struct Scope {
  Value inputs;                          // map
  Value sources;                         // map: what `${sources.X}` gives
  Value run;                             // map: id, plan, started
  Value point;                           // map: id, time - the recovery point of the run
  Value platform;                        // map: name
  std::map<std::string, Value> outputs;  // of steps that are done
  // Steps that were skipped: what needs their outputs is skipped too.
  std::vector<std::string> skipped;
};

// Resolves every ${...}; taint travels along. Errors: invalid with the place; not_found when an
// output is not there (code automatic).
Result<Value> resolve(const Value& config, const Scope& scope);

// resolve() for a step that is about to run, then validation against its type: what a reference
// brought must fit the field.  Errors: as resolve(); invalid when the value does not fit.
Result<Value> resolve_step(const StepNode& step, const StepTypes& types, const Scope& scope);
// The same before a run (preflight, dry run): references to outputs of steps that have not run are
// null, and so is whatever is built from them.
Result<Value> resolve_known(const Value& config, const Scope& scope);
// Evaluates one expression ("works.heartbeat"), without `${}`.  Errors: as resolve().
Result<Value> evaluate(const std::string& expression, const Scope& scope);

// Validates what a step answered against its declared outputs and taints the secret ones; what is
// not declared passes as it is.  Errors: invalid, with step and output.
Result<Value> checked_outputs(const StepNode& step, const StepTypes& types, Value outputs);

// Which of a plan's variants is meant.
enum class Manner {
  ungraceful,  // what is to be recovered is lost
  graceful,    // it still answers, and is left in order
};
// The plan of one variant: without the steps whose `when:` does not hold. What came after such a
// step comes after what that step came after; a heartbeat of one is none.
// Errors: usage, with the place: a `when:` that is no yes or no, a step that stays and needs the
// output of one that does not, no step at all.
Result<Plan> variant(const Plan& plan, const Scope& scope, Manner manner);

// The values of inputs for a run: what was given (texts of the command line are typed by the
// declaration), else the fallbacks; secret inputs are tainted, or still say where they come from
// ({env: NAME}).  Errors: invalid (code needs_person when only values are missing), all at once.
Result<Value> bind_inputs(const Plan& plan, const Value& given);

// Names of steps whose outputs `config` refers to.
std::vector<std::string> references(const Value& config);
// Whether `config` looks at `inputs.NAME`, or at all inputs at once.
bool refers_to_input(const Value& config, std::string_view name);

// The graph for people: "dot" text, or one line a step with its waves.
std::string graph_dot(const Plan& plan);

}  // namespace lifeboat::plan
