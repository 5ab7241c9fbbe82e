#include "steps/postgres_roles/postgres_roles_step.h"

#include <algorithm>
#include <set>

#include "client/postgres/passwords.h"
#include "client/process/launcher.h"
#include "schema/json.h"
#include "steps/account_passwords.h"
#include "steps/by_hand/by_hand.h"

namespace lifeboat::steps {
namespace {

using plan::Observation;
using plan::State;
using postgres::Connection;
using postgres::Rows;
using ConnectionPointer = std::unique_ptr<Connection>;

// Serialises all engines that change roles on one server: "lifeboat" in ASCII.
constexpr char lock_statement[] = "SELECT pg_advisory_xact_lock(7810765092302119284)";

struct Attribute {
  const char* field;
  const char* column;
  const char* on;
  const char* off;
};
constexpr Attribute attributes[] = {
    {"login", "rolcanlogin", "LOGIN", "NOLOGIN"},
    {"superuser", "rolsuper", "SUPERUSER", "NOSUPERUSER"},
    {"createdb", "rolcreatedb", "CREATEDB", "NOCREATEDB"},
    {"createrole", "rolcreaterole", "CREATEROLE", "NOCREATEROLE"},
    {"inherit", "rolinherit", "INHERIT", "NOINHERIT"},
    {"replication", "rolreplication", "REPLICATION", "NOREPLICATION"},
    {"bypassrls", "rolbypassrls", "BYPASSRLS", "NOBYPASSRLS"},
};

// One role as it is on the server; `is_null()` when it is not there.
constexpr char role_query[] = R"(
SELECT row_to_json(x)::text FROM (
  SELECT r.rolcanlogin, r.rolsuper, r.rolcreatedb, r.rolcreaterole, r.rolinherit, r.rolreplication,
         r.rolbypassrls, r.rolconnlimit,
         (SELECT coalesce(json_agg(g.rolname ORDER BY g.rolname COLLATE "C"), '[]'::json)
            FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid
           WHERE m.member = r.oid) AS member_of,
         (SELECT substr(c, 17) FROM pg_db_role_setting s, unnest(s.setconfig) c
           WHERE s.setrole = r.oid AND s.setdatabase = 0 AND c LIKE 'lifeboat.marker=%') AS marker
    FROM pg_roles r WHERE r.rolname = $1) x)";

bool contains(const Value& list, const std::string& text) {
  return list.is(Value::Type::list) &&
         std::any_of(list.list().begin(), list.list().end(), [&](const Value& one) {
           return one.is(Value::Type::string) && one.string() == text;
         });
}

class PostgresRolesStep final : public plan::Step {
 public:
  PostgresRolesStep(Value config, plan::StepContext& context)
      : config_(std::move(config)), context_(context) {}

  Result<void> preflight(const Operation& op) override {
    if (!config_.at("url").is(Value::Type::string)) return {};  // another step will tell
    TRY(const ConnectionPointer connection, open(op));
    TRY(const Rows right, connection->query(op,
                                            "SELECT rolsuper OR rolcreaterole FROM pg_roles "
                                            "WHERE rolname = current_user"));
    if (!right.empty() && right.boolean(0, 0)) return {};
    return fail(Error::Kind::denied,
                "user " + printable(connection->address().user) + " may not make roles at " +
                    connection->address().endpoint(),
                "grant it CREATEROLE, or connect as a superuser");
  }

  Result<Observation> observe(const Operation& op) override {
    TRY(const ConnectionPointer connection, open(op));
    Observation seen;
    std::size_t there = 0, ours = 0, as_wanted = 0;
    Value before{Value::Map{}};
    for (const auto& [name, wanted] : roles()) {
      TRY(Value live, read_role(op, *connection, name));
      there += live.is_null() ? 0 : 1;
      if (is_ours(live)) {
        ++ours;
        seen.generation = std::max(seen.generation, marker_generation(live));
        TRY(const bool right, matches(op, name, wanted, live));
        as_wanted += right ? 1 : 0;
      }
      add_changes(seen.changes, name, wanted, live);
      before.set(name, std::move(live));
    }
    TRY(before, with_verifiers(op, *connection, std::move(before)));
    seen.before.set("roles", std::move(before));
    const std::size_t all = roles().size();
    seen.summary = std::to_string(there) + " of " + std::to_string(all) + " roles are there, " +
                   std::to_string(as_wanted) + " as wanted by this run";
    seen.would = "make or change " + names() + ", with passwords of this run";
    if (ours == all) seen.state = as_wanted == all ? State::ours_done : State::drifted;
    if (seen.state == State::ours_done) {
      TRY(seen.outputs, outputs(op));
    }
    return seen;
  }

