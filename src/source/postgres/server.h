// source/postgres/server.h - How this source reaches its server, and what databases are there.
//
// Threads: connections are one thread's each; the rest is immutable.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "client/postgres/connection.h"
#include "source/source.h"

namespace lifeboat::source::pg {

using postgres::Connection;
using postgres::Rows;
using ConnectionPointer = std::unique_ptr<Connection>;

// The configuration of one source, read.
struct Server {
  postgres::Address address;
  std::vector<std::string> databases;  // empty: all
  std::vector<std::string> exclude;
  unsigned connections = 4;
  std::string programs;  // folder of pg_dump; "" = sought
  const Clock* clock = nullptr;
  Launcher* launcher = nullptr;
};

struct Database {
  std::string name;
  Value properties;  // owner, encoding, collate, ctype, provider, icu_locale, limit, ...
  bool is_template = false, connectable = true;
  std::string size;  // "12 MB"
  std::optional<Marker> marker;
  std::string complete;  // brief id of the snapshot that it holds whole
  std::optional<Kept> kept;
};

// A session with fixed output formats (so that equal values give equal text) on one database.
Result<ConnectionPointer> connect(const Operation& op, const Server& server,
                                  const std::string& database);
// A session on a database that exists whatever is restored, and is none of `busy`.
Result<ConnectionPointer> connect_maintenance(const Operation& op, const Server& server,
                                              const std::vector<std::string>& busy = {});

Result<std::vector<Database>> list_databases(const Operation& op, Connection& connection);
// Those of `all` that the configuration means: named ones, or all but templates, excluded and kept
// ones; `postgres` counts only when it holds something. A named one that is absent is left out.
Result<std::vector<Database>> chosen_databases(const Operation& op, const Server& server,
                                               const std::vector<Database>& all);
// True when somebody made anything in it.
Result<bool> holds_something(const Operation& op, const Server& server, const Database& database);

struct Identity {
  std::string system_identifier, version, user;
  int version_number = 0;
  bool superuser = false;
};
Result<Identity> identify(const Operation& op, Connection& connection);

// Bytes other than [A-Za-z0-9_-] as %XX: a component of an item's name.
std::string escaped(std::string_view name);

// Calls work(connection, index) for each index below `count`, spread over at most `workers`
// connections made by `open`, one thread each. The first error stops the others and is returned.
struct Crew {
  unsigned workers = 1;
  std::function<Result<ConnectionPointer>(const Operation&)> open;
};
Result<void> for_each(
    const Operation& op, const Crew& crew, std::size_t count,
    const std::function<Result<void>(const Operation&, Connection&, std::size_t)>& work);

}  // namespace lifeboat::source::pg
