#include <algorithm>
#include <set>

#include "readiness/readiness.h"
#include "repo/key_trial.h"
#include "run/engine.h"
#include "run/takeover.h"

namespace lifeboat::readiness {
namespace {

// Runs of other plans that are passed over while the newest one of this plan is looked for cost
// nothing; ones that were announced and never begun cost a look each.
constexpr std::size_t looks_at_most = 20;

bool changes_something(const plan::StepType& type, const plan::StepNode& step) {
  return type.effects && !type.effects(step.config).empty();
}

std::vector<std::string> checks_of(const Ground& ground) {
  std::vector<std::string> checks;
  for (const plan::StepNode& step : ground.pins.plan.steps) {
    const plan::StepType* type = ground.around.types->find(step.type);
    if (type == nullptr || step.type == plan::approval_type) continue;
    if (!changes_something(*type, step)) checks.push_back(step.name);
  }
  return checks;
}

// Sources by name: what a step of any type has in `source`, where that names one.
std::vector<std::string> missing_sources(const Ground& ground) {
  const plan::Scope scope = run::first_scope(ground.pins, ground.around.clock->wall());
  std::vector<std::string> missing;
  for (const plan::StepNode& step : ground.pins.plan.steps) {
    const plan::StepType* type = ground.around.types->find(step.type);
    if (type == nullptr || type->fields.find("source") == nullptr) continue;
    const auto source = plan::resolve_known(step.config.at("source"), scope);
    if (!source || !source->is(Value::Type::string)) continue;
    const std::string& name = source->string();
    if (!ground.pins.sources.has(name) || ground.pins.point.snapshots.contains(name)) continue;
    if (std::ranges::count(missing, name) == 0) missing.push_back(name);
  }
  return missing;
}

std::vector<std::string> gates_of_nobody(const run::Pins& pins) {
  std::vector<std::string> gates;
  for (const plan::StepNode& step : pins.plan.steps) {
    if (!step.approve) continue;
    const auto& by = step.approve->by;
    const auto known =
        static_cast<std::size_t>(by.empty() ? static_cast<std::ptrdiff_t>(pins.operators.size())
                                            : std::ranges::count_if(by, [&](const auto& name) {
                                                return pins.operators.contains(name);
                                              }));
    if (known < static_cast<std::size_t>(std::max(step.approve->count, 1))) {
      gates.push_back(step.name);
    }
  }
  return gates;
}

// Whether somebody is at work on a run that has not ended. The last driver has to show life, as
// for whoever would go on with it.
Result<bool> is_driven(const Operation& op, const Ground& ground, const run::RunState& state) {
  const journal::Driver ours = run::this_driver(*ground.around.random);
  run::TakeoverWatch watch;
  watch.repository = &ground.repository;
  watch.launcher = ground.around.launcher;
  watch.observer = ground.around.observer;
  watch.heartbeat_period = ground.heartbeat_period;
  watch.surely_gone = [&](const journal::Driver& driver) { return run::surely_gone(driver, ours); };
  const auto gone = run::prove_driver_gone(op, state, watch);
  if (!gone && gone.error().effective_code() != Error::Code::lease_held) return fail(gone.error());
  return !gone;
}

// Who came second to the same recovery gave way before the first step.
bool was_withdrawn(const run::RunState& state) {
  if (state.withdrawn()) return true;
  return state.end && state.end->outcome == "cancelled" &&
         std::ranges::all_of(state.steps,
                             [](const auto& entry) { return entry.second.attempts == 0; });
}

void look_at_runs(const Operation& op, const Ground& ground, Facts& facts) {
  const auto runs = ground.repository.runs();
  std::size_t looks = 0;
  for (auto run = runs.rbegin(); run != runs.rend() && looks < looks_at_most; ++run) {
    if (run->plan != ground.pins.plan.name) continue;
    ++looks;
    const auto read = run::read_run(op, ground.repository, run->run);
    // One that was only announced changed nothing.
    if (!read && read.error().kind == Error::Kind::not_found) continue;
    if (read && was_withdrawn(read->state)) continue;
    const auto driven = !read             ? Result<bool>(fail(read.error()))
                        : read->state.end ? Result<bool>(false)
                                          : is_driven(op, ground, read->state);
    if (!driven) {
      facts.unread_run = {run->run, driven.error().what, is_transient(driven.error())};
      return;
    }
    if (*driven) {
      if (!facts.runs_now) facts.runs_now = run->run;
      continue;
    }
    LastRun last{run->run, "", read->state.recovered(), {}};
    last.age = std::chrono::nanoseconds(ground.around.clock->wall().ns - run->created.ns);
    if (read->state.end) last.outcome = read->state.end->outcome;
    facts.last_run = std::move(last);
    return;
  }
}

std::string slot_text(const repo::KeyRecord& key) {
  return "slot " + std::to_string(key.slot) + " (" + key.kind +
         (key.label.empty() ? "" : ", " + key.label) + ")";
}

// Which keys open the repository now: the one in use, and those that are kept for a bad day.
void try_keys(const Operation& op, const Ground& ground, Facts& facts) {
  std::set<unsigned> proven;
  const auto opens = [&](const repo::Unlock& unlock) -> Result<void> {
    TRY(const auto slots, repo::slots_opened(op, ground.repository.store(), unlock));
    proven.insert(slots.begin(), slots.end());
    return {};
  };
  const auto keys = ground.repository.keys(op);
  if (!keys) facts.keys_unreadable = keys.error().what;
  for (const TriedKey& key : ground.more_keys) {
    const auto opened = opens(key.unlock);
    if (!opened) facts.dead_keys.push_back({key.name, opened.error().what});
  }
  if (!keys) return;
  for (const repo::KeyRecord& key : *keys) facts.key_kinds.push_back(key.kind);
  if (ground.key == nullptr || !opens(*ground.key)) return;
  for (const repo::KeyRecord& key : *keys) {
    if (!proven.contains(key.slot)) facts.keys_untried.push_back(slot_text(key));
  }
}

}  // namespace

Result<Facts> gather(const Operation& op, const Ground& ground) {
  Facts facts;
  facts.plan = ground.pins.plan.name;
  TRY(facts.dry_run, run::dry_run(op, ground.around, ground.pins));
  facts.checks = checks_of(ground);
  facts.credentials = ground.credentials;
  facts.point_age =
      std::chrono::nanoseconds(ground.around.clock->wall().ns - ground.pins.point.earliest.ns);
  facts.point_complete = ground.pins.point.complete;
  facts.sources_missing = missing_sources(ground);
  facts.objectives = ground.pins.objectives;
  try_keys(op, ground, facts);
  TRY_DO(op.proceed());
  facts.gates_of_nobody = gates_of_nobody(ground.pins);
  facts.forecast = ground.forecast;
  look_at_runs(op, ground, facts);
  facts.lessons = ground.lessons;
  facts.bundle = ground.bundle;
  TRY_DO(op.proceed());
  return facts;
}

}  // namespace lifeboat::readiness
