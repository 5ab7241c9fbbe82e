// Against a real PostgreSQL 15 server:  testbed/with postgres -- steps_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "base/testbed_variable.h"
#include "client/postgres/connection.h"
#include "client/process/launcher.h"
#include "plan/step_contract.h"
#include "schema/json.h"
#include "steps/sql/sql_step.h"
#include "test_places.h"

namespace lifeboat::steps {
namespace {

using plan::State;
using postgres::Connection;
using testing::HasSubstr;

class SqlWorld final : public plan::StepWorld {
 public:
  SqlWorld() {
    if (asked(testbed_variable("TESTBED_POSTGRES_URL"),
              "SELECT count(*) FROM pg_database WHERE datname = 'step_sql'") == "0") {
      asked(testbed_variable("TESTBED_POSTGRES_URL"), "CREATE DATABASE step_sql");
    }
    ask("DROP TABLE IF EXISTS numbers, victim");
    ask("DROP SCHEMA IF EXISTS lifeboat CASCADE");
  }

  const plan::StepType& type() override { return type_; }
  Value config() override {
    auto config = parse_json(R"({
      "run": ["CREATE TABLE numbers (n integer, word text); -- ; a comment",
              "INSERT INTO numbers SELECT i, 'w;' || i FROM generate_series(1, 10) i"],
      "expect": [{"query": "SELECT sum(n) FROM numbers", "equals": 55},
                 {"query": "SELECT count(*) FROM numbers", "at_least": 10},
                 {"query": "SELECT n FROM numbers WHERE n > 5", "rows": 5, "name": "large ones"},
                 {"query": "SELECT bool_and(n > 0) FROM numbers"}],
      "read": {"largest": "SELECT max(n) FROM numbers", "word": "SELECT word FROM numbers LIMIT 1",
               "all": "SELECT json_agg(n) FROM numbers WHERE n < 3", "none": "SELECT NULL"},
      "outputs": {"largest": "integer", "word": "string", "all": "list", "none": "any"}})");
    config->set("url", url());
    config->set("password", Value(testbed_variable("TESTBED_POSTGRES_PASSWORD")).taint());
    return *std::move(config);
  }
  plan::FakeContext& context() override { return context_; }
  std::string digest() override {
    if (ask("SELECT to_regclass('numbers') IS NULL") == "t") return "no table";
    return ask(
        "SELECT count(*) || ' ' || md5(string_agg(numbers::text, ',' ORDER BY n)) "
        "FROM numbers");
  }
  void alter() override { ask("DELETE FROM numbers WHERE n = 5"); }
  bool make_foreign() override { return false; }  // statements have no place that could be taken
  std::vector<std::string> secrets() override {
    return {testbed_variable("TESTBED_POSTGRES_PASSWORD")};
  }

  static std::string url() {
    const std::string base = testbed_variable("TESTBED_POSTGRES_URL");
    return base.substr(0, base.rfind('/')) + "/step_sql";
  }
  std::string ask(const std::string& statement) { return asked(url(), statement); }
  Operation op() const { return Operation{&clock_}; }

  // Makes the step with some fields replaced.
  std::unique_ptr<plan::Step> step(const std::string& changes = "{}") {
    Value config = this->config();
    const auto parsed = parse_json(changes);
    for (const auto& [name, value] : parsed->map()) config.set(name, value);
    auto made = type_.make(config, context_);
    EXPECT_TRUE(made) << made.error().what;
    return made ? *std::move(made) : nullptr;
  }

 private:
  std::string asked(const std::string& where, const std::string& statement) const {
    const auto address =
        postgres::parse_url(where, Secret(testbed_variable("TESTBED_POSTGRES_PASSWORD")));
    auto connection = Connection::open(op(), *address);
    const auto rows = connection ? (*connection)->execute(op(), statement)
                                 : Result<postgres::Rows>(fail(connection.error()));
    if (!rows) {
      std::cerr << statement << ": " << rows.error().what << "\n";
      std::exit(1);
    }
    return rows->empty() ? "" : rows->text(0, 0);
  }

