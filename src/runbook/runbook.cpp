#include "runbook/runbook.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/bytes.h"
#include "plan/by_hand.h"
#include "run/outlook.h"
#include "runbook/blocks.h"
#include "runbook/guards.h"
#include "runbook/settings.h"
#include "schema/json.h"

namespace lifeboat::runbook {
namespace {

using plan::Prose;
using Rows = std::vector<std::vector<Prose>>;

constexpr std::size_t checks_shown = 20;
constexpr std::size_t value_max = 200;  // bytes of a value that a run saw

Prose shortened(const std::string& text) {
  return data(text.size() <= value_max ? text : printable(text.substr(0, value_max)) + "...");
}

std::string joined(const std::vector<std::string>& items) {
  return fmt::format("{}", fmt::join(items, ", "));
}

// One more than the latest of those it waits for.
std::map<std::string, std::size_t> waves_of(const plan::Plan& plan) {
  std::map<std::string, std::size_t> waves;
  for (const std::string& name : plan.topological()) {
    std::size_t wave = 1;
    for (const std::string& before : plan.find(name)->after) {
      wave = std::max(wave, waves[before] + 1);
    }
    waves[name] = wave;
  }
  return waves;
}

Prose time_text(const plan::Expectation& expectation) {
  const plan::DurationRange& range = expectation.range;
  const std::string low = run::rough(range.low, run::Round::down);
  const std::string high = run::rough(range.high, run::Round::up);
  Prose text = data(low == high ? low : low + " to " + high).add(" for Lifeboat, ");
  switch (expectation.basis) {
    case plan::Expectation::Basis::assumed:
      return text.add("assumed by its type: no run has measured it");
    case plan::Expectation::Basis::given:
      return text.add("given by a person");
    case plan::Expectation::Basis::learned:
      break;
  }
  return text.data(fmt::format("learned from {} run{}", expectation.samples,
                               expectation.samples == 1 ? "" : "s"));
}

Prose approval_text(const plan::StepNode& step) {
  if (!step.approve) return "nobody";
  const plan::ApprovalRule& rule = *step.approve;
  std::string text =
      fmt::format("{} of {}", rule.count, rule.by.empty() ? "all operators" : joined(rule.by));
  if (!rule.reason.empty()) text += ": " + rule.reason;
  return data(text).add(". Write down who, when and why before you type anything.");
}

// Whether what a run saw of an output may be shown: what the type or the plan calls a secret, not.
bool may_show(const plan::StepNode& step, const plan::StepType& type, const std::string& output) {
  const auto& secret = type.secret_outputs;
  if (std::find(secret.begin(), secret.end(), output) != secret.end()) return false;
  const auto shape = step.outputs.find(output);
  return shape != step.outputs.end() && shape->second.kind != Shape::Kind::secret;
}

class Maker {
 public:
  explicit Maker(const Ground& ground)
      : ground_(ground), plan_(*ground.plan), names_(plan_, known_before(ground)) {}

  Runbook make() {
    runbook_.title = Prose("Runbook: ").data(plan_.name);
    runbook_.stamp = stamp_of(ground_);
    const auto waves = waves_of(plan_);
    std::multimap<std::size_t, std::string> in_waves;
    for (const std::string& name : plan_.topological()) in_waves.emplace(waves.at(name), name);
    // The settings come first, and are known last.
    if (!plan_.guards.empty()) add_guards();
    std::size_t number = 0;
    for (const auto& [wave, name] : in_waves) add_step(*plan_.find(name), wave, ++number);
    std::vector<Block> steps;
    std::swap(steps, runbook_.blocks);
    add_head(in_waves.size(), waves);
    runbook_.blocks.insert(runbook_.blocks.end(), steps.begin(), steps.end());
    add(heading(2, "Afterwards"));
    add(
        paragraph("Write down who did what, when, and every deviation. The folder `$work` holds "
                  "passwords: hand them over, then remove it. Lifeboat knows nothing of what was "
                  "done by hand: take a backup as soon as the platform is back."));
    for (Block& block : without_lifeboat(ground_)) runbook_.blocks.push_back(std::move(block));
    return std::move(runbook_);
  }

