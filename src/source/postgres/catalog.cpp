#include "source/postgres/catalog.h"

#include <algorithm>

#include "capture/item.h"
#include "schema/json.h"
#include "source/postgres/inventory_query.h"

namespace lifeboat::source::pg {
namespace {

// Tables of extensions belong to the extension, but for those that it declares as configuration
// (pg_extension_config_dump), whose condition tells which rows are the user's.
constexpr char tables_query[] = R"(
SELECT n.nspname, c.relname, format('%I.%I', n.nspname, c.relname),
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
         WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''),
       x.filter
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN (SELECT unnest(extconfig) AS oid, unnest(extcondition) AS filter
               FROM pg_extension) x ON x.oid = c.oid
 WHERE c.relkind = 'r' AND c.relpersistence IN ('p', 'u')
   AND n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'lifeboat')
   AND (x.oid IS NOT NULL OR NOT EXISTS (SELECT 1 FROM pg_depend d
         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')))";

constexpr char sequences_query[] = R"(
SELECT format('%I.%I', n.nspname, c.relname), s.seqincrement, s.seqcycle
  FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE n.nspname !~ '^pg_' AND n.nspname <> 'lifeboat' AND c.relpersistence <> 't'
   AND NOT EXISTS (SELECT 1 FROM pg_depend d
         WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
 ORDER BY 1)";

constexpr char settings_query[] = R"(
SELECT r.rolname, split_part(c, '=', 1), substr(c, strpos(c, '=') + 1)
  FROM pg_db_role_setting s LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) c
 WHERE s.setdatabase = (SELECT oid FROM pg_database WHERE datname = current_database())
   AND (s.setrole = 0 OR r.rolname IS NOT NULL) AND c !~ '^lifeboat\.'
 ORDER BY r.rolname COLLATE "C" NULLS FIRST, 2)";

constexpr char owners_query[] = R"(
SELECT count(*), coalesce(sum(hashtextextended(concat_ws('|', m.oid, pg_get_userbyid(m.lomowner),
         obj_description(m.oid, 'pg_largeobject'),
         (SELECT string_agg(concat_ws(':', CASE e.grantee WHEN 0 THEN 'PUBLIC'
                   ELSE quote_ident(pg_get_userbyid(e.grantee)) END, e.privilege_type,
                   e.is_grantable), ',' ORDER BY e.grantee = 0,
                   pg_get_userbyid(e.grantee) COLLATE "C", e.privilege_type)
            FROM aclexplode(coalesce(m.lomacl, acldefault('L', m.lomowner))) e))
         COLLATE "C", 0)), 0)::text, has_table_privilege('pg_largeobject', 'SELECT')
  FROM pg_largeobject_metadata m)";

constexpr char large_object_query[] = R"(
SELECT format(E'SELECT pg_catalog.lo_create(%s);\nALTER LARGE OBJECT %s OWNER TO %I;\n',
              m.oid, m.oid,
              pg_get_userbyid(m.lomowner)) ||
       CASE WHEN m.lomacl IS NULL THEN '' ELSE
         format(E'REVOKE ALL ON LARGE OBJECT %s FROM %I;\n', m.oid, pg_get_userbyid(m.lomowner)) ||
         coalesce((SELECT string_agg(format(E'GRANT %s ON LARGE OBJECT %s TO %s%s;\n',
                     e.privilege_type, m.oid, CASE e.grantee WHEN 0 THEN 'PUBLIC'
                       ELSE quote_ident(pg_get_userbyid(e.grantee)) END,
                     CASE WHEN e.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END), ''
                     ORDER BY e.grantee, e.privilege_type) FROM aclexplode(m.lomacl) e), '') END ||
       coalesce(format(E'COMMENT ON LARGE OBJECT %s IS %L;\n', m.oid,
                       obj_description(m.oid, 'pg_largeobject')), '')
  FROM pg_largeobject_metadata m ORDER BY m.oid)";

constexpr char remarks_query[] = R"(
SELECT format('table %I.%I: foreign, its rows are not captured', n.nspname, c.relname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'f'
UNION ALL
SELECT format('%s %I.%I: is in tablespace %I, will be restored into the default one',
              CASE WHEN c.relkind IN ('i', 'I') THEN 'index' ELSE 'table' END,
              n.nspname, c.relname, t.spcname)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE t.spcname !~ '^pg_'
UNION ALL
SELECT format('subscription %I: is restored disabled', s.subname) FROM pg_subscription s
 WHERE s.subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())
 ORDER BY 1)";

