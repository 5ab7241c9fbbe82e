#include "run/state.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <limits>
#include <utility>

#include "run/events.h"
#include "schema/json.h"

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
  if (step.started.ns != 0) step.work.push_back({step.started, event.time});
  step.started = {};
  step.retried = step.other_inputs = false;
  step.end = event.time;
  step.took = std::chrono::nanoseconds(added(step.took.count(), event.facts.integer("took_ns", 0)));
}

void end_of_wait(StepState& step, WallTime now) {
  if (step.awaits.ns == 0) return;
  const std::int64_t waited = std::max<std::int64_t>(now.ns - step.awaits.ns, 0);
  step.awaited = std::chrono::nanoseconds(added(step.awaited.count(), waited));
  step.holds.push_back({step.awaits, now});
  step.awaits = {};
}

// With this a step refuses what is in doubt (run/step_life.h), and with nothing else.
bool refuses_doubt(const std::optional<Error>& error) {
  return error && error->kind == Error::Kind::conflict && error->code == Error::Code::needs_person;
}

void on_started(StepState& step, const Event& event) {
  if (step.begin.ns == 0) step.begin = event.time;
  end_of_wait(step, event.time);
  step.started = event.time;
  step.held_back = step.retried = step.other_inputs = false;
  step.attempts = static_cast<std::uint64_t>(event.facts.integer("generation", 0));
  step.error.reset();
}

void on_observed(StepState& step, const Event& event) {
  if (!step.seen) step.before = event.facts.at("before");
  step.seen = state_from(event.facts.text("state"));
  step.summary = event.facts.text("summary");
}

void on_intent(StepState& step, const Event& event) {
  if (!step.intent_open || step.begun_by.empty()) {
    step.intent_since = event.time;
    step.begun_by = step.approvals;
  }
  step.intent_open = true;
}

void on_stopped(StepState& step, const Event& event) {
  // Who skips or declines a step that is at work stops it.
  const bool by_a_person =
      step.phase == plan::StepPhase::skipped || step.phase == plan::StepPhase::failed;
  finish(step, by_a_person ? step.phase : plan::StepPhase::waiting, event);
}

// Whoever wanted it retried or skipped while it was being undone has the last word.
void on_undone(StepState& step, const Event& event) {
  finish(step, step.undo_wanted ? plan::StepPhase::undone : step.phase, event);
  step.undo_wanted = step.undo_failed = step.undo_open = step.intent_open = step.applied =
      step.doubtful = false;
  step.approvals.clear();  // of what is no more
  step.checks.clear();
  step.outputs = {};
  step.seen.reset();  // what the next observe sees is again what undo would bring back
  step.error.reset();
}

// It is not tried again by itself: a person has to look.
void on_undo_failed(StepState& step, const Event& event) {
  finish(step, step.undo_wanted ? plan::StepPhase::failed : step.phase, event);
  if (!step.doubtful) step.undo_open = false;  // else it may be another's, and under way
  if (!step.undo_wanted) return;
  step.error = event::error_from(event.facts.at("error"));
  const bool doubted = refuses_doubt(step.error);
  step.held_back = doubted && step.doubtful;
  step.undo_failed = !doubted || step.doubtful;  // else it was released meanwhile
}

void on_done(StepState& step, const Event& event) {
  // A person gave it other inputs while it came to its end with the old ones.
  finish(step, step.other_inputs ? plan::StepPhase::waiting : plan::StepPhase::done, event);
  step.intent_open = step.undo_open = step.doubtful = false;
  step.checks = checks_from(event.facts.at("checks"));
  step.outputs = event.facts.at("outputs");
  step.losses = texts(event.facts.at("losses"));
  step.kept_aside = texts(event.facts.at("kept_aside"));
  step.remarks = texts(event.facts.at("remarks"));
  step.error.reset();
}