  Result<void> apply(const Operation& op) override {
    TRY(const Value passwords, secrets(op));  // durable before anything changes
    TRY(const ConnectionPointer connection, open(op));
    quieten(op, *connection);
    TRY(const Rows begun, connection->execute(op, "BEGIN"));
    TRY(const Rows locked, connection->execute(op, lock_statement));
    std::uint64_t done = 0;
    for (const auto& [name, wanted] : roles()) {
      TRY_DO(op.proceed());
      TRY_DO(change(op, *connection, name, Secret(passwords.text(name))));
      context_.progress(++done, roles().size(), "roles");
    }
    TRY(const Rows committed, connection->execute(op, "COMMIT"));
    context_.log("made or changed " + names());
    return {};
  }

  Result<plan::Verification> verify(const Operation& op) override {
    TRY(const ConnectionPointer connection, open(op));
    plan::Verification proof;
    TRY(const Value passwords, secrets(op));
    for (const auto& [name, wanted] : roles()) {
      TRY(const Value live, read_role(op, *connection, name));
      add_attribute_check(proof, name, wanted, live);
      if (!wanted.boolean("login", true)) continue;
      TRY(const auto login, log_in(op, name, Secret(passwords.text(name))));
      const bool accepted = login == postgres::Login::accepted;
      proof.checks.push_back({"role " + name + ": login with its password", "accepted",
                              accepted ? "accepted" : "refused", accepted});
      TRY(const auto wrong, log_in(op, name, random_password()));
      if (wrong == postgres::Login::accepted) {
        proof.remarks.push_back("role " + name +
                                ": the server asks no password from here (pg_hba.conf: trust)");
      }
    }
    TRY(proof.outputs, outputs(op));
    return proof;
  }

  Result<void> undo(const Operation& op, const Value& before) override {
    TRY(const ConnectionPointer connection, open(op));
    quieten(op, *connection);
    TRY(const Rows begun, connection->execute(op, "BEGIN"));
    TRY(const Rows locked, connection->execute(op, lock_statement));
    for (const auto& [name, wanted] : roles()) {
      TRY(const Value live, read_role(op, *connection, name));
      if (!is_ours(live)) continue;  // undone already, or never done
      TRY_DO(put_back(op, *connection, name, before.at("roles").at(name)));
    }
    TRY(const Rows committed, connection->execute(op, "COMMIT"));
    return {};
  }

 private:
  // A password of this run is set in any case: neither it nor the one before is to be shown.
  void add_changes(std::vector<plan::Change>& changes, const std::string& name, const Value& wanted,
                   const Value& live) const {
    const std::string role = "role " + printable(name);
    if (live.is_null()) changes.push_back({role, "", "made"});
    for (const Attribute& one : attributes) {
      if (!wanted.has(one.field)) continue;
      const bool is = live.boolean(one.column, false), to = wanted.boolean(one.field, false);
      if (live.is_null() ? !to : is == to) continue;
      changes.push_back({role, live.is_null() ? "" : is ? one.on : one.off, to ? one.on : one.off});
    }
    if (wanted.has("connection_limit") &&
        wanted.integer("connection_limit", -1) != live.integer("rolconnlimit", -1)) {
      changes.push_back({role + ": connection limit",
                         live.is_null() ? "" : std::to_string(live.integer("rolconnlimit", -1)),
                         std::to_string(wanted.integer("connection_limit", -1))});
    }
    const Value& groups = wanted.at("member_of");
    for (const Value& group : groups.is(Value::Type::list) ? groups.list() : Value::List()) {
      if (contains(live.at("member_of"), group.string())) continue;
      changes.push_back({role + ": member of", "", printable(group.string())});
    }
    if (wanted.boolean("login", true) && !is_ours(live)) {
      changes.push_back({role + ": password", "", "a new one"});
    }
  }

