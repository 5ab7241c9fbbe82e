#include "evidence/findings.h"

#include <fmt/format.h>

#include <algorithm>

#include "evidence/evidence.h"
#include "run/text.h"

namespace lifeboat::evidence {
namespace {

using run::RunState;
using run::StepState;

std::string skip_text(const StepState& step) {
  return step.skipped_by.empty() ? "left out: it needs an output of " + step.skipped_for
                                 : step.skipped_by + " left it out: " + step.skip_reason;
}

std::string over_text(const run::DriverVisit& visit) {
  const std::string who = fmt::format("process {} on {} at {}", visit.driver.pid, visit.driver.host,
                                      rfc3339(visit.begin));
  if (visit.over == "takeover") return who + " took the run over, by a person's order";
  if (visit.over == "silent") return who + " took the run over from a driver that fell silent";
  if (visit.over == "gone")
    return who + " went on after the process of the driver before had ended";
  return who + " went on with the run";
}

void add_texts(std::vector<Deviation>& found, const std::string& kind, const std::string& step,
               const std::vector<std::string>& texts) {
  for (const std::string& text : texts) found.push_back({kind, step, text});
}

// The error of a step is that of its last attempt, as long as no other one has begun.
void add_failure(std::vector<Deviation>& found, const std::string& name, const StepState& step) {
  if (step.error) found.push_back({"failed", name, step.error->what});
  for (const plan::Check& check : step.checks) {
    if (check.ok) continue;
    found.push_back(
        {"failed", name,
         fmt::format("check {}: expected {}, found {}", check.name, check.expected, check.actual)});
  }
}

void add_step(std::vector<Deviation>& found, const std::string& name, const StepState& step) {
  add_failure(found, name, step);
  if (step.phase == plan::StepPhase::skipped) found.push_back({"skipped", name, skip_text(step)});
  if (step.phase == plan::StepPhase::undone) {
    found.push_back({"undone", name, "what it did was undone"});
  }
  if (step.attempts > 1) {
    found.push_back({"retried", name, fmt::format("it took {} attempts", step.attempts)});
  }
  add_texts(found, "retried", name, step.retries);
  add_texts(found, "lost", name, step.losses);
  add_texts(found, "kept aside", name, step.kept_aside);
  add_texts(found, "left running", name, step.left_running);
}

// What a person asked that changed the course of the run.
void add_request(std::vector<Deviation>& found, const Value& facts) {
  const std::string action = facts.text("action"), by = facts.text("by");
  const std::string reason = facts.text("reason");
  const std::string because = reason.empty() ? "" : ": " + reason;
  const Value& inputs = facts.at("inputs");
  if (!facts.boolean("accepted", false)) {
    found.push_back({"refused", facts.text("step"),
                     fmt::format("{} asked: {}; not taken: {}", by, action, facts.text("why"))});
  } else if (action == "retry" && inputs.is(Value::Type::map) && !inputs.map().empty()) {
    std::string names;
    for (const auto& [name, value] : inputs.map()) names += (names.empty() ? "" : ", ") + name;
    found.push_back({"inputs", facts.text("step"),
                     fmt::format("{} gave other values for {}{}", by, names, because)});
  } else if (action != "approve" && action != "continue" && action != "skip") {
    found.push_back(
        {"asked", facts.text("step"), fmt::format("{} asked: {}{}", by, action, because)});
  }
}

void add_refusal(std::vector<Deviation>& found, const Value& facts) {
  if (facts.boolean("held", false)) return;
  found.push_back({"guard refused", "",
                   fmt::format("guard {}: wanted {}, found {} at {}", facts.text("guard"),
                               facts.text("wanted"), facts.text("found"), facts.text("at"))});
}

// Ends that were gone on from before anybody made evidence of them.
void add_unsealed(std::vector<Deviation>& found, const std::vector<journal::Event>& events) {
  const journal::Event* end = nullptr;
  for (const journal::Event& event : events) {
    if (event.kind == "run.end") end = &event;
    if (event.kind == sealed_event) end = nullptr;
    if (event.kind != "driver.joined" || end == nullptr) continue;
    found.push_back({"unsealed", "",
                     fmt::format("there is no evidence of its end as {} at {}",
                                 end->facts.text("outcome"), rfc3339(end->time))});
    end = nullptr;
  }
}

std::string wanted_text(std::chrono::nanoseconds measured, std::chrono::nanoseconds objective) {
  return fmt::format("{} s, the objective is {}", run::seconds(measured),
                     human_duration(objective));
}

// What clocks that disagree left unmeasured is to be looked at, whatever was promised.
void add_objectives(std::vector<FactFinding>& found, const run::Report& report) {
  if (report.recovered && !report.rto) {
    found.push_back({"rto", "the RTO was not measured: clocks disagree"});
  }
  if (report.point_time && !report.rpo) {
    found.push_back({"rpo", "the RPO was not measured: clocks disagree"});
  }
  if (met(report.rto, report.objectives.rto) == false) {
    found.push_back(
        {"rto", "the RTO was missed: " + wanted_text(*report.rto, *report.objectives.rto)});
  }
  if (met(report.rpo, report.objectives.rpo) == false) {
    found.push_back(
        {"rpo", "the RPO was missed: " + wanted_text(*report.rpo, *report.objectives.rpo)});
  }
}

}  // namespace

std::optional<bool> met(const std::optional<std::chrono::nanoseconds>& measured,
                        const std::optional<std::chrono::nanoseconds>& objective) {
  if (!objective || !measured) return std::nullopt;
  return *measured <= *objective;
}

std::vector<Deviation> deviations_of(const RunState& state, const run::Report& report,
                                     const std::vector<journal::Event>& events) {
  std::vector<Deviation> found;
  for (std::size_t i = 1; i < state.drivers.size(); ++i) {
    const std::string& over = state.drivers[i].over;
    const bool taken = over == "takeover" || over == "silent";
    found.push_back({taken ? "takeover" : "resumed", "", over_text(state.drivers[i])});
  }
  for (const journal::Event& event : events) {
    if (event.kind == "request.taken") add_request(found, event.facts);
    if (event.kind == "guard.seen") add_refusal(found, event.facts);
    if (event.kind == "run.replanned") {
      found.push_back({"plan", "", event.facts.text("by") + " replaced the plan of the run"});
    }
  }
  add_unsealed(found, events);
  for (const plan::StepNode& node : state.pins.plan.steps) {
    add_step(found, node.name, state.step(node.name));
  }
  if (!report.freshness_proven) {
    found.push_back({"freshness", "",
                     "the evidence was made on a machine that cannot know whether the last segment "
                     "of the journal is missing"});
  }
  return found;
}

namespace {

void add_step(std::vector<FactFinding>& found, const std::string& name, const StepState& step) {
  if (step.phase == plan::StepPhase::skipped) {
    found.push_back({"skipped/" + name, name + ": " + skip_text(step)});
  } else if (step.error) {
    found.push_back({"failed/" + name, name + ": " + step.error->what});
  }
  if (step.attempts > 1 || !step.retries.empty()) {
    found.push_back(
        {"retried/" + name, fmt::format("{}: it took {} attempts{}{}", name, step.attempts,
                                        step.retries.empty() ? "" : "; ",
                                        step.retries.empty() ? "" : step.retries.front())});
  }
  if (!step.losses.empty()) {
    found.push_back({"lost/" + name, fmt::format("{}: {}", name, fmt::join(step.losses, "; "))});
  }
}

}  // namespace

std::vector<FactFinding> findings_of(const RunState& state, const run::Report& report) {
  std::vector<FactFinding> found;
  if (!state.end) return found;
  const bool wanted_end =
      report.outcome == "undone" || report.outcome == "cancelled" || report.outcome == "withdrawn";
  if (!report.recovered && !wanted_end) found.push_back({"outcome", run::last_line(report)});
  add_objectives(found, report);
  for (std::size_t i = 1; i < state.drivers.size(); ++i) {
    if (state.drivers[i].over != "silent") continue;
    const run::DriverVisit& silent = state.drivers[i - 1];
    found.push_back(
        {fmt::format("silent/{}", i), fmt::format("the driver before fell silent: process {} on {}",
                                                  silent.driver.pid, silent.driver.host)});
  }
  for (const plan::StepNode& node : state.pins.plan.steps) {
    add_step(found, node.name, state.step(node.name));
  }
  return found;
}

}  // namespace lifeboat::evidence
