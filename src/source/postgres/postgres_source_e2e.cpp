// Against two real PostgreSQL 15 servers:
//   testbed/with postgres=TESTBED_POSTGRES_ postgres=TESTBED_POSTGRES2_ -- source_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <thread>

#include "capture/memory_capture.h"
#include "capture/partial_feed.h"
#include "source/postgres/postgres_bench.h"
#include "source/source_contract.h"

namespace lifeboat::source {
namespace {

using namespace postgres_bench;  // NOLINT: what these tests are about
using testing::HasSubstr;

class ServerSystem final : public System {
 public:
  ServerSystem(const TestServer& server, std::vector<std::string> databases)
      : server_(server), databases_(std::move(databases)) {}
  std::unique_ptr<Source> open() override { return server_.source(databases_); }
  void alter() override {
    server_.run("shop",
                "SET default_transaction_read_only = off; "
                "UPDATE shop.orders SET customer = customer || '.' WHERE id = 77");
    (void)server_.source(databases_);
  }
  std::string look(const std::string& kept) override {
    const std::string name = kept.empty() ? "shop" : kept;
    if (server_.ask("postgres",
                    "SELECT count(*) FROM pg_database WHERE datname = '" + name + "'") != "1") {
      return "";
    }
    const std::string rows =
        server_.ask(name, "SELECT 'theirs: ' || string_agg(one::text, ',') FROM theirs");
    (void)server_.source(databases_);
    return rows;
  }

 private:
  const TestServer& server_;
  const std::vector<std::string> databases_;
};

class PostgresWorld final : public World {
 public:
  PostgresWorld() { second().wipe(); }
  const Clock& clock() override { return system_clock(); }
  KeepsAside keeps_aside() const override { return KeepsAside::by_rename; }
  std::unique_ptr<System> filled() override {
    if (first().ask("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'shop'") != "1") {
      first().wipe();
      fill(first());
    }
    return std::make_unique<ServerSystem>(first(), sample_names);
  }
  std::unique_ptr<System> empty() override {
    second().wipe();
    return std::make_unique<ServerSystem>(second(), databases_);
  }
  std::unique_ptr<System> foreign() override {
    second().wipe();
    second().run("postgres", "CREATE DATABASE shop");
    second().run("shop", "CREATE TABLE theirs AS SELECT 1 AS one");
    return std::make_unique<ServerSystem>(second(), databases_);
  }
  std::unique_ptr<System> huge(std::uint64_t size_bytes) override {
    first().wipe();
    databases_ = {"huge"};
    first().run("postgres", "CREATE DATABASE huge");
    first().run("huge", "CREATE TABLE blocks (id bigint PRIMARY KEY, block text)");
    first().run("huge", "ALTER TABLE blocks ALTER block SET STORAGE EXTERNAL");
    first().run("huge",
                "INSERT INTO blocks SELECT i, repeat(md5(i::text), 2048) FROM "
                "generate_series(1, " +
                    std::to_string(size_bytes >> 16) + ") i");
    return std::make_unique<ServerSystem>(first(), databases_);
  }

