#include "source/postgres/roles.h"

#include <algorithm>
#include <set>

#include "schema/json.h"

namespace lifeboat::source::pg {
namespace {

constexpr char roles_query[] = R"(
SELECT r.rolname, r.oid = 10, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb,
       r.rolcanlogin, r.rolreplication, r.rolbypassrls, r.rolconnlimit, @PASSWORD@,
       nullif(r.rolvaliduntil::text, 'infinity'), shobj_description(r.oid, 'pg_authid'),
       (SELECT json_agg(json_build_object('name', split_part(c, '=', 1),
                 'value', substr(c, strpos(c, '=') + 1)) ORDER BY c COLLATE "C")::text
          FROM pg_db_role_setting s, unnest(s.setconfig) c
         WHERE s.setrole = r.oid AND s.setdatabase = 0 AND c !~ '^lifeboat\.'),
       (SELECT substr(c, 17) FROM pg_db_role_setting s, unnest(s.setconfig) c
         WHERE s.setrole = r.oid AND s.setdatabase = 0 AND c LIKE 'lifeboat.marker=%')
  FROM @TABLE@ r WHERE r.rolname !~ '^pg_' ORDER BY r.rolname COLLATE "C")";

constexpr char memberships_query[] = R"(
SELECT DISTINCT pg_get_userbyid(roleid) COLLATE "C", pg_get_userbyid(member) COLLATE "C",
       bool_or(admin_option)
  FROM pg_auth_members WHERE pg_get_userbyid(member) !~ '^pg_' GROUP BY 1, 2 ORDER BY 1, 2)";

constexpr char parameters_query[] = R"(
SELECT p.parname, CASE a.grantee WHEN 0 THEN NULL ELSE pg_get_userbyid(a.grantee) END,
       a.privilege_type, a.is_grantable
  FROM pg_parameter_acl p, LATERAL aclexplode(p.paracl) a
 WHERE a.grantee <> 10 ORDER BY 1, 2, 3)";

constexpr const char* attribute_names[] = {"superuser", "inherit",     "createrole", "createdb",
                                           "login",     "replication", "bypassrls"};