  SystemClock clock_;
  std::unique_ptr<Launcher> launcher_ = make_launcher(clock_, "sql-e2e", LIFEBOAT_SUPERVISOR_PATH);
  plan::FakeContext context_{{.clock = &clock_, .launcher = launcher_.get()}};
  const plan::StepType type_ = sql_step();
};

LIFEBOAT_STEP_CONTRACT(SqlContract, [] { return std::make_unique<SqlWorld>(); });

TEST(SqlE2e, OutputsAreTyped) {
  SqlWorld world;
  const auto step = world.step();
  ASSERT_TRUE(step->apply(world.op()));
  const auto proof = step->verify(world.op());
  ASSERT_TRUE(proof) << proof.error().what;
  EXPECT_EQ(to_json(proof->outputs), R"({"all":[1,2],"largest":10,"none":null,"word":"w;1"})");
}

TEST(SqlE2e, AnErrorNamesTheStatementAndLeavesNothing) {
  SqlWorld world;
  const auto step = world.step(R"({"run": ["CREATE TABLE numbers (n integer); SELECT 1/0"]})");
  const auto done = step->apply(world.op());
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().what, HasSubstr("division by zero (22012) in: SELECT 1/0"));
  EXPECT_EQ(world.digest(), "no table");
  EXPECT_EQ(world.ask("SELECT to_regclass('lifeboat.steps') IS NULL"), "t");
}

TEST(SqlE2e, WhatIsInEffectAlreadyIsNotRun) {
  SqlWorld world;
  world.ask("CREATE TABLE numbers (n integer, word text)");
  const auto step = world.step(R"({"observe": "SELECT to_regclass('numbers') IS NOT NULL"})");
  const auto seen = step->observe(world.op());
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->state, State::ours_done);
  EXPECT_TRUE(seen->outputs.at("largest").is_null());
  ASSERT_TRUE(step->apply(world.op()));
  EXPECT_EQ(world.ask("SELECT count(*) FROM numbers"), "0");
}

TEST(SqlE2e, ObserveOfWhatIsNotThereYetIsNoError) {
  SqlWorld world;
  const auto step = world.step(R"({"observe": "SELECT count(*) = 10 FROM numbers"})");
  auto seen = step->observe(world.op());
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->state, State::absent);
  EXPECT_FALSE(seen->changes.empty());  // each statement that would run
  ASSERT_TRUE(step->apply(world.op()));
  seen = step->observe(world.op());
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->state, State::ours_done);
  EXPECT_TRUE(seen->changes.empty());
  world.alter();
  seen = step->observe(world.op());
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->state, State::drifted);
}

TEST(SqlE2e, AStepThatWouldEndItsTransactionIsRefused) {
  SqlWorld world;
  for (const char* run : {"COMMIT", "SELECT 1; rollback", "begin", "PREPARE TRANSACTION 'x'"}) {
    Value config = world.config();
    Value statements{Value::List{}};
    statements.push(run);
    config.set("run", std::move(statements));
    const auto made = world.type().make(config, world.context());
    ASSERT_FALSE(made) << run;
    EXPECT_EQ(made.error().effective_code(), Error::Code::usage);
  }
}

TEST(SqlE2e, AnExpectationMayNotWrite) {
  SqlWorld world;
  world.ask("CREATE TABLE victim ()");
  const auto step = world.step(R"({"run": [], "read": {},
                                   "expect": [{"query": "DROP TABLE victim"}]})");
  const auto proof = step->verify(world.op());
  ASSERT_FALSE(proof);
  EXPECT_THAT(proof.error().what, HasSubstr("read-only transaction"));
}

TEST(SqlE2e, AWrongAnswerIsACheckThatIsNotOk) {
  SqlWorld world;
  const auto step = world.step(
      R"({"run": [], "read": {}, "expect": [{"query": "SELECT 1", "equals": 2},
          {"query": "SELECT 'x'", "at_least": 1}, {"query": "SELECT 1", "rows": 2},
          {"query": "SELECT false"}, {"query": "SELECT NULL", "equals": 0},
          {"query": "SELECT 1 WHERE false", "equals": ""}]})");
  const auto proof = step->verify(world.op());
  ASSERT_TRUE(proof) << proof.error().what;
  ASSERT_EQ(proof->checks.size(), 6u);
  for (const auto& check : proof->checks) EXPECT_FALSE(check.ok) << check.name;
}

TEST(SqlE2e, AServerThatDoesNotAnswerIsUnavailable) {
  SqlWorld world;
  const auto step = world.step(R"({"url": "postgresql://postgres@127.0.0.1:1/x"})");
  const auto seen = step->observe(world.op());
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().kind, Error::Kind::unavailable);
}

}  // namespace
}  // namespace lifeboat::steps