 private:
  std::vector<std::string> databases_ = sample_names;
};

LIFEBOAT_SOURCE_CONTRACT(PostgresContract, [] { return std::make_unique<PostgresWorld>(); });

class PostgresSourceE2e : public testing::Test {
 protected:
  void SetUp() override {
    PostgresWorld world;
    (void)world.filled();
  }
  static std::shared_ptr<capture::Feed> captured() {
    capture::MemoryCapture sink;
    const auto done = first().source(sample_names)->capture(forever(), sink);
    EXPECT_TRUE(done) << done.error().what;
    return sink.feed();
  }
  static RestoreOptions options(const std::string& run) {
    RestoreOptions options;
    options.marker = {run, "orders", 1, "abc", false};
    return options;
  }
};

TEST_F(PostgresSourceE2e, ItemsHaveEscapedNamesAndTheCaptureItsMoments) {
  const auto feed = captured();
  ASSERT_TRUE(feed);
  const auto cursor = feed->items(forever());
  ASSERT_TRUE(cursor);
  std::vector<std::string> names;
  while (true) {
    const auto item = (*cursor)->next(forever());
    ASSERT_TRUE(item);
    if (!*item) break;
    names.push_back((*item)->name);
  }
  EXPECT_THAT(names, testing::Contains("roles.json"));
  EXPECT_THAT(names, testing::Contains(
                         "databases/shop/data/Mixed%20Case.Table%2C%20with%2Edots%2F%22quotes%22"));
  EXPECT_THAT(names, testing::Contains("databases/Second%20%22db%22/pre-data.sql"));
  EXPECT_FALSE(feed->moments().partial);
  EXPECT_FALSE(feed->moments().position.empty());
  EXPECT_LE(feed->moments().begin, feed->moments().consistent_at);
}

TEST_F(PostgresSourceE2e, RestoredRolesLogInWithTheirOldPasswords) {
  const auto feed = captured();
  const auto target = second().source(sample_names);
  const auto report = target->restore(forever(), *feed, options("run-1"));
  ASSERT_TRUE(report) << report.error().what;
  auto address = postgres::parse_url(second().url(), Secret("app-secret"));
  ASSERT_TRUE(address);
  address->user = "shop_app";
  address->database = "shop";
  const auto session = Connection::open(forever(), *address);
  ASSERT_TRUE(session) << session.error().what;
  const auto rows = (*session)->query(forever(),
                                      "SELECT current_setting('work_mem'), "
                                      "current_setting('statement_timeout'), count(id), "
                                      "current_setting('shop.greeting') FROM orders");
  ASSERT_TRUE(rows) << rows.error().what;
  EXPECT_EQ(rows->text(0, 0), "9MB");
  EXPECT_EQ(rows->text(0, 1), "7s");
  EXPECT_EQ(rows->text(0, 2), "3001");
  EXPECT_EQ(rows->text(0, 3), "it's \"me\"");
  address->password = Secret("wrong");
  const auto refused = Connection::open(forever(), *address);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Error::Kind::denied);
}

TEST_F(PostgresSourceE2e, ADatabaseThatIsKeptAsideHasItsOldRowsUnderItsNewName) {
  const auto feed = captured();
  second().wipe();
  second().run("postgres", "CREATE DATABASE shop");
  second().run("shop", "CREATE TABLE theirs (id int PRIMARY KEY, word text)");
  second().run("shop", "INSERT INTO theirs SELECT i, 'word ' || i FROM generate_series(1, 500) i");
  RestoreOptions keep = options("run-1");
  keep.foreign = Foreign::keep_aside;
  const auto report = second().source(sample_names)->restore(forever(), *feed, keep);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_THAT(report->kept_aside, testing::ElementsAre("shop_before_run-1"));
  EXPECT_EQ(second().ask("shop_before_run-1",
                         "SELECT count(*) || ' ' || min(word) || ' ' || sum(id) FROM theirs"),
            "500 word 1 125250");
  EXPECT_EQ(second().ask("shop", "SELECT count(*) FROM shop.orders"), "3001");
  EXPECT_EQ(second().ask("shop", "SELECT count(*) FROM pg_class WHERE relname = 'theirs'"), "0");
}

TEST_F(PostgresSourceE2e, AMaterializedViewIsFilledAndOneThatWasNotIsNot) {
  const auto feed = captured();
  ASSERT_TRUE(second().source(sample_names)->restore(forever(), *feed, options("run-1")));
  EXPECT_EQ(second().ask("shop", "SELECT n FROM shop.sums_of_sums"), "3001");
  EXPECT_EQ(second().ask("shop", "SELECT relispopulated FROM pg_class WHERE relname = 'never'"),
            "f");
}

TEST_F(PostgresSourceE2e, AServerThatDoesNotRunIsUnavailableAndNamed) {
  Value config = first().config({});
  config.set("url", "postgresql://postgres@127.0.0.1:1/postgres");
  const auto source = postgres_source().make(config, TestServer::context());
  ASSERT_TRUE(source);
  const auto done = (*source)->preflight(forever());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::unavailable);
  EXPECT_THAT(done.error().what, HasSubstr("PostgreSQL at 127.0.0.1:1 does not answer"));
}

TEST_F(PostgresSourceE2e, AWrongPasswordIsDeniedAndNotShown) {
  Value config = first().config({});
  config.set("password", Value("no-such-password-4711").taint());
  const auto source = postgres_source().make(config, TestServer::context());
  ASSERT_TRUE(source);
  const auto done = (*source)->preflight(forever());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::denied);
  EXPECT_THAT(done.error().what + done.error().hint, testing::Not(HasSubstr("4711")));
}