// What a person said of it while it was at work (declined, skipped, retried) counts for more.
void on_failed(StepState& step, const Event& event) {
  const plan::StepPhase said = step.phase;
  const auto error = event::error_from(event.facts.at("error"));
  const bool released = refuses_doubt(error) && !step.doubtful;
  const bool waits = said == plan::StepPhase::waiting && (step.retried || released);
  const bool fails = said != plan::StepPhase::skipped && !waits;
  finish(step, fails ? plan::StepPhase::failed : said, event);
  step.checks = checks_from(event.facts.at("checks"));
  if (said == plan::StepPhase::failed || !fails) return;
  step.error = error;
  step.held_back = refuses_doubt(error);
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
      {"step.intent", on_intent},
      {"step.applied", [](StepState& step, const Event&) { step.applied = true; }},
      {"step.done", on_done},
      {"step.failed", on_failed},
      {"step.retry", on_retry},
      {"step.stopped", on_stopped},
      {"step.awaits", [](StepState& step, const Event& event) { step.awaits = event.time; }},
      {"step.undo", [](StepState& step, const Event&) { step.undo_open = true; }},
      {"step.undone", on_undone},
      {"step.undo_failed", on_undo_failed},
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

// What was skipped because of other steps is looked at again; what a person skipped stays so.
void look_again(RunState& state) {
  for (auto& [name, step] : state.steps) {
    const bool again = step.phase == plan::StepPhase::skipped && step.skipped_by.empty();
    if (again) step.phase = plan::StepPhase::waiting;
  }
}

// A new driver tries again what failed. Of a driver that may still be at work, what it announced
// and the target cannot refuse is in doubt.
void on_joined(RunState& state, const Event& event) {
  state.drivers.push_back(
      {{event.facts.text("id"), event.facts.text("host"),
        static_cast<int>(event.facts.integer("pid", 0)), event.facts.text("boot")},
       event.time,
       false,
       event.facts.text("over")});
  state.end.reset();
  state.cancelled.reset();
  const std::string& over = state.drivers.back().over;
  const bool doubt = over == "silent" || over == "takeover";
  for (auto& [name, step] : state.steps) {
    if (step.phase == plan::StepPhase::failed) step.phase = plan::StepPhase::waiting;
    step.undo_failed = false;
    const bool changing = step.intent_open && step.phase != plan::StepPhase::done;
    if (doubt && (changing || step.undo_open)) step.doubtful = true;
  }
  look_again(state);
}

// What was held back goes on.
void clear_doubt(RunState& state) {
  for (auto& [name, step] : state.steps) {
    step.doubtful = false;
    if (!std::exchange(step.held_back, false)) continue;
    if (!step.undo_wanted) step.phase = plan::StepPhase::waiting;
    step.undo_failed = false;
  }
  look_again(state);
}

}  // namespace

void forget_approvals(std::map<std::string, StepState>& steps) {
  for (auto& [name, step] : steps) {
    if (step.phase == plan::StepPhase::done) continue;
    step.approvals.clear();
    step.begun_by.clear();
  }
}

