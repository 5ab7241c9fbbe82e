// client/process/spawn_self.h - Starts our own binary as one of its hidden commands.
//
// Threads: functions.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "base/result.h"

namespace lifeboat::process {

// A place in the child that stays what it is in ours.
inline constexpr int inherited = -1;

struct SelfOrder {
  std::string self;  // path of our binary
  std::string word;  // "supervise", "watchdog"
  // Ours, by their number in the child: 0, 1, ... All others are closed in it. They are put in
  // place in this order, so each has to be above the numbers before its own.
  std::vector<int> descriptors;
  std::vector<std::string> environment;  // NAME=VALUE; TMPDIR is ours
};

// In a session of its own, with no signal blocked or ignored.
// Errors: unavailable, with the errno's text.
Result<pid_t> spawn_self(const SelfOrder& order);

}  // namespace lifeboat::process
