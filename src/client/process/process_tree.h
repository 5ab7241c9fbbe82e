// client/process/process_tree.h - Who descends from whom, as /proc tells it at one moment.
#pragma once

#include <map>
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
// The command line, printable, at most 200 characters; the name in brackets when it has none.
std::string command_line(int pid);
// Value of one variable in the environment that the process was started with; "" is a value too.
bool has_variable(int pid, const std::string& name, const std::string& value);

}  // namespace lifeboat::process
