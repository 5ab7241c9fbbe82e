// evidence/controls.h - What the runs of a platform show of the controls that auditors ask for.
//
// Each control needs a few facts; each fact is looked up in the newest run of a plan that was
// carried through (done, partial or failed; who cancelled or undid one has tested nothing), or in
// the newest recovery point. A control is
//   pass   every fact holds for every plan, and none is older than asked for
//   stale  every fact held, and the run or point that shows it is too old
//   fail   a fact does not hold, or its run cannot be read; which one, of which run, and why, is
//   said
//
// Which clause asks for what is our reading of the standards: a person has to confirm it for the
// audit at hand. A pass here is material for an auditor, never the audit.
//
// Threads: functions.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "evidence/evidence.h"
#include "evidence/review.h"
#include "run/report.h"

namespace lifeboat::evidence {

// What a control can need.
enum class Need {
  recovered,  // a run that ended as done: every step proven, every check green
  checks,     // it had checks, all green
  rto_met,    // within the objective that the platform file sets
  rpo_met,
  approvals,       // every gate was opened by those who may, proven by their signatures
  sealed,          // its evidence is sealed in the repository and verifies
  whole_point,     // it restored from a complete recovery point
  backups,         // the newest recovery point is complete and young enough
  findings_owned,  // every open finding has an owner and a date that is not past
};
std::string_view need_name(Need need);

struct Control {
  const char* standard;  // "SOC 2"
  const char* clause;    // "A1.2"
  const char* title;
  std::vector<Need> needs;
};
const std::vector<Control>& known_controls();

// What one run shows; made from its journal and its sealed evidence.
struct RunFacts {
  std::string run, plan, outcome;
  std::uint64_t slot = 0;  // of its record in the log: in the order in which runs were begun
  WallTime ended;
  run::Report report;
  bool whole_point = false;
  std::string evidence_fault;   // why its evidence proves nothing; "" = it verifies
  std::uint64_t approvals = 0;  // that its evidence proves
};

// A run that could not be looked at. What it would show nobody knows, so it stands in the way of
// every older run of its plan.
struct UnreadableRun {
  std::string run, plan, why;
  std::uint64_t slot = 0;
};

struct ControlFacts {
  std::vector<RunFacts> runs;  // carried through, oldest first
  std::vector<repo::Point> points;
  OpenFindings findings;
  std::vector<UnreadableRun> unreadable;  // oldest first
};
// Reads every run.  Errors: unavailable, cancelled.
Result<ControlFacts> read_facts(const Operation& op, repo::Repository& repository);

struct ControlAges {
  std::chrono::nanoseconds recovery = std::chrono::hours(24 * 90);
  std::chrono::nanoseconds backup = std::chrono::hours(24);
};

enum class State { pass, stale, fail };
std::string_view state_word(State state);

struct Answer {
  const Control* control = nullptr;
  State state = State::fail;
  std::vector<std::string> runs;  // that decided, one a plan
  std::vector<std::string> why;   // of pass: what shows it; else what is missing
};
// `plans`: those that have to be covered; empty: those that have runs. Pure.
std::vector<Answer> judge_controls(const ControlFacts& facts, const std::vector<std::string>& plans,
                                   const ControlAges& ages, WallTime now);

}  // namespace lifeboat::evidence
