#include "source/postgres/server.h"

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/mutex.h"
#include "schema/json.h"

namespace lifeboat::source::pg {
namespace {

// Whatever the settings of database, role and server are: values read and write the same way, no
// timeout of theirs ends a long copy, and no function is found in a schema of the user's.
constexpr char session_settings[] = R"(
SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres'; SET extra_float_digits = 1;
SET TimeZone = 'UTC'; SET bytea_output = 'hex'; SET xmloption = 'content'; SET lc_monetary = 'C';
SET standard_conforming_strings = on; SET statement_timeout = 0; SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0; SET row_security = off;
SET default_transaction_read_only = off; SET default_transaction_isolation = 'read committed';
SET synchronize_seqscans = off; SET check_function_bodies = off; SET client_min_messages = warning;
SELECT pg_catalog.set_config('search_path', '', false),
       pg_catalog.set_config('client_encoding',
         CASE WHEN pg_catalog.current_setting('server_encoding') = 'SQL_ASCII' THEN 'SQL_ASCII'
              ELSE 'UTF8' END, false))";

// to_jsonb() makes columns optional that other versions do not have.
constexpr char databases_query[] = R"(
SELECT d.datname, pg_get_userbyid(d.datdba) AS owner, pg_encoding_to_char(d.encoding) AS encoding,
       d.datcollate, d.datctype, coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') AS provider,
       coalesce(to_jsonb(d) ->> 'daticulocale', to_jsonb(d) ->> 'datlocale') AS icu_locale,
       d.datconnlimit, d.datistemplate, d.datallowconn,
       shobj_description(d.oid, 'pg_database') AS comment,
       (SELECT json_agg(json_build_object(
                 'grantee', CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END,
                 'privilege', a.privilege_type, 'grantable', a.is_grantable)
                 ORDER BY a.grantee = 0, pg_get_userbyid(a.grantee), a.privilege_type)::text
          FROM aclexplode(d.datacl) a) AS acl,
       t.spcname,
       CASE WHEN has_database_privilege(d.oid, 'CONNECT')
            THEN pg_size_pretty(pg_database_size(d.oid)) ELSE 'size not known' END AS size,
       (SELECT substr(c, 17) FROM pg_db_role_setting s, unnest(s.setconfig) c
         WHERE s.setdatabase = d.oid AND s.setrole = 0 AND c LIKE 'lifeboat.marker=%') AS marker,
       (SELECT substr(c, 19) FROM pg_db_role_setting s, unnest(s.setconfig) c
         WHERE s.setdatabase = d.oid AND s.setrole = 0
           AND c LIKE 'lifeboat.complete=%') AS complete,
       (SELECT substr(c, 15) FROM pg_db_role_setting s, unnest(s.setconfig) c
         WHERE s.setdatabase = d.oid AND s.setrole = 0 AND c LIKE 'lifeboat.kept=%') AS kept
  FROM pg_database d JOIN pg_tablespace t ON t.oid = d.dattablespace
 ORDER BY d.datname COLLATE "C")";

// 16384 is the first object identifier that is not initdb's (FirstNormalObjectId).
constexpr char content_query[] = R"(
WITH own AS (SELECT oid FROM pg_namespace
              WHERE nspname !~ '^pg_' AND nspname NOT IN ('information_schema', 'lifeboat'))
SELECT EXISTS (SELECT 1 FROM pg_class c JOIN own ON own.oid = c.relnamespace WHERE c.oid >= 16384)
    OR EXISTS (SELECT 1 FROM pg_proc p JOIN own ON own.oid = p.pronamespace WHERE p.oid >= 16384)
    OR EXISTS (SELECT 1 FROM pg_type t JOIN own ON own.oid = t.typnamespace WHERE t.oid >= 16384)
    OR EXISTS (SELECT 1 FROM own WHERE own.oid >= 16384)
    OR EXISTS (SELECT 1 FROM pg_extension e WHERE e.oid >= 16384)
    OR EXISTS (SELECT 1 FROM pg_event_trigger)
    OR EXISTS (SELECT 1 FROM pg_publication)
    OR EXISTS (SELECT 1 FROM pg_largeobject_metadata))";

Value optional_text(const std::optional<std::string>& text) {
  return text ? Value(*text) : Value();
}