  const Value::Map& roles() const { return config_.at("roles").map(); }

  std::string names() const {
    std::string all;
    for (const auto& [name, wanted] : roles()) all += (all.empty() ? "role " : ", ") + name;
    return printable(all);
  }

  Result<postgres::Address> address() const {
    return postgres::parse_url(config_.text("url"), Secret(config_.text("password")));
  }

  Result<ConnectionPointer> open(const Operation& op) const {
    TRY(const postgres::Address where, address());
    TRY(ConnectionPointer connection, Connection::open(op, where));
    TRY(const Rows set, connection->execute(op,
                                            "SET search_path = ''; SET statement_timeout = 0; "
                                            "SET default_transaction_read_only = off"));
    return connection;
  }

  Result<postgres::Login> log_in(const Operation& op, const std::string& name,
                                 const Secret& password) const {
    TRY(postgres::Address where, address());
    where.user = name;
    where.password = password;
    return postgres::try_login(op, where);
  }

  Result<Value> secrets(const Operation& op) { return account_passwords(op, context_, roles()); }
  Result<Value> outputs(const Operation& op) {
    TRY(Value passwords, secrets(op));
    return passwords_output(std::move(passwords));
  }

  static Result<Value> read_role(const Operation& op, Connection& connection,
                                 const std::string& name) {
    TRY(const Rows rows, connection.query(op, role_query, {name}));
    if (rows.empty()) return Value();
    return parse_json(rows.text(0, 0));
  }

  // Adds the verifiers that undo needs, where they may be read.
  static Result<Value> with_verifiers(const Operation& op, Connection& connection, Value roles) {
    TRY(const Rows right,
        connection.query(op, "SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT')"));
    if (!right.boolean(0, 0)) return roles;
    for (auto& [name, role] : roles.map()) {
      if (role.is_null()) continue;
      TRY(const Rows rows,
          connection.query(op, "SELECT rolpassword FROM pg_catalog.pg_authid WHERE rolname = $1",
                           {name}));
      if (rows.empty() || rows.null(0, 0)) continue;
      role.set("verifier", std::move(Value(rows.text(0, 0)).taint()));
    }
    return roles;
  }

  bool is_ours(const Value& live) const {
    const auto marker = parse_json(live.text("marker"));
    return marker && marker->text("run") == context_.run() &&
           marker->text("step") == context_.step();
  }
  static std::uint64_t marker_generation(const Value& live) {
    const auto marker = parse_json(live.text("marker"));
    return marker ? static_cast<std::uint64_t>(marker->integer("generation", 0)) : 0;
  }

  // What is written in the plan and differs on the server, in words; "" = nothing.
  static std::string differences(const Value& wanted, const Value& live) {
    if (live.is_null()) return "absent";
    std::string text;
    const auto add = [&](const std::string& one) { text += (text.empty() ? "" : ", ") + one; };
    for (const Attribute& one : attributes) {
      const bool is = live.boolean(one.column, false);
      if (wanted.has(one.field) && wanted.boolean(one.field, false) != is)
        add(is ? one.on : one.off);
    }
    if (wanted.has("connection_limit") &&
        wanted.integer("connection_limit", -1) != live.integer("rolconnlimit", -1)) {
      add("connection limit " + std::to_string(live.integer("rolconnlimit", -1)));
    }
    if (!wanted.at("member_of").is(Value::Type::list)) return text;
    for (const Value& group : wanted.at("member_of").list()) {
      if (!contains(live.at("member_of"), group.string())) add("not in " + group.string());
    }
    return text;
  }

  Result<bool> matches(const Operation& op, const std::string& name, const Value& wanted,
                       const Value& live) {
    if (!differences(wanted, live).empty()) return false;
    if (!wanted.boolean("login", true)) return true;
    TRY(const Value passwords, secrets(op));  // its marker is there, so the vault has it
    TRY(const auto login, log_in(op, name, Secret(passwords.text(name))));
    return login == postgres::Login::accepted;
  }

