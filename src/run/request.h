// run/request.h - What a person asks of a run: to approve, pause, skip, retry, undo, cancel.
//
// ask() signs the words and puts them beside the run (journal/requests.h); whoever drives it reads
// them, judges each by the state of that moment, and journals words, signature and verdict
// together, durable, before anything follows from them. So evidence can show who decided what, and
// anybody can verify it offline.
//
// A platform that names operators is commanded by them only: each request has to be signed by one.
// A platform without operators is commanded by whoever can open its repository; nobody can approve.
// An approval is bound to its subject: the step as it was planned, the inputs, the recovery point.
// When one of them changes, it does not count any more. No request counts twice.
//
// Threads: pure functions, apart from ask().  Source: docs/format.md, "Requests".
#pragma once

#include <optional>
#include <string>

#include "base/random.h"
#include "crypt/crypt.h"
#include "journal/requests.h"
#include "run/state.h"

namespace lifeboat::run {

struct Request {
  std::string run;
  // "approve", "decline", "skip", "retry", "undo" of a step; "pause", "continue", "cancel",
  // "go-back" (undo all) and "release" (the driver before is stopped) of the run.
  std::string action;
  std::string step;     // "" = the whole run
  std::string reason;   // a word for those who read the report; skip, decline and cancel need one
  Value inputs;         // of retry: other values, by name; secrets as handles of the vault
  std::string by;       // who says so: the operator's name, or user@host where there are none
  std::string subject;  // of approve and decline: subject_of()
};

// What an approval of this step is about: 64 hex digits.
std::string subject_of(const RunState& state, const std::string& step);
// The same of parts as they were written, whatever this program makes of a plan.
struct Subject {
  std::string run, step;
  Value plan, inputs;
  std::string point;  // id; "" = none
};
std::string digest(const Subject& subject);

// The words as they are signed.
journal::Request written(const Request& request, const std::optional<crypt::SigningKey>& key,
                         WallTime time, Random& random);

// What a driver makes of a request.
struct Verdict {
  Request request;  // `by` is who signed it, where it is signed by an operator
  std::string nonce;
  WallTime given;  // by the clock of the one who asked; `now` when that is ahead
  bool is_signed = false;
  std::string why;  // not accepted: the reason, for the one who asked; "" = accepted
  bool accepted() const { return why.empty(); }
};
// `running`: whether that step is at work now.
Verdict judge(const RunState& state, const journal::Request& asked, WallTime now,
              const std::function<bool(const std::string& step)>& running);

// Whether the gate of a step is open: enough of the right people, none too long ago.
bool approved(const plan::StepNode& node, const StepState& step, WallTime now);
// The proof of it, for the report.
plan::Check approval_check(const plan::StepNode& node, const StepState& step, WallTime now);
// "2 of alice, bob; alice has (12:03)": what a gate is still waiting for.
std::string gate_text(const plan::StepNode& node, const StepState& step, WallTime now);

}  // namespace lifeboat::run
