#include "evidence/document.h"

#include <algorithm>
#include <array>
#include <functional>
#include <set>

#include "evidence/findings.h"
#include "run/events.h"
#include "run/plan_codec.h"
#include "run/report.h"
#include "schema/json.h"

namespace lifeboat::evidence {
namespace {

using journal::Event;
using run::RunState;
using run::StepState;

// Longer outputs are named by their digest: evidence is about identity, not content.
constexpr std::size_t output_bytes_max = 1000;

Value texts(const std::vector<std::string>& items) {
  Value::List list;
  for (const std::string& item : items) list.emplace_back(item);
  return list;
}

Value moment(WallTime time) { return time.ns == 0 ? Value() : Value(rfc3339(time)); }

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

Value objective(const std::optional<std::chrono::nanoseconds>& measured,
                const std::optional<std::chrono::nanoseconds>& wanted) {
  Value value;
  value.set("measured_s", measured ? Value(seconds(*measured)) : Value());
  value.set("objective_s", wanted ? Value(seconds(*wanted)) : Value());
  const auto is_met = met(measured, wanted);
  value.set("met", is_met ? Value(*is_met) : Value());
  return value;
}

// --- the course of the run: what was in force when ---

// Which plan, inputs and operators were in force, by their places in the lists of versions.
struct InForce {
  std::size_t plan = 0, inputs = 0, operators = 0;
};

// All that there were, in the order in which the run had them.
class Versions {
 public:
  InForce look_at(const RunState& state) {
    Value operators = Value::Map{};
    for (const auto& [name, key] : state.pins.operators) operators.set(name, key);
    return {number_of(plans_, to_json(run::to_value(state.pins.plan))),
            number_of(inputs_, to_json(state.pins.inputs)),
            number_of(operators_, to_json(operators))};
  }
  const std::vector<std::string>& plans() const { return plans_; }
  Value inputs() const { return values(inputs_); }
  Value operators() const { return values(operators_); }
  Value plan_files() const {
    Value::List list;
    for (std::size_t i = 0; i < plans_.size(); ++i) {
      Value item;
      item.set("file", plan_file(i));
      item.set("sha256", crypt::sha256(as_bytes(plans_[i])).hex());
      list.push_back(std::move(item));
    }
    return list;
  }