namespace {

// --- what people ask ---

void skip_step(StepState& step, const Deed& deed) {
  step.phase = plan::StepPhase::skipped;
  step.skipped_by = deed.by;
  step.skip_reason = deed.reason;
  step.undo_wanted = step.undo_failed = step.held_back = false;  // the newer word counts
  end_of_wait(step, deed.time);
  step.end = deed.time;
}

void retry_step(RunState& state, StepState& step, const Value& inputs) {
  const bool again = step.phase == plan::StepPhase::failed ||
                     step.phase == plan::StepPhase::skipped ||
                     step.phase == plan::StepPhase::undone;
  if (again) step.phase = plan::StepPhase::waiting;
  step.retried = step.started.ns != 0;  // it may come to its end before it is stopped
  step.skipped_by.clear();
  step.skip_reason.clear();
  step.undo_wanted = step.undo_failed = step.held_back = false;
  if (inputs.is(Value::Type::map) && !inputs.map().empty()) {
    for (const auto& [name, value] : inputs.map()) state.pins.inputs.set(name, value);
    step.other_inputs = step.retried;
    forget_approvals(state.steps);
  }
  look_again(state);
}

void decline_step(StepState& step, const Deed& deed) {
  step.phase = plan::StepPhase::failed;
  step.held_back = false;
  step.approvals.clear();
  end_of_wait(step, deed.time);
  step.end = deed.time;
  step.error = Error{Error::Kind::denied, fmt::format("{} declined: {}", deed.by, deed.reason),
                     "talk to them; `lifeboat runs retry` asks again", Error::Code::needs_person};
}

// What is given while nobody drives is read later; a clock that is ahead makes nothing last longer.
WallTime given_at(const Value& facts, WallTime taken) {
  const auto words = parse_json(facts.text("text"));
  if (!words || !words->is(Value::Type::map)) return taken;
  return WallTime{std::min(words->integer("time", taken.ns), taken.ns)};
}

void ask_of_step(RunState& state, const Deed& deed, const Value& facts) {
  StepState& step = state.steps[deed.step];
  if (deed.action == "approve") {
    step.approvals.push_back(
        {deed.by, deed.reason, deed.time, deed.request, given_at(facts, deed.time)});
  } else if (deed.action == "decline") {
    decline_step(step, deed);
  } else if (deed.action == "skip") {
    skip_step(step, deed);
  } else if (deed.action == "retry") {
    retry_step(state, step, facts.at("inputs"));
  } else if (deed.action == "undo") {
    step.undo_wanted = true;
    step.undo_failed = false;
  }
}

void go_back(RunState& state, const Deed& deed) {
  state.going_back = Standing{deed.by, deed.reason, deed.time};
  for (auto& [name, step] : state.steps) {
    const bool trace = step.phase == plan::StepPhase::done || step.intent_open;
    if (trace) step.undo_wanted = true;
  }
}

void ask_of_run(RunState& state, const Deed& deed) {
  const Standing standing{deed.by, deed.reason, deed.time};
  if (deed.action == "pause") state.paused = standing;
  if (deed.action == "continue" && state.paused) {
    state.holds.push_back({state.paused->since, deed.time});
    state.paused.reset();
  }
  if (deed.action == "cancel") state.cancelled = standing;
  if (deed.action == "go-back") go_back(state, deed);
  if (deed.action == "release") clear_doubt(state);
}

void on_request(RunState& state, const Event& event) {
  const Value& facts = event.facts;
  Deed deed{static_cast<std::uint64_t>(facts.integer("number", 0)),
            event.time,
            facts.text("by"),
            facts.text("action"),
            facts.text("step"),
            facts.text("reason"),
            facts.boolean("signed", false),
            facts.boolean("accepted", false),
            facts.text("why"),
            facts.text("nonce")};
  state.requests = std::max(state.requests, deed.request + 1);
  if (deed.accepted && !deed.step.empty()) ask_of_step(state, deed, facts);
  if (deed.accepted && deed.step.empty()) ask_of_run(state, deed);
  state.deeds.push_back(std::move(deed));
}

void on_replanned(RunState& state, const Event& event) {
  const auto replan = event::replan_from(event.facts);
  if (!replan) {
    state.remarks.push_back("a change of the plan cannot be read: " + replan.error().what);
    return;
  }
  apply(state, *replan);
  state.deeds.push_back({.request = 0,
                         .time = event.time,
                         .by = replan->by,
                         .action = "replan",
                         .step = "",
                         .reason = "",
                         .is_signed = false,
                         .accepted = true,
                         .why = "",
                         .nonce = ""});
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

bool RunState::proven_but_for_skipped() const {
  bool skipped = false, checked = false;
  for (const plan::StepNode& node : pins.plan.steps) {
    const StepState& its = step(node.name);
    if (its.phase == plan::StepPhase::skipped) {
      skipped = skipped || !its.skipped_by.empty();
      continue;
    }
    if (its.phase != plan::StepPhase::done) return false;
    if (!std::ranges::all_of(its.checks, &plan::Check::ok)) return false;
    checked = checked || !its.checks.empty();
  }
  return skipped && checked;
}

plan::RunView RunState::view(WallTime now) const {
  plan::RunView view;
  view.paused = paused.has_value();
  view.going_back = going_back.has_value();
  for (const auto& [name, step] : steps) {
    view.phases[name] = step.phase;
    if (step.undo_wanted) view.to_undo.insert(name);
    if (step.undo_failed) view.undo_failed.insert(name);
  }
  for (const plan::StepNode& node : pins.plan.steps) {
    if (node.approve && approved(node, step(node.name), now)) view.approved.insert(node.name);
  }
  return view;
}

namespace {

// The first one counts: whoever looked at the same time is measured by it.
void on_adopted(RunState& state, const Event& event) {
  const std::string guard = event.facts.text("guard");
  const Adopted adopted{event.facts.text("identity"), event.facts.text("at"), event.time};
  if (!state.adopted.emplace(guard, adopted).second) return;
  state.remarks.push_back(
      fmt::format("guard {}: {} at {} adopted", guard, adopted.identity, adopted.at));
}

}  // namespace

void fold(RunState& state, const Event& event) {
  if (const auto handler = step_folds().find(event.kind); handler != step_folds().end()) {
    StepState& step = state.steps[event.facts.text("step")];
    handler->second(step, event);
    // What was under way when the run was sent back goes back too.
    const bool trace = event.kind == "step.intent" || event.kind == "step.done";
    if (state.going_back && trace) step.undo_wanted = true;
  } else if (event.kind == "driver.joined") {
    on_joined(state, event);
  } else if (event.kind == "driver.left") {
    if (!state.drivers.empty()) state.drivers.back().left = true;
  } else if (event.kind == "run.end") {
    on_end(state, event);
  } else if (event.kind == "run.replanned") {
    on_replanned(state, event);
  } else if (event.kind == "request.taken") {
    on_request(state, event);
  } else if (event.kind == "driver.released") {
    clear_doubt(state);
  } else if (event.kind == "guard.adopted") {
    on_adopted(state, event);
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
