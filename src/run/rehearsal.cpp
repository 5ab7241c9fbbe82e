#include "run/rehearsal.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/guard.h"
#include "plan/graph.h"
#include "run/sealed_values.h"
#include "run/step_life.h"
#include "run/text.h"

namespace lifeboat::run {
namespace {

constexpr std::size_t looking_at_most = 8;

enum class Look { preflight, observe };

struct Glance {
  const Operation& op;
  const Surroundings& around;
  const Pins& pins;
  const plan::Scope& scope;
  const plan::RunView& view;
  Look look;
};

std::vector<std::string> unknown_inputs(const plan::StepNode& node, const plan::Plan& plan,
                                        const plan::Scope& scope) {
  std::vector<std::string> unknown = plan::references(node.config);
  // One that the plan does not have (another variant does) will never be known: `??` does without.
  std::erase_if(unknown, [&](const std::string& step) {
    return scope.outputs.contains(step) || plan.find(step) == nullptr;
  });
  return unknown;
}

// Steps that come before this one and are not done: what they bring about is not there yet.
std::vector<std::string> unfinished(const plan::StepNode& node, const plan::RunView& view) {
  std::vector<std::string> names = node.after;
  std::erase_if(names,
                [&](const std::string& step) { return view.phase(step) == plan::StepPhase::done; });
  return names;
}

// A server, a database, a folder that nobody has made: an earlier step may be about to.
bool may_come_yet(const Error& error) {
  return is_transient(error) || error.kind == Error::Kind::not_found;
}

std::vector<std::string> masked_all(const Glance& glance, std::vector<std::string> texts) {
  for (std::string& text : texts) text = glance.around.launcher->masked(text);
  return texts;
}

std::string change_text(const Glance& glance, const std::string& text) {
  return cut(glance.around.launcher->masked(text), change_text_max);
}

void take_changes(const Glance& glance, const std::vector<plan::Change>& changes,
                  Prospect& prospect) {
  prospect.changes_in_all = changes.size();
  for (const plan::Change& change : changes) {
    if (prospect.changes.size() == changes_shown) return;
    prospect.changes.push_back({change_text(glance, change.what), change_text(glance, change.from),
                                change_text(glance, change.to)});
  }
}

Result<void> look_closely(const Glance& glance, const plan::StepNode& node, Prospect& prospect) {
  const plan::StepType* type = glance.around.types->find(node.type);
  if (type == nullptr) {
    return fail(Error::Kind::invalid, fmt::format("there is no step type '{}'", node.type));
  }
  const bool known = prospect.waits_for.empty();
  TRY(const Value config, known ? plan::resolve_step(node, *glance.around.types, glance.scope)
                                : plan::resolve_known(node.config, glance.scope));
  if (known && type->effects) prospect.effects = masked_all(glance, type->effects(config));
  LookingContext context(glance.around, glance.pins.run, node.name);
  TRY(const auto step, type->make(config, context));
  glance.around.observer->step_phase(node.name, "preflight");
  TRY_DO(step->preflight(glance.op));
  if (glance.look == Look::preflight || !known) return {};
  glance.around.observer->step_phase(node.name, "observe");
  TRY(const auto seen, step->observe(glance.op));
  prospect.state = seen.state;
  prospect.summary = glance.around.launcher->masked(seen.summary);
  prospect.would = glance.around.launcher->masked(seen.would);
  take_changes(glance, seen.changes, prospect);
  const bool refused = seen.state == plan::State::foreign || seen.state == plan::State::drifted;
  if (refused) return fail(refusal(node.name, seen));
  return {};
}

Prospect look_at(const Glance& glance, const plan::StepNode& node) {
  Prospect prospect{node.name,
                    node.type,
                    std::nullopt,
                    "",
                    "",
                    {},
                    unknown_inputs(node, glance.pins.plan, glance.scope),
                    std::nullopt};
  auto looked = guard(Error::Kind::invalid, "internal error in a step of type " + node.type,
                      [&] { return look_closely(glance, node, prospect); });
  // What a step says with half of its configuration missing is not to be held against it.
  if (looked || !prospect.waits_for.empty()) return prospect;
  Error error = masked(*glance.around.launcher, looked.error());
  auto before = unfinished(node, glance.view);
  if (may_come_yet(error) && !before.empty()) {
    prospect.waits_for = std::move(before);
    prospect.summary = std::move(error.what);
  } else {
    prospect.problem = std::move(error);
  }
  return prospect;
}

Result<std::vector<Prospect>> look_at_all(const Glance& glance,
                                          const std::vector<const plan::StepNode*>& nodes) {
  std::vector<Prospect> prospects(nodes.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < nodes.size() && glance.op.proceed(); i = next++) {
      prospects[i] = look_at(glance, *nodes[i]);
    }
  };
  {
    std::vector<std::jthread> threads;
    const std::size_t count = std::min(nodes.size(), looking_at_most);
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back(work);
  }
  TRY_DO(glance.op.proceed());
  return prospects;
}

std::vector<const plan::StepNode*> steps_in_order(const plan::Plan& plan,
                                                  const plan::RunView& view) {
  std::vector<const plan::StepNode*> nodes;
  const plan::Graph graph(plan);
  for (const std::size_t i : graph.order()) {
    const auto phase = view.phase(plan.steps[i].name);
    const bool over = phase == plan::StepPhase::done || phase == plan::StepPhase::skipped;
    if (!over) nodes.push_back(&plan.steps[i]);
  }
  return nodes;
}

std::string state_text(const Prospect& prospect) {
  if (prospect.problem) return "PROBLEM";
  if (!prospect.state) return "unknown";
  return std::string(plan::state_name(*prospect.state));
}

std::string would_text(const Prospect& prospect) {
  if (prospect.problem) {
    const std::string& hint = prospect.problem->hint;
    return prospect.problem->what + (hint.empty() ? "" : " -> " + hint);
  }
  if (!prospect.waits_for.empty()) {
    const std::string now = prospect.summary.empty() ? "" : " (now: " + prospect.summary + ")";
    return fmt::format("known once {} is done{}", fmt::join(prospect.waits_for, ", "), now);
  }
  if (prospect.state == plan::State::ours_done) return "nothing: verified only";
  if (prospect.would.empty()) return prospect.summary;
  return prospect.would;
}

// What is there, where nothing that is said above tells it.
std::string now_text(const Prospect& prospect) {
  const bool told =
      prospect.problem || !prospect.waits_for.empty() || would_text(prospect) == prospect.summary;
  return told ? "" : prospect.summary;
}

}  // namespace