TEST_F(PostgresSourceE2e, AClientOlderThanTheServerIsRefused) {
  const std::string folder = testing::TempDir() + "old-client-" + std::to_string(getpid());
  std::filesystem::create_directories(folder);
  std::ofstream(folder + "/pg_dump") << "#!/bin/sh\necho 'pg_dump (PostgreSQL) 14.11'\n";
  std::filesystem::permissions(folder + "/pg_dump", std::filesystem::perms::owner_all);
  Value config = first().config({});
  config.set("programs", folder);
  const auto source = postgres_source().make(config, TestServer::context());
  ASSERT_TRUE(source);
  const auto done = (*source)->preflight(forever());
  std::filesystem::remove_all(folder);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::invalid);
  EXPECT_THAT(done.error().what, HasSubstr("pg_dump 14 is older than the server, which is 15"));
}

TEST_F(PostgresSourceE2e, ADatabaseThatIsNotThereIsNamed) {
  const auto done = first().source({"nowhere"})->preflight(forever());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::not_found);
  EXPECT_THAT(done.error().what, HasSubstr("nowhere"));
}

TEST_F(PostgresSourceE2e, WithoutTheRightToReadHashesTheCaptureIsPartialAndSaysSo) {
  first().run("postgres", "CREATE ROLE plain_backup LOGIN PASSWORD 'plain-secret'");
  first().run("Second \"db\"", "GRANT SELECT ON t TO plain_backup");
  Value config = first().config({"Second \"db\""});
  const std::string url = first().url();
  config.set("url", "postgresql://plain_backup@" + url.substr(url.find('@') + 1));
  config.set("password", Value("plain-secret").taint());
  const auto source = postgres_source().make(config, TestServer::context());
  ASSERT_TRUE(source);
  capture::MemoryCapture sink;
  const auto done = (*source)->capture(forever(), sink);
  first().run("Second \"db\"", "REVOKE ALL ON t FROM plain_backup");
  first().run("postgres", "DROP ROLE plain_backup");
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_TRUE(sink.feed()->moments().partial);
  EXPECT_THAT(sink.feed()->moments().remarks, testing::Contains(HasSubstr("password hashes")));
}

TEST_F(PostgresSourceE2e, AllDatabasesAreTakenWhenNoneIsNamedAndExcludedOnesAreNot) {
  Value config = first().config({});
  Value exclude{Value::List{}};
  exclude.push("shop");
  config.set("exclude", std::move(exclude));
  const auto source = postgres_source().make(config, TestServer::context());
  ASSERT_TRUE(source);
  capture::MemoryCapture sink;
  ASSERT_TRUE((*source)->capture(forever(), sink));
  EXPECT_EQ(sink.feed()->moments().facts.at("databases"), "1");
  EXPECT_TRUE(sink.feed()->find(forever(), "databases/Second%20%22db%22/manifest.json"));
}

TEST_F(PostgresSourceE2e, OneDatabaseCanBeRestoredByItself) {
  const auto feed = captured();
  RestoreOptions only = options("run-1");
  only.only = {"databases/Second%20%22db%22"};
  const auto report = second().source(sample_names)->restore(forever(), *feed, only);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(second().ask("Second \"db\"", "SELECT count(*) FROM t"), "100");
  EXPECT_EQ(second().ask("postgres", "SELECT count(*) FROM pg_database WHERE datname = 'shop'"),
            "0");
  capture::PartialFeed part(*feed, only.only);
  const auto all_equal = [&](capture::Feed& wanted) {
    const auto checks = second().source(sample_names)->verify(forever(), wanted);
    EXPECT_TRUE(checks);
    return checks && !checks->empty() && std::ranges::all_of(*checks, &Check::ok);
  };
  EXPECT_TRUE(all_equal(part));
  EXPECT_FALSE(all_equal(*feed));
  only.only = {"databases/shop/data/shop.orders"};
  const auto refused = second().source(sample_names)->restore(forever(), *feed, only);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Error::Kind::invalid);
}

