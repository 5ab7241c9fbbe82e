#include "client/process/process_tree.h"

#include <dirent.h>
#include <fcntl.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/bytes.h"
#include "client/process/descriptor.h"

namespace lifeboat::process {
namespace {

// "" when it cannot be read: a process may end between any two of our calls, also between opening
// one of its files and reading it (ESRCH), which must never end the supervisor.
std::string slurp(const std::string& path) {
  const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file.open()) return {};
  return read_all(file.number()).value_or(std::string());
}

std::string proc_path(int pid, const char* file) {
  return "/proc/" + std::to_string(pid) + "/" + file;
}

}  // namespace

std::map<int, ProcessEntry> all_processes() {
  std::map<int, ProcessEntry> all;
  const auto close_folder = [](DIR* folder) { closedir(folder); };
  const std::unique_ptr<DIR, decltype(close_folder)> folder(opendir("/proc"), close_folder);
  if (!folder) return all;
  while (const dirent* entry = readdir(folder.get())) {
    const int pid = std::atoi(entry->d_name);
    if (pid <= 0) continue;
    const std::string stat = slurp(proc_path(pid, "stat"));
    // pid (name) state parent group session ...: the name may hold anything, also ") ".
    const std::size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) continue;
    ProcessEntry process{pid, 0, 0, '?'};
    int group = 0;
    if (std::sscanf(stat.c_str() + name_end + 1, " %c %d %d %d", &process.state, &process.parent,
                    &group, &process.session) == 4) {
      all.emplace(pid, process);
    }
  }
  return all;
}

std::vector<ProcessEntry> descendants(int root) {
  const auto all = all_processes();
  std::vector<ProcessEntry> found;
  for (const auto& [pid, process] : all) {
    int ancestor = process.parent;
    for (int depth = 0; ancestor > 1 && ancestor != root && depth < 10000; ++depth) {
      const auto up = all.find(ancestor);
      ancestor = up == all.end() ? 0 : up->second.parent;
    }
    if (ancestor == root && process.state != 'Z' && process.state != 'X') found.push_back(process);
  }
  return found;
}

std::string command_line(int pid) {
  std::string text = slurp(proc_path(pid, "cmdline"));
  while (!text.empty() && text.back() == '\0') text.pop_back();
  std::replace(text.begin(), text.end(), '\0', ' ');
  if (text.empty()) {
    text = slurp(proc_path(pid, "comm"));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    text = "[" + text + "]";
  }
  return printable(text.substr(0, 200));
}

bool has_variable(int pid, const std::string& name, const std::string& value) {
  const std::string environment = '\0' + slurp(proc_path(pid, "environ"));
  return environment.find('\0' + name + '=' + value + '\0') != std::string::npos;
}

}  // namespace lifeboat::process
