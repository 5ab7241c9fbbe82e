// The report for a terminal: at most 100 columns, plain ASCII of our own, no colour.
#include <fmt/format.h>

#include <algorithm>

#include "run/report.h"
#include "run/text.h"

namespace lifeboat::run {
namespace {

constexpr std::size_t width = 100;
constexpr std::size_t name_width_max = 24;
constexpr std::size_t bar_width = 24;

std::string moment(const std::optional<std::chrono::nanoseconds>& time) {
  return time ? "+" + seconds(*time) : "-";
}

std::string field(std::string_view name, std::string_view text) {
  return fmt::format("{:<14}{}\n", name, wrapped(printable(text), width - 14, 14));
}

std::string against(const std::optional<std::chrono::nanoseconds>& measured,
                    const std::optional<std::chrono::nanoseconds>& wanted) {
  if (!measured || !wanted) return "";
  return fmt::format(", objective {}: {}", human_duration(*wanted),
                     *measured <= *wanted ? "met" : "MISSED");
}

std::string head(const Report& report) {
  std::string text =
      field("run", report.run + (report.platform.empty() ? "" : " of ") + report.platform);
  text += field("plan", report.plan + (report.scenario.empty() ? "" : ": " + report.scenario));
  if (report.point.empty()) {
    text += field("point", "none: the plan restores nothing");
  } else {
    text += field("point", fmt::format("{}, consistent at {}", report.point.substr(0, 12),
                                       rfc3339(*report.point_time)));
  }
  text += field("T0", fmt::format("{}, {}", rfc3339(report.t0), report.t0_origin));
  return text;
}

// Where in the run a step was at work: "   ####     ".
std::string bar(const ReportStep& step, std::chrono::nanoseconds from,
                std::chrono::nanoseconds to) {
  std::string cells(bar_width, ' ');
  if (!step.start || !step.end) return cells;  // `from` and `to` are of steps that have both
  const auto span = std::max<std::int64_t>((to - from).count(), 1);
  const auto cell = [&](std::chrono::nanoseconds time) {
    const double share = static_cast<double>((time - from).count()) / static_cast<double>(span);
    return static_cast<std::size_t>(std::clamp(share, 0.0, 1.0) * (bar_width - 1));
  };
  const std::size_t begin = cell(*step.start);
  const std::size_t end = std::max(begin, cell(*step.end));
  std::fill(cells.begin() + static_cast<std::ptrdiff_t>(begin),
            cells.begin() + static_cast<std::ptrdiff_t>(end) + 1, step.critical ? '#' : '=');
  return cells;
}

std::string timeline(const Report& report) {
  std::size_t names = 4;
  auto from = std::chrono::nanoseconds::max();
  auto to = std::chrono::nanoseconds::min();
  for (const ReportStep& step : report.steps) {
    names = std::max(names, printable(step.name).size());
    if (step.start) from = std::min(from, *step.start);
    if (step.end) to = std::max(to, *step.end);
  }
  names = std::min(names, name_width_max);
  std::string text = fmt::format("\n{:<{}}  {:>9} {:>8} {:>3} {:>7}  {:<11} {}\n", "step", names,
                                 "start s", "took s", "try", "checks", "state", "# critical path");
  for (const ReportStep& step : report.steps) {
    text += fmt::format(
        "{:<{}}  {:>9} {:>8} {:>3} {:>7}  {:<11} {}\n", cut(printable(step.name), names), names,
        moment(step.start), seconds(step.took), step.attempts,
        fmt::format("{}/{}", step.checks_ok, step.checks), step.status, bar(step, from, to));
    if (step.status == "done" || step.summary.empty()) continue;
    text += "    " + wrapped(printable(step.summary), width - 4, 4) + "\n";
  }
  return text;
}

std::string section(std::string_view title, const std::vector<std::string>& lines) {
  if (lines.empty()) return "";
  std::string text = fmt::format("\n{}\n", title);
  for (const std::string& line : lines)
    text += "  " + wrapped(printable(line), width - 4, 4) + "\n";
  return text;
}

std::string failed_checks(const Report& report) {
  std::vector<std::string> lines;
  for (const FailedCheck& failed : report.failed_checks) {
    lines.push_back(fmt::format("{}: {}: expected {}, found {}", failed.step, failed.check.name,
                                failed.check.expected, failed.check.actual));
  }
  return section("failed checks", lines);
}

std::string measures(const Report& report) {
  std::string text = "\n";
  if (!report.critical_path.empty()) {
    text += field("critical path", fmt::format("{} s: {}", seconds(report.critical_time),
                                               fmt::join(report.critical_path, " > ")));
  }
  if (report.rto) {
    text += field("RTO", fmt::format("{} s from T0 to the last green check{}", seconds(*report.rto),
                                     against(report.rto, report.objectives.rto)));
  } else if (report.recovered) {
    text += field("RTO", "not measured: clocks disagree");
  } else {
    text += field(
        "RTO", "not reached" + (report.so_far ? "; " + seconds(*report.so_far) + " s so far" : ""));
  }
  if (report.awaited.count() > 0) {
    text +=
        field("", fmt::format("{} s of it only people were waited for", seconds(report.awaited)));
  }
  if (report.rpo) {
    std::string rpo = fmt::format("{} s at most (recovery point: {} s", seconds(*report.rpo),
                                  seconds(*report.rpo_bound));
    if (report.heartbeat) rpo += "; newest heartbeat that came back: " + rfc3339(*report.heartbeat);
    text += field("RPO", rpo + ")" + against(report.rpo, report.objectives.rpo));
  } else if (report.point_time) {
    text += field("RPO", "not measured: clocks disagree");
  }
  text += field("checks", fmt::format("{} of {} green", report.checks_ok, report.checks));
  return text;
}

}  // namespace

std::string render_text(const Report& report) {
  std::string text = head(report) + timeline(report) + failed_checks(report) + measures(report);
  text += section("people", report.people);
  text += section("lost", report.losses);
  text += section("kept aside", report.kept_aside);
  text += section("left running", report.left_running);
  text += section("remarks", report.remarks);
  if (report.drivers.size() > 1) text += section("drivers, in turn", report.drivers);
  return text + "\n" + last_line(report) + "\n";
}

}  // namespace lifeboat::run