 private:
  void add(Block block) { runbook_.blocks.push_back(std::move(block)); }
  void add_list(std::vector<Prose> items) {
    if (!items.empty()) add(list(std::move(items)));
  }
  void add_code(const std::vector<std::string>& lines) {
    if (!lines.empty()) add(code(fmt::format("{}\n", fmt::join(lines, "\n"))));
  }

  void add_head(std::size_t steps, const std::map<std::string, std::size_t>& waves) {
    std::size_t most = 0;
    for (const auto& [name, wave] : waves) most = std::max(most, wave);
    if (!plan_.scenario.empty()) add(paragraph(data(plan_.scenario)));
    Rows facts = {{"", ""},
                  {"Platform", data(ground_.platform)},
                  {"Plan", data(plan_.name)},
                  {"Variant", graceful() ? "graceful: what is to be recovered still answers"
                                         : "ungraceful: what is to be recovered is lost"},
                  {"Valid for digest", data(runbook_.stamp.digest)},
                  {"Made", data(rfc3339(ground_.made)).add(", by Lifeboat ").data(ground_.version)},
                  {"Steps", data(fmt::format("{} in {} waves", steps, most))
                                .add("; those of one wave may be done side by side")}};
    facts.push_back({"Expected values", ground_.green == nullptr
                                            ? Prose("no recovery by this plan was proven yet")
                                            : Prose("of run ")
                                                  .data(ground_.green->pins.run)
                                                  .add(", begun ")
                                                  .data(rfc3339(ground_.green->begun))});
    add(table(std::move(facts)));
    add(paragraph(
        "Is it still valid? `lifeboat runbook --check FILE` compares it with the plan: exit status "
        "0, or 4 and what has changed. Do not follow a page that is stale."));
    add(paragraph(
        Prose("While Lifeboat works, ")
            .code("lifeboat recover " + plan_.name + (graceful() ? " --graceful" : ""))
            .add(" does all of this, goes on after a crash and proves what it did. This page is "
                 "for the day when it does not. Type everything in one shell, in this order; go on "
                 "when every check says `ok`.")));
    add(heading(2, "Set these first"));
    add(code(settings_block(ground_, names_, settings_)));
    std::vector<Prose> computed;
    for (const auto& [variable, expression] : names_.computed()) {
      computed.push_back(Prose()
                             .code(variable)
                             .add(": ")
                             .data(expression)
                             .add("; set it yourself, as soon as what it is made of is known"));
    }
    add_list(std::move(computed));
  }

  bool graceful() const { return ground_.manner == plan::Manner::graceful; }

  void add_guards() {
    add(heading(2, "Is this the right target?"));
    add(paragraph(
        "An address says where a change would go, an identity what would be changed. Type this "
        "before the first step, and again whenever you come back: every check has to say `ok`. "
        "One that differs, or does not answer, is not the target of this plan: stop."));
    Rows rows = {{"guard", "what it looks at", "what it has to be"}};
    std::vector<std::string> lines;
    for (const plan::GuardRule& rule : plan_.guards) {
      const plan::GuardKind* kind =
          ground_.guards == nullptr ? nullptr : ground_.guards->find(rule.kind);
      const HandGuard guard = by_hand(ground_, rule, names_);
      const Value wanted = kind == nullptr ? Value() : rule.config.at(kind->expected);
      const bool told = wanted.is(Value::Type::string);
      rows.push_back({data(rule.name), kind == nullptr ? Prose("not known") : data(kind->help),
                      told ? data(wanted.string())
                           : Prose("what it is when it first answers: write that down, it has to "
                                   "be the same from then on")});
      take_settings(guard.hand);
      // What need not be there yet is no reason to stop.
      if (!told) lines.emplace_back("(");
      for (const auto* part : {&guard.hand.commands(), &guard.hand.checks()}) {
        lines.insert(lines.end(), part->begin(), part->end());
      }
      if (!told) lines.emplace_back(") || true");
    }
    add(table(std::move(rows)));
    add_code(lines);
  }

  void take_settings(const plan::ByHand& hand) {
    settings_.tools.insert(hand.tools().begin(), hand.tools().end());
    settings_.programs.insert(hand.programs().begin(), hand.programs().end());
    settings_.environment.insert(hand.environment().begin(), hand.environment().end());
  }

