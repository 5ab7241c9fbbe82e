// source/git/git_program.h - The program `git`, started so that nothing surprises and nothing
// leaks.
//
// Every call has a configuration of its own (no system, user or hook of the machine takes part):
// no prompts, no hooks, no automatic gc, only the transports file, http, https and ssh. It
// outweighs what a repository says of itself, which may be hostile: no hook, monitor, filter or
// helper that its configuration names is run. (Filters have no switch: nothing here reads or writes
// a working tree by the repository's own configuration.)  A password reaches git through the
// environment and a credential helper that prints it, never by an argument or a URL. What git says
// is turned into an Error by what the caller can do.
//
// Threads: as the Launcher.  Ownership: the Launcher outlives the GitProgram.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/process/launcher.h"

namespace lifeboat::source::git {

// Where a repository is.
struct Address {
  std::string path;  // absolute, when it is on this machine
  std::string url;   // otherwise: http(s), ssh or host:path, without a login
  std::string user;
  Secret password;
  std::string ca_file;
  bool is_local() const { return !path.empty(); }
  const std::string& place() const { return is_local() ? path : url; }
};
// Reads a path, file://, http(s)://, ssh:// or host:path; a login in the URL is moved out of it.
// Relative paths are below `directory`.  Errors: invalid (another scheme).
Result<Address> read_address(const std::string& text, const std::string& directory);

struct GitCall {
  std::vector<std::string> args = {};
  std::string git_dir = {};  // "" = none: the call needs no repository
  std::string input = {};
  std::map<std::string, std::string> env = {};
};

class GitProgram {
 public:
  GitProgram(Launcher& launcher, Address address)
      : launcher_(&launcher), address_(std::move(address)) {
    if (!address_.password.empty()) launcher.mask(address_.password);
  }
  const Address& address() const { return address_; }

  // Runs to the end, whatever the status.
  Result<Finished> attempt(const Operation& op, const GitCall& call) const;
  // Its output; a status other than 0 is an Error.  Errors: denied, unavailable, not_found,
  // conflict (a push that was rejected), corrupt (damaged repository), invalid.
  Result<std::string> run(const Operation& op, const GitCall& call) const;
  Result<std::unique_ptr<Child>> start(const Operation& op, const GitCall& call) const;
  Error failure(const GitCall& call, const Finished& finished) const;

 private:
  Command command(const GitCall& call) const;
  Launcher* launcher_;
  Address address_;
};

}  // namespace lifeboat::source::git
