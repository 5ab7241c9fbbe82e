// app/commands/commands.h - Every command of the program, one file each.
//
// Each function adds its command (options, help with examples) to the tree and sets
// Program::chosen when the command is the one that was typed. The order is that of --help.
#pragma once

#include "app/program.h"

namespace CLI {
class App;
}

namespace lifeboat::app {

void add_init(CLI::App& root, Program& program);
void add_doctor(CLI::App& root, Program& program);
void add_backup(CLI::App& root, Program& program);
void add_points(CLI::App& root, Program& program);
void add_snapshots(CLI::App& root, Program& program);
void add_ls(CLI::App& root, Program& program);
void add_cat(CLI::App& root, Program& program);
void add_restore(CLI::App& root, Program& program);
void add_check(CLI::App& root, Program& program);
void add_keys(CLI::App& root, Program& program);
void add_kept(CLI::App& root, Program& program);
void add_plan(CLI::App& root, Program& program);
void add_plan_diff(CLI::App& plan, Program& program);
void add_plan_evaluate(CLI::App& plan, Program& program);
void add_plan_simulate(CLI::App& plan, Program& program);
void add_runbook(CLI::App& root, Program& program);
void add_recover(CLI::App& root, Program& program);
void add_runs(CLI::App& root, Program& program);
void add_operators(CLI::App& root, Program& program);
void add_evidence(CLI::App& root, Program& program);
// Below `runs`.
void add_runs_ask(CLI::App& runs, Program& program);
void add_runs_review(CLI::App& runs, Program& program);
void add_runs_watch(CLI::App& runs, Program& program);
void add_schema(CLI::App& root, Program& program);
void add_completion(CLI::App& root, Program& program);
void add_version(CLI::App& root, Program& program);

}  // namespace lifeboat::app
