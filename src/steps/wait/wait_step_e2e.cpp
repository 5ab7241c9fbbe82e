// Waiting for a real PostgreSQL 15:  testbed/with postgres=TESTBED_POSTGRES_ -- steps_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "base/fake_clock.h"
#include "base/testbed_variable.h"
#include "client/postgres/connection.h"
#include "plan/fake_context.h"
#include "plan/step_contract.h"
#include "steps/wait/wait_step.h"

namespace lifeboat::steps {
namespace {

using plan::State;
using testing::HasSubstr;
using testing::Not;

// A database whose one row says whether it is ready.
class WaitSqlWorld final : public plan::StepWorld {
 public:
  WaitSqlWorld() {
    const std::string server = testbed_variable("TESTBED_POSTGRES_URL");
    if (asked(server, "SELECT count(*) FROM pg_database WHERE datname = 'step_wait'") == "0") {
      asked(server, "CREATE DATABASE step_wait");
    }
    url_ = server.substr(0, server.rfind('/')) + "/step_wait";
    asked(url_, "DROP TABLE IF EXISTS ready");
    asked(url_, "CREATE TABLE ready AS SELECT true AS yes");
  }
  const plan::StepType& type() override { return type_; }
  Value config() override {
    Value sql;
    sql.set("url", url_);
    sql.set("password", Value(testbed_variable("TESTBED_POSTGRES_PASSWORD")).taint());
    sql.set("query", "SELECT yes FROM ready");
    Value config;
    config.set("sql", sql);
    return config;
  }
  plan::FakeContext& context() override { return context_; }
  std::string digest() override {
    return asked(url_,
                 "SELECT (SELECT string_agg(yes::text, ',') FROM ready) || ' in ' || "
                 "string_agg(relname, ',' ORDER BY relname) FROM pg_class WHERE relname !~ '^pg_'");
  }
  void alter() override { asked(url_, "UPDATE ready SET yes = false"); }
  bool make_foreign() override { return false; }  // it changes nothing that could be anybody's
  std::vector<std::string> secrets() override {
    return {testbed_variable("TESTBED_POSTGRES_PASSWORD")};
  }

 private:
  std::string asked(const std::string& where, const std::string& statement) const {
    const Operation op{&clock_};
    const auto address =
        postgres::parse_url(where, Secret(testbed_variable("TESTBED_POSTGRES_PASSWORD")));
    auto connection = postgres::Connection::open(op, *address);
    const auto rows = connection ? (*connection)->execute(op, statement)
                                 : Result<postgres::Rows>(fail(connection.error()));
    if (!rows) {
      std::cerr << statement << ": " << rows.error().what << "\n";
      std::exit(1);
    }
    return rows->empty() ? "" : rows->text(0, 0);
  }

  SystemClock clock_;
  std::string url_;
  const plan::StepType type_ = wait_step();
  plan::FakeContext context_{{.clock = &clock_}};
};

LIFEBOAT_STEP_CONTRACT(WaitSqlContract, [] { return std::make_unique<WaitSqlWorld>(); });

class WaitForSql : public testing::Test {
 protected:
  std::unique_ptr<plan::Step> step(const std::string& password, const std::string& query,
                                   const std::string& within = "1h") {
    Value secret(password);
    secret.taint();
    Value sql;
    sql.set("url", testbed_variable("TESTBED_POSTGRES_URL"));
    sql.set("password", secret);
    if (!query.empty()) sql.set("query", query);
    Value config;
    config.set("sql", sql);
    config.set("within", within);
    auto made = wait_step().make(config, context_);
    EXPECT_TRUE(made) << (made ? "" : made.error().what);
    return *std::move(made);
  }
  std::string password() const { return testbed_variable("TESTBED_POSTGRES_PASSWORD"); }

  FakeClock clock_;  // waits pass at once
  Operation op_{&clock_};
  plan::FakeContext context_{{.clock = &clock_}};
};

TEST_F(WaitForSql, ADatabaseThatAnswersIsThere) {
  const auto waiting = step(password(), "");
  EXPECT_EQ(waiting->observe(op_)->state, State::ours_done);
  EXPECT_TRUE(waiting->apply(op_));
  const auto proof = waiting->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_TRUE(proof->checks.front().ok);
  EXPECT_THAT(proof->checks.front().name, Not(HasSubstr(password())));
}

TEST_F(WaitForSql, ItWaitsUntilTheQueryIsTrue) {
  // Each session has a process of its own: every fourth or so has such a number.
  const auto waiting = step(password(), "select pg_backend_pid() % 4 = 0");
  EXPECT_TRUE(waiting->apply(op_));
}

TEST_F(WaitForSql, NoRowNullAndFalseAreNotYet) {
  for (const char* query : {"select true where false", "select null", "select false"}) {
    EXPECT_EQ(step(password(), query)->observe(op_)->state, State::absent) << query;
  }
  EXPECT_EQ(step(password(), "select 0")->observe(op_)->state, State::ours_done);
}

TEST_F(WaitForSql, AWrongPasswordIsToldWithoutIt) {
  const auto waited = step("wrong-and-secret", "", "3s")->apply(op_);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().effective_code(), Error::Code::timeout);
  EXPECT_THAT(waited.error().what, HasSubstr("password authentication failed"));
  EXPECT_THAT(waited.error().what, Not(HasSubstr("wrong-and-secret")));
}

}  // namespace
}  // namespace lifeboat::steps