  static void add_attribute_check(plan::Verification& proof, const std::string& name,
                                  const Value& wanted, const Value& live) {
    const std::string different = differences(wanted, live);
    proof.checks.push_back({"role " + name + ": attributes and memberships", "as in the plan",
                            different.empty() ? "as in the plan" : different, different.empty()});
  }

  // The server's log would quote a statement that fails, and with it a verifier.
  static void quieten(const Operation& op, Connection& connection) {
    const auto done =
        connection.execute(op,
                           "SET log_statement = 'none'; SET log_min_error_statement = 'panic'; "
                           "SET log_min_duration_statement = -1");
    (void)done;  // a superuser's right; without it there are still only verifiers
  }

  Result<void> execute(const Operation& op, Connection& connection, const std::string& name,
                       const std::string& statement) const {
    const auto done = connection.execute(op, statement);
    if (done) return {};
    Error error = done.error();  // its text ends with the statement, which may hold a verifier
    error.what = "role " + printable(name) + ": " + error.what.substr(0, error.what.find(" in: "));
    return fail(std::move(error));
  }

  Result<void> change(const Operation& op, Connection& connection, const std::string& name,
                      const Secret& password) {
    TRY(const Value live, read_role(op, connection, name));
    if (is_ours(live) && marker_generation(live) > context_.generation()) {
      return fail(Error::Kind::conflict,
                  "role " + printable(name) + ": a later attempt of this step has changed it",
                  "this engine was replaced; look at the run with `lifeboat runs show`",
                  Error::Code::refused);
    }
    const Value& wanted = roles().at(name);
    const std::string quoted = connection.identifier(name);
    std::string options;
    if (live.is_null() && !wanted.has("login")) options += " LOGIN";
    for (const Attribute& one : attributes) {
      if (!wanted.has(one.field)) continue;
      options += std::string(" ") + (wanted.boolean(one.field, false) ? one.on : one.off);
    }
    if (wanted.has("connection_limit")) {
      options += " CONNECTION LIMIT " + std::to_string(wanted.integer("connection_limit", -1));
    }
    TRY(const bool set, has_this_password(op, name, live, password));
    if (!set) {
      TRY(const std::string verifier, postgres::password_verifier(name, password));
      options += " PASSWORD " + connection.literal(verifier);
    }
    if (live.is_null() || !options.empty()) {
      TRY_DO(execute(op, connection, name,
                     (live.is_null() ? "CREATE ROLE " : "ALTER ROLE ") + quoted + options));
    }
    if (wanted.at("member_of").is(Value::Type::list)) {
      for (const Value& group : wanted.at("member_of").list()) {
        TRY_DO(execute(op, connection, name,
                       "GRANT " + connection.identifier(group.string()) + " TO " + quoted));
      }
    }
    return execute(
        op, connection, name,
        "ALTER ROLE " + quoted + " SET lifeboat.marker = " + connection.literal(marker_text()));
  }

  // A verifier with another salt is another verifier: what is right already stays.
  Result<bool> has_this_password(const Operation& op, const std::string& name, const Value& live,
                                 const Secret& password) const {
    if (!is_ours(live) || !live.boolean("rolcanlogin", false)) return false;
    TRY(const auto login, log_in(op, name, password));
    return login == postgres::Login::accepted;
  }

  std::string marker_text() const {
    Value marker;
    marker.set("lifeboat", 1);
    marker.set("run", context_.run());
    marker.set("step", context_.step());
    marker.set("generation", context_.generation());
    marker.set("snapshot", "");
    marker.set("done", true);
    return to_json(marker);
  }

