// source/postgres/dump.h - Definitions as pg_dump writes them, and statements run one by one.
#pragma once

#include <string>
#include <vector>

#include "source/postgres/server.h"

namespace lifeboat::source::pg {

// A pg_dump that is not older than the server: the one in `server.programs`, or the oldest that
// fits of those installed.  Errors: not_found; invalid (all are older than the server).
Result<std::string> find_pg_dump(const Operation& op, const Server& server, int server_version);

struct Definitions {
  std::string pre_data, post_data;
};
// Both sections as of an exported snapshot, which must stay open meanwhile.
struct DumpRequest {
  std::string program;
  std::string database;
  std::string snapshot;
  bool sql_ascii = false;
};
Result<Definitions> dump_definitions(const Operation& op, const Server& server,
                                     const DumpRequest& request);

// Runs the statements of a script in order, several to a transaction; an error names the statement.
Result<void> run_script(const Operation& op, Connection& connection, const std::string& script);
// The same for post-data: index and key builds that stand side by side run on several connections.
Result<void> run_post_data(const Operation& op, const Crew& crew, Connection& connection,
                           const std::string& script);

}  // namespace lifeboat::source::pg
