// run/report.h - What a run was: its timeline, its proof, what it cost and what was lost.
//
// make_report() is pure: a report of a finished run can be made again at any time from its journal.
// RTO: from T0 to the last green check, by the wall clocks of the drivers (durations of steps are
// by boot clocks); a run that did not recover has none, only the time that it took so far. RPO:
// from the oldest instant that the recovery point vouches for to T0; a heartbeat that came back and
// is newer tightens it. Both are measured, never stated.
//
// What people were waited for is part of the RTO, and shown apart: the union of the times in which
// a gate or a pause held the run and no step was at work.
//
// A run is recovered when it ended as proven (RunState::proven()): every step of its plan is done
// and every check was green; a plan whose steps proved nothing recovered nothing. Names from
// outside are escaped by the renderers, for terminal and Markdown each. Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "run/engine.h"

namespace lifeboat::run {

struct ReportStep {
  // "done", "failed", "skipped", "undone", "awaits people", "waiting", "interrupted"
  std::string name, type, status;
  std::string summary;                                 // what observe saw, or why it is not done
  std::optional<std::chrono::nanoseconds> start, end;  // since T0
  std::chrono::nanoseconds took{}, awaited{};          // at work; only waiting for people
  std::uint64_t attempts = 0, checks = 0, checks_ok = 0;
  bool critical = false;
  std::optional<plan::DurationRange> expected;  // learned from earlier runs
};

struct FailedCheck {
  std::string step;
  plan::Check check;
};

struct Report {
  bool recovered = false;
  // RunEnd::outcome; "" while the run has not ended, "interrupted" when this driver left it.
  std::string outcome;
  std::string why;  // not recovered: the reason, one line
  std::string run, plan, scenario, platform, version;
  std::string point;  // id; "" = none
  std::optional<WallTime> point_time;
  WallTime t0, ended;
  std::string t0_origin;
  std::optional<std::chrono::nanoseconds> rto, so_far;  // recovered: the one; else the other
  std::optional<std::chrono::nanoseconds> rpo, rpo_bound;
  std::optional<WallTime> heartbeat;
  Objectives objectives;
  std::uint64_t checks = 0, checks_ok = 0;
  std::vector<FailedCheck> failed_checks;
  std::vector<ReportStep> steps;  // in the order in which they began
  std::vector<std::string> critical_path;
  std::chrono::nanoseconds critical_time{};
  std::chrono::nanoseconds awaited{};  // of RTO or so_far: when nothing but people was waited for
  std::vector<std::string> people;     // what they asked, in order: "alice approved go: ..."
  std::vector<std::string> losses, kept_aside, left_running, remarks;  // "step: text"
  std::vector<std::string> drivers;                                    // "process 12 on host"
  bool freshness_proven = true;
};

Report make_report(const Outcome& outcome);
// Adds what earlier runs made expect of each step; steps that are done and took less or more are
// remarked. What was not learned is left out.
void add_expectations(Report& report, const plan::Expectations& expectations);

// "RECOVERED rto=SECONDS rpo=SECONDS checks=N/N", "PARTLY RECOVERED: why", or "NOT RECOVERED: why";
// "unknown" where clocks disagree, or the plan restored from no point.
std::string last_line(const Report& report);
// Lines of at most 100 columns, no colour; ends with last_line().
std::string render_text(const Report& report);
std::string render_markdown(const Report& report);
Value to_value(const Report& report);

}  // namespace lifeboat::run
