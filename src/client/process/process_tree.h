// client/process/process_tree.h - Who descends from whom, as /proc tells it at one moment.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lifeboat::process {

struct ProcessEntry {
  int pid = 0, parent = 0, session = 0;
  char state = '?';  // 'Z': dead, not yet reaped
};

// Every process on the machine that can be seen, by pid.
std::map<int, ProcessEntry> all_processes();
// Those that descend from `root`, without itself and without the dead.
std::vector<ProcessEntry> descendants(int root);
// Whether one of `ancestors` is above `pid` in `all`.
bool has_ancestor(const std::map<int, ProcessEntry>& all, int pid, const std::set<int>& ancestors);
// The command line, printable, at most 200 characters; the name in brackets when it has none.
std::string command_line(int pid);
// One variable of the environment that the process was started with; nullopt also when it cannot be
// read (another user's process, a dead one).
std::optional<std::string> variable_of(int pid, const std::string& name);

}  // namespace lifeboat::process
