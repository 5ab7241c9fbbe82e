#include "source/postgres/postgres_source.h"

#include <algorithm>

#include "client/process/launcher.h"
#include "source/postgres/capture_run.h"
#include "source/postgres/comparison.h"
#include "source/postgres/dump.h"
#include "source/postgres/restore_run.h"

namespace lifeboat::source {
namespace {

using pg::Database;
using pg::Rows;

class PostgresSource final : public Source {
 public:
  explicit PostgresSource(pg::Server server) : server_(std::move(server)) {}

  Result<void> preflight(const Operation& op) override {
    TRY(const auto maintenance, pg::connect_maintenance(op, server_));
    TRY(const pg::Identity identity, pg::identify(op, *maintenance));
    TRY(const std::string program, pg::find_pg_dump(op, server_, identity.version_number));
    TRY(const auto all, pg::list_databases(op, *maintenance));
    for (const std::string& name : server_.databases) {
      const bool there = std::any_of(all.begin(), all.end(),
                                     [&](const Database& one) { return one.name == name; });
      if (!there) {
        return fail(Error::Kind::not_found, "database " + printable(name) + " is not there",
                    "correct `databases`, or make it");
      }
    }
    TRY(const auto chosen, pg::chosen_databases(op, server_, all));
    for (const Database& one : chosen) TRY_DO(check_readable(op, one));
    return {};
  }

  Result<void> capture(const Operation& op, capture::Sink& sink) override {
    return pg::capture(op, server_, sink);
  }

  Result<TargetState> target(const Operation& op) override {
    TRY(const auto maintenance, pg::connect_maintenance(op, server_));
    TRY(const pg::Identity identity, pg::identify(op, *maintenance));
    TRY(const auto all, pg::list_databases(op, *maintenance));
    TRY(const auto chosen, pg::chosen_databases(op, server_, all));
    TargetState state;
    state.identity = identity.system_identifier + "@" + server_.address.endpoint();
    state.summary = "PostgreSQL " + identity.version + " at " + server_.address.endpoint();
    state.occupancy = chosen.empty() ? Occupancy::absent : Occupancy::empty;
    bool foreign = false;
    for (const Database& one : chosen) {
      TRY(const bool unexplained, look_at(op, one, state));
      foreign = foreign || unexplained;
      state.summary += ", database " + printable(one.name) + " (" + one.size + ")";
    }
    // Where databases are named, each of them matters; otherwise what stands beside ours is none of
    // a restore's business until it bears a name that the capture has, and restore() knows that.
    if (foreign && (!state.marker || !server_.databases.empty())) {
      state.occupancy = Occupancy::foreign;
      state.marker.reset();
    }
    if (chosen.empty()) state.summary += ", no database of ours";
    return state;
  }

  Result<RestoreReport> restore(const Operation& op, capture::Feed& feed,
                                const RestoreOptions& options) override {
    return pg::restore(op, server_, feed, options);
  }

  Result<std::vector<Check>> verify(const Operation& op, capture::Feed& feed) override {
    return pg::verify(op, server_, feed);
  }

  Result<std::string> fingerprint(const Operation& op) override {
    return pg::fingerprint(op, server_);
  }

  Result<std::vector<Kept>> kept(const Operation& op) override {
    TRY(const auto maintenance, pg::connect_maintenance(op, server_));
    TRY(const auto all, pg::list_databases(op, *maintenance));
    std::vector<Kept> found;
    for (const Database& one : all) {
      if (one.kept) found.push_back(*one.kept);
    }
    return found;
  }

  Result<void> remove_kept(const Operation& op, const std::string& name) override {
    TRY(const auto maintenance, pg::connect_maintenance(op, server_, {name}));
    TRY(const auto all, pg::list_databases(op, *maintenance));
    const bool known = std::any_of(all.begin(), all.end(), [&](const Database& one) {
      return one.name == name && one.kept.has_value();
    });
    if (!known) {
      return fail(Error::Kind::not_found, "nothing is kept under the name " + printable(name),
                  "`lifeboat kept` lists what is");
    }
    TRY(const Rows dropped,
        maintenance->execute(op,
                             "DROP DATABASE " + maintenance->identifier(name) + " WITH (FORCE)"));
    return {};
  }

