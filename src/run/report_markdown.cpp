// The report as Markdown, for a ticket or an auditor; and as a value, for programs.
#include <fmt/format.h>

#include "run/report.h"
#include "run/text.h"

namespace lifeboat::run {
namespace {

std::string section(std::string_view title, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string text = fmt::format("\n## {}\n\n", title);
  for (const std::string& line : lines) text += "- " + markdown(line) + "\n";
  return text;
}

std::string moment(const std::optional<std::chrono::nanoseconds>& time) {
  return time ? seconds(*time) : "";
}

std::string wanted(const std::optional<std::chrono::nanoseconds>& objective) {
  return objective ? human_duration(*objective) : "none";
}

std::string facts(const Report& report) {
  std::string text = "| | |\n|---|---|\n";
  const auto row = [&](std::string_view name, const std::string& value) {
    text += fmt::format("| {} | {} |\n", name, markdown(value));
  };
  row("Run", report.run);
  row("Platform", report.platform);
  row("Plan", report.plan);
  row("Scenario", report.scenario);
  row("Recovery point", report.point.empty() ? "none" : report.point);
  if (report.point_time) row("Consistent at", rfc3339(*report.point_time));
  row("T0", rfc3339(report.t0) + ", " + report.t0_origin);
  row("RTO, s", report.rto         ? seconds(*report.rto)
                : report.recovered ? "not measured: clocks disagree"
                                   : "not reached");
  if (report.so_far) row("Time so far, s", seconds(*report.so_far));
  if (report.awaited.count() > 0) row("Of it waiting for people only, s", seconds(report.awaited));
  row("RTO objective", wanted(report.objectives.rto));
  row("RPO, s", report.rpo          ? seconds(*report.rpo)
                : report.point_time ? "not measured: clocks disagree"
                                    : "unknown");
  if (report.rpo_bound) row("RPO by the recovery point, s", seconds(*report.rpo_bound));
  if (report.heartbeat) row("Newest heartbeat that came back", rfc3339(*report.heartbeat));
  row("RPO objective", wanted(report.objectives.rpo));
  row("Checks", fmt::format("{}/{}", report.checks_ok, report.checks));
  row("Freshness of the journal", report.freshness_proven ? "proven" : "unproven");
  row("Lifeboat", report.version);
  return text;
}

std::string timeline(const Report& report) {
  std::string text =
      "\n## Timeline\n\nSeconds since T0; the critical path is bold.\n\n"
      "| step | type | state | start | end | took | attempts | checks | |\n"
      "|---|---|---|---:|---:|---:|---:|---:|---|\n";
  for (const ReportStep& step : report.steps) {
    const std::string name = markdown(step.name);
    text += fmt::format("| {} | {} | {} | {} | {} | {} | {} | {}/{} | {} |\n",
                        step.critical ? "**" + name + "**" : name, markdown(step.type), step.status,
                        moment(step.start), moment(step.end), seconds(step.took), step.attempts,
                        step.checks_ok, step.checks, markdown(step.summary));
  }
  return text;
}

std::string failed_checks(const Report& report) {
  if (report.failed_checks.empty()) return "";
  std::string text =
      "\n## Failed checks\n\n| step | check | expected | found |\n|---|---|---|---|\n";
  for (const auto& [step, check] : report.failed_checks) {
    text += fmt::format("| {} | {} | {} | {} |\n", markdown(step), markdown(check.name),
                        markdown(check.expected), markdown(check.actual));
  }
  return text;
}

Value texts(const std::vector<std::string>& items) {
  Value::List list;
  for (const std::string& item : items) list.emplace_back(item);
  return list;
}

Value seconds_value(const std::optional<std::chrono::nanoseconds>& time) {
  return time ? Value(std::chrono::duration<double>(*time).count()) : Value();
}

Value step_value(const ReportStep& step) {
  Value value;
  value.set("name", step.name);
  value.set("type", step.type);
  value.set("state", step.status);
  value.set("summary", step.summary);
  value.set("start_s", seconds_value(step.start));
  value.set("end_s", seconds_value(step.end));
  value.set("took_s", seconds_value(step.took));
  value.set("awaited_s", seconds_value(step.awaited));
  value.set("attempts", step.attempts);
  value.set("checks", step.checks);
  value.set("checks_ok", step.checks_ok);
  value.set("critical", step.critical);
  if (step.expected) {
    value.set("expected_low_s", seconds_value(step.expected->low));
    value.set("expected_likely_s", seconds_value(step.expected->likely));
    value.set("expected_high_s", seconds_value(step.expected->high));
  }
  return value;
}

}  // namespace

std::string render_markdown(const Report& report) {
  std::string text = "# " + markdown(last_line(report)) + "\n\n";
  text += facts(report) + timeline(report) + failed_checks(report);
  if (!report.critical_path.empty()) {
    text += fmt::format("\nCritical path, {} s: {}\n", seconds(report.critical_time),
                        markdown(fmt::format("{}", fmt::join(report.critical_path, " → "))));
  }
  text += section("People", report.people);
  text += section("Lost", report.losses) + section("Kept aside", report.kept_aside);
  text += section("Left running", report.left_running) + section("Remarks", report.remarks);
  return text + section("Drivers, in turn", report.drivers);
}

Value to_value(const Report& report) {
  Value value;
  value.set("recovered", report.recovered);
  value.set("verdict", last_line(report));
  value.set("outcome", report.outcome);
  value.set("why", report.why);
  value.set("run", report.run);
  value.set("plan", report.plan);
  value.set("scenario", report.scenario);
  value.set("platform", report.platform);
  value.set("version", report.version);
  value.set("point", report.point);
  value.set("t0", rfc3339(report.t0));
  value.set("t0_origin", report.t0_origin);
  if (report.point_time) value.set("point_time", rfc3339(*report.point_time));
  if (report.ended.ns != 0) value.set("ended", rfc3339(report.ended));
  if (report.heartbeat) value.set("heartbeat", rfc3339(*report.heartbeat));
  value.set("rto_s", seconds_value(report.rto));
  value.set("so_far_s", seconds_value(report.so_far));
  value.set("rpo_s", seconds_value(report.rpo));
  value.set("rpo_bound_s", seconds_value(report.rpo_bound));
  value.set("rto_objective_s", seconds_value(report.objectives.rto));
  value.set("rpo_objective_s", seconds_value(report.objectives.rpo));
  value.set("checks", report.checks);
  value.set("checks_ok", report.checks_ok);
  Value::List steps, failed;
  for (const ReportStep& step : report.steps) steps.push_back(step_value(step));
  for (const auto& [step, check] : report.failed_checks) {
    Value item;
    item.set("step", step);
    item.set("name", check.name);
    item.set("expected", check.expected);
    item.set("actual", check.actual);
    failed.push_back(std::move(item));
  }
  value.set("steps", std::move(steps));
  value.set("failed_checks", std::move(failed));
  value.set("critical_path", texts(report.critical_path));
  value.set("critical_path_s", seconds_value(report.critical_time));
  value.set("awaited_s", seconds_value(report.awaited));
  value.set("people", texts(report.people));
  value.set("losses", texts(report.losses));
  value.set("kept_aside", texts(report.kept_aside));
  value.set("left_running", texts(report.left_running));
  value.set("remarks", texts(report.remarks));
  value.set("drivers", texts(report.drivers));
  value.set("freshness_proven", report.freshness_proven);
  return value;
}

}  // namespace lifeboat::run