Result<Database> database_of(const Rows& rows, std::size_t row) {
  const auto column = [&](std::string_view name) {
    return static_cast<std::size_t>(std::find(rows.columns.begin(), rows.columns.end(), name) -
                                    rows.columns.begin());
  };
  Database one;
  one.name = rows.text(row, 0);
  for (const char* name : {"owner", "encoding", "datcollate", "datctype", "provider", "icu_locale",
                           "comment", "spcname"}) {
    one.properties.set(name, optional_text(rows.rows[row][column(name)]));
  }
  one.properties.set("connection_limit", rows.integer(row, column("datconnlimit")));
  if (!rows.null(row, column("acl"))) {
    TRY(Value acl, parse_json(rows.text(row, column("acl"))));
    one.properties.set("acl", std::move(acl));
  }
  one.is_template = rows.boolean(row, column("datistemplate"));
  one.connectable = rows.boolean(row, column("datallowconn"));
  one.size = rows.text(row, column("size"));
  one.marker = Marker::parse(rows.text(row, column("marker")));
  one.complete = rows.text(row, column("complete"));
  if (!rows.null(row, column("kept"))) {
    const auto note = parse_json(rows.text(row, column("kept")));
    one.kept = Kept{one.name, note ? note->text("run") : "", "database, " + one.size};
  }
  return one;
}

bool contains(const std::vector<std::string>& all, const std::string& one) {
  return std::find(all.begin(), all.end(), one) != all.end();
}

}  // namespace

Result<ConnectionPointer> connect(const Operation& op, const Server& server,
                                  const std::string& database) {
  postgres::Address address = server.address;
  address.database = database;
  TRY(ConnectionPointer connection, Connection::open(op, address));
  TRY(const Rows set, connection->execute(op, session_settings));
  return connection;
}

Result<ConnectionPointer> connect_maintenance(const Operation& op, const Server& server,
                                              const std::vector<std::string>& busy) {
  Error last{
      Error::Kind::not_found, "no database to connect to at " + server.address.endpoint(), "", {}};
  for (const std::string& name :
       {std::string("postgres"), server.address.database, std::string("template1")}) {
    if (contains(busy, name)) continue;
    auto connection = connect(op, server, name);
    if (connection || connection.error().kind != Error::Kind::not_found) return connection;
    last = std::move(connection).error();
  }
  return fail(std::move(last));
}

Result<std::vector<Database>> list_databases(const Operation& op, Connection& connection) {
  TRY(const Rows rows, connection.query(op, databases_query));
  std::vector<Database> all;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    TRY(Database one, database_of(rows, row));
    all.push_back(std::move(one));
  }
  return all;
}

Result<bool> holds_something(const Operation& op, const Server& server, const Database& database) {
  if (!database.connectable) return true;  // cannot be looked into: never taken for empty
  TRY(const ConnectionPointer connection, connect(op, server, database.name));
  TRY(const Rows rows, connection->query(op, content_query));
  return rows.boolean(0, 0);
}

Result<std::vector<Database>> chosen_databases(const Operation& op, const Server& server,
                                               const std::vector<Database>& all) {
  std::vector<Database> chosen;
  for (const Database& one : all) {
    const bool named = contains(server.databases, one.name);
    if (one.kept || contains(server.exclude, one.name)) continue;
    if (!server.databases.empty() && !named) continue;
    if (!named && one.is_template) continue;
    if (!named && one.name == "postgres" && !one.marker) {
      TRY(const bool something, holds_something(op, server, one));
      if (!something) continue;
    }
    chosen.push_back(one);
  }
  return chosen;
}

Result<Identity> identify(const Operation& op, Connection& connection) {
  TRY(const Rows rows,
      connection.query(op,
                       "SELECT c.system_identifier, current_setting('server_version'), "
                       "current_user, r.rolsuper FROM pg_control_system() c, pg_roles r "
                       "WHERE r.rolname = current_user"));
  const std::string version = rows.text(0, 1);
  return Identity{rows.text(0, 0), version.substr(0, version.find(' ')), rows.text(0, 2),
                  connection.server_version(), rows.boolean(0, 3)};
}

std::string escaped(std::string_view name) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  std::string out;
  for (const char c : name) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-';
    if (plain) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += digits[byte >> 4];
    out += digits[byte & 15];
  }
  return out;
}

Result<void> for_each(
    const Operation& op, const Crew& crew, std::size_t count,
    const std::function<Result<void>(const Operation&, Connection&, std::size_t)>& work) {
  std::stop_source stop;
  const std::stop_callback forward(op.stop, [&] { stop.request_stop(); });
  Operation mine = op;
  mine.stop = stop.get_token();
  std::atomic<std::size_t> next = 0;
  Mutex mutex;
  std::optional<Error> first;
  const auto labour = [&]() -> Result<void> {
    if (next >= count) return {};
    TRY(const ConnectionPointer connection, crew.open(mine));
    for (std::size_t index = next++; index < count; index = next++) {
      TRY_DO(mine.proceed());
      TRY_DO(work(mine, *connection, index));
    }
    return {};
  };
  const std::size_t workers = std::min<std::size_t>(std::max(crew.workers, 1u), count);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < workers; ++i) {
      threads.emplace_back([&] {
        auto done = labour();
        if (done) return;
        MutexLock lock(mutex);
        if (!first) first = std::move(done).error();
        stop.request_stop();
      });
    }
  }
  MutexLock lock(mutex);
  if (first) return fail(std::move(*first));
  return op.proceed();
}

}  // namespace lifeboat::source::pg
