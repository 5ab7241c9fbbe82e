// client/process/launcher.h - Starts programs so that none outlives us and none sees a secret.
//
// Every child gets an environment of exactly what is asked for, a private HOME (a TemporaryFolder,
// gone afterwards) unless one is given, its own process group under a small supervisor (our
// own binary, `lifeboat supervise`), and its input by pipe. The supervisor ends the whole tree when
// we die: it holds the read end of a pipe whose write end dies with us, and is the sub-reaper of
// whatever the child forks. Only what leaves by setsid on purpose stays (adopted: allowed only with
// `may_leave_daemons`, and named in the result).
//
// The supervisor carries LIFEBOAT_SUPERVISOR=<owner> in its environment, and what it starts carries
// LIFEBOAT_CHILD; living() finds both, so that a resumed run can prove that no child of its dead
// predecessor is still at work, also where the supervisor was killed with the engine. A daemon that
// was allowed to leave, and did, is at work for nobody; a program that clears its environment
// hides.
//
// Secrets go by `secret_env` (the child's environment), `secret_files` (0600, wiped afterwards) or
// input; never by arguments.  Output is bounded: what exceeds the limit is cut, and said.
// Threads: run() and start() from any thread.  Errors: not_found when there is no program at the
// path that was given; invalid when it is not installed (hint: how to get it); cancelled;
// unavailable when it cannot be started.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/operation.h"
#include "base/secret.h"

namespace lifeboat {

struct Command {
  std::vector<std::string> argv;  // argv[0]: a path (below `directory`), or a name sought in PATH
  // Besides PATH, HOME, LANG=C.UTF-8, TZ=UTC and LIFEBOAT_CHILD.
  std::map<std::string, std::string> env;
  std::map<std::string, Secret> secret_env;
  std::map<std::string, Secret> secret_files;  // variable name -> content; the child gets the path
  std::string directory;                       // working folder; "" = the private HOME
  std::string home;                            // "" = private and temporary
  std::size_t output_limit_bytes = 16u << 20;  // per stream, for run()
  bool may_leave_daemons = false;
  // Each whole line of stderr (and of stdout for run()) as it comes, masked; any thread.
  std::function<void(std::string_view line)> on_line;
};

struct LeftBehind {  // a process that left the group by setsid
  int pid = 0;
  std::string command;
};

struct Finished {
  int status = 0;      // exit status; 128 + signal when killed
  std::string output;  // stdout, cut at the limit
  std::string errors;  // stderr, cut at the limit; masked
  std::vector<LeftBehind> left;
};

// A running child whose stdout is read (and stdin written) as a stream.
class Child {
 public:
  virtual ~Child() = default;  // ends the tree if it still runs
  // 0 = end of output.
  virtual Result<std::size_t> read(const Operation& op, std::span<std::uint8_t> out) = 0;
  virtual Result<void> write(const Operation& op, ByteView bytes) = 0;
  virtual Result<void> close_input() = 0;
  // Waits for the end. Output that was not read is dropped.
  virtual Result<Finished> wait(const Operation& op) = 0;
};

class Launcher {
 public:
  virtual ~Launcher() = default;
  // Runs to its end; `input` is written to stdin. A stop or deadline ends the whole tree
  // (SIGTERM, after 2 s SIGKILL). A non-zero exit is no Error: look at `status`.
  virtual Result<Finished> run(const Operation& op, const Command& command,
                               ByteView input = {}) = 0;
  virtual Result<std::unique_ptr<Child>> start(const Operation& op, const Command& command) = 0;
  // Until when, by the boot clock, what was started and will be may work: supervisors end it then,
  // whatever has become of us. Zero, as in the beginning: no limit.
  virtual void may_work_until(std::chrono::nanoseconds /*boot*/) {}
  // Masks these values (and their base64, URL and JSON forms) in errors and lines from now on.
  virtual void mask(const Secret& secret) = 0;
  virtual std::string masked(std::string_view text) const = 0;
  // Who works for `owner` on this machine, as pids: supervisors, and programs that have lost
  // theirs.
  virtual std::vector<int> living(const std::string& owner) const = 0;
};

// The path of the program that start() would take for `name`: sought in `path` (no value: ours, or
// a usual one where we have none), or below `directory` when it has a slash. Errors: as start();
// the hints say what to do, also where a file system forbids execution.
Result<std::string> find_program(const std::string& name, const std::string& directory,
                                 const std::optional<std::string>& path);

// `owner` is a run id, or "" for work outside of runs; `self` the path of our own binary.
std::unique_ptr<Launcher> make_launcher(const Clock& clock, std::string owner, std::string self);

// Body of the hidden command `lifeboat supervise`: never returns control to the caller's logic
// other than by its exit status.
int supervise(int argc, char** argv);

}  // namespace lifeboat
