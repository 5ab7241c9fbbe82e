#include "run/outlook.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/guard.h"

namespace lifeboat::run {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds news_at_least{10};

// Up to which time what step of rounding says all that can be meant.
struct Grain {
  seconds below, step;
};
constexpr std::array grains{Grain{std::chrono::minutes(1), seconds(5)},
                            Grain{std::chrono::minutes(10), seconds(10)},
                            Grain{std::chrono::hours(1), std::chrono::minutes(1)},
                            Grain{std::chrono::hours(24), std::chrono::minutes(5)}};

std::int64_t rounded(nanoseconds time, Round round) {
  const auto whole = std::chrono::duration_cast<seconds>(std::max(time, nanoseconds{}));
  std::int64_t step = 3600;
  for (auto grain = grains.rbegin(); grain != grains.rend(); ++grain) {
    if (whole < grain->below) step = grain->step.count();
  }
  const std::int64_t down = whole.count() / step * step;
  const bool more = time > seconds(down);
  return round == Round::up && more ? down + step : down;
}

// "1h20m", "45s", "0s".
std::string in_words(std::int64_t whole) {
  std::string text;
  const auto part = [&](std::int64_t count, const char* unit) {
    if (count > 0) text += std::to_string(count) + unit;
  };
  part(whole / 86400, "d");
  part(whole / 3600 % 24, "h");
  part(whole / 60 % 60, "m");
  part(whole % 60, "s");
  return text.empty() ? "0s" : text;
}

// "about 2m10s-4m", "less than 10s".
std::string range_text(const TimeLeft& left) {
  const std::int64_t low = rounded(*left.low, Round::down), high = rounded(*left.high, Round::up);
  if (low == high) return "about " + in_words(high);
  if (low == 0) return "less than " + in_words(high);
  return fmt::format("about {}-{}", in_words(low), in_words(high));
}

std::string_view verdict_text(const TimeLeft& left, nanoseconds rto) {
  switch (left.rto) {
    case InTime::unknown:
      return "";
    case InTime::yes:
      return ": ok";
    case InTime::at_risk:
      return ": at risk";
    case InTime::no:
      break;
  }
  return left.elapsed > rto ? ": MISSED" : ": will be MISSED";
}

std::string circumstances(const TimeLeft& left, const std::optional<nanoseconds>& rto) {
  std::string text;
  if (rto) text += ", RTO " + rough(*rto, Round::down) + std::string(verdict_text(left, *rto));
  if (left.held > 0) text += fmt::format("; {} held by a failed step", left.held);
  if (!left.overdue.empty()) {
    text += fmt::format("; longer than ever: {}", fmt::join(left.overdue, ", "));
  }
  const bool mixed = left.low && left.assumed > 0;
  if (mixed) text += fmt::format("; {} of {} steps assumed", left.assumed, left.steps);
  return text;
}

nanoseconds end_of(const TimeLeft& left) {
  return left.elapsed + left.high.value_or(nanoseconds{});
}

}  // namespace

Outlook::Outlook(OutlookGround ground)
    : ground_(std::move(ground)),
      graph_(*ground_.plan),
      phases_(graph_.size(), plan::StepPhase::waiting),
      began_(graph_.size()) {
  for (const auto& [name, phase] : ground_.view.phases) ended(name, phase);
}

void Outlook::started(const std::string& step, nanoseconds at) {
  const auto place = graph_.place(step);
  if (!place) return;
  phases_[*place] = plan::StepPhase::running;
  began_[*place] = at;
}

void Outlook::ended(const std::string& step, plan::StepPhase phase) {
  if (const auto place = graph_.place(step)) phases_[*place] = phase;
}

TimeLeft Outlook::look(nanoseconds now, nanoseconds elapsed) const {
  const plan::Plan& plan = *ground_.plan;
  plan::Midst midst{phases_, plan::Times(graph_.size()), ground_.workers};
  for (std::size_t i = 0; i < graph_.size(); ++i) {
    if (phases_[i] == plan::StepPhase::running) midst.running_for[i] = now - began_[i];
  }
  const auto rest = plan::remaining(plan, graph_, ground_.expectations, midst);
  TimeLeft left;
  left.elapsed = elapsed;
  left.steps = rest.steps;
  left.assumed = rest.steps - rest.learned;
  left.held = rest.held;
  for (const std::size_t step : rest.overdue) left.overdue.push_back(plan.steps[step].name);
  for (const std::size_t step : rest.chain) left.chain.push_back(plan.steps[step].name);
  if (rest.learned > 0 || rest.steps == 0) {
    left.low = rest.range.low;
    left.high = rest.range.high;
  }
  left.rto = judge(left);
  return left;
}

// Steps that a failed one holds back have no expected end: then nothing is in time for certain.
InTime Outlook::judge(const TimeLeft& left) const {
  if (!ground_.rto) return InTime::unknown;
  if (left.elapsed > *ground_.rto) return InTime::no;
  if (!left.low) return InTime::unknown;
  const nanoseconds budget = *ground_.rto - left.elapsed;
  if (*left.low > budget) return InTime::no;
  return *left.high > budget || left.held > 0 ? InTime::at_risk : InTime::yes;
}

std::string rough(nanoseconds time, Round round) { return in_words(rounded(time, round)); }

std::string left_text(const TimeLeft& left) {
  return left.low ? range_text(left) + " left" : "time left unknown";
}

std::string text(const TimeLeft& left, const std::optional<nanoseconds>& rto) {
  return fmt::format("{} gone, {}{}", rough(left.elapsed, Round::down), left_text(left),
                     circumstances(left, rto));
}

std::string forecast_text(const TimeLeft& left, const std::optional<nanoseconds>& rto) {
  if (!left.low) return "how long it will take is unknown: no run has measured it yet";
  return "expected to take " + range_text(left) + circumstances(left, rto);
}

bool changed_much(const TimeLeft& before, const TimeLeft& now) {
  if (before.rto != now.rto || before.overdue != now.overdue || before.held != now.held)
    return true;
  if (before.low.has_value() != now.low.has_value()) return true;
  if (!now.low) return false;
  const nanoseconds moved = std::chrono::abs(end_of(now) - end_of(before));
  return moved >= news_at_least && moved >= *before.high / 4;
}

}  // namespace lifeboat::run
