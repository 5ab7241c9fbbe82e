#include "source/postgres/comparison.h"

#include <algorithm>
#include <set>

#include "crypt/crypt.h"
#include "schema/json.h"
#include "source/postgres/catalog.h"
#include "source/postgres/roles.h"
#include "source/postgres/snapshot_feed.h"

namespace lifeboat::source::pg {
namespace {

// Row counts and checksums of these tables as they are now; a table that is not there stays 0 with
// the checksum "absent".
Result<void> measure_live(const Operation& op, const Server& server, const std::string& database,
                          std::vector<Table>& tables) {
  const Crew crew{server.connections,
                  [&](const Operation& mine) { return connect(mine, server, database); }};
  return for_each(
      op, crew, tables.size(),
      [&](const Operation& mine, Connection& connection, std::size_t i) -> Result<void> {
        Table& table = tables[i];
        auto measured = measure(mine, connection, table);
        if (measured) return {};
        const std::string& state = connection.last_state();
        if (state != "42P01" && state != "3F000" && state != "42703") return measured;
        table.rows = 0;
        table.checksum = "absent";
        return {};
      });
}

// All of one database as it is now, in the form of a manifest.
Result<Value> live_manifest(const Operation& op, const Server& server, const Database& database,
                            std::vector<Table> tables) {
  TRY_DO(measure_live(op, server, database.name, tables));
  TRY(const ConnectionPointer connection, connect(op, server, database.name));
  TRY(const Rows begun, connection->execute(op, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  return make_manifest(op, *connection, database, tables);
}

Check compared(std::string name, std::string expected, std::string actual) {
  const bool ok = expected == actual;
  return {std::move(name), printable(expected), printable(actual), ok};
}

class Comparison {
 public:
  Comparison(const Captured& captured, const Value& live)
      : name_("database " + captured.name), captured_(captured), live_(live) {}

  std::vector<Check> run() {
    tables();
    sequences();
    inventory();
    settings();
    large_objects();
    const auto shown = [](const Value& manifest) {
      Value properties = manifest.at("properties");
      properties.map().erase("spcname");
      return to_json(properties);
    };
    checks_.push_back(compared(name_ + ": properties", shown(captured_.manifest), shown(live_)));
    return std::move(checks_);
  }

 private:
  void tables() {
    const auto expected = manifest_tables(captured_.manifest), actual = manifest_tables(live_);
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const std::string name =
          "table " + captured_.name + "." + expected[i].schema + "." + expected[i].name + ": ";
      checks_.push_back(compared(name + "rows", std::to_string(expected[i].rows),
                                 std::to_string(actual[i].rows)));
      checks_.push_back(compared(name + "checksum", expected[i].checksum, actual[i].checksum));
    }
  }

  // A sequence may have gone on; it must not give out again what was given out.
  void sequences() {
    std::map<std::string, const Value*> now;
    for (const Value& one : live_.at("sequences").list()) now[one.text("name")] = &one;
    for (const Value& one : captured_.manifest.at("sequences").list()) {
      const std::string name = one.text("name");
      const bool up = one.integer("increment", 1) > 0;
      const std::int64_t wanted = one.integer("last_value", 0);
      Check check{"sequence " + captured_.name + "." + name + ": not behind",
                  (up ? "at least " : "at most ") + std::to_string(wanted), "absent", false};
      if (const auto found = now.find(name); found != now.end()) {
        const std::int64_t value = found->second->integer("last_value", 0);
        check.actual = std::to_string(value);
        const bool called = found->second->boolean("is_called", false);
        const bool same = value == wanted && (called || !one.boolean("is_called", false));
        check.ok = one.boolean("cycle", false) || same || (up ? value > wanted : value < wanted);
      }
      checks_.push_back(std::move(check));
    }
  }

  void inventory() {
    const auto shown = [](const Value& one) {
      if (one.is_null()) return std::string("none");
      return std::to_string(one.integer("count", 0)) + ", checksum " + one.text("checksum");
    };
    const Value &expected = captured_.manifest.at("inventory"), &actual = live_.at("inventory");
    std::set<std::string> categories;
    for (const auto& [category, one] : expected.map()) categories.insert(category);
    for (const auto& [category, one] : actual.map()) categories.insert(category);
    for (const std::string& category : categories) {
      checks_.push_back(compared(name_ + ": " + category, shown(expected.at(category)),
                                 shown(actual.at(category))));
    }
  }

  // Values of settings may be secrets of an application: names are shown, values only compared.
  void settings() {
    const auto names = [](const Value& settings) {
      std::string text = std::to_string(settings.list().size());
      for (const Value& one : settings.list()) {
        text += " " + (one.at("role").is_null() ? "" : one.text("role") + ":") + one.text("name");
      }
      return text;
    };
    const Value &expected = captured_.manifest.at("settings"), &actual = live_.at("settings");
    Check check{name_ + ": settings", printable(names(expected)), printable(names(actual)),
                expected == actual};
    if (!check.ok) check.actual += " (values differ)";
    checks_.push_back(std::move(check));
  }

  void large_objects() {
    const Value &expected = captured_.manifest.at("large_objects"),
                &actual = live_.at("large_objects");
    if (!expected.boolean("readable", false)) return;  // remarked when it was captured
    const auto shown = [](const Value& one) {
      return std::to_string(one.integer("count", 0)) + ", " +
             std::to_string(one.integer("pages", 0)) + " pages, checksum " +
             one.text("checksum", "0") + ", owners " + one.text("owners");
    };
    checks_.push_back(compared(name_ + ": large objects", shown(expected), shown(actual)));
  }

  const std::string name_;
  const Captured& captured_;
  const Value& live_;
  std::vector<Check> checks_;
};

// Roles without what belongs to the server rather than to its content.
Value role_content(Value roles) {
  for (Value& role : roles.map()["roles"].list()) {
    role.map().erase("marker");
    if (role.boolean("bootstrap", false)) role.set("password", Value());
  }
  return roles;
}

}  // namespace

Result<std::vector<Check>> verify(const Operation& op, const Server& server, capture::Feed& feed) {
  TRY(const SnapshotFeed snapshot, read_feed(op, feed));
  TRY(const ConnectionPointer maintenance, connect_maintenance(op, server));
  TRY(const auto all, list_databases(op, *maintenance));
  std::vector<Check> checks;
  for (const Captured& one : snapshot.databases) {
    const auto live = std::find_if(all.begin(), all.end(),
                                   [&](const Database& each) { return each.name == one.name; });
    checks.push_back(
        compared("database " + one.name, "present", live == all.end() ? "absent" : "present"));
    if (live == all.end()) continue;
    TRY(const Value now, live_manifest(op, server, *live, manifest_tables(one.manifest)));
    for (Check& check : Comparison(one, now).run()) checks.push_back(std::move(check));
  }
  if (!snapshot.roles.is_null()) {
    TRY(const Value roles, read_roles(op, *maintenance));
    for (Check& check : compare_roles(snapshot.roles, roles)) checks.push_back(std::move(check));
  }
  return checks;
}

Result<std::string> fingerprint(const Operation& op, const Server& server) {
  TRY(const ConnectionPointer maintenance, connect_maintenance(op, server));
  TRY(const auto all, list_databases(op, *maintenance));
  TRY(const auto chosen, chosen_databases(op, server, all));
  Value content;
  for (const Database& one : chosen) {
    TRY(const bool something, holds_something(op, server, one));
    if (!something && !one.marker) continue;
    TRY(const ConnectionPointer connection, connect(op, server, one.name));
    TRY(std::vector<Table> tables, list_tables(op, *connection, one.name));
    TRY(Value manifest, live_manifest(op, server, one, std::move(tables)));
    manifest.map().erase("server_version");
    manifest.map()["properties"].map().erase("spcname");
    content.set("database " + one.name, std::move(manifest));
  }
  TRY(Value roles, read_roles(op, *maintenance));
  content.set("roles", role_content(std::move(roles)));
  return crypt::sha256(as_bytes(to_json(content))).hex();
}

}  // namespace lifeboat::source::pg