std::string read_sequence(const std::string& name, Connection& connection) {
  return "SELECT " + connection.literal(name) + ", last_value, is_called FROM " + name;
}

}  // namespace

Result<std::vector<Table>> list_tables(const Operation& op, Connection& connection,
                                       const std::string& database) {
  TRY(const Rows rows, connection.query(op, tables_query));
  std::vector<Table> tables;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    Table table;
    table.schema = rows.text(row, 0);
    table.name = rows.text(row, 1);
    table.quoted = rows.text(row, 2);
    table.columns = rows.text(row, 3);
    table.filter = rows.text(row, 4);
    table.item = "databases/" + escaped(database) + "/data/" + escaped(table.schema) + "." +
                 escaped(table.name);
    tables.push_back(std::move(table));
  }
  std::sort(tables.begin(), tables.end(),
            [](const Table& a, const Table& b) { return capture::name_before(a.item, b.item); });
  return tables;
}

// pg_class is read in the snapshot, pg_relation_filenode() tells what is on disk now.
Result<std::vector<std::string>> replaced_tables(const Operation& op, Connection& connection,
                                                 const std::vector<Table>& tables) {
  TRY(const Rows rows,
      connection.query(op,
                       "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c "
                       "JOIN pg_namespace n ON n.oid = c.relnamespace "
                       "WHERE c.relkind = 'r' AND c.relfilenode <> 0 "
                       "AND pg_relation_filenode(c.oid) IS DISTINCT FROM c.relfilenode"));
  std::vector<std::string> replaced;
  for (std::size_t row = 0; row < rows.size(); ++row) {
    const std::string name = rows.text(row, 0);
    const bool captured = std::any_of(tables.begin(), tables.end(),
                                      [&](const Table& table) { return table.quoted == name; });
    if (captured) replaced.push_back(name);
  }
  return replaced;
}

Result<void> measure(const Operation& op, Connection& connection, Table& table) {
  const std::string row = "ROW(lifeboat_row.*)::text COLLATE \"C\"";
  TRY(const Rows rows, connection.query(op, "SELECT count(*), coalesce(sum(hashtextextended(" +
                                                row + ", 0)), 0)::text FROM ONLY " + table.quoted +
                                                " AS lifeboat_row " + table.filter));
  table.rows = static_cast<std::uint64_t>(rows.integer(0, 0));
  table.checksum = rows.text(0, 1);
  return {};
}

std::string copy_out_statement(const Table& table) {
  const std::string columns = table.columns.empty() ? "" : " (" + table.columns + ")";
  if (table.filter.empty()) return "COPY " + table.quoted + columns + " TO STDOUT";
  return "COPY (SELECT " + (table.columns.empty() ? "*" : table.columns) + " FROM ONLY " +
         table.quoted + " " + table.filter + ") TO STDOUT";
}

std::string copy_in_statement(const Table& table) {
  const std::string columns = table.columns.empty() ? "" : " (" + table.columns + ")";
  return "COPY " + table.quoted + columns + " FROM STDIN";
}

Result<Value> read_sequences(const Operation& op, Connection& connection) {
  constexpr std::size_t batch = 100;
  TRY(const Rows names, connection.query(op, sequences_query));
  Value all{Value::List{}};
  for (std::size_t from = 0; from < names.size(); from += batch) {
    std::string statement;
    for (std::size_t row = from; row < std::min(names.size(), from + batch); ++row) {
      statement +=
          (statement.empty() ? "" : " UNION ALL ") + read_sequence(names.text(row, 0), connection);
    }
    TRY(const Rows values, connection.query(op, statement));
    for (std::size_t row = 0; row < values.size(); ++row) {
      Value one;
      one.set("name", values.text(row, 0));
      one.set("last_value", values.integer(row, 1));
      one.set("is_called", values.boolean(row, 2));
      one.set("increment", names.integer(from + row, 1));
      one.set("cycle", names.boolean(from + row, 2));
      all.push(std::move(one));
    }
  }
  return all;
}

