#include "run/events.h"

#include "base/guard.h"
#include "run/plan_codec.h"

namespace lifeboat::run::event {
namespace {

Value texts(const std::vector<std::string>& items) {
  Value::List list;
  for (const std::string& item : items) list.emplace_back(item);
  return list;
}

Event make(const std::string& kind, Value facts) { return {kind, std::move(facts), {}, 0}; }

Event of_step(const std::string& kind, const std::string& step, Value facts = {}) {
  facts.set("step", step);
  return make(kind, std::move(facts));
}

Value generation_of(std::uint64_t generation) {
  Value facts;
  facts.set("generation", generation);
  return facts;
}

Value checks_value(const std::vector<plan::Check>& checks) {
  Value::List list;
  for (const plan::Check& check : checks) list.push_back(to_value(check));
  return list;
}

Value point_value(const PointPin& point) {
  Value value;
  value.set("id", point.id);
  value.set("complete", point.complete);
  value.set("earliest", point.earliest.ns);
  value.set("latest", point.latest.ns);
  Value snapshots = Value::Map{};
  for (const auto& [source, snapshot] : point.snapshots) snapshots.set(source, snapshot);
  value.set("snapshots", std::move(snapshots));
  return value;
}

PointPin point_from(const Value& value) {
  PointPin point{value.text("id"),
                 {value.integer("earliest", 0)},
                 {value.integer("latest", 0)},
                 value.boolean("complete", false),
                 {}};
  if (!value.at("snapshots").is(Value::Type::map)) return point;
  for (const auto& [source, snapshot] : value.at("snapshots").map()) {
    if (snapshot.is(Value::Type::string)) point.snapshots.emplace(source, snapshot.string());
  }
  return point;
}

Value texts_by_name(const std::map<std::string, std::string>& items) {
  Value value = Value::Map{};
  for (const auto& [name, text] : items) value.set(name, text);
  return value;
}

std::map<std::string, std::string> texts_by_name(const Value& value) {
  std::map<std::string, std::string> items;
  if (!value.is(Value::Type::map)) return items;
  for (const auto& [name, text] : value.map()) {
    if (text.is(Value::Type::string)) items.emplace(name, text.string());
  }
  return items;
}

std::optional<std::chrono::nanoseconds> duration_from(const Value& value) {
  if (!value.is(Value::Type::integer)) return std::nullopt;
  return std::chrono::nanoseconds(value.integer());
}

}  // namespace

Value to_value(const Error& error) {
  Value value;
  value.set("kind", kind_name(error.kind));
  value.set("what", error.what);
  value.set("hint", error.hint);
  value.set("exit", exit_status(error.effective_code()));
  return value;
}

Error error_from(const Value& value) {
  Error error{Error::Kind::invalid, value.text("what"), value.text("hint"), Error::Code::general};
  for (int kind = 0; kind <= static_cast<int>(Error::Kind::cancelled); ++kind) {
    if (value.text("kind") == kind_name(static_cast<Error::Kind>(kind))) {
      error.kind = static_cast<Error::Kind>(kind);
    }
  }
  for (int code = static_cast<int>(Error::Code::general);
       code <= static_cast<int>(Error::Code::interrupted); ++code) {
    const auto candidate = static_cast<Error::Code>(code);
    if (exit_status(candidate) == value.integer("exit", 1)) error.code = candidate;
  }
  return error;
}

Value to_value(const plan::Check& check) {
  Value value;
  value.set("name", check.name);
  value.set("expected", check.expected);
  value.set("actual", check.actual);
  value.set("ok", check.ok);
  return value;
}

Value to_value(const Pins& pins) {
  Value value;
  value.set("run", pins.run);
  value.set("plan", run::to_value(pins.plan));
  value.set("inputs", pins.inputs);
  value.set("sources", pins.sources);
  value.set("bundle", pins.bundle);
  value.set("platform_name", pins.platform_name);
  value.set("version", pins.version);
  value.set("point", point_value(pins.point));
  value.set("t0", pins.origin.time.ns);
  value.set("t0_origin", pins.origin.text);
  const Objectives& wanted = pins.objectives;
  if (wanted.rto) value.set("rto_objective_ns", std::int64_t{wanted.rto->count()});
  if (wanted.rpo) value.set("rpo_objective_ns", std::int64_t{wanted.rpo->count()});
  value.set("operators", texts_by_name(pins.operators));
  if (pins.graceful) value.set("graceful", true);
  return value;
}

Result<Pins> pins_from(const Value& value) {
  Pins pins;
  TRY(pins.plan, plan_from(value.at("plan")));
  pins.run = value.text("run");
  pins.inputs = value.at("inputs");
  pins.sources = value.at("sources");
  pins.bundle = value.text("bundle");
  pins.platform_name = value.text("platform_name");
  pins.version = value.text("version");
  pins.point = point_from(value.at("point"));
  pins.origin = {{value.integer("t0", 0)}, value.text("t0_origin")};
  pins.objectives = {duration_from(value.at("rto_objective_ns")),
                     duration_from(value.at("rpo_objective_ns"))};
  pins.operators = texts_by_name(value.at("operators"));
  pins.graceful = value.boolean("graceful", false);
  return pins;
}

Event run_begin(const Pins& pins, const journal::Driver& driver) {
  Value facts;
  facts.set("engine", pins.plan.guards.empty() ? std::int64_t{2} : engine_version);
  facts.set("pins", to_value(pins));
  facts.set("host", driver.host);
  return make("run.begin", std::move(facts));
}

Event driver_joined(const journal::Driver& driver, const std::string& over) {
  Value facts;
  facts.set("over", over);
  facts.set("id", driver.id);
  facts.set("host", driver.host);
  facts.set("pid", driver.pid);
  facts.set("boot", driver.boot);
  return make("driver.joined", std::move(facts));
}

Event guard_seen(const GuardLook& look) {
  Value facts;
  facts.set("guard", look.guard);
  facts.set("wanted", look.wanted);
  facts.set("found", look.found);
  facts.set("at", look.at);
  facts.set("held", look.held);
  return make("guard.seen", std::move(facts));
}

Event guard_adopted(const std::string& guard, const std::string& identity, const std::string& at) {
  Value facts;
  facts.set("guard", guard);
  facts.set("identity", identity);
  facts.set("at", at);
  return make("guard.adopted", std::move(facts));
}

Event driver_released(const std::string& id) {
  Value facts;
  facts.set("id", id);
  return make("driver.released", std::move(facts));
}

Event driver_left(const journal::Driver& driver) {
  Value facts;
  facts.set("id", driver.id);
  return make("driver.left", std::move(facts));
}

Event run_end(const RunEnd& end) {
  Value facts;
  facts.set("outcome", end.outcome);
  if (end.heartbeat) facts.set("heartbeat", end.heartbeat->ns);
  return make("run.end", std::move(facts));
}

Event replanned(const Replan& replan) {
  Value facts;
  facts.set("plan", run::to_value(replan.plan));
  facts.set("inputs", replan.inputs);
  facts.set("sources", replan.sources);
  facts.set("bundle", replan.bundle);
  facts.set("operators", texts_by_name(replan.operators));
  facts.set("renames", texts_by_name(replan.renames));
  facts.set("by", replan.by);
  return make("run.replanned", std::move(facts));
}

Result<Replan> replan_from(const Value& facts) {
  Replan replan;
  TRY(replan.plan, plan_from(facts.at("plan")));
  replan.inputs = facts.at("inputs");
  replan.sources = facts.at("sources");
  replan.bundle = facts.text("bundle");
  replan.operators = texts_by_name(facts.at("operators"));
  replan.renames = texts_by_name(facts.at("renames"));
  replan.by = facts.text("by");
  return replan;
}

Event run_remark(const std::string& text) {
  Value facts;
  facts.set("text", text);
  return make("run.remark", std::move(facts));
}

Event started(const std::string& step, std::uint64_t generation) {
  return of_step("step.started", step, generation_of(generation));
}

Event observed(const std::string& step, const plan::Observation& seen, const Value& before) {
  ASSERT(!before.tainted());
  Value facts;
  facts.set("state", plan::state_name(seen.state));
  facts.set("generation", seen.generation);
  facts.set("summary", seen.summary);
  facts.set("before", before);
  return of_step("step.observed", step, std::move(facts));
}

Event intent(const std::string& step, std::uint64_t generation) {
  return of_step("step.intent", step, generation_of(generation));
}

Event applied(const std::string& step, std::uint64_t generation) {
  return of_step("step.applied", step, generation_of(generation));
}

Event done(const std::string& step, const plan::Verification& proof, const Value& outputs,
           std::chrono::nanoseconds took) {
  Value facts;
  facts.set("checks", checks_value(proof.checks));
  facts.set("outputs", outputs);
  facts.set("losses", texts(proof.losses));
  facts.set("kept_aside", texts(proof.kept_aside));
  facts.set("remarks", texts(proof.remarks));
  facts.set("took_ns", std::int64_t{took.count()});
  return of_step("step.done", step, std::move(facts));
}

Event failed(const std::string& step, const Error& error, const std::vector<plan::Check>& checks,
             std::chrono::nanoseconds took) {
  Value facts;
  facts.set("error", to_value(error));
  facts.set("checks", checks_value(checks));
  facts.set("took_ns", std::int64_t{took.count()});
  return of_step("step.failed", step, std::move(facts));
}

Event retry(const std::string& step, const Error& error, std::chrono::nanoseconds wait) {
  Value facts;
  facts.set("error", to_value(error));
  facts.set("wait_ns", std::int64_t{wait.count()});
  return of_step("step.retry", step, std::move(facts));
}

Event stopped(const std::string& step, std::chrono::nanoseconds took) {
  Value facts;
  facts.set("took_ns", std::int64_t{took.count()});
  return of_step("step.stopped", step, std::move(facts));
}

Event skipped(const std::string& step, const std::string& needs) {
  Value facts;
  facts.set("needs", needs);
  return of_step("step.skipped", step, std::move(facts));
}

Event awaits(const std::string& step) { return of_step("step.awaits", step); }

Event undo_intent(const std::string& step) { return of_step("step.undo", step); }

Event undone(const std::string& step, const std::string& summary, std::chrono::nanoseconds took) {
  Value facts;
  facts.set("summary", summary);
  facts.set("took_ns", std::int64_t{took.count()});
  return of_step("step.undone", step, std::move(facts));
}

Event undo_failed(const std::string& step, const Error& error, std::chrono::nanoseconds took) {
  Value facts;
  facts.set("error", to_value(error));
  facts.set("took_ns", std::int64_t{took.count()});
  return of_step("step.undo_failed", step, std::move(facts));
}

Event request_taken(const journal::Request& asked, const Verdict& verdict) {
  Value facts;
  facts.set("number", asked.number);
  facts.set("text", asked.text);
  facts.set("key", asked.key);
  facts.set("signature", asked.signature);
  facts.set("by", verdict.request.by);
  facts.set("action", verdict.request.action);
  facts.set("step", verdict.request.step);
  facts.set("reason", verdict.request.reason);
  facts.set("inputs", verdict.request.inputs);
  facts.set("nonce", verdict.nonce);
  facts.set("signed", verdict.is_signed);
  facts.set("accepted", verdict.accepted());
  facts.set("why", verdict.why);
  return make("request.taken", std::move(facts));
}

Event secret_kept(const std::string& step, const std::string& name, const std::string& handle) {
  Value facts;
  facts.set("name", name);
  facts.set("handle", handle);
  return of_step("secret.kept", step, std::move(facts));
}

Event child_left(const std::string& step, const std::string& process) {
  Value facts;
  facts.set("process", process);
  return of_step("child.left", step, std::move(facts));
}

}  // namespace lifeboat::run::event
