// app/driving.h - A run that this process drives: how it is gone on with, and how its end is told.
//
// Threads: one.
#pragma once

#include <string>

#include "app/program.h"
#include "app/recovery.h"
#include "run/engine.h"

namespace lifeboat::app {

class Recovery;
class RunWatch;

// What a person types to go on with a run, on this machine; on another one with other paths.
std::string resume_command(const Program& program, const std::string& run);

// Learns what earlier runs tell of the times of the steps, and lets the watch tell by it what is
// left. Before the run.
void tell_time(const Operation& op, Program& program, Recovery& recovery, RunWatch& watch);

// Prints the report, compared with what was expected, and writes it as Markdown to `file` unless
// that is empty. The exit status says whether the platform is back: 0, 3 when people skipped
// something, 1. Errors: why the driver left before the end, with the command to go on.
Result<int> tell_end(Program& program, const run::Outcome& outcome, const std::string& file,
                     const plan::Expectations& expectations = {});

// The name of a run that is meant by `word`: "latest", or itself.
Result<std::string> named_run(const Operation& op, Program& program, const std::string& word);

struct HowToGoOn {
  bool take_over = false;  // run::EngineSetup::take_over
  std::string report;      // as tell_end()'s `file`
  bool replan = false;     // by the changed plan, once a person has agreed to what it means
  bool agreed = false;     // to that, without being asked
  ReplanRequest changed{};
};
Result<int> resume_run(const Operation& op, Program& program, const std::string& run,
                       const HowToGoOn& how);

}  // namespace lifeboat::app
