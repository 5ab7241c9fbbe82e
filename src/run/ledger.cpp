#include "run/ledger.h"

#include <fmt/format.h>

#include <algorithm>

#include "run/events.h"
#include "run/sealed_values.h"
#include "schema/json.h"

namespace lifeboat::run {
namespace {

Value inputs_of(const journal::Request& asked) {
  const auto words = parse_json(asked.text);
  return words && words->is(Value::Type::map) ? words->at("inputs") : Value();
}

// With its secrets, which are masked from then on.  Errors: as from_handles().
Result<Value> revealed(const Value& sealed, const GetSecret& get, Launcher& launcher) {
  TRY(auto value, from_handles(sealed, get));
  each_secret(value, [&](const Secret& secret) { launcher.mask(secret); });
  return value;
}

// Trying again may help.
bool passes(const Error& error) {
  return error.kind == Error::Kind::unavailable || error.kind == Error::Kind::cancelled;
}

}  // namespace

plan::Scope first_scope(const Pins& pins, WallTime begun) {
  plan::Scope scope;
  scope.inputs = pins.inputs;
  scope.sources = pins.sources;
  scope.run.set("id", pins.run);
  scope.run.set("plan", pins.plan.name);
  scope.run.set("bundle", pins.bundle);
  scope.run.set("started", rfc3339(begun));
  scope.run.set("t0", rfc3339(pins.origin.time));
  scope.run.set("point", pins.point.id);
  scope.point.set("id", pins.point.id);
  scope.point.set("time", rfc3339(pins.point.earliest));
  scope.platform.set("name", pins.platform_name);
  return scope;
}

Ledger::Ledger(journal::Journal& journal, Launcher& launcher, const Clock& clock, RunState state)
    : journal_(journal),
      launcher_(launcher),
      clock_(clock),
      pins_(state.pins),
      state_(std::move(state)) {
  for (const plan::StepNode& node : pins_.plan.steps) {
    if (node.approve) gated_.push_back(&node);
  }
}

Result<void> Ledger::reveal_inputs() {
  const Operation op = operation();
  const GetSecret get = [&](const std::string& handle) { return journal_.get_secret(op, handle); };
  TRY(auto inputs, revealed(state().pins.inputs, get, launcher_));
  MutexLock lock(mutex_);
  inputs_ = std::move(inputs);
  return {};
}

Result<void> Ledger::reveal() {
  TRY_DO(reveal_inputs());
  const Operation op = operation();
  const GetSecret get = [&](const std::string& handle) { return journal_.get_secret(op, handle); };
  TRY(auto sources, revealed(pins_.sources, get, launcher_));
  std::map<std::string, Value> outputs;
  for (const auto& [name, step] : state().steps) {
    for (const auto& [secret, handle] : step.kept) {
      TRY(const Secret value, get(handle));
      launcher_.mask(value);
    }
    if (step.phase != plan::StepPhase::done) continue;
    TRY(outputs[name], revealed(step.outputs, get, launcher_));
  }
  MutexLock lock(mutex_);
  sources_ = std::move(sources);
  outputs_ = std::move(outputs);
  return {};
}

// Under one lock with its place in the journal: a replay folds the same events in the same order.
void Ledger::write(journal::Event event) {
  event.time = clock_.wall();
  journal_.note(event);
  fold(state_, event);
  const std::string step = event.facts.text("step");
  if (event.kind == "step.undone") outputs_.erase(step);
  // What is of no step, or is asked by a person, may be about all of them.
  if (step.empty() || event.kind == "request.taken" || state_.going_back) {
    all_changed_ = true;
  } else {
    changed_.insert(step);
  }
}

Changes Ledger::take_changes() {
  MutexLock lock(mutex_);
  Changes changes{{}, all_changed_};
  if (all_changed_) {
    changes.view = state_.view(clock_.wall());
  } else {
    for (const std::string& step : changed_) changes.view.phases[step] = state_.step(step).phase;
    // An approval may have expired, with nobody doing anything.
    for (const plan::StepNode* node : gated_) {
      const bool given = approved(*node, state_.step(node->name), clock_.wall());
      if (given) changes.view.approved.insert(node->name);
    }
    changes.view.paused = state_.paused.has_value();
    changes.view.going_back = state_.going_back.has_value();
  }
  all_changed_ = false;
  changed_.clear();
  return changes;
}

Result<void> Ledger::record(std::vector<journal::Event> events) {
  {
    MutexLock lock(mutex_);
    for (journal::Event& event : events) write(std::move(event));
  }
  return settle(operation());
}

void Ledger::note(journal::Event event) {
  MutexLock lock(mutex_);
  write(std::move(event));
}

bool Ledger::note_unless_asked(journal::Event event) {
  MutexLock lock(mutex_);
  if (all_changed_) return false;
  write(std::move(event));
  return true;
}

bool Ledger::unless_asked(const std::function<void()>& act) {
  MutexLock lock(mutex_);
  if (all_changed_) return false;
  act();
  return true;
}

Result<void> Ledger::settle(const Operation& op) { return journal_.append(op, {}); }

RunState Ledger::state() const {
  MutexLock lock(mutex_);
  return state_;
}

StepState Ledger::step(const std::string& name) const {
  MutexLock lock(mutex_);
  return state_.step(name);
}

std::map<std::string, Adopted> Ledger::adopted() const {
  MutexLock lock(mutex_);
  return state_.adopted;
}

plan::RunView Ledger::view() const {
  MutexLock lock(mutex_);
  return state_.view(clock_.wall());
}

std::uint64_t Ledger::requests_read() const {
  MutexLock lock(mutex_);
  return state_.requests;
}

bool Ledger::cancelled() const {
  MutexLock lock(mutex_);
  return state_.cancelled.has_value();
}

Result<Verdict> Ledger::take(const Operation& op, const journal::Request& asked,
                             const std::function<bool(const std::string& step)>& running,
                             const std::function<void(const Verdict& verdict)>& judged) {
  const GetSecret get = [&](const std::string& handle) { return journal_.get_secret(op, handle); };
  const auto inputs = revealed(inputs_of(asked), get, launcher_);
  if (!inputs && passes(inputs.error())) return fail(inputs.error());
  MutexLock lock(mutex_);
  Verdict verdict = judge(state_, asked, clock_.wall(), running);
  if (!inputs && verdict.accepted()) {
    verdict.why = "its inputs cannot be read: " + inputs.error().what;
  }
  write(event::request_taken(asked, verdict));
  if (verdict.accepted() && inputs && inputs->is(Value::Type::map)) {
    for (const auto& [name, value] : inputs->map()) inputs_.set(name, value);
  }
  judged(verdict);
  return verdict;
}

Result<void> Ledger::announce(const plan::StepNode& step, std::uint64_t generation) {
  {
    MutexLock lock(mutex_);
    const StepState& known = state_.step(step.name);
    if (!approved(step, known, clock_.wall())) {
      return fail(Error::Kind::denied,
                  fmt::format("{}: it is not approved any more, and nothing {}was changed",
                              step.name, known.intent_open ? "more " : ""),
                  fmt::format("`lifeboat runs retry {} {}` asks again", pins_.run, step.name),
                  Error::Code::needs_person);
    }
    write(event::intent(step.name, generation));
  }
  return settle(operation());
}

Result<Value> Ledger::before(const std::string& step) const {
  const Operation op = operation();
  return from_handles(this->step(step).before,
                      [&](const std::string& handle) { return journal_.get_secret(op, handle); });
}

plan::Scope Ledger::scope_without_outputs() const {
  plan::Scope scope = first_scope(pins_, state_.begun);
  scope.inputs = inputs_;
  scope.sources = sources_;
  return scope;
}

plan::Scope Ledger::scope(const plan::StepNode& step) const {
  const auto names = plan::references(step.config);
  MutexLock lock(mutex_);
  plan::Scope scope = scope_without_outputs();
  for (const std::string& name : names) {
    if (const auto found = outputs_.find(name); found != outputs_.end())
      scope.outputs.insert(*found);
    if (state_.step(name).phase == plan::StepPhase::skipped) scope.skipped.push_back(name);
  }
  return scope;
}

plan::Scope Ledger::scope() const {
  MutexLock lock(mutex_);
  plan::Scope scope = scope_without_outputs();
  scope.outputs = outputs_;
  for (const auto& [name, step] : state_.steps) {
    if (step.phase == plan::StepPhase::skipped) scope.skipped.push_back(name);
  }
  return scope;
}

// A step that was given a secret may have put it into a text: no text leaves without being masked.
plan::Verification Ledger::masked(plan::Verification proof) const {
  const auto mask = [this](std::string& text) { text = launcher_.masked(text); };
  for (plan::Check& check : proof.checks) {
    mask(check.name);
    mask(check.expected);
    mask(check.actual);
  }
  for (auto* texts : {&proof.losses, &proof.kept_aside, &proof.remarks}) {
    std::ranges::for_each(*texts, mask);
  }
  taint_known(proof.outputs);
  return proof;
}

// An output that holds a known secret is one, whether the step said so or not.
void Ledger::taint_known(Value& value) const {
  if (value.is(Value::Type::string)) {
    if (launcher_.masked(value.string()) != value.string()) value.taint();
  } else if (value.is(Value::Type::list)) {
    for (Value& item : value.list()) taint_known(item);
  } else if (value.is(Value::Type::map)) {
    for (auto& [key, member] : value.map()) taint_known(member);
  }
}

Result<void> Ledger::step_observed(const std::string& step, plan::Observation seen) {
  const Operation op = operation();
  const PutSecret put = [&](const std::string& name, const Secret& value) {
    return journal_.put_secret(op, name, value);
  };
  taint_known(seen.before);
  seen.summary = launcher_.masked(seen.summary);
  TRY(const Value before, to_handles(seen.before, step + ".before", put));
  note(event::observed(step, seen, before));
  return {};
}

Result<void> Ledger::step_done(const std::string& step, const plan::Verification& found,
                               std::chrono::nanoseconds took) {
  const plan::Verification proof = masked(found);
  const Operation op = operation();
  const PutSecret put = [&](const std::string& name, const Secret& value) {
    return journal_.put_secret(op, name, value);
  };
  each_secret(proof.outputs, [this](const Secret& secret) { launcher_.mask(secret); });
  TRY(const Value outputs, to_handles(proof.outputs, step, put));
  {
    MutexLock lock(mutex_);
    outputs_[step] = proof.outputs;
  }
  note(event::done(step, proof, outputs, took));
  return {};
}

Result<void> Ledger::children_left(const std::string& step,
                                   const std::vector<std::string>& processes) {
  std::vector<journal::Event> events;
  for (const std::string& process : processes) {
    events.push_back(event::child_left(step, launcher_.masked(process)));
  }
  return events.empty() ? Result<void>() : record(std::move(events));
}

Result<Secret> Ledger::keep_secret(const std::string& step, const std::string& name,
                                   const std::function<Secret()>& make) {
  const Operation op = operation();
  const StepState known = this->step(step);
  if (const auto kept = known.kept.find(name); kept != known.kept.end()) {
    return journal_.get_secret(op, kept->second);
  }
  const Secret value = make();
  launcher_.mask(value);
  TRY(const std::string handle, journal_.put_secret(op, step + ": " + name, value));
  // Only with this event is it the step's secret: one that was put and not named is never used.
  TRY_DO(record({event::secret_kept(step, name, handle)}));
  return value;
}

}  // namespace lifeboat::run