// Everything that a person could change behind our back, one at a time, each seen by a check of
// that name.
TEST_F(PostgresSourceE2e, EachKindOfAlterationTurnsItsCheckRed) {
  const auto feed = captured();
  ASSERT_TRUE(second().source(sample_names)->restore(forever(), *feed, options("run-1")));
  const std::pair<const char*, const char*> alterations[] = {
      {"INSERT INTO shop.parent VALUES (9)", "table shop.shop.parent: rows"},
      {"UPDATE shop.cache SET v = 'w'", "table shop.shop.cache: checksum"},
      {"SELECT setval('shop.orders_id_seq', 5)", "sequence shop.shop.orders_id_seq: not behind"},
      {"DROP INDEX shop.orders_lower", "database shop: indexes"},
      {"ALTER TABLE shop.wife DROP CONSTRAINT wife_husband_fkey", "database shop: constraints"},
      {"DROP TRIGGER orders_log ON shop.orders", "database shop: triggers"},
      {"REVOKE SELECT ON shop.orders FROM shop_read", "database shop: tables"},
      {"ALTER TYPE shop.state ADD VALUE 'lost'", "database shop: types"},
      {"DROP POLICY mine ON shop.audit", "database shop: policies"},
      {"DROP EXTENSION pgcrypto", "database shop: extensions"},
      {"COMMENT ON TABLE shop.orders IS 'other'", "database shop: comments"},
      {"SELECT lo_put(70001, 5, 'x')", "database shop: large objects"},
      {"ALTER DATABASE shop RESET timezone", "database shop: settings"},
      {"GRANT TEMPORARY ON DATABASE shop TO shop_read", "database shop: properties"},
      {"ALTER ROLE shop_app CREATEDB", "role shop_app"},
      {"REVOKE shop_read FROM shop_app", "role shop_app"},
  };
  for (const auto& [statement, name] : alterations) {
    second().run("shop", "SET default_transaction_read_only = off");
    second().run("shop", statement);
    const auto checks = second().source(sample_names)->verify(forever(), *feed);
    ASSERT_TRUE(checks) << statement << ": " << checks.error().what;
    const auto found = std::find_if(checks->begin(), checks->end(),
                                    [&](const Check& one) { return one.name == name; });
    ASSERT_NE(found, checks->end()) << name;
    EXPECT_FALSE(found->ok) << statement;
  }
}

TEST_F(PostgresSourceE2e, ARoleThatThisRunGaveAPasswordKeepsIt) {
  const auto feed = captured();
  second().run("postgres", "CREATE ROLE shop_app LOGIN PASSWORD 'new-secret'");
  second().run("postgres", "CREATE ROLE no_password LOGIN PASSWORD 'foreign-secret'");
  Marker marker = {"run-1", "roles", 1, "", true};
  second().run("postgres", "ALTER ROLE shop_app SET lifeboat.marker = '" + marker.text() + "'");
  const auto report = second().source(sample_names)->restore(forever(), *feed, options("run-1"));
  ASSERT_TRUE(report) << report.error().what;
  const auto logs_in = [](const std::string& role, const std::string& password) {
    auto address = postgres::parse_url(second().url(), Secret(password));
    address->user = role;
    return Connection::open(forever(), *address).has_value();
  };
  EXPECT_TRUE(logs_in("shop_app", "new-secret"));
  EXPECT_FALSE(logs_in("no_password", "foreign-secret"));
  const auto checks = second().source(sample_names)->verify(forever(), *feed);
  ASSERT_TRUE(checks);
  for (const Check& one : *checks) {
    EXPECT_TRUE(one.ok) << one.name << ": " << one.expected << " / " << one.actual;
  }
}

TEST_F(PostgresSourceE2e, ADatabaseThatCouldNotBeKeptAsideTakesConnectionsAgain) {
  const auto feed = captured();
  PostgresWorld world;
  (void)world.foreign();
  // Somebody holds the database's name: the rename waits for that, until a person presses Ctrl-C.
  second().run("postgres", "BEGIN; COMMENT ON DATABASE shop IS 'held'");
  RestoreOptions aside = options("run-1");
  aside.foreign = Foreign::keep_aside;
  std::stop_source stop;
  const auto target =
      must(postgres_source().make(second().config(sample_names), TestServer::context()), "make");
  Result<RestoreReport> report;
  {
    const std::jthread restore(
        [&] { report = target->restore({&system_clock(), stop.get_token()}, *feed, aside); });
    auto address = must(postgres::parse_url(second().url(), Secret(second().password())), "url");
    address.database = "template1";
    const auto onlooker = must(Connection::open(forever(), address), "connect");
    while (must(onlooker->query(forever(),
                                "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                                "AND query LIKE '%RENAME TO%'"),
                "look")
               .empty()) {
    }
    stop.request_stop();
  }
  second().run("postgres", "ROLLBACK");
  (void)second().source({});  // forgets sessions, those too that were sent away
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().kind, Error::Kind::cancelled) << report.error().what;
  EXPECT_EQ(second().ask("shop", "SELECT one FROM theirs"), "1");
}