bool DryRun::ready() const {
  if (std::ranges::any_of(guards, [](const GuardSeen& seen) { return seen.refused.has_value(); })) {
    return false;
  }
  return std::ranges::none_of(steps, [](const Prospect& step) { return step.problem.has_value(); });
}

void mask_secrets(const Surroundings& around, const Pins& pins) {
  const auto mask = [&](const Secret& secret) { around.launcher->mask(secret); };
  each_secret(pins.inputs, mask);
  each_secret(pins.sources, mask);
}

Result<void> preflight_all(const Operation& op, const Surroundings& around, const Pins& pins,
                           const plan::Scope& scope, const plan::RunView& view) {
  const auto nodes = steps_in_order(pins.plan, view);
  TRY(const auto prospects, look_at_all({op, around, pins, scope, view, Look::preflight}, nodes));
  std::string problems;
  std::size_t count = 0;
  for (const Prospect& prospect : prospects) {
    if (!prospect.problem) continue;
    ++count;
    problems += fmt::format("\n  {}: {}", prospect.step, would_text(prospect));
  }
  if (count == 0) return {};
  return fail(Error::Kind::invalid,
              fmt::format("{} of {} steps would not work:{}", count, prospects.size(), problems),
              "nothing was changed; mend these and start again", Error::Code::not_ready);
}

Result<DryRun> dry_run(const Operation& op, const Surroundings& around, const Pins& pins) {
  mask_secrets(around, pins);
  const plan::Scope scope = first_scope(pins, around.clock->wall());
  const plan::RunView nothing_done;
  const auto nodes = steps_in_order(pins.plan, nothing_done);
  TRY(auto guards, look_at_guards(op, around, pins.plan, scope, {}));
  TRY(auto prospects, look_at_all({op, around, pins, scope, nothing_done, Look::observe}, nodes));
  return DryRun{std::move(prospects), std::move(guards)};
}

