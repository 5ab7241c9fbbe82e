#include "run/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>

#include "run/events.h"

namespace lifeboat::run {
namespace {

using journal::Event;

std::vector<std::string> texts(const Value& value) {
  std::vector<std::string> items;
  if (!value.is(Value::Type::list)) return items;
  for (const Value& item : value.list()) {
    if (item.is(Value::Type::string)) items.push_back(item.string());
  }
  return items;
}

std::vector<plan::Check> checks_from(const Value& value) {
  std::vector<plan::Check> checks;
  if (!value.is(Value::Type::list)) return checks;
  for (const Value& item : value.list()) {
    checks.push_back(
        {item.text("name"), item.text("expected"), item.text("actual"), item.boolean("ok", false)});
  }
  return checks;
}

std::optional<plan::State> state_from(std::string_view word) {
  for (const auto state : {plan::State::absent, plan::State::ours_partial, plan::State::ours_done,
                           plan::State::foreign, plan::State::drifted}) {
    if (plan::state_name(state) == word) return state;
  }
  return std::nullopt;
}

// Adds up as far as 64 bits go: what a journal says may be anything.
std::int64_t added(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  if (!__builtin_add_overflow(a, b, &sum)) return sum;
  return b > 0 ? std::numeric_limits<std::int64_t>::max()
               : std::numeric_limits<std::int64_t>::min();
}

void finish(StepState& step, plan::StepPhase phase, const Event& event) {
  step.phase = phase;
  step.end = event.time;
  step.took = std::chrono::nanoseconds(added(step.took.count(), event.facts.integer("took_ns", 0)));
}

void on_started(StepState& step, const Event& event) {
  if (step.begin.ns == 0) step.begin = event.time;
  step.attempts = static_cast<std::uint64_t>(event.facts.integer("generation", 0));
  step.error.reset();
}

void on_observed(StepState& step, const Event& event) {
  if (!step.seen) step.before = event.facts.at("before");
  step.seen = state_from(event.facts.text("state"));
  step.summary = event.facts.text("summary");
}

void on_done(StepState& step, const Event& event) {
  finish(step, plan::StepPhase::done, event);
  step.intent_open = false;
  step.checks = checks_from(event.facts.at("checks"));
  step.outputs = event.facts.at("outputs");
  step.losses = texts(event.facts.at("losses"));
  step.kept_aside = texts(event.facts.at("kept_aside"));
  step.remarks = texts(event.facts.at("remarks"));
  step.error.reset();
}

void on_failed(StepState& step, const Event& event) {
  finish(step, plan::StepPhase::failed, event);
  step.error = event::error_from(event.facts.at("error"));
  step.checks = checks_from(event.facts.at("checks"));
}

void on_retry(StepState& step, const Event& event) {
  const auto wait = std::chrono::nanoseconds(event.facts.integer("wait_ns", 0));
  step.retries.push_back(event.facts.at("error").text("what") + "; tried again after " +
                         human_duration(wait));
}

using StepFold = std::function<void(StepState&, const Event&)>;

const std::map<std::string, StepFold, std::less<>>& step_folds() {
  static const std::map<std::string, StepFold, std::less<>> folds = {
      {"step.started", on_started},
      {"step.observed", on_observed},
      {"step.intent", [](StepState& step, const Event&) { step.intent_open = true; }},
      {"step.applied", [](StepState& step, const Event&) { step.applied = true; }},
      {"step.done", on_done},
      {"step.failed", on_failed},
      {"step.retry", on_retry},
      {"step.stopped",
       [](StepState& step, const Event& event) { finish(step, plan::StepPhase::waiting, event); }},
      {"step.skipped",
       [](StepState& step, const Event& event) {
         finish(step, plan::StepPhase::skipped, event);
         step.skipped_for = event.facts.text("needs");
       }},
      {"secret.kept",
       [](StepState& step, const Event& event) {
         step.kept[event.facts.text("name")] = event.facts.text("handle");
       }},
      {"child.left",
       [](StepState& step, const Event& event) {
         const std::string process = event.facts.text("process");
         const bool known = std::ranges::count(step.left_running, process) > 0;
         if (!known) step.left_running.push_back(process);
       }},
  };
  return folds;
}

// A new driver tries again what failed, and looks again at what was skipped because of it.
void on_joined(RunState& state, const Event& event) {
  state.drivers.push_back(
      {{event.facts.text("id"), event.facts.text("host"),
        static_cast<int>(event.facts.integer("pid", 0)), event.facts.text("boot")},
       event.time});
  state.end.reset();
  for (auto& [name, step] : state.steps) {
    const bool again =
        step.phase == plan::StepPhase::failed || step.phase == plan::StepPhase::skipped;
    if (again) step.phase = plan::StepPhase::waiting;
  }
}

void on_end(RunState& state, const Event& event) {
  RunEnd end{event.facts.text("outcome"), event.time, std::nullopt};
  if (event.facts.has("heartbeat")) end.heartbeat = WallTime{event.facts.integer("heartbeat", 0)};
  state.end = std::move(end);
  if (!state.drivers.empty()) state.drivers.back().left = true;
}

}  // namespace

const StepState& RunState::step(const std::string& name) const {
  static const StepState untouched;
  const auto found = steps.find(name);
  return found == steps.end() ? untouched : found->second;
}

bool RunState::proven() const {
  std::size_t checks = 0;
  for (const plan::StepNode& node : pins.plan.steps) {
    const StepState& its = step(node.name);
    if (its.phase != plan::StepPhase::done) return false;
    if (!std::ranges::all_of(its.checks, &plan::Check::ok)) return false;
    checks += its.checks.size();
  }
  return checks > 0;
}

plan::RunView RunState::view() const {
  plan::RunView view;
  for (const auto& [name, step] : steps) view.phases[name] = step.phase;
  return view;
}

void fold(RunState& state, const Event& event) {
  if (const auto handler = step_folds().find(event.kind); handler != step_folds().end()) {
    handler->second(state.steps[event.facts.text("step")], event);
  } else if (event.kind == "driver.joined") {
    on_joined(state, event);
  } else if (event.kind == "driver.left") {
    if (!state.drivers.empty()) state.drivers.back().left = true;
  } else if (event.kind == "run.end") {
    on_end(state, event);
  } else if (event.kind == "run.remark") {
    state.remarks.push_back(event.facts.text("text"));
  }
}

Result<RunState> replay(const std::vector<Event>& events) {
  if (events.empty() || events.front().kind != "run.begin") {
    return fail(Error::Kind::corrupt, "the journal does not begin with the beginning of a run", "",
                Error::Code::integrity);
  }
  const Value& facts = events.front().facts;
  if (facts.integer("engine", 0) > engine_version) {
    return fail(Error::Kind::invalid,
                fmt::format("the run needs an engine of version {}, this program has {}",
                            facts.integer("engine", 0), engine_version),
                "use the Lifeboat version that began the run, or a newer one",
                Error::Code::version_too_new);
  }
  RunState state;
  TRY(state.pins, event::pins_from(facts.at("pins")));
  state.begun = events.front().time;
  for (const Event& event : events) fold(state, event);
  return state;
}

}  // namespace lifeboat::run