TEST_F(PostgresSourceE2e, WhatIsWrittenDuringACaptureIsNoneOfIt) {
  first().run("postgres", "CREATE DATABASE busy");
  first().run("busy",
              "CREATE TABLE a (n bigint); CREATE TABLE b (n bigint); "
              "INSERT INTO a SELECT generate_series(1, 20000); INSERT INTO b TABLE a");
  std::stop_source stop;
  capture::MemoryCapture sink;
  Result<void> done;
  {
    // Each transaction writes the same row to both tables: a snapshot that mixes two moments of
    // them has tables that differ.
    const std::jthread writer([&] {
      auto address = postgres::parse_url(first().url(), Secret(first().password()));
      address->database = "busy";
      const auto session = Connection::open(forever(), *address);
      for (int n = 0; session && !stop.stop_requested(); ++n) {
        const std::string row = "(" + std::to_string(-n) + ")";
        EXPECT_TRUE((*session)->execute(
            forever(), "INSERT INTO a VALUES " + row + "; INSERT INTO b VALUES " + row));
      }
    });
    done = first().source({"busy"})->capture(forever(), sink);
    stop.request_stop();
  }
  ASSERT_TRUE(done) << done.error().what;
  const auto target = second().source({"busy"});
  const auto report = target->restore(forever(), *sink.feed(), options("run-1"));
  first().run("postgres", "DROP DATABASE busy");
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_EQ(second().ask("busy",
                         "SELECT count(*) FROM a FULL JOIN b USING (n) "
                         "WHERE a IS NULL OR b IS NULL"),
            "0");
  const auto checks = target->verify(forever(), *sink.feed());
  ASSERT_TRUE(checks);
  for (const Check& one : *checks) EXPECT_TRUE(one.ok) << one.name << ": " << one.actual;
}

// Lets something happen when the first item begins: all snapshots are taken by then.
class HookedSink final : public capture::Sink {
 public:
  explicit HookedSink(std::function<void()> at_first) : at_first_(std::move(at_first)) {}
  Result<void> begin(const Operation& op, const capture::Item& item, capture::Cut cut) override {
    if (at_first_) std::exchange(at_first_, {})();
    return behind_.begin(op, item, cut);
  }
  Result<void> write(const Operation& op, ByteView bytes) override {
    return behind_.write(op, bytes);
  }
  Result<void> hole(const Operation& op, std::uint64_t length) override {
    return behind_.hole(op, length);
  }
  Result<void> finish(const Operation& op, const capture::Item& item) override {
    return behind_.finish(op, item);
  }
  Result<std::optional<capture::Item>> previous(const Operation& op,
                                                std::string_view name) override {
    return behind_.previous(op, name);
  }
  Result<void> unchanged(const Operation& op, const capture::Item& item) override {
    return behind_.unchanged(op, item);
  }
  Result<void> commit(const Operation& op, const capture::Moments& moments) override {
    return behind_.commit(op, moments);
  }

 private:
  std::function<void()> at_first_;
  capture::MemoryCapture behind_;
};

// No snapshot protects from TRUNCATE: it would be captured as an empty table, and proven as one.
TEST_F(PostgresSourceE2e, ATableThatIsTruncatedBeforeItsLockFailsTheCapture) {
  for (const std::string name : {"early", "late"}) {
    first().run("postgres", "CREATE DATABASE " + name);
    first().run(name, "CREATE TABLE prices AS SELECT 1 AS one; CREATE TABLE other (n int)");
  }
  HookedSink sink(
      [] { first().run("late", "TRUNCATE prices; INSERT INTO prices VALUES (2), (3)"); });
  const auto done = first().source({"early", "late"})->capture(forever(), sink);
  capture::MemoryCapture again;
  EXPECT_TRUE(first().source({"early", "late"})->capture(forever(), again));
  for (const char* name : {"early", "late"}) {
    first().run("postgres", std::string("DROP DATABASE ") + name);
  }
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::unavailable);
  EXPECT_THAT(done.error().what, HasSubstr("table public.prices of database late"));
}

}  // namespace
}  // namespace lifeboat::source
