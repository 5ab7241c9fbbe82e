#include "source/postgres/dump.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "client/process/launcher.h"

namespace lifeboat::source::pg {
namespace {

constexpr std::size_t statements_a_transaction = 200;
constexpr std::size_t longest_definitions_bytes = 256u << 20;
constexpr char install_hint[] =
    "install the client of the server's version (Debian: postgresql-client-NN), or name its folder "
    "in the field `programs`";

// "pg_dump (PostgreSQL) 15.9 (Debian ...)" -> 15; 0: something else.
int major_version(std::string_view text) {
  const std::string_view word = "(PostgreSQL) ";
  const std::size_t at = text.find(word);
  if (at == std::string_view::npos) return 0;
  return std::atoi(std::string(text.substr(at + word.size(), 8)).c_str());
}

// Every place where a pg_dump may be, Debian's folders of versions in the order of versions.
std::vector<std::string> candidates(const Server& server) {
  if (!server.programs.empty()) return {server.programs + "/pg_dump"};
  std::vector<std::pair<int, std::string>> versions;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/usr/lib/postgresql", none)) {
    const std::string path = entry.path().string() + "/bin/pg_dump";
    if (std::filesystem::exists(path, none)) {
      versions.emplace_back(std::atoi(entry.path().filename().c_str()), path);
    }
  }
  std::sort(versions.begin(), versions.end());
  std::vector<std::string> paths;
  for (auto& [version, path] : versions) paths.push_back(std::move(path));
  paths.emplace_back("pg_dump");
  return paths;
}

// pg_dump wraps its output in \restrict KEY ... \unrestrict KEY for psql, with a random key.
std::string without_restrict(const std::string& script) {
  std::string out;
  for (std::size_t at = 0; at < script.size();) {
    const std::size_t end = std::min(script.find('\n', at), script.size() - 1) + 1;
    const std::string_view line = std::string_view(script).substr(at, end - at);
    const bool meta = line.starts_with("\\restrict ") || line.starts_with("\\unrestrict ");
    if (!meta) out += line;
    at = end;
  }
  return out;
}

Result<std::string> dump_section(const Operation& op, const Server& server,
                                 const DumpRequest& request, const std::string& section) {
  postgres::Address address = server.address;
  address.database = request.database;
  Command command;
  command.argv = {request.program,
                  "--dbname=" + address.conninfo(),
                  "--no-password",
                  "--section=" + section,
                  "--snapshot=" + request.snapshot,
                  "--lock-wait-timeout=60000",
                  "--exclude-schema=lifeboat",
                  "--no-tablespaces",
                  "--no-blobs",
                  std::string("--encoding=") + (request.sql_ascii ? "SQL_ASCII" : "UTF8")};
  if (!address.password.empty()) {
    server.launcher->mask(address.password);
    command.secret_files.emplace("PGPASSFILE", address.passfile());
  }
  command.output_limit_bytes = longest_definitions_bytes;
  TRY(const Finished done, server.launcher->run(op, command));
  if (done.status == 0 && done.output.size() < longest_definitions_bytes) {
    return without_restrict(done.output);
  }
  const std::string what = done.status == 0
                               ? "definitions of more than 256 MiB"
                               : "status " + std::to_string(done.status) + ": " + done.errors;
  const bool busy = done.errors.find("lock timeout") != std::string::npos;
  const bool refused = done.errors.find("permission denied") != std::string::npos;
  const auto kind =
      refused ? Error::Kind::denied : (busy ? Error::Kind::unavailable : Error::Kind::invalid);
  return fail(
      kind,
      "pg_dump of database " + printable(request.database) + ": " + printable(what.substr(0, 2000)),
      refused ? "grant SELECT on what it names, or connect as a superuser" : "");
}

bool starts_with_word(std::string_view text, std::string_view word) {
  return text.starts_with(word);
}

// Builds that take no lock beyond their own table: any order, any number at once.
bool is_build(std::string_view statement) {
  if (starts_with_word(statement, "CREATE INDEX ") ||
      starts_with_word(statement, "CREATE UNIQUE INDEX ")) {
    return statement.find(" ON ONLY ") == std::string_view::npos;  // of a partitioned table: quick
  }
  if (!starts_with_word(statement, "ALTER TABLE ONLY ")) return false;
  const bool key = statement.find(" PRIMARY KEY (") != std::string_view::npos ||
                   statement.find(" UNIQUE (") != std::string_view::npos;
  return key && statement.find(" ADD CONSTRAINT ") != std::string_view::npos &&
         statement.find(" FOREIGN KEY ") == std::string_view::npos;
}

bool is_session_setting(std::string_view statement) {
  return starts_with_word(statement, "SET ") ||
         starts_with_word(statement, "SELECT pg_catalog.set_config(");
}

}  // namespace

