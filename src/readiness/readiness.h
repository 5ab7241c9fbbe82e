// readiness/readiness.h - Could we recover by this plan, now? A score, and what it lacks.
//
// gather() looks at everything that a recovery would need, and changes nothing: the steps as a dry
// run sees them, guards, the recovery point against its objective, keys, credentials, the times
// that earlier runs teach, the last run. judge() weighs what was found: from 100 points each
// finding takes its own, and one that would stop a recovery, or make it miss its objective, makes
// the plan not ready, whatever is left of the score.
//
// The weights are an order, not a measurement: they say what is worth mending first. They stand in
// one table (readiness.cpp) and in docs/readiness.md, and do not depend on the plan.
//
// Threads: functions; gather() as run::dry_run().
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "repo/repository.h"
#include "run/expectation.h"
#include "run/outlook.h"
#include "run/rehearsal.h"

namespace lifeboat::readiness {

// note: good to know, costs nothing; warning: a recovery would be worse for it; failure: it would
// not succeed, or miss what was promised.
enum class Severity { note, warning, failure };
std::string_view severity_word(Severity severity);

struct Reason {
  Severity severity = Severity::note;
  int points = 0;     // that it costs
  std::string about;  // "step orders", "recovery point", "keys"
  std::string what;
  std::string hint;  // what to do, a command where there is one
};

struct Readiness {
  std::string plan;
  int score = 100;  // 0 to 100
  bool ready = true;
  std::vector<Reason> reasons;  // the worst first
};

// A credential that comes from this machine only.
struct LocalCredential {
  std::string user, from;
  std::optional<Error> missing = std::nullopt;  // it is not even there
};

// The newest run of the plan that says something of it: one that was withdrawn before its first
// step, or that somebody drives at this moment, does not.
struct LastRun {
  std::string run, outcome;  // RunEnd::outcome; "" when it was left before its end
  bool recovered = false;
  std::chrono::nanoseconds age{};  // since it was begun; negative: by a clock ahead of ours
};
// In its place: a run that could not be looked at, and so tells nothing of the one before either.
struct UnreadRun {
  std::string run, why;
  bool passing = false;  // the store did not answer; later it may
};

// What a run taught and nobody has closed, whatever the run's plan.
struct OpenFinding {
  std::string run, id, text;
  std::string owner;  // "" = nobody's
  bool overdue = false;
};
struct Lessons {
  std::vector<OpenFinding> open;
  std::vector<std::string> unreadable;  // "RUN: why"; or why none could be looked at
};

// A key that is tried; `name` says where it is kept, never what it is.
struct TriedKey {
  std::string name;  // "key.txt"
  repo::Unlock unlock;
};
struct DeadKey {
  std::string name, why;
};

enum class BundleState {
  same,     // it is what the local platform file says
  no_file,  // there is no local file to compare with
  differs,  // the local file has been changed since the last backup
  none,     // the point holds no bundle: a recovery needs the file
};

// All that is weighed.
struct Facts {
  std::string plan;
  run::DryRun dry_run;
  std::vector<std::string> checks;  // steps that change nothing and prove something
  std::vector<LocalCredential> credentials;
  std::chrono::nanoseconds point_age{};  // negative: made by a clock that is ahead of ours
  bool point_complete = true;
  std::vector<std::string> sources_missing;  // that the plan restores and the point has not
  run::Objectives objectives;
  std::vector<std::string> key_kinds;          // of each recipient that opens the repository
  std::optional<std::string> keys_unreadable;  // why they could not be listed
  std::vector<std::string> keys_untried;       // "slot 1 (age, in the safe)": none opened them now
  std::vector<DeadKey> dead_keys;              // that were tried, and open nothing
  std::vector<std::string> gates_of_nobody;    // steps that wait for people whom nobody knows
  run::TimeLeft forecast;
  std::optional<LastRun> last_run;
  std::optional<UnreadRun> unread_run;  // then there is no last_run
  std::optional<std::string> runs_now;  // a run of the plan that somebody drives
  Lessons lessons;
  BundleState bundle = BundleState::same;
};

Readiness judge(const Facts& facts);
// A plan of which nothing could be looked at: there is no point, or it cannot be read.
Readiness not_even(const std::string& plan, const Error& error);

// What gather() looks through; everything outlives the call.
struct Ground {
  const run::Surroundings& around;
  const run::Pins& pins;
  repo::Repository& repository;
  run::TimeLeft forecast;  // run/outlook.h, before anything has begun
  std::vector<LocalCredential> credentials;
  BundleState bundle = BundleState::same;
  Lessons lessons;
  const repo::Unlock* key = nullptr;     // with which the repository was opened; null: not told
  std::vector<TriedKey> more_keys = {};  // that are tried as well
  // Of drivers of runs: so long is waited, three times, before silence is taken for an end.
  std::chrono::nanoseconds heartbeat_period = std::chrono::seconds(5);
};
// Errors: cancelled. What cannot be looked at is a fact too.
Result<Facts> gather(const Operation& op, const Ground& ground);

std::string render_text(const Readiness& readiness, std::size_t width = 100);
Value to_value(const Readiness& readiness);

}  // namespace lifeboat::readiness