 private:
  // Adds what the marker of one database says (one that is not done outweighs one that is); answers
  // whether it holds something that no marker explains.
  Result<bool> look_at(const Operation& op, const Database& one, TargetState& state) const {
    if (!one.marker) return pg::holds_something(op, server_, one);
    if (!state.marker || state.marker->done) state.marker = one.marker;
    state.occupancy = Occupancy::ours;
    return false;
  }

  Result<void> check_readable(const Operation& op, const Database& one) const {
    TRY(const auto connection, pg::connect(op, server_, one.name));
    TRY(const Rows closed,
        connection->query(op,
                          "SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c "
                          "JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind = 'r' "
                          "AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' "
                          "AND NOT (has_schema_privilege(n.oid, 'USAGE') "
                          "AND has_table_privilege(c.oid, 'SELECT')) ORDER BY 1 LIMIT 1"));
    if (closed.empty()) return {};
    return fail(Error::Kind::denied,
                "database " + printable(one.name) + ": table " + printable(closed.text(0, 0)) +
                    " may not be read by " + server_.address.user,
                "grant it pg_read_all_data, or connect as a superuser");
  }

  const pg::Server server_;
};

Record postgres_fields() {
  return {
      .name = "postgres",
      .help = "Databases, roles and large objects of a PostgreSQL server.",
      .fields =
          {{.name = "url",
            .shape = shape::string(),
            .help = "postgresql://user@host:port/database; the database is where to connect",
            .required = true},
           {.name = "password", .shape = shape::secret(), .help = "password of the user in `url`"},
           {.name = "databases",
            .shape = shape::string_or_list(),
            .help = "databases to capture; default: all but templates"},
           {.name = "exclude", .shape = shape::string_or_list(), .help = "databases to leave out"},
           {.name = "connections",
            .shape = shape::integer(),
            .help = "connections at once when restoring and comparing",
            .fallback = Value(4)},
           {.name = "programs",
            .shape = shape::string(),
            .help = "folder of pg_dump; default: the installed one that fits the server"}},
      .short_form = "url"};
}

std::vector<std::string> texts(const Value& list) {
  std::vector<std::string> out;
  if (list.is(Value::Type::string)) out.push_back(list.string());
  if (!list.is(Value::Type::list)) return out;
  for (const Value& one : list.list()) out.push_back(one.string());
  return out;
}

Result<std::unique_ptr<Source>> make(const Value& config, const Context& context) {
  pg::Server server;
  TRY(server.address, postgres::parse_url(config.text("url"), Secret(config.text("password"))));
  server.databases = texts(config.at("databases"));
  server.exclude = texts(config.at("exclude"));
  const std::int64_t connections = config.integer("connections", 4);
  if (connections < 1 || connections > 64) {
    return fail(Error::Kind::invalid, "postgres: connections must be 1 to 64", "",
                Error::Code::usage);
  }
  server.connections = static_cast<unsigned>(connections);
  server.programs = config.text("programs");
  server.clock = context.clock;
  server.launcher = context.launcher;
  return std::make_unique<PostgresSource>(std::move(server));
}

// The password that belongs to the old address stays only when the new one brings none.
Result<Value> retarget(const Value& config, const std::string& into, const Value& with) {
  TRY(const postgres::Address address, postgres::parse_url(into));
  Value target = config;
  target.set("url", into);
  if (!address.password.empty()) target.map().erase("password");
  if (with.is_null()) return target;
  if (!with.is(Value::Type::map)) {
    return fail(Error::Kind::invalid, "`with` of a postgres restore is a map of fields", "",
                Error::Code::usage);
  }
  const Record fields = postgres_fields();
  for (const auto& [name, value] : with.map()) {
    if (fields.find(name) == nullptr) {
      return fail(Error::Kind::invalid, "postgres has no field '" + printable(name) + "'", "",
                  Error::Code::usage);
    }
    target.set(name, value);
  }
  return target;
}

}  // namespace

SourceType postgres_source() {
  SourceType type;
  type.name = "postgres";
  type.fields = postgres_fields();
  type.help = type.fields.help;
  type.keeps_aside = KeepsAside::by_rename;
  type.holds_its_moment = true;
  type.retarget = retarget;
  type.make = make;
  type.local_paths = [](const Value&) { return std::vector<std::string>{}; };
  return type;
}

}  // namespace lifeboat::source