Value nullable(const Rows& rows, std::size_t row, std::size_t column) {
  return rows.null(row, column) ? Value() : Value(rows.text(row, column));
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

Result<Value> role_of(const Rows& rows, std::size_t row) {
  Value role;
  role.set("name", rows.text(row, 0));
  role.set("bootstrap", rows.boolean(row, 1));
  std::size_t column = 2;
  for (const char* name : attribute_names) role.set(name, rows.boolean(row, column++));
  role.set("connection_limit", rows.integer(row, 9));
  role.set("password", nullable(rows, row, 10));
  role.set("valid_until", nullable(rows, row, 11));
  role.set("comment", nullable(rows, row, 12));
  Value settings{Value::List{}};
  if (!rows.null(row, 13)) {
    TRY(settings, parse_json(rows.text(row, 13)));
  }
  role.set("settings", std::move(settings));
  if (!rows.null(row, 14)) role.set("marker", rows.text(row, 14));
  return role;
}

// "login, createdb; limit 5; valid until ...": what is compared, and shown.
std::string attributes_text(const Value& role) {
  std::string text;
  for (const char* name : attribute_names) {
    if (role.boolean(name, false)) text += (text.empty() ? "" : ", ") + std::string(name);
  }
  if (text.empty()) text = "no attributes";
  if (role.integer("connection_limit", -1) >= 0) {
    text += "; limit " + std::to_string(role.integer("connection_limit", -1));
  }
  if (!role.at("valid_until").is_null()) text += "; valid until " + role.text("valid_until");
  for (const Value& setting : role.at("settings").list()) {
    text += "; " + setting.text("name") + "=" + setting.text("value");
  }
  return text;
}

const Value* find_role(const Value& roles, const std::string& name) {
  for (const Value& role : roles.at("roles").list()) {
    if (role.text("name") == name) return &role;
  }
  return nullptr;
}

// `old`: the role as it is on the target, null when it is not there.
std::string options_of(const Connection& connection, const Value& role, const Value* old) {
  static constexpr const char* words[] = {"SUPERUSER", "INHERIT",     "CREATEROLE", "CREATEDB",
                                          "LOGIN",     "REPLICATION", "BYPASSRLS"};
  std::string options;
  for (std::size_t i = 0; i < std::size(words); ++i) {
    options += role.boolean(attribute_names[i], false) ? " " : " NO";
    options += words[i];
  }
  options += " CONNECTION LIMIT " + std::to_string(role.integer("connection_limit", -1));
  // A role that never expires has no date at all; one that did so far gets the date "never".
  const bool expires = !role.at("valid_until").is_null();
  if (!expires && (old == nullptr || old->at("valid_until").is_null())) return options;
  const std::string until = expires ? role.text("valid_until") : "infinity";
  return options + " VALID UNTIL " + connection.literal(until);
}

std::string password_clause(const Connection& connection, const Value& role) {
  if (role.at("password").is_null()) return " PASSWORD NULL";
  return " PASSWORD " + connection.literal(role.text("password"));
}

// Brings one server's roles to what was captured. The statements hold hashes: errors name the role.
class RoleRestore {
 public:
  RoleRestore(Connection& connection, const Value& captured, const RolesRequest& request)
      : connection_(connection), captured_(captured), request_(request) {}

  Result<std::vector<std::string>> run(const Operation& op) {
    TRY(live_, read_roles(op, connection_));
    for (const Value& role : captured_.at("roles").list()) TRY_DO(restore(op, role));
    for (const Value& one : captured_.at("memberships").list()) TRY_DO(join(op, one));
    for (const Value& one : captured_.at("parameters").list()) TRY_DO(grant(op, one));
    return std::move(remarks_);
  }

 private:
  Result<void> execute(const Operation& op, const std::string& statement,
                       const std::string& about) {
    const auto done = connection_.execute(op, statement);
    if (done) return {};
    Error error = done.error();
    // The text ends with the statement, which may hold a hash.
    error.what = about + ": " + error.what.substr(0, error.what.find(" in: "));
    return fail(std::move(error));
  }

  Result<void> restore(const Operation& op, const Value& role) {
    const std::string name = role.text("name"), quoted = connection_.identifier(name);
    const Value* old = find_role(live_, name);
    const bool hashes = captured_.boolean("hashes", false);
    if (old != nullptr && (name == request_.connecting_user || old->boolean("bootstrap", false))) {
      return {};  // who restores keeps its own account
    }
    if (old == nullptr) {
      const std::string password = hashes ? password_clause(connection_, role) : "";
      TRY_DO(execute(op, "CREATE ROLE " + quoted + options_of(connection_, role, old) + password,
                     "role " + name));
      if (!hashes && role.boolean("login", false)) {
        remarks_.push_back("role " + name +
                           ": made without a password (its hash was not captured)");
      }
    } else {
      TRY_DO(change(op, role, *old, hashes));
    }
    for (const Value& setting : role.at("settings").list()) {
      TRY_DO(execute(op,
                     "ALTER ROLE " + quoted + " SET " +
                         setting_clause(connection_, setting.text("name"), setting.text("value")),
                     "setting of role " + name));
    }
    if (role.at("comment").is_null() && old == nullptr) return {};
    const std::string comment =
        role.at("comment").is_null() ? "NULL" : connection_.literal(role.text("comment"));
    return execute(op, "COMMENT ON ROLE " + quoted + " IS " + comment, "role " + name);
  }

  // A role that is there already.
  Result<void> change(const Operation& op, const Value& role, const Value& old, bool hashes) {
    const std::string name = role.text("name"), quoted = connection_.identifier(name);
    const auto marker = Marker::parse(old.text("marker"));
    const bool given_by_this_run = marker && marker->run == request_.run;
    std::string change = options_of(connection_, role, &old);
    if (hashes && !given_by_this_run && !(role.at("password") == old.at("password"))) {
      change += password_clause(connection_, role);
    }
    TRY_DO(execute(op, "ALTER ROLE " + quoted + change, "role " + name));
    for (const Value& setting : old.at("settings").list()) {
      TRY_DO(execute(
          op, "ALTER ROLE " + quoted + " RESET " + connection_.identifier(setting.text("name")),
          "setting of role " + name));
    }
    return {};
  }

  Result<void> join(const Operation& op, const Value& one) {
    const std::string role = one.text("role"), member = one.text("member");
    for (const Value& have : live_.at("memberships").list()) {
      if (have == one) return {};
    }
    return execute(op,
                   "GRANT " + connection_.identifier(role) + " TO " +
                       connection_.identifier(member) +
                       (one.boolean("admin", false) ? " WITH ADMIN OPTION" : ""),
                   "membership of " + member + " in " + role);
  }

  Result<void> grant(const Operation& op, const Value& one) {
    const std::string grantee =
        one.at("grantee").is_null() ? "PUBLIC" : connection_.identifier(one.text("grantee"));
    return execute(op,
                   "GRANT " + one.text("privilege") + " ON PARAMETER " +
                       connection_.identifier(one.text("name")) + " TO " + grantee +
                       (one.boolean("grantable", false) ? " WITH GRANT OPTION" : ""),
                   "grant on parameter " + one.text("name"));
  }

  Connection& connection_;
  const Value& captured_;
  const RolesRequest& request_;
  Value live_;
  std::vector<std::string> remarks_;
};

std::string groups_text(const Value& roles, const std::string& member,
                        const std::set<std::string>* among) {
  std::string text;
  for (const Value& one : roles.at("memberships").list()) {
    if (one.text("member") != member) continue;
    std::string group = one.text("role");
    if (one.boolean("admin", false)) group += " (admin)";
    if (among == nullptr || among->contains(group)) text += (text.empty() ? "" : ", ") + group;
  }
  return text;
}

std::set<std::string> groups(const Value& roles, const std::string& member) {
  std::set<std::string> all;
  for (const Value& one : roles.at("memberships").list()) {
    if (one.text("member") != member) continue;
    all.insert(one.text("role") + (one.boolean("admin", false) ? " (admin)" : ""));
  }
  return all;
}

}  // namespace