 private:
  // A change back is a version of before.
  static std::size_t number_of(std::vector<std::string>& versions, std::string text) {
    const auto found = std::ranges::find(versions, text);
    if (found != versions.end()) return static_cast<std::size_t>(found - versions.begin());
    versions.push_back(std::move(text));
    return versions.size() - 1;
  }
  static Value values(const std::vector<std::string>& versions) {
    Value::List list;
    for (const std::string& text : versions) {
      const auto value = parse_json(text);
      list.push_back(value ? *value : Value());
    }
    return list;
  }
  std::vector<std::string> plans_, inputs_, operators_;
};

struct Attempt {
  std::string step;  // its name then
  std::uint64_t generation = 0;
  std::size_t plan_version = 0;
  WallTime begun, ended;
  std::string end;  // "done", "failed", "stopped", ...; "" = the driver died
  std::string text;
};

struct Course {
  Versions versions;
  Value::List requests;
  std::map<std::string, std::vector<Attempt>> attempts;  // by the name that the step has at the end
};

// The request as it is journaled: words, key and signature to the letter.
Value request_value(const Event& event, const InForce& in_force) {
  const Value& facts = event.facts;
  Value value;
  for (const char* name : {"number", "text", "key", "signature", "by", "action", "step", "reason",
                           "signed", "accepted", "why"}) {
    value.set(name, facts.at(name));
  }
  value.set("taken", rfc3339(event.time));
  value.set("taken_ns", event.time.ns);
  value.set("plan_version", static_cast<std::int64_t>(in_force.plan));
  value.set("inputs_version", static_cast<std::int64_t>(in_force.inputs));
  value.set("operators_version", static_cast<std::int64_t>(in_force.operators));
  return value;
}

void add_attempt(Course& course, const Event& event, const InForce& in_force) {
  const std::string step = event.facts.text("step");
  auto& of_step = course.attempts[step];
  if (event.kind == "step.started") {
    const auto generation = static_cast<std::uint64_t>(event.facts.integer("generation", 0));
    of_step.push_back({step, generation, in_force.plan, event.time, {}, "", ""});
    return;
  }
  constexpr std::array ends = {"step.done",    "step.failed", "step.stopped",
                               "step.skipped", "step.undone", "step.undo_failed"};
  const bool end = std::ranges::find(ends, event.kind) != ends.end();
  if (!end || of_step.empty() || !of_step.back().end.empty()) return;
  of_step.back().ended = event.time;
  of_step.back().end = event.kind.substr(std::string_view("step.").size());
  of_step.back().text = event.facts.at("error").text("what");
}

// A plan that replaces another one may give steps other names.
void rename_attempts(Course& course, const Value& renames) {
  if (!renames.is(Value::Type::map)) return;
  std::map<std::string, std::vector<Attempt>> renamed;
  for (auto& [name, attempts] : course.attempts) {
    std::ranges::move(attempts, std::back_inserter(renamed[renames.text(name, name)]));
  }
  course.attempts = std::move(renamed);
}

// Folds the journal once more, and looks at what is in force wherever it can change.
Course course_of(const Account& account) {
  Course course;
  RunState state;
  if (const auto first = run::replay({account.events.front()})) state = *first;
  InForce in_force = course.versions.look_at(state);
  for (const Event& event : account.events) {
    if (event.kind == "request.taken") course.requests.push_back(request_value(event, in_force));
    if (event.kind.starts_with("step.")) add_attempt(course, event, in_force);
    if (event.kind == "run.replanned") rename_attempts(course, event.facts.at("renames"));
    run::fold(state, event);
    if (!event.kind.starts_with("run.") && event.kind != "request.taken") continue;
    in_force = course.versions.look_at(state);
  }
  return course;
}

// --- steps ---

Value attempt_value(const Attempt& attempt) {
  Value value;
  value.set("step", attempt.step);
  value.set("plan_version", static_cast<std::int64_t>(attempt.plan_version));
  value.set("generation", attempt.generation);
  value.set("begun", rfc3339(attempt.begun));
  value.set("begun_ns", attempt.begun.ns);
  value.set("ended", moment(attempt.ended));
  value.set("end", attempt.end.empty() ? "interrupted" : attempt.end);
  value.set("text", attempt.text);
  return value;
}

Value gate_value(const plan::ApprovalRule& rule, const StepState& step) {
  Value value;
  value.set("by", texts(rule.by));
  value.set("count", rule.count);
  value.set("expires_ns", std::int64_t{rule.expires.count()});
  value.set("reason", rule.reason);
  Value::List approvals;
  for (const run::Approval& approval : step.approvals) {
    Value item;
    item.set("by", approval.by);
    item.set("reason", approval.reason);
    item.set("taken", rfc3339(approval.taken));
    item.set("request", approval.request);
    approvals.push_back(std::move(item));
  }
  value.set("approvals", std::move(approvals));
  return value;
}

Value output_value(const Value& output) {
  const std::string text = to_json(without_handles(output));
  if (text.size() <= output_bytes_max) return without_handles(output);
  Value value;
  value.set("sha256", crypt::sha256(as_bytes(text)).hex());
  value.set("size", static_cast<std::int64_t>(text.size()));
  return value;
}

// What steps may refer to at the end, with secrets masked.
plan::Scope scope_of(const RunState& state) {
  RunState masked = state;
  masked.pins.inputs = without_handles(state.pins.inputs);
  masked.pins.sources = without_handles(state.pins.sources);
  plan::Scope scope;
  scope.inputs = masked.pins.inputs;
  scope.sources = masked.pins.sources;
  scope.run.set("id", state.pins.run);
  scope.run.set("plan", state.pins.plan.name);
  scope.run.set("started", rfc3339(state.begun));
  scope.point.set("id", state.pins.point.id);
  scope.point.set("time", rfc3339(state.pins.point.earliest));
  scope.platform.set("name", state.pins.platform_name);
  for (const auto& [name, step] : state.steps) {
    if (step.phase == plan::StepPhase::done) scope.outputs[name] = without_handles(step.outputs);
  }
  return scope;
}

// Endpoints and identities that the step may change, as far as they are known.
Value changes_of(const plan::StepNode& node, const plan::StepTypes* types,
                 const plan::Scope& scope) {
  const plan::StepType* type = types == nullptr ? nullptr : types->find(node.type);
  if (type == nullptr || !type->effects) return Value::List{};
  const auto config = plan::resolve_known(node.config, scope);
  return texts(type->effects(config ? *config : node.config));
}

Value step_value(const plan::StepNode& node, const StepState& step,
                 const std::vector<Attempt>& attempts) {
  Value value;
  value.set("name", node.name);
  value.set("type", node.type);
  value.set("why", node.why);
  Value::List tries, checks;
  for (const Attempt& attempt : attempts) tries.push_back(attempt_value(attempt));
  for (const plan::Check& check : step.checks) checks.push_back(run::event::to_value(check));
  value.set("attempts", std::move(tries));
  value.set("checks", std::move(checks));
  Value outputs = Value::Map{};
  if (step.outputs.is(Value::Type::map)) {
    for (const auto& [name, output] : step.outputs.map()) outputs.set(name, output_value(output));
  }
  value.set("outputs", std::move(outputs));
  if (node.approve) value.set("gate", gate_value(*node.approve, step));
  return value;
}

Value steps_value(const Account& account, const Course& course) {
  const RunState& state = account.outcome.state;
  const plan::Scope scope = scope_of(state);
  Value::List steps;
  for (const plan::StepNode& node : state.pins.plan.steps) {
    const auto found = course.attempts.find(node.name);
    Value step =
        step_value(node, state.step(node.name),
                   found == course.attempts.end() ? std::vector<Attempt>{} : found->second);
    step.set("changes", changes_of(node, account.maker.types, scope));
    steps.push_back(std::move(step));
  }
  return steps;
}

// Steps that were begun and that the plan has no more: what they did may still be there.
Value former_steps_value(const RunState& state, const Course& course) {
  Value::List steps;
  for (const auto& [name, attempts] : course.attempts) {
    if (attempts.empty() || state.pins.plan.find(name) != nullptr) continue;
    Value step;
    step.set("name", name);
    Value::List tries;
    for (const Attempt& attempt : attempts) tries.push_back(attempt_value(attempt));
    step.set("attempts", std::move(tries));
    steps.push_back(std::move(step));
  }
  return steps;
}

// --- the rest ---

Value point_value(const run::PointPin& point, WallTime t0) {
  if (point.id.empty()) return {};
  Value value;
  value.set("id", point.id);
  value.set("complete", point.complete);
  value.set("earliest", rfc3339(point.earliest));
  value.set("latest", rfc3339(point.latest));
  value.set("age_at_t0_s", seconds(std::chrono::nanoseconds(t0.ns - point.earliest.ns)));
  Value members = Value::Map{};
  for (const auto& [source, snapshot] : point.snapshots) members.set(source, snapshot);
  value.set("members", std::move(members));
  return value;
}

// --- the target ---

Value identity_value(const Event& event) {
  const bool adopted = event.kind == "guard.adopted";
  Value value;
  value.set("guard", event.facts.text("guard"));
  value.set("wanted", event.facts.text("wanted"));
  value.set("found", event.facts.text(adopted ? "identity" : "found"));
  value.set("at", event.facts.text("at"));
  value.set("time", rfc3339(event.time));
  value.set("how", adopted                              ? "adopted"
                   : event.facts.boolean("held", false) ? "as wanted"
                                                        : "refused");
  return value;
}

// What the guards of the plan wanted and found, in order; those that were never asked, last.
Value target_value(const Account& account) {
  Value::List looks;
  std::set<std::string> asked;
  for (const Event& event : account.events) {
    if (event.kind != "guard.seen" && event.kind != "guard.adopted") continue;
    asked.insert(event.facts.text("guard"));
    looks.push_back(identity_value(event));
  }
  for (const plan::GuardRule& rule : account.outcome.state.pins.plan.guards) {
    if (asked.contains(rule.name)) continue;
    Value value;
    value.set("guard", rule.name);
    for (const char* unknown : {"wanted", "found", "at"}) value.set(unknown, "");
    value.set("time", Value());
    value.set("how", "no answer");
    looks.push_back(std::move(value));
  }
  return looks;
}

Value drivers_value(const RunState& state) {
  Value::List drivers;
  for (const run::DriverVisit& visit : state.drivers) {
    Value item;
    item.set("id", visit.driver.id);
    item.set("host", visit.driver.host);
    item.set("pid", visit.driver.pid);
    item.set("begun", rfc3339(visit.begin));
    item.set("over", visit.over);
    drivers.push_back(std::move(item));
  }
  return drivers;
}

Value people_value(Course& course) {
  Value value;
  value.set("operators", course.versions.operators());
  value.set("requests", std::move(course.requests));
  return value;
}

Value made_value(const Account& account) {
  Value value;
  value.set("time", rfc3339(account.made));
  value.set("host", account.maker.driver.host);
  value.set("version", account.maker.version);
  value.set("program_sha256", account.maker.program);
  return value;
}

Value journal_value(const Account& account) {
  Value value;
  value.set("segments", account.segments);
  value.set("head", account.head);
  value.set("events", static_cast<std::int64_t>(account.events.size()));
  return value;
}

template <class Items>
Value each(const Items& items, const std::function<Value(const typename Items::value_type&)>& to) {
  Value::List list;
  for (const auto& item : items) list.push_back(to(item));
  return list;
}

Value deviation_value(const Deviation& deviation) {
  Value value;
  value.set("kind", deviation.kind);
  value.set("step", deviation.step);
  value.set("text", deviation.text);
  return value;
}

Value finding_value(const FactFinding& finding) {
  Value value;
  value.set("id", finding.id);
  value.set("text", finding.text);
  return value;
}

}  // namespace

std::string plan_file(std::size_t version) {
  return version == 0 ? "plan.json" : "plan-" + std::to_string(version + 1) + ".json";
}

Value without_handles(const Value& value) {
  if (value.is(Value::Type::list)) {
    Value::List list;
    for (const Value& item : value.list()) list.push_back(without_handles(item));
    return list;
  }
  if (!value.is(Value::Type::map)) return value;
  if (value.has("$vault")) return Value("***").taint();
  Value copy = Value::Map{};
  for (const auto& [key, member] : value.map()) copy.set(key, without_handles(member));
  return copy;
}

Document make_document(const Account& account) {
  const RunState& state = account.outcome.state;
  const run::Report report = run::make_report(account.outcome);
  Course course = course_of(account);
  Value value;
  value.set("format", "lifeboat-evidence");
  value.set("version", document_version);
  value.set("made", made_value(account));
  value.set("repository", account.repository);
  value.set("run", state.pins.run);
  value.set("begun", rfc3339(state.begun));
  value.set("report", run::to_value(report));
  value.set("bundle", state.pins.bundle);
  value.set("plans", course.versions.plan_files());
  value.set("inputs", course.versions.inputs());
  value.set("point", point_value(state.pins.point, state.pins.origin.time));
  value.set("target", target_value(account));
  value.set("rto", objective(report.rto, report.objectives.rto));
  value.set("rpo", objective(report.rpo, report.objectives.rpo));
  value.set("steps", steps_value(account, course));
  value.set("former_steps", former_steps_value(state, course));
  value.set("people", people_value(course));
  value.set("drivers", drivers_value(state));
  value.set("deviations", each(deviations_of(state, report, account.events), deviation_value));
  value.set("findings", each(findings_of(state, report), finding_value));
  value.set("journal", journal_value(account));
  return {std::move(value), course.versions.plans()};
}

}  // namespace lifeboat::evidence
