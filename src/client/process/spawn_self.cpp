#include "client/process/spawn_self.h"

#include <signal.h>
#include <spawn.h>

#include <array>

#include "base/temporary_folder.h"
#include "client/process/descriptor.h"

namespace lifeboat::process {

Result<pid_t> spawn_self(const SelfOrder& order) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  int number = 0;
  for (const int ours : order.descriptors) {
    if (ours != inherited) posix_spawn_file_actions_adddup2(&files, ours, number);
    ++number;
  }
  posix_spawn_file_actions_addclosefrom_np(&files, number);
  sigset_t every, none;
  sigfillset(&every);
  sigemptyset(&none);
  posix_spawnattr_setsigdefault(&attributes, &every);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
  std::string program = order.self, word = order.word;
  std::array<char*, 3> argv{program.data(), word.data(), nullptr};
  std::vector<std::string> environment = order.environment;
  environment.push_back("TMPDIR=" + TemporaryFolder::disk_folder());
  std::vector<char*> env;
  for (std::string& variable : environment) env.push_back(variable.data());
  env.push_back(nullptr);
  pid_t pid = 0;
  const int error =
      posix_spawn(&pid, order.self.c_str(), &files, &attributes, argv.data(), env.data());
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (error == 0) return pid;
  return fail(Error::Kind::unavailable, order.self + ": " + errno_text(error));
}

}  // namespace lifeboat::process
