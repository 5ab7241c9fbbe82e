// runbook/settings.h - What a runbook sets before its first step: folders, inputs, functions.
// Threads: pure functions.
#pragma once

#include <set>
#include <string>
#include <vector>

#include "plan/by_hand.h"
#include "runbook/runbook.h"

namespace lifeboat::runbook {

// What the lines of all steps rely on.
struct Settings {
  std::set<plan::HandTool> tools;
  std::set<std::string> programs, environment;
};

std::string settings_block(const Ground& ground, plan::HandNames& names, const Settings& settings);
// How to restore with docs/format.md and tools/unpack.py.
std::vector<Block> without_lifeboat(const Ground& ground);

}  // namespace lifeboat::runbook
