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

bool has_ancestor(const std::map<int, ProcessEntry>& all, int pid, const std::set<int>& ancestors) {
  auto at = all.find(pid);
  for (int depth = 0; at != all.end() && depth < 10000; ++depth) {
    const int parent = at->second.parent;
    if (ancestors.contains(parent)) return true;
    at = parent > 1 ? all.find(parent) : all.end();
  }
  return false;
}

std::vector<ProcessEntry> descendants(int root) {
  const auto all = all_processes();
  std::vector<ProcessEntry> found;
  for (const auto& [pid, process] : all) {
    const bool dead = process.state == 'Z' || process.state == 'X';
    if (!dead && has_ancestor(all, pid, {root})) found.push_back(process);
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

std::optional<std::string> variable_of(int pid, const std::string& name) {
  const std::string environment = '\0' + slurp(proc_path(pid, "environ"));
  const std::string start = '\0' + name + '=';
  const std::size_t found = environment.find(start);
  if (found == std::string::npos) return std::nullopt;
  const std::size_t begin = found + start.size();
  return environment.substr(begin, environment.find('\0', begin) - begin);
}

}  // namespace lifeboat::process