Result<Value> read_settings(const Operation& op, Connection& connection) {
  TRY(const Rows rows, connection.query(op, settings_query));
  Value all{Value::List{}};
  for (std::size_t row = 0; row < rows.size(); ++row) {
    Value one;
    one.set("role", rows.null(row, 0) ? Value() : Value(rows.text(row, 0)));
    one.set("name", rows.text(row, 1));
    one.set("value", rows.text(row, 2));
    all.push(std::move(one));
  }
  return all;
}

Result<Value> read_inventory(const Operation& op, Connection& connection) {
  TRY(const Rows rows, connection.query(op, inventory_query));
  Value all{Value::Map{}};
  for (std::size_t row = 0; row < rows.size(); ++row) {
    Value one;
    one.set("count", rows.integer(row, 1));
    one.set("checksum", rows.text(row, 2));
    all.set(rows.text(row, 0), std::move(one));
  }
  return all;
}

Result<Value> read_large_objects(const Operation& op, Connection& connection) {
  TRY(const Rows owners, connection.query(op, owners_query));
  Value found;
  found.set("count", owners.integer(0, 0));
  found.set("owners", owners.text(0, 1));
  found.set("readable", owners.boolean(0, 2));
  if (!owners.boolean(0, 2) || owners.integer(0, 0) == 0) return found;
  TRY(const Rows pages,
      connection.query(
          op,
          "SELECT count(*), coalesce(sum(hashtextextended(ROW(loid, pageno, data)::text"
          " COLLATE \"C\", 0)), 0)::text, current_setting('block_size')::int / 4 "
          "FROM pg_largeobject"));
  found.set("pages", pages.integer(0, 0));
  found.set("checksum", pages.text(0, 1));
  found.set("page_bytes", pages.integer(0, 2));
  return found;
}

Result<std::string> large_object_script(const Operation& op, Connection& connection) {
  TRY(const Rows rows, connection.query(op, large_object_query));
  std::string script;
  for (std::size_t row = 0; row < rows.size(); ++row) script += rows.text(row, 0);
  return script;
}

Result<std::vector<std::string>> read_remarks(const Operation& op, Connection& connection) {
  TRY(const Rows rows, connection.query(op, remarks_query));
  std::vector<std::string> remarks;
  for (std::size_t row = 0; row < rows.size(); ++row) remarks.push_back(rows.text(row, 0));
  return remarks;
}

Result<Value> make_manifest(const Operation& op, Connection& connection, const Database& database,
                            const std::vector<Table>& tables) {
  Value manifest;
  manifest.set("format", 1);
  manifest.set("database", database.name);
  manifest.set("server_version", connection.server_version());
  manifest.set("properties", database.properties);
  Value list{Value::List{}};
  for (const Table& table : tables) {
    Value one;
    one.set("schema", table.schema);
    one.set("name", table.name);
    one.set("quoted", table.quoted);
    one.set("columns", table.columns);
    one.set("filter", table.filter);
    one.set("item", table.item);
    one.set("rows", table.rows);
    one.set("checksum", table.checksum);
    list.push(std::move(one));
  }
  manifest.set("tables", std::move(list));
  TRY(Value sequences, read_sequences(op, connection));
  manifest.set("sequences", std::move(sequences));
  TRY(Value settings, read_settings(op, connection));
  manifest.set("settings", std::move(settings));
  TRY(Value inventory, read_inventory(op, connection));
  manifest.set("inventory", std::move(inventory));
  TRY(Value large_objects, read_large_objects(op, connection));
  manifest.set("large_objects", std::move(large_objects));
  return manifest;
}

std::vector<Table> manifest_tables(const Value& manifest) {
  std::vector<Table> tables;
  if (!manifest.at("tables").is(Value::Type::list)) return tables;
  for (const Value& one : manifest.at("tables").list()) {
    Table table;
    table.schema = one.text("schema");
    table.name = one.text("name");
    table.quoted = one.text("quoted");
    table.columns = one.text("columns");
    table.filter = one.text("filter");
    table.item = one.text("item");
    table.rows = static_cast<std::uint64_t>(one.integer("rows", 0));
    table.checksum = one.text("checksum");
    tables.push_back(std::move(table));
  }
  return tables;
}

}  // namespace lifeboat::source::pg