  void add_step(const plan::StepNode& step, std::size_t wave, std::size_t number) {
    const plan::StepType* type = ground_.types->find(step.type);
    add(heading(2, data(fmt::format("{}. {}", number, step.name))));
    Rows facts = {{"", ""},
                  {"What", data(step.type + (type == nullptr ? "" : ": " + type->help))},
                  {"Why", step.why.empty() ? Prose("the plan does not say") : data(step.why)},
                  {"When", data(fmt::format("wave {}{}", wave,
                                            step.after.empty() ? ", waits for nothing"
                                                               : ", after " + joined(step.after)))},
                  {"Changes", effects_text(step, type)},
                  {"Takes", time_text(expectation_of(step))},
                  {"Approval", approval_text(step)}};
    if (!step.when.empty()) {
      facts.insert(facts.begin() + 1,
                   {"Only when", data(step.when).add(" holds; else leave this section out")});
    }
    add(table(std::move(facts)));
    plan::ByHand hand(step, names_);
    if (type != nullptr && type->by_hand) type->by_hand(step.config, hand);
    add_commands(hand);
    add_proof(step, type);
    add_trouble(hand);
    add(heading(3, "Undo"));
    add(paragraph(hand.undo().empty() ? Prose("There is nothing to undo.") : hand.undo()));
  }

  plan::Expectation expectation_of(const plan::StepNode& step) const {
    const auto found = ground_.expectations.find(step.name);
    return found == ground_.expectations.end() ? plan::Expectation() : found->second;
  }

  Prose effects_text(const plan::StepNode& step, const plan::StepType* type) const {
    if (type == nullptr || !type->effects) return "not known";
    const auto effects = type->effects(step.config);
    return effects.empty() ? Prose("nothing") : data(joined(effects));
  }

  void add_commands(const plan::ByHand& hand) {
    take_settings(hand);
    add(heading(3, "Commands"));
    if (hand.commands().empty() && hand.checks().empty()) {
      add(paragraph("Nothing is typed: people decide. Write down who, when and why."));
    } else if (hand.commands().empty()) {
      add(paragraph("It only looks: see below."));
    }
    add_code(hand.commands());
    add_list(hand.notes());
    if (hand.checks().empty()) return;
    add(heading(3, "Check"));
    add_code(hand.checks());
    add_list(hand.expected());
  }

  // What the newest green run saw. Everything in it came from systems.
  void add_proof(const plan::StepNode& step, const plan::StepType* type) {
    add(heading(3, "Expected output"));
    if (ground_.green == nullptr) {
      return add(paragraph("Not known: no recovery by this plan was proven yet."));
    }
    const run::StepState& seen = ground_.green->step(step.name);
    if (seen.checks.empty() && !seen.outputs.is(Value::Type::map)) {
      return add(paragraph("The run did not have this step, or it proved nothing."));
    }
    Rows rows = {{"check", "expected", "found"}};
    for (const plan::Check& check : seen.checks) {
      if (rows.size() > checks_shown) break;
      rows.push_back({shortened(check.name), shortened(check.expected), shortened(check.actual)});
    }
    if (rows.size() > 1) add(table(std::move(rows)));
    if (seen.checks.size() > checks_shown) {
      add(paragraph(data(fmt::format("and {} more checks", seen.checks.size() - checks_shown))));
    }
    if (!seen.outputs.is(Value::Type::map) || type == nullptr) return;
    Rows outputs = {{"output", "value then"}};
    for (const auto& [name, value] : seen.outputs.map()) {
      outputs.push_back({data(name), may_show(step, *type, name) ? shortened(to_json(value))
                                                                 : Prose("(a secret)")});
    }
    if (outputs.size() > 1) add(table(std::move(outputs)));
  }

  void add_trouble(const plan::ByHand& hand) {
    if (hand.troubles().empty()) return;
    add(heading(3, "Troubleshooting"));
    Rows rows = {{"error", "what to do"}};
    for (const auto& [error, words] : hand.troubles()) rows.push_back({error, words});
    add(table(std::move(rows)));
  }

  const Ground& ground_;
  const plan::Plan& plan_;
  plan::HandNames names_;
  Settings settings_;
  Runbook runbook_;
};

}  // namespace

Runbook make_runbook(const Ground& ground) { return Maker(ground).make(); }

}  // namespace lifeboat::runbook
