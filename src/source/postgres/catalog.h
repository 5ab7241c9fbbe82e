// source/postgres/catalog.h - What one database holds, read from its catalog within a snapshot.
//
// The same readings serve the manifest of a capture, verify() and fingerprint(), so that none can
// see what another does not.
#pragma once

#include <string>
#include <vector>

#include "source/postgres/server.h"

namespace lifeboat::source::pg {

struct Table {
  std::string schema, name;
  std::string quoted;   // "public"."Orders"
  std::string columns;  // quoted list of those that are stored; "" = all
  std::string filter;   // of an extension's configuration table: which rows are the user's
  std::string item;     // name of the item within the capture
  std::uint64_t rows = 0;
  std::string checksum;
};

// Tables whose rows are captured, in the order of their items. `database` gives the items' folder.
Result<std::vector<Table>> list_tables(const Operation& op, Connection& connection,
                                       const std::string& database);
// Which of these tables, locked by the connection, have other contents than its transaction sees:
// truncated or rewritten since its snapshot, which protects from neither. Quoted names.
Result<std::vector<std::string>> replaced_tables(const Operation& op, Connection& connection,
                                                 const std::vector<Table>& tables);
// Row count and checksum, as of the connection's transaction.
Result<void> measure(const Operation& op, Connection& connection, Table& table);
// COPY statements for the table.
std::string copy_out_statement(const Table& table);
std::string copy_in_statement(const Table& table);

// [{name, last_value, is_called, increment, cycle}]: name is quoted and qualified.
Result<Value> read_sequences(const Operation& op, Connection& connection);
// [{role, name, value}] of this database; role null: for everyone. Ours are left out.
Result<Value> read_settings(const Operation& op, Connection& connection);
// {category: {count, checksum}}: every kind of object with its owner, grants and structure.
Result<Value> read_inventory(const Operation& op, Connection& connection);
// {count, pages, checksum, owners}; counts only where the contents may not be read (`readable`).
Result<Value> read_large_objects(const Operation& op, Connection& connection);
// Statements that make the large objects of this database with owners, grants and comments.
Result<std::string> large_object_script(const Operation& op, Connection& connection);
// What this database has that a capture does not hold, one line each.
Result<std::vector<std::string>> read_remarks(const Operation& op, Connection& connection);

// Assembles the manifest of one database from measured tables.
Result<Value> make_manifest(const Operation& op, Connection& connection, const Database& database,
                            const std::vector<Table>& tables);
// The tables of a manifest.
std::vector<Table> manifest_tables(const Value& manifest);

}  // namespace lifeboat::source::pg
