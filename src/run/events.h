// run/events.h - The events of a run's journal: made here, understood in run/state.cpp.
//
// Values must hold handles where secrets belong.  Source: docs/format.md, "Runs".
// Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "run/replan.h"
#include "run/request.h"
#include "run/state.h"

namespace lifeboat::run::event {

using journal::Event;

Event run_begin(const Pins& pins, const journal::Driver& driver);
// `over`: DriverVisit::over.
Event driver_joined(const journal::Driver& driver, const std::string& over);
// The driver before us has let go: what it announced it does no more.
Event driver_released(const std::string& id);
Event driver_left(const journal::Driver& driver);
Event run_end(const RunEnd& end);
Event replanned(const Replan& replan);
Event run_remark(const std::string& text);
// What a guard wanted and found before a change: the proof of which target it was.
struct GuardLook {
  std::string guard, wanted, found, at;
  bool held = false;
};
Event guard_seen(const GuardLook& look);
Event guard_adopted(const std::string& guard, const std::string& identity, const std::string& at);

Event started(const std::string& step, std::uint64_t generation);
Event observed(const std::string& step, const plan::Observation& seen, const Value& before);
Event intent(const std::string& step, std::uint64_t generation);
Event applied(const std::string& step, std::uint64_t generation);
// `outputs` with handles; those in `proof` are not looked at.
Event done(const std::string& step, const plan::Verification& proof, const Value& outputs,
           std::chrono::nanoseconds took);
// `checks`: of a verification that failed; may be empty.
Event failed(const std::string& step, const Error& error, const std::vector<plan::Check>& checks,
             std::chrono::nanoseconds took);
Event retry(const std::string& step, const Error& error, std::chrono::nanoseconds wait);
// The run was stopped while the step worked: it neither ended nor failed.
Event stopped(const std::string& step, std::chrono::nanoseconds took);
Event skipped(const std::string& step, const std::string& needs);
// From now on the step only waits for people.
Event awaits(const std::string& step);
Event undo_intent(const std::string& step);
Event undone(const std::string& step, const std::string& summary, std::chrono::nanoseconds took);
Event undo_failed(const std::string& step, const Error& error, std::chrono::nanoseconds took);
// What was asked, as it was signed, with what we made of it.
Event request_taken(const journal::Request& asked, const Verdict& verdict);
Event secret_kept(const std::string& step, const std::string& name, const std::string& handle);
Event child_left(const std::string& step, const std::string& process);

// Parts of events, for those who read them.
Value to_value(const Error& error);
Error error_from(const Value& value);
Value to_value(const plan::Check& check);
Value to_value(const Pins& pins);
// Errors: corrupt.
Result<Replan> replan_from(const Value& facts);
Result<Pins> pins_from(const Value& value);

}  // namespace lifeboat::run::event
