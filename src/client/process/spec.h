// client/process/spec.h - What a launcher tells its supervisor, and what the supervisor answers.
//
// The spec goes through an anonymous file in memory (descriptor 3), so that neither the arguments
// nor the environment of the supervisor hold a secret. The answer comes by pipe (descriptor 5), one
// line each:  started | failed ERRNO WHAT | status N | left PID COMMAND | end.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "client/process/launcher.h"

namespace lifeboat::process {

// Descriptors of a supervisor; 0, 1, 2 are those of the program it starts.
inline constexpr int spec_descriptor = 3;
inline constexpr int death_descriptor = 4;  // end of file: the launcher is gone or wants the end
inline constexpr int report_descriptor = 5;
inline constexpr int lease_descriptor = 6;  // client/process/lease.h
inline constexpr char owner_variable[] = "LIFEBOAT_SUPERVISOR";
// Of the programs: OWNER, or OWNER@SESSION where daemons may leave, who have a session of their
// own.
inline constexpr char child_variable[] = "LIFEBOAT_CHILD";
inline std::string leaving_owner(const std::string& owner, int session) {
  return owner + "@" + std::to_string(session);
}

struct Spec {
  std::string program;  // a path
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;           // whole, but for HOME and the secret files
  std::map<std::string, std::string> secret_files;  // variable -> content
  std::string directory, home;
  bool may_leave_daemons = false;
  int launcher_pid = 0;
};

Bytes encode_spec(const Spec& spec);
std::optional<Spec> decode_spec(ByteView bytes);

struct Report {
  bool started = false, ended = false;
  int failure = 0;  // errno of what kept the program from starting
  std::string failed_step;
  std::optional<int> status;
  std::vector<LeftBehind> left;
};
Report parse_report(std::string_view text);

}  // namespace lifeboat::process
