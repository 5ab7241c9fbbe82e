// run/outlook.h - How far a running recovery is from its end, and whether that is in time.
//
// It is told what begins and ends (run/observer.h) and plays the rest of the plan, by the same
// rules as the engine, as if all were quick and as if all were slow. What comes out is a range,
// rounded outwards to what anyone could mean by it; "unknown" when of nothing that is left to do
// was ever measured how long it takes.
//
// Threads: none of its own; one at a time.  Ownership: the plan outlives it.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "plan/schedule.h"
#include "run/state.h"

namespace lifeboat::run {

// What an outlook is drawn from.
struct OutlookGround {
  const plan::Plan* plan = nullptr;
  plan::Expectations expectations;
  plan::RunView view;  // at the beginning
  std::optional<std::chrono::nanoseconds> rto;
  unsigned workers = 16;
};

enum class InTime { unknown, yes, at_risk, no };

// What can be said at one moment.
struct TimeLeft {
  std::chrono::nanoseconds elapsed{};                 // since T0
  std::optional<std::chrono::nanoseconds> low, high;  // nullopt: unknown
  InTime rto = InTime::unknown;
  std::size_t steps = 0, assumed = 0, held = 0;
  std::vector<std::string> overdue, chain;  // names of steps
};

class Outlook {
 public:
  explicit Outlook(OutlookGround ground);

  // `at`: boot time.
  void started(const std::string& step, std::chrono::nanoseconds at);
  void ended(const std::string& step, plan::StepPhase phase);
  // `elapsed`: since T0.
  TimeLeft look(std::chrono::nanoseconds now, std::chrono::nanoseconds elapsed) const;
  const std::optional<std::chrono::nanoseconds>& rto() const { return ground_.rto; }

 private:
  InTime judge(const TimeLeft& left) const;

  const OutlookGround ground_;
  const plan::Graph graph_;
  std::vector<plan::StepPhase> phases_;
  std::vector<std::chrono::nanoseconds> began_;
};

// "about 2m10s-4m left", "less than 10s left", "time left unknown".
std::string left_text(const TimeLeft& left);
// "1m20s gone, about 2m10s-4m left, RTO 30m: ok; 3 of 8 steps assumed": names are not escaped.
std::string text(const TimeLeft& left, const std::optional<std::chrono::nanoseconds>& rto);

// Before a run: "expected to take about 2m10s-4m, RTO 30m: ok; 3 of 8 steps assumed".
std::string forecast_text(const TimeLeft& left, const std::optional<std::chrono::nanoseconds>& rto);

// Whether a person would call it news: another verdict, another step that is overdue, or an
// expected end that moved by a quarter of what was left, and by 10 s at least.
bool changed_much(const TimeLeft& before, const TimeLeft& now);

// "2m10s", "45s", "1h20m": rounded down or up to 5 s below a minute, 10 s below ten minutes, a
// minute below an hour, then five, and to hours from a day on.
enum class Round { down, up };
std::string rough(std::chrono::nanoseconds time, Round round);

}  // namespace lifeboat::run