Result<std::string> find_pg_dump(const Operation& op, const Server& server, int server_version) {
  const int wanted = server_version / 10000;
  int newest = 0;
  for (const std::string& path : candidates(server)) {
    Command command;
    command.argv = {path, "--version"};
    const auto done = server.launcher->run(op, command);
    if (!done && done.error().kind == Error::Kind::cancelled) return fail(done.error());
    if (!done || done->status != 0) continue;
    const int version = major_version(done->output);
    if (version >= wanted) return path;
    newest = std::max(newest, version);
  }
  if (newest == 0) return fail(Error::Kind::invalid, "pg_dump is not installed", install_hint);
  return fail(Error::Kind::invalid,
              "pg_dump " + std::to_string(newest) + " is older than the server, which is " +
                  std::to_string(wanted) + ": what it writes could not be trusted",
              install_hint);
}

Result<Definitions> dump_definitions(const Operation& op, const Server& server,
                                     const DumpRequest& request) {
  Definitions both;
  TRY(both.pre_data, dump_section(op, server, request, "pre-data"));
  TRY(both.post_data, dump_section(op, server, request, "post-data"));
  return both;
}

Result<void> run_script(const Operation& op, Connection& connection, const std::string& script) {
  const std::vector<std::string> statements = postgres::split_statements(script);
  for (std::size_t from = 0; from < statements.size(); from += statements_a_transaction) {
    const std::size_t end = std::min(statements.size(), from + statements_a_transaction);
    TRY(const Rows begun, connection.execute(op, "BEGIN"));
    for (std::size_t at = from; at < end; ++at) {
      TRY(const Rows done, connection.execute(op, statements[at]));
    }
    TRY(const Rows ended, connection.execute(op, "COMMIT"));
  }
  return {};
}

Result<void> run_post_data(const Operation& op, const Crew& crew, Connection& connection,
                           const std::string& script) {
  const std::vector<std::string> statements = postgres::split_statements(script);
  std::string settings;  // what a further connection needs before it may do its share
  for (std::size_t at = 0; at < statements.size();) {
    std::size_t end = at;
    while (end < statements.size() && is_build(statements[end])) ++end;
    if (end > at + 1) {
      const Crew prepared{crew.workers, [&](const Operation& mine) -> Result<ConnectionPointer> {
                            TRY(ConnectionPointer one, crew.open(mine));
                            TRY(const Rows set,
                                one->execute(mine, settings.empty() ? "SELECT 1" : settings));
                            return one;
                          }};
      TRY_DO(for_each(op, prepared, end - at,
                      [&](const Operation& mine, Connection& one, std::size_t i) -> Result<void> {
                        TRY(const Rows built, one.execute(mine, statements[at + i]));
                        return {};
                      }));
      at = end;
      continue;
    }
    TRY(const Rows done, connection.execute(op, statements[at]));
    if (is_session_setting(statements[at])) settings += statements[at] + ";";
    ++at;
  }
  return {};
}

}  // namespace lifeboat::source::pg