namespace {

std::string change_line(const plan::Change& change) {
  const std::string what = printable(change.what);
  if (change.from.empty() && change.to.empty()) return what;
  const auto side = [](const std::string& text) {
    return text.empty() ? std::string("(nothing)") : printable(text);
  };
  return what + ": " + side(change.from) + " -> " + side(change.to);
}

std::string guard_line(const GuardSeen& seen) {
  if (seen.refused) {
    const std::string& hint = seen.refused->hint;
    return "REFUSED " + printable(seen.refused->what) +
           (hint.empty() ? "" : "\n  " + printable(hint));
  }
  const std::string name = "guard " + printable(seen.guard) + ": ";
  if (seen.found.empty()) return name + "no answer yet; adopted when the target first answers";
  const std::string found = cut(printable(seen.found), 60) + " at " + printable(seen.at);
  return name + found + (seen.fresh ? ", would be adopted" : ", as wanted");
}

Value::List changes_value(const Prospect& step) {
  Value::List changes;
  for (const plan::Change& change : step.changes) {
    Value one;
    one.set("what", change.what);
    one.set("from", change.from);
    one.set("to", change.to);
    changes.push_back(std::move(one));
  }
  return changes;
}

Value::List guards_value(const DryRun& dry_run) {
  Value::List guards;
  for (const GuardSeen& seen : dry_run.guards) {
    Value one;
    one.set("guard", seen.guard);
    one.set("wanted", seen.wanted);
    one.set("found", seen.found);
    one.set("at", seen.at);
    one.set("holds", !seen.refused.has_value());
    one.set("problem", seen.refused ? seen.refused->what : "");
    guards.push_back(std::move(one));
  }
  return guards;
}

}  // namespace

std::string render_text(const DryRun& dry_run, std::size_t width) {
  std::size_t name_width = 4;
  for (const Prospect& step : dry_run.steps) name_width = std::max(name_width, step.step.size());
  name_width = std::min<std::size_t>(name_width, 28);
  const std::size_t indent = name_width + 16;
  std::string text = fmt::format("{:<{}}  {:<12}  would\n", "step", name_width, "state");
  for (const Prospect& step : dry_run.steps) {
    text += fmt::format("{:<{}}  {:<12}  ", cut(printable(step.step), name_width), name_width,
                        state_text(step));
    text += wrapped(printable(would_text(step)), width - indent, indent) + "\n";
    if (const std::string now = now_text(step); !now.empty()) {
      text += std::string(indent, ' ') + wrapped("now: " + printable(now), width - indent, indent) +
              "\n";
    }
    for (const std::string& effect : step.effects) {
      text += std::string(indent, ' ') + "may change " + printable(effect) + "\n";
    }
    for (const plan::Change& change : step.changes) {
      text += std::string(indent, ' ') +
              wrapped("* " + change_line(change), width - indent, indent + 2) + "\n";
    }
    if (step.changes_in_all > step.changes.size()) {
      text += fmt::format("{}* and {} more\n", std::string(indent, ' '),
                          step.changes_in_all - step.changes.size());
    }
  }
  for (const GuardSeen& seen : dry_run.guards) text += guard_line(seen) + "\n";
  return text;
}

Value to_value(const DryRun& dry_run) {
  Value::List steps;
  for (const Prospect& step : dry_run.steps) {
    Value item;
    item.set("step", step.step);
    item.set("type", step.type);
    item.set("state", state_text(step));
    item.set("summary", step.summary);
    item.set("would", would_text(step));
    Value::List effects, waits;
    for (const std::string& effect : step.effects) effects.emplace_back(effect);
    for (const std::string& other : step.waits_for) waits.emplace_back(other);
    item.set("effects", std::move(effects));
    item.set("waits_for", std::move(waits));
    item.set("changes", changes_value(step));
    item.set("changes_in_all", std::uint64_t{step.changes_in_all});
    steps.push_back(std::move(item));
  }
  Value value;
  value.set("ready", dry_run.ready());
  value.set("steps", std::move(steps));
  value.set("guards", guards_value(dry_run));
  return value;
}

}  // namespace lifeboat::run
