#include "run/report.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "run/text.h"

namespace lifeboat::run {
namespace {

std::chrono::nanoseconds between(WallTime from, WallTime to) {
  return std::chrono::nanoseconds(to.ns - from.ns);
}

std::string status_of(const StepState& step) {
  switch (step.phase) {
    case plan::StepPhase::done:
      return "done";
    case plan::StepPhase::failed:
      return "failed";
    case plan::StepPhase::skipped:
      return "skipped";
    case plan::StepPhase::undone:
      return "undone";
    case plan::StepPhase::waiting:
    case plan::StepPhase::running:
      break;
  }
  if (step.awaits.ns != 0) return "awaits people";
  return step.attempts > 0 ? "interrupted" : "waiting";
}

std::string summary_of(const StepState& step) {
  if (!step.skipped_by.empty()) return "skipped by " + step.skipped_by + ": " + step.skip_reason;
  if (step.phase == plan::StepPhase::skipped) return "needs an output of " + step.skipped_for;
  if (step.phase == plan::StepPhase::failed && step.error) return step.error->what;
  return step.summary;
}

ReportStep line_of(const plan::StepNode& node, const StepState& step, WallTime t0) {
  ReportStep line;
  line.name = node.name;
  line.type = node.type;
  line.status = status_of(step);
  line.summary = summary_of(step);
  line.took = step.took;
  line.awaited = step.awaited;
  line.attempts = step.attempts;
  line.checks = step.checks.size();
  line.checks_ok =
      static_cast<std::uint64_t>(std::ranges::count(step.checks, true, &plan::Check::ok));
  if (step.begin.ns != 0) line.start = between(t0, step.begin);
  if (step.end.ns != 0) line.end = between(t0, step.end);
  return line;
}

void add_all(std::vector<std::string>& to, const std::string& step,
             const std::vector<std::string>& texts) {
  for (const std::string& text : texts) to.push_back(step + ": " + text);
}

// In the order in which they began; those that did not, last and in the order of the plan.
void sort_by_start(std::vector<ReportStep>& steps) {
  std::multimap<std::chrono::nanoseconds, ReportStep> sorted;  // keeps the order of equals
  for (ReportStep& step : steps) {
    sorted.emplace(step.start.value_or(std::chrono::nanoseconds::max()), std::move(step));
  }
  steps.clear();
  for (auto& [start, step] : sorted) steps.push_back(std::move(step));
}

void add_steps(Report& report, const RunState& state) {
  for (const plan::StepNode& node : state.pins.plan.steps) {
    const StepState& step = state.step(node.name);
    report.steps.push_back(line_of(node, step, report.t0));
    report.checks += report.steps.back().checks;
    report.checks_ok += report.steps.back().checks_ok;
    for (const plan::Check& check : step.checks) {
      if (!check.ok) report.failed_checks.push_back({node.name, check});
    }
    add_all(report.losses, node.name, step.losses);
    add_all(report.kept_aside, node.name, step.kept_aside);
    add_all(report.left_running, node.name, step.left_running);
    add_all(report.remarks, node.name, step.remarks);
    add_all(report.remarks, node.name, step.retries);
  }
  sort_by_start(report.steps);
}

void add_critical_path(Report& report, const RunState& state) {
  std::map<std::string, std::chrono::nanoseconds> times;
  for (const auto& [name, step] : state.steps) {
    if (step.attempts > 0) times[name] = step.took;
  }
  if (times.empty()) return;
  report.critical_path = plan::critical_path(state.pins.plan, times);
  for (const std::string& name : report.critical_path) {
    report.critical_time += times.contains(name) ? times[name] : std::chrono::nanoseconds{};
    for (ReportStep& step : report.steps) step.critical = step.critical || step.name == name;
  }
}

// Time that runs backwards between the clocks involved was not measured, and that is said: a zero
// would meet every objective.
std::optional<std::chrono::nanoseconds> measured(Report& report, std::chrono::nanoseconds time,
                                                 const char* what) {
  if (time.count() >= 0) return time;
  report.remarks.push_back(
      fmt::format("run: {} came out as {} s: clocks disagree; not measured", what, seconds(time)));
  return std::nullopt;
}

// Only a recovery has an RTO; one that is not there yet has lasted until the last thing known of
// it.
void measure_rto(Report& report, const RunState& state) {
  WallTime last_green, last_known = report.ended;
  for (const auto& [name, step] : state.steps) {
    const bool green = step.phase == plan::StepPhase::done && !step.checks.empty();
    if (green) last_green = std::max(last_green, step.end);
    last_known = std::max({last_known, step.begin, step.end});
  }
  if (report.recovered) {
    report.rto = measured(report, between(report.t0, last_green), "the RTO");
  } else if (last_known.ns != 0) {
    report.so_far = measured(report, between(report.t0, last_known), "the time so far");
  }
}

// What was written after `vouched` and before T0. Nothing, where T0 is the earlier one: the
// platform was lost before what came back was written. But nobody restores what is written after
// the run began.
std::optional<std::chrono::nanoseconds> lost_since(Report& report, const RunState& state,
                                                   WallTime vouched, const char* what) {
  const auto lost = between(vouched, report.t0);
  if (vouched.ns > std::max(state.begun, report.t0).ns) return measured(report, lost, what);
  return std::max(lost, std::chrono::nanoseconds{});
}

void measure_rpo(Report& report, const RunState& state) {
  if (state.pins.point.id.empty()) return;
  report.point_time = state.pins.point.earliest;
  report.rpo_bound = lost_since(report, state, *report.point_time, "the RPO by the recovery point");
  report.rpo = report.rpo_bound;
  if (!state.end || !state.end->heartbeat) return;
  report.heartbeat = state.end->heartbeat;
  const auto tightened =
      lost_since(report, state, *report.heartbeat, "the RPO by the newest heartbeat");
  if (!report.rpo_bound || !tightened) return;
  if (*tightened > *report.rpo_bound) {
    report.remarks.push_back(
        "run: the newest heartbeat that came back is older than the recovery point vouches for");
  }
  report.rpo = std::min(*report.rpo_bound, *tightened);
}

std::string standing_text(std::string_view what, const Standing& standing) {
  return fmt::format("{} by {}: {}", what, standing.by, standing.reason);
}

std::string skipped_text(const RunState& state) {
  std::string text;
  for (const auto& [name, step] : state.steps) {
    if (step.phase != plan::StepPhase::skipped) continue;
    text += text.empty() ? "skipped: " : ", ";
    text += name;
    if (!step.skipped_by.empty())
      text += fmt::format(" ({}: {})", step.skipped_by, step.skip_reason);
  }
  return text;
}

// "2026-11-26T03:12:09Z alice approved go-live (signed): looks right".
std::string deed_text(const Deed& deed) {
  std::string text =
      fmt::format("{} {} asked: {}{}{}", rfc3339(deed.time), deed.by, deed.action,
                  deed.step.empty() ? "" : " " + deed.step, deed.is_signed ? " (signed)" : "");
  if (!deed.reason.empty()) text += ": " + deed.reason;
  return deed.accepted ? text : text + "; NOT TAKEN: " + deed.why;
}

// Time in `holds` that no span of `work` covers.
std::chrono::nanoseconds uncovered(std::vector<Span> holds, std::vector<Span> work) {
  const auto by_start = [](const Span& a, const Span& b) { return a.from < b.from; };
  std::ranges::sort(holds, by_start);
  std::ranges::sort(work, by_start);
  std::int64_t total = 0, done = std::numeric_limits<std::int64_t>::min();
  for (const Span& hold : holds) {
    std::int64_t from = std::max(hold.from.ns, done);
    for (const Span& one : work) {
      if (one.to.ns <= from || one.from.ns >= hold.to.ns) continue;
      total += std::max<std::int64_t>(one.from.ns - from, 0);
      from = std::max(from, one.to.ns);
    }
    total += std::max<std::int64_t>(hold.to.ns - from, 0);
    done = std::max(done, hold.to.ns);
  }
  return std::chrono::nanoseconds(total);
}

std::chrono::nanoseconds waited_for_people(const RunState& state) {
  std::vector<Span> holds = state.holds, work;
  for (const auto& [name, step] : state.steps) {
    std::ranges::copy(step.holds, std::back_inserter(holds));
    std::ranges::copy(step.work, std::back_inserter(work));
  }
  return uncovered(std::move(holds), std::move(work));
}

std::string why_not(const Report& report, const Outcome& outcome) {
  if (outcome.halted) return outcome.halted->what;
  std::size_t waiting = 0;
  for (const ReportStep& step : report.steps) {
    if (step.status == "failed") return step.name + ": " + step.summary;
    waiting += step.status != "done";
  }
  if (report.outcome == "partial") return skipped_text(outcome.state);
  if (outcome.state.withdrawn()) return "it gave way to another run of the same recovery";
  if (outcome.state.cancelled) return standing_text("cancelled", *outcome.state.cancelled);
  if (report.outcome == "undone") return standing_text("undone", *outcome.state.going_back);
  if (waiting > 0) return fmt::format("{} of {} steps are not done", waiting, report.steps.size());
  if (report.checks == 0) return "no step proved anything: the plan has no checks";
  if (report.checks_ok < report.checks) return "a check failed";
  return "the run has not ended";
}

}  // namespace

Report make_report(const Outcome& outcome) {
  const RunState& state = outcome.state;
  Report report;
  report.run = state.pins.run;
  report.plan = state.pins.plan.name;
  report.scenario = state.pins.plan.scenario;
  report.platform = state.pins.platform_name;
  report.version = state.pins.version;
  report.point = state.pins.point.id;
  report.t0 = state.pins.origin.time;
  report.t0_origin = state.pins.origin.text;
  report.objectives = state.pins.objectives;
  report.freshness_proven = outcome.freshness_proven;
  if (state.end) report.ended = state.end->time;
  add_all(report.remarks, "run", state.remarks);
  add_steps(report, state);
  add_critical_path(report, state);
  if (outcome.halted) {
    report.outcome = "interrupted";
  } else if (state.end) {
    report.outcome = state.end->outcome;
  }
  for (const Deed& deed : state.deeds) report.people.push_back(deed_text(deed));
  report.awaited = waited_for_people(state);
  for (const DriverVisit& visit : state.drivers) {
    report.drivers.push_back(fmt::format("process {} on {}", visit.driver.pid, visit.driver.host));
  }
  report.recovered = state.recovered() && !outcome.halted;
  if (!report.recovered) report.why = why_not(report, outcome);
  measure_rto(report, state);
  measure_rpo(report, state);
  return report;
}

void add_expectations(Report& report, const plan::Expectations& expectations) {
  for (ReportStep& step : report.steps) {
    const auto found = expectations.find(step.name);
    const bool learned =
        found != expectations.end() && found->second.basis == plan::Expectation::Basis::learned;
    if (!learned) continue;
    const plan::DurationRange& range = found->second.range;
    step.expected = range;
    const bool as_expected = step.took >= range.low && step.took <= range.high;
    if (step.status != "done" || as_expected) continue;
    report.remarks.push_back(fmt::format("{}: took {} s; {} to {} s were expected from {} {}",
                                         step.name, seconds(step.took), seconds(range.low),
                                         seconds(range.high), found->second.samples,
                                         found->second.samples == 1 ? "run" : "runs"));
  }
}

std::string last_line(const Report& report) {
  if (!report.recovered) {
    std::string why = printable(report.why);
    std::ranges::replace(why, '\n', ' ');
    return (report.outcome == "partial" ? "PARTLY RECOVERED: " : "NOT RECOVERED: ") + why;
  }
  return fmt::format(
      "RECOVERED rto={} rpo={} checks={}/{}", report.rto ? seconds(*report.rto) : "unknown",
      report.rpo ? seconds(*report.rpo) : "unknown", report.checks_ok, report.checks);
}

}  // namespace lifeboat::run
