// run/state.h - A run as its journal tells it: a pure fold over events.
//
// replay() of a run's events is the run's exact state: the engine itself works on a RunState that
// it changes only by the events it writes, so what a resumed engine reads is what the dead one
// knew. Values in it hold handles where secrets belong (run/sealed_values.h).
//
// Unknown kinds of events are skipped; a run whose begin asks for a later engine is refused.
// Threads: a plain value.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "journal/journal.h"
#include "plan/next_actions.h"
#include "plan/plan.h"

namespace lifeboat::run {

// Raised when an older engine could go on wrongly with a run that this one wrote.
// 2: gates, requests, and drivers that others replace while they may still be at work.
// 3: guards; a plan without any asks for no more than 2.
inline constexpr std::int64_t engine_version = 3;

// T0 of a recovery: since when the platform is taken to be lost, and who says so.
struct Origin {
  WallTime time;
  std::string text;  // "given by --since", "when `lifeboat recover` was started"
};

struct Objectives {
  std::optional<std::chrono::nanoseconds> rto, rpo;
};

// The recovery point that a run restores from. An empty id: the plan restores nothing.
struct PointPin {
  std::string id;
  WallTime earliest, latest;  // spread of the members' consistent-at
  bool complete = false;
  std::map<std::string, std::string> snapshots;  // source -> snapshot, hex
};

// What a run pins in its first segment, and never takes from anywhere else again.
struct Pins {
  std::string run;
  plan::Plan plan;     // expanded; a changed file changes no run that has begun
  Value inputs;        // as plan::bind_inputs() answers them
  Value sources;       // what ${sources.X} gives
  std::string bundle;  // snapshot id of the bundle, hex; "" when there is none
  PointPin point;
  Origin origin;
  Objectives objectives;
  std::string version;        // of the program
  std::string platform_name;  // ${platform.name}
  // Who may ask something of the run: name -> crypt::verify_key_text(). Empty: whoever can open the
  // repository; nobody can approve then.
  std::map<std::string, std::string> operators;
  bool graceful = false;  // the variant of the plan
};

// An identity that the target first answered with, and that it must have from then on.
struct Adopted {
  std::string identity, at;
  WallTime time;
};

// One person's yes to one step.
struct Approval {
  std::string by, reason;
  WallTime taken;             // when the driver read it: it counts from then
  std::uint64_t request = 0;  // its number; the signed words stand in the journal
  WallTime given;  // when it was signed, or `taken` if that lies ahead: it ages from then
};

struct Span {
  WallTime from, to;
};

struct StepState {
  plan::StepPhase phase = plan::StepPhase::waiting;  // never `running`: nobody may be there
  std::uint64_t attempts = 0;                        // generations begun
  bool intent_open = false;         // a change was announced, and its end is not recorded
  WallTime intent_since;            // when the one that is open was announced
  bool applied = false;             // by this run, at least once
  std::optional<plan::State> seen;  // by the last observe
  std::string summary;              // of the last observe
  Value before;                     // what the first observe saw, for undo
  Value outputs;
  WallTime begin, end;              // first start, last end
  std::chrono::nanoseconds took{};  // at work, by boot clocks, over all attempts that ended
  std::vector<plan::Check> checks;  // of the last verification
  std::vector<std::string> losses, kept_aside, left_running, remarks, retries;
  std::optional<Error> error;
  std::string skipped_for;              // the step whose output it would have needed
  std::string skipped_by, skip_reason;  // by a person
  std::vector<Approval> approvals;
  std::vector<Approval> begun_by;      // those with which the open intent was announced
  WallTime awaits;                     // since when it only waits for people; 0 = it does not
  std::chrono::nanoseconds awaited{};  // what that took, all in all
  WallTime started;                    // of the attempt that is on
  std::vector<Span> work, holds;       // attempts that ended; waits for people
  bool undo_wanted = false, undo_failed = false;  // failed: until another driver tries it again
  bool undo_open = false;  // an undo was announced, and its end is not recorded
  // A driver that may still be at work announced a change, or to take one back.
  bool doubtful = false;
  bool held_back = false;  // it failed, or its undo, for being in doubt
  // While it was at work a person wanted it tried again, and with other inputs.
  bool retried = false, other_inputs = false;
  std::map<std::string, std::string> kept;  // name of a kept secret -> handle
};

struct DriverVisit {
  journal::Driver driver;
  WallTime begin;
  bool left = false;  // it let go of the run itself
  // How it knew that the one before was no longer at work: "" (there was none, or it had left),
  // "gone" (its process ended), "silent" (no sign of life), "takeover" (a person said so).
  std::string over;
};

// What a person asked of the run, and what became of it.
struct Deed {
  std::uint64_t request = 0;
  WallTime time;  // when the driver read it
  std::string by, action, step, reason;
  bool is_signed = false, accepted = false;
  std::string why;    // not accepted
  std::string nonce;  // no request counts twice
};

// Something that a person brought about, and that lasts until another one ends it.
struct Standing {
  std::string by, reason;
  WallTime since;
};

struct RunEnd {
  // "done": it was proven(); "partial": it would be, but for what a person skipped; "cancelled" and
  // "undone" by a person; "withdrawn": it gave way to another run before it changed anything, and
  // is over; "failed".
  std::string outcome;
  WallTime time;
  std::optional<WallTime> heartbeat;  // newest one that came back, as the plan names it
};

struct RunState {
  Pins pins;
  WallTime begun;
  std::map<std::string, StepState> steps;  // those that something is known of
  std::vector<DriverVisit> drivers;
  std::optional<RunEnd> end;  // of the last driver; a resume takes it back
  std::vector<std::string> remarks;
  std::map<std::string, Adopted> adopted;  // by name of the guard
  std::optional<Standing> paused, cancelled, going_back;
  std::vector<Span> holds;     // pauses that ended
  std::uint64_t requests = 0;  // that were read, by number
  std::vector<Deed> deeds;

  const StepState& step(const std::string& name) const;  // an untouched one when unknown
  // By what it says of itself: its driver may be dead all the same.
  bool driven() const { return !end && !drivers.empty() && !drivers.back().left; }
  // Every step of the plan is done, something was checked, and every check was green: by this a run
  // ends as done or failed.
  bool proven() const;
  // The platform is back: what exit status, report, list of runs and vault go by.
  bool recovered() const { return end && end->outcome == "done" && proven(); }
  // It gave way to another run (run/rivals.h), and is not gone on with.
  bool withdrawn() const { return end && end->outcome == "withdrawn"; }
  // Every step is done with green checks, or was skipped by a person, or needs what was skipped.
  bool proven_but_for_skipped() const;
  plan::RunView view(WallTime now) const;
};

// An approval is for one plan with one set of inputs: when these change, what is not done has none.
void forget_approvals(std::map<std::string, StepState>& steps);

void fold(RunState& state, const journal::Event& event);
// Errors: corrupt, when the first event begins no run; invalid with code version_too_new.
Result<RunState> replay(const std::vector<journal::Event>& events);

}  // namespace lifeboat::run
