// source/postgres/postgres_bench.h - Two real servers for tests: one filled, one to restore into.
//
// testbed/with postgres=TESTBED_POSTGRES_ postgres=TESTBED_POSTGRES2_ -- ...
#pragma once

#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/testbed_variable.h"
#include "client/postgres/connection.h"
#include "client/process/launcher.h"
#include "source/postgres/postgres_source.h"
#include "source/postgres/sample_sql.h"
#include "test_places.h"

namespace lifeboat::source::postgres_bench {

using postgres::Connection;

inline const SystemClock& system_clock() {
  static const SystemClock clock;
  return clock;
}
inline Operation forever() { return Operation{&system_clock()}; }

inline Launcher& launcher() {
  static const auto one = make_launcher(system_clock(), "postgres-e2e", LIFEBOAT_SUPERVISOR_PATH);
  return *one;
}

[[noreturn]] inline void give_up(const std::string& why) {
  std::cerr << "postgres_bench: " << why << "\n";
  std::exit(1);
}

template <class T>
T must(Result<T> result, const std::string& what) {
  if (!result) give_up(what + ": " + result.error().what);
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

// One of the two servers, wiped by its superuser.
class TestServer {
 public:
  explicit TestServer(const std::string& prefix)
      : url_(testbed_variable(prefix + "URL")), password_(testbed_variable(prefix + "PASSWORD")) {}

  void run(const std::string& database, const std::string& script) const {
    for (const std::string& statement : postgres::split_statements(script)) {
      must(connection(database).execute(forever(), statement), statement.substr(0, 200));
    }
  }
  std::string ask(const std::string& database, const std::string& query) const {
    const auto rows = must(connection(database).query(forever(), query), query);
    return rows.empty() ? "" : rows.text(0, 0);
  }
  // Removes every database but the server's own, and every role but the first superuser.
  void wipe() const {
    open_.clear();
    auto& maintenance = connection("postgres");
    for (const auto& row : must(maintenance.query(forever(),
                                                  "SELECT datname FROM pg_database WHERE NOT "
                                                  "datistemplate AND datname <> 'postgres'"),
                                "databases")
                               .rows) {
      run("postgres", "DROP DATABASE " + maintenance.identifier(*row[0]) + " WITH (FORCE)");
    }
    for (const auto& row :
         must(maintenance.query(forever(), "SELECT rolname FROM pg_roles WHERE oid > 16383"),
              "roles")
             .rows) {
      run("postgres", "DROP OWNED BY " + maintenance.identifier(*row[0]));
      run("postgres", "DROP ROLE " + maintenance.identifier(*row[0]));
    }
  }
  Value config(const std::vector<std::string>& databases) const {
    Value config;
    config.set("url", url_);
    config.set("password", Value(password_).taint());
    Value list{Value::List{}};
    for (const std::string& name : databases) list.push(name);
    if (!databases.empty()) config.set("databases", std::move(list));
    return config;
  }
  std::unique_ptr<Source> source(const std::vector<std::string>& databases) const {
    open_.clear();  // nobody of ours stands in the way of a rename
    return must(postgres_source().make(config(databases), context()), "make");
  }
  static Context context() { return {&system_clock(), &launcher(), "."}; }
  const std::string& url() const { return url_; }
  const std::string& password() const { return password_; }

 private:
  // A script's statements share one session, as psql's would.
  Connection& connection(const std::string& database) const {
    auto& one = open_[database];
    if (!one) {
      auto address = must(postgres::parse_url(url_, Secret(password_)), "url");
      address.database = database;
      one = must(Connection::open(forever(), address), "connect");
    }
    return *one;
  }

  const std::string url_, password_;
  mutable std::map<std::string, std::unique_ptr<Connection>> open_;
};

inline const TestServer& first() {
  static const TestServer server("TESTBED_POSTGRES_");
  return server;
}
inline const TestServer& second() {
  static const TestServer server("TESTBED_POSTGRES2_");
  return server;
}

inline const std::vector<std::string> sample_names = {"shop", "Second \"db\""};

inline void fill(const TestServer& server) {
  server.run("postgres", sample_roles);
  server.run("postgres", sample_databases);
  server.run("shop", sample_shop);
  server.run("Second \"db\"", sample_second);
  server.run("postgres", sample_settings);
}

}  // namespace lifeboat::source::postgres_bench
