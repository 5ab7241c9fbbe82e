#include "source/postgres/capture_run.h"

#include <algorithm>
#include <optional>
#include <thread>

#include "schema/json.h"
#include "source/postgres/catalog.h"
#include "source/postgres/dump.h"
#include "source/postgres/roles.h"

namespace lifeboat::source::pg {
namespace {

constexpr std::size_t buffer_bytes = 256 << 10;
constexpr char begin_snapshot[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

// One database with its snapshot, held open until its items are written.
struct Held {
  Database database;
  ConnectionPointer connection;
  std::string snapshot;
  std::vector<std::string> remarks;
};

// Collects small writes, since COPY hands out row by row.
class Buffered {
 public:
  Buffered(capture::Sink& sink, const Operation& op) : sink_(sink), op_(op) {
    pending_.reserve(buffer_bytes);
  }
  Result<void> write(ByteView bytes) {
    append(pending_, bytes);
    return pending_.size() >= buffer_bytes ? flush() : Result<void>();
  }
  Result<void> flush() {
    if (pending_.empty()) return {};
    TRY_DO(sink_.write(op_, pending_));
    pending_.clear();
    return {};
  }

 private:
  capture::Sink& sink_;
  const Operation& op_;
  Bytes pending_;
};

capture::Item item_named(std::string name) {
  capture::Item item;
  item.name = std::move(name);
  return item;
}

class CaptureRun {
 public:
  CaptureRun(const Server& server, capture::Sink& sink) : server_(server), sink_(sink) {}

  Result<void> run(const Operation& op) {
    moments_.begin = server_.clock->wall();
    TRY(const ConnectionPointer maintenance, connect_maintenance(op, server_));
    TRY(const Identity identity, identify(op, *maintenance));
    TRY(program_, find_pg_dump(op, server_, identity.version_number));
    TRY_DO(take_snapshots(op, *maintenance));
    TRY(Value roles, read_roles(op, *maintenance));
    for (Value& role : roles.map()["roles"].list()) role.map().erase("marker");
    note_position(identity);
    if (!roles.boolean("hashes", false)) {
      remark("roles: password hashes are not captured, user " + identity.user +
             " may not read pg_authid; grant it pg_read_all_data, or set new passwords after a "
             "restore (step postgres-roles)");
      moments_.partial = true;
    }
    for (Held& one : held_) {
      TRY_DO(capture_database(op, one));
      one.connection.reset();  // ends its snapshot: the server may clean up again
    }
    TRY_DO(write_text(op, "roles.json", to_json(roles)));
    moments_.facts["databases"] = std::to_string(held_.size());
    moments_.facts["rows"] = std::to_string(rows_);
    moments_.end = server_.clock->wall();
    TRY_DO(op.proceed());
    return sink_.commit(op, moments_);
  }

 private:
  void remark(std::string text) { moments_.remarks.push_back(std::move(text)); }

  // All snapshots first, so that they are as close together as can be.
  Result<void> take_snapshots(const Operation& op, Connection& maintenance) {
    TRY(const auto all, list_databases(op, maintenance));
    TRY(const auto chosen, chosen_databases(op, server_, all));
    for (const std::string& name : server_.databases) {
      const bool there = std::any_of(chosen.begin(), chosen.end(),
                                     [&](const Database& one) { return one.name == name; });
      if (!there) {
        return fail(Error::Kind::not_found, "database " + printable(name) + " is not there",
                    "correct `databases`, or make it");
      }
    }
    for (const Database& one : chosen) {
      TRY(ConnectionPointer connection, connect(op, server_, one.name));
      held_.push_back({one, std::move(connection), "", {}});
    }
    std::sort(held_.begin(), held_.end(), [](const Held& a, const Held& b) {
      return capture::name_before("databases/" + escaped(a.database.name),
                                  "databases/" + escaped(b.database.name));
    });
    moments_.consistent_at = server_.clock->wall();
    for (Held& one : held_) TRY_DO(take_snapshot(op, one));
    const auto skew = server_.clock->wall().ns - moments_.consistent_at.ns;
    moments_.facts["skew_ms"] = std::to_string(skew / 1'000'000);
    if (held_.empty()) moments_.consistent_at = server_.clock->wall();
    return {};
  }

  Result<void> take_snapshot(const Operation& op, Held& one) {
    TRY(const Rows begun, one.connection->execute(op, begin_snapshot));
    TRY(const Rows rows,
        one.connection->query(op,
                              "SELECT pg_export_snapshot(), CASE WHEN pg_is_in_recovery() "
                              "THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END"));
    one.snapshot = rows.text(0, 0);
    moments_.position = rows.text(0, 1);
    return {};
  }

  void note_position(const Identity& identity) {
    moments_.facts["server_version"] = identity.version;
    moments_.facts["system_identifier"] = identity.system_identifier;
    moments_.facts["endpoint"] = server_.address.endpoint();
  }

  // pg_dump reads before we lock: two sessions of ours never wait for each other behind a third.
  Result<void> capture_database(const Operation& op, Held& one) {
    const std::string& name = one.database.name;
    const std::string folder = "databases/" + escaped(name);
    const bool sql_ascii = one.database.properties.text("encoding") == "SQL_ASCII";
    TRY(const Definitions definitions,
        dump_definitions(op, server_, {program_, name, one.snapshot, sql_ascii}));
    TRY(std::vector<Table> tables, list_tables(op, *one.connection, name));
    TRY_DO(lock_tables(op, *one.connection, tables));
    TRY_DO(refuse_replaced(op, *one.connection, name, tables));
    TRY_DO(capture_tables(op, one, tables));
    TRY_DO(capture_large_objects(op, one, folder));
    TRY(Value manifest, make_manifest(op, *one.connection, one.database, tables));
    TRY_DO(write_text(op, folder + "/manifest.json", to_json(manifest)));
    TRY_DO(write_text(op, folder + "/post-data.sql", definitions.post_data));
    TRY_DO(write_text(op, folder + "/pre-data.sql", definitions.pre_data));
    TRY(const auto remarks, read_remarks(op, *one.connection));
    for (const std::string& text : remarks) remark("database " + name + ": " + text);
    const std::string space = one.database.properties.text("spcname");
    if (space != "pg_default") {
      remark("database " + name + ": is in tablespace " + space +
             ", will be restored into the default one");
    }
    return {};
  }

  // Holds off DROP and TRUNCATE, which no snapshot protects from.
  static Result<void> lock_tables(const Operation& op, Connection& connection,
                                  const std::vector<Table>& tables) {
    constexpr std::size_t batch = 200;
    for (std::size_t from = 0; from < tables.size(); from += batch) {
      std::string names;
      for (std::size_t i = from; i < std::min(tables.size(), from + batch); ++i) {
        names += (names.empty() ? "ONLY " : ", ONLY ") + tables[i].quoted;
      }
      TRY(const Rows locked,
          connection.execute(op, "LOCK TABLE " + names + " IN ACCESS SHARE MODE"));
    }
    return {};
  }

  // Between the snapshot and the lock anybody could.
  static Result<void> refuse_replaced(const Operation& op, Connection& connection,
                                      const std::string& database,
                                      const std::vector<Table>& tables) {
    TRY(const auto replaced, replaced_tables(op, connection, tables));
    if (replaced.empty()) return {};
    return fail(
        Error::Kind::unavailable,
        "table " + printable(replaced.front()) + " of database " + printable(database) +
            " was truncated or rewritten while the capture began: what it held is gone" +
            (replaced.size() > 1 ? "; so were " + std::to_string(replaced.size() - 1) + " more"
                                 : ""),
        "back up again, when no TRUNCATE, VACUUM FULL, CLUSTER or ALTER TABLE is at work");
  }

  // Rows stream on one connection while another, in the same snapshot, computes the checksums.
  Result<void> capture_tables(const Operation& op, Held& one, std::vector<Table>& tables) {
    std::stop_source stop;
    const std::stop_callback forward(op.stop, [&] { stop.request_stop(); });
    std::vector<Table> measured = tables;
    Result<void> checksums;
    Result<void> streamed;
    {
      const std::jthread meter([&] {
        Operation mine = op;
        mine.stop = stop.get_token();
        checksums = measure_all(mine, one, measured);
      });
      for (Table& table : tables) {
        streamed = capture_table(op, *one.connection, table);
        if (!streamed) break;
      }
      if (!streamed) stop.request_stop();
    }
    TRY_DO(std::move(streamed));
    TRY_DO(std::move(checksums));
    for (std::size_t i = 0; i < tables.size(); ++i) {
      if (tables[i].rows != measured[i].rows) {
        return fail(Error::Kind::corrupt, "table " + tables[i].quoted + " of database " +
                                              one.database.name + ": COPY gave " +
                                              std::to_string(tables[i].rows) + " rows, count " +
                                              std::to_string(measured[i].rows));
      }
      rows_ += tables[i].rows;
    }
    tables = std::move(measured);
    return {};
  }

  Result<void> measure_all(const Operation& op, const Held& one, std::vector<Table>& tables) {
    if (tables.empty()) return {};
    TRY(const ConnectionPointer connection, connect(op, server_, one.database.name));
    TRY(const Rows begun, connection->execute(op, begin_snapshot));
    TRY(const Rows joined,
        connection->execute(op, "SET TRANSACTION SNAPSHOT " + connection->literal(one.snapshot)));
    for (Table& table : tables) TRY_DO(measure(op, *connection, table));
    return {};
  }

  Result<void> capture_table(const Operation& op, Connection& connection, Table& table) {
    capture::Item item = item_named(table.item);
    TRY_DO(sink_.begin(op, item));
    TRY(table.rows, stream(op, connection, copy_out_statement(table)));
    item.facts["rows"] = std::to_string(table.rows);
    item.facts["columns"] = table.columns;
    return sink_.finish(op, item);
  }

  Result<std::uint64_t> stream(const Operation& op, Connection& connection,
                               const std::string& statement) {
    Buffered out(sink_, op);
    TRY(const std::uint64_t rows,
        connection.copy_out(op, statement, [&](ByteView bytes) { return out.write(bytes); }));
    TRY_DO(out.flush());
    return rows;
  }

  Result<void> capture_large_objects(const Operation& op, Held& one, const std::string& folder) {
    TRY(const Value found, read_large_objects(op, *one.connection));
    if (found.integer("count", 0) == 0) return {};
    if (!found.boolean("readable", false)) {
      remark("database " + one.database.name + ": its " +
             std::to_string(found.integer("count", 0)) + " large objects are not captured, user " +
             server_.address.user + " may not read pg_largeobject; grant it pg_read_all_data");
      moments_.partial = true;
      return {};
    }
    capture::Item item = item_named(folder + "/large-objects.copy");
    TRY_DO(sink_.begin(op, item));
    TRY(const std::uint64_t pages,
        stream(op, *one.connection,
               "COPY (SELECT loid, pageno, data FROM pg_largeobject ORDER BY loid, pageno) "
               "TO STDOUT"));
    item.facts["pages"] = std::to_string(pages);
    TRY_DO(sink_.finish(op, item));
    TRY(const std::string script, large_object_script(op, *one.connection));
    return write_text(op, folder + "/large-objects.sql", script);
  }

  Result<void> write_text(const Operation& op, const std::string& name, const std::string& text) {
    const capture::Item item = item_named(name);
    TRY_DO(sink_.begin(op, item));
    TRY_DO(sink_.write(op, as_bytes(text)));
    return sink_.finish(op, item);
  }

  const Server& server_;
  capture::Sink& sink_;
  capture::Moments moments_;
  std::string program_;
  std::vector<Held> held_;
  std::uint64_t rows_ = 0;
};

}  // namespace

Result<void> capture(const Operation& op, const Server& server, capture::Sink& sink) {
  TRY_DO(op.proceed());
  return CaptureRun(server, sink).run(op);
}

}  // namespace lifeboat::source::pg