Result<Value> read_roles(const Operation& op, Connection& connection) {
  TRY(const Rows right, connection.query(op, "SELECT has_table_privilege('pg_authid', 'SELECT')"));
  const bool hashes = right.boolean(0, 0);
  std::string statement = replaced(roles_query, "@PASSWORD@", hashes ? "r.rolpassword" : "NULL");
  statement = replaced(statement, "@TABLE@", hashes ? "pg_authid" : "pg_roles");
  TRY(const Rows rows, connection.query(op, statement));
  Value all;
  all.set("format", 1);
  all.set("hashes", hashes);
  Value roles{Value::List{}}, memberships{Value::List{}}, parameters{Value::List{}};
  for (std::size_t row = 0; row < rows.size(); ++row) {
    TRY(Value role, role_of(rows, row));
    roles.push(std::move(role));
  }
  TRY(const Rows members, connection.query(op, memberships_query));
  for (std::size_t row = 0; row < members.size(); ++row) {
    Value one;
    one.set("role", members.text(row, 0));
    one.set("member", members.text(row, 1));
    one.set("admin", members.boolean(row, 2));
    memberships.push(std::move(one));
  }
  if (connection.server_version() >= 150000) {
    TRY(const Rows grants, connection.query(op, parameters_query));
    for (std::size_t row = 0; row < grants.size(); ++row) {
      Value one;
      one.set("name", grants.text(row, 0));
      one.set("grantee", nullable(grants, row, 1));
      one.set("privilege", grants.text(row, 2));
      one.set("grantable", grants.boolean(row, 3));
      parameters.push(std::move(one));
    }
  }
  all.set("roles", std::move(roles));
  all.set("memberships", std::move(memberships));
  all.set("parameters", std::move(parameters));
  return all;
}

Result<std::vector<std::string>> restore_roles(const Operation& op, Connection& connection,
                                               const Value& captured, const RolesRequest& request) {
  // The server's own log would quote statements, and with them hashes.
  const auto quiet =
      connection.execute(op,
                         "SET log_statement = 'none'; SET log_min_error_statement = 'panic'; "
                         "SET log_min_duration_statement = -1");
  if (!quiet && quiet.error().kind != Error::Kind::denied) return fail(quiet.error());
  TRY(const Rows begun, connection.execute(op, "BEGIN"));
  TRY(std::vector<std::string> remarks, RoleRestore(connection, captured, request).run(op));
  TRY(const Rows done, connection.execute(op, "COMMIT"));
  return remarks;
}

std::vector<Check> compare_roles(const Value& captured, const Value& live) {
  std::vector<Check> checks;
  for (const Value& role : captured.at("roles").list()) {
    const std::string name = role.text("name");
    const Value* now = find_role(live, name);
    const std::set<std::string> wanted = groups(captured, name);
    std::string expected = "present", actual = now == nullptr ? "absent" : "present";
    if (now != nullptr && !now->boolean("bootstrap", false)) {
      expected = attributes_text(role);
      actual = attributes_text(*now);
      if (captured.boolean("hashes", false) && live.boolean("hashes", false)) {
        expected += role.at("password").is_null() ? "" : "; with a password";
        actual += now->at("password").is_null() ? "" : "; with a password";
      }
    }
    if (now != nullptr && !wanted.empty()) {
      expected += "; in " + groups_text(captured, name, nullptr);
      actual += "; in " + groups_text(live, name, &wanted);
    }
    checks.push_back({"role " + name, printable(expected), printable(actual), expected == actual});
  }
  return checks;
}

std::string setting_clause(const Connection& connection, const std::string& name,
                           const std::string& value) {
  // These hold lists of quoted names (GUC_LIST_QUOTE in the server): stored as they are written.
  static const std::set<std::string> lists = {
      "local_preload_libraries",  "search_path",      "session_preload_libraries",
      "shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"};
  std::string quoted;
  for (std::size_t at = 0; at <= name.size();) {  // a.b: each part is quoted by itself
    const std::size_t end = std::min(name.find('.', at), name.size());
    quoted += (at == 0 ? "" : ".") + connection.identifier(name.substr(at, end - at));
    at = end + 1;
  }
  if (!lists.contains(name)) return quoted + " TO " + connection.literal(value);
  return quoted + " TO " + (value.empty() || value == "\"\"" ? "''" : value);
}

}  // namespace lifeboat::source::pg
