// evidence/findings.h - What the facts of a run say by themselves: where it left its plan, and what
// somebody has to look at afterwards.
//
// A deviation is told once, in evidence. A finding is a deviation, or an objective that was missed
// or could not be measured, that stays open until a person closes it (evidence/review.h); its id is
// the same however often it is found. Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "journal/journal.h"
#include "run/report.h"
#include "run/state.h"

namespace lifeboat::evidence {

struct Deviation {
  // "failed", "skipped", "guard refused", "inputs", "plan", "takeover", "resumed", "unsealed",
  // "retried", "lost", ...
  std::string kind;
  std::string step;  // "" = of the run
  std::string text;
};
std::vector<Deviation> deviations_of(const run::RunState& state, const run::Report& report,
                                     const std::vector<journal::Event>& events);

struct FactFinding {
  std::string id;  // "rto", "rpo", "outcome", "failed/STEP", "retried/STEP", "skipped/STEP",
                   // "lost/STEP", "silent/2"
  std::string text;
};
// None as long as the run has not ended.
std::vector<FactFinding> findings_of(const run::RunState& state, const run::Report& report);

// Whether an objective was met; nullopt: there is none, or nothing was measured.
std::optional<bool> met(const std::optional<std::chrono::nanoseconds>& measured,
                        const std::optional<std::chrono::nanoseconds>& objective);

}  // namespace lifeboat::evidence