  Result<void> put_back(const Operation& op, Connection& connection, const std::string& name,
                        const Value& old) {
    const std::string quoted = connection.identifier(name);
    if (old.is_null()) {
      auto dropped = execute(op, connection, name, "DROP ROLE " + quoted);
      if (dropped || connection.last_state() != "2BP01") return dropped;
      return fail(Error::Kind::invalid, "irreversible: role " + printable(name) + " owns objects",
                  "give them to another role (REASSIGN OWNED), then undo again");
    }
    if (!old.has("verifier") && old.boolean("rolcanlogin", false)) {
      return fail(Error::Kind::invalid,
                  "irreversible: the old password of role " + printable(name) + " is not known",
                  "connect as a superuser, so that verifiers can be read before a change");
    }
    std::string options;
    for (const Attribute& one : attributes) {
      options += std::string(" ") + (old.boolean(one.column, false) ? one.on : one.off);
    }
    options += " CONNECTION LIMIT " + std::to_string(old.integer("rolconnlimit", -1));
    options += " PASSWORD " + (old.has("verifier") ? connection.literal(old.text("verifier"))
                                                   : std::string("NULL"));
    TRY_DO(execute(op, connection, name, "ALTER ROLE " + quoted + options));
    TRY(const Value live, read_role(op, connection, name));
    for (const Value& group : live.at("member_of").list()) {
      if (contains(old.at("member_of"), group.string())) continue;
      TRY_DO(execute(op, connection, name,
                     "REVOKE " + connection.identifier(group.string()) + " FROM " + quoted));
    }
    const std::string marker = old.text("marker");
    return execute(op, connection, name,
                   "ALTER ROLE " + quoted +
                       (marker.empty() ? " RESET lifeboat.marker"
                                       : " SET lifeboat.marker = " + connection.literal(marker)));
  }

  const Value config_;
  plan::StepContext& context_;
};

Record role_fields() {
  Record role;
  role.name = "postgres-roles.roles";
  role.help = "One role: what is not written stays as it is.";
  role.fields = {{.name = "password",
                  .shape = shape::secret(),
                  .help = "its password; default: a generated one"},
                 {.name = "generate",
                  .shape = shape::boolean(),
                  .help = "a generated password (the default when there is no `password`)"},
                 {.name = "connection_limit",
                  .shape = shape::integer(),
                  .help = "connections at once; -1 = any number"},
                 {.name = "member_of",
                  .shape = shape::string_or_list(),
                  .help = "roles that it is made a member of"}};
  for (const Attribute& one : attributes) {
    role.fields.push_back({.name = one.field,
                           .shape = shape::boolean(),
                           .help = std::string(one.on) + " or " + one.off});
  }
  return role;
}

Record postgres_roles_fields() {
  return {
      .name = "postgres-roles",
      .help = "Makes roles of a PostgreSQL server, with passwords of this recovery.",
      .fields = {
          {.name = "url",
           .shape = shape::string(),
           .help = "postgresql://user@host:port/database of a user that may make roles",
           .required = true},
          {.name = "password", .shape = shape::secret(), .help = "password of the user in `url`"},
          {.name = "roles",
           .shape = shape::map(shape::record(role_fields())),
           .help = "name of the role -> what it shall be",
           .required = true}}};
}

Result<std::unique_ptr<plan::Step>> make(const Value& config, plan::StepContext& context) {
  for (const auto& [name, role] : config.at("roles").map()) {
    if (role.boolean("generate", false) && !role.at("password").is_null()) {
      return fail(Error::Kind::invalid,
                  "postgres-roles: role " + printable(name) + " has both password and generate",
                  "write one of them", Error::Code::usage);
    }
  }
  return std::make_unique<PostgresRolesStep>(config, context);
}

}  // namespace

plan::StepType postgres_roles_step() {
  plan::StepType type;
  type.name = "postgres-roles";
  type.usually = {std::chrono::seconds(1), std::chrono::seconds(3), std::chrono::seconds(20)};
  type.fields = postgres_roles_fields();
  type.help = type.fields.help;
  type.outputs = {{"passwords", shape::map(shape::string())}};
  type.secret_outputs = {"passwords"};
  type.fence = plan::Fence::native;
  type.effects = [](const Value& config) {
    const auto address = postgres::parse_url(config.text("url"));
    return std::vector<std::string>{address ? address->shown() : "(not known yet)"};
  };
  type.by_hand = by_hand::postgres_roles;
  type.make = make;
  return type;
}

}  // namespace lifeboat::steps
