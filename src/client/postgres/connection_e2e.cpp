// Against a real PostgreSQL 15 server:  testbed/with postgres -- client_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/testbed_variable.h"
#include "client/postgres/connection.h"

namespace lifeboat::postgres {
namespace {

using testing::HasSubstr;
using testing::Not;

class PostgresConnectionE2e : public testing::Test {
 protected:
  void SetUp() override {
    auto address = parse_url(testbed_variable("TESTBED_POSTGRES_URL"),
                             Secret(testbed_variable("TESTBED_POSTGRES_PASSWORD")));
    ASSERT_TRUE(address);
    address_ = *address;
    auto opened = Connection::open(op_, address_);
    ASSERT_TRUE(opened) << opened.error().what;
    connection_ = *std::move(opened);
  }
  SystemClock clock_;
  Operation op_{&clock_};
  Address address_;
  std::unique_ptr<Connection> connection_;
};

TEST_F(PostgresConnectionE2e, RowsAreTypedAndNullIsNull) {
  const auto rows = connection_->query(op_, "SELECT $1::int + 1 AS n, $2::text AS t, true, NULL",
                                       {{"41"}, std::nullopt});
  ASSERT_TRUE(rows) << rows.error().what;
  EXPECT_EQ(rows->columns[0], "n");
  EXPECT_EQ(rows->integer(0, 0), 42);
  EXPECT_TRUE(rows->null(0, 1));
  EXPECT_TRUE(rows->boolean(0, 2));
  EXPECT_TRUE(rows->null(0, 3));
}

TEST_F(PostgresConnectionE2e, ADeadlineCancelsTheStatementOnTheServer) {
  const auto pid = connection_->query(op_, "SELECT pg_backend_pid()");
  const auto done =
      connection_->query(op_.within(std::chrono::milliseconds(200)), "SELECT pg_sleep(600)");
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().effective_code(), Error::Code::timeout);
  const auto other = Connection::open(op_, address_);
  ASSERT_TRUE(other);
  const auto active = (*other)->query(
      op_, "SELECT count(*) FROM pg_stat_activity WHERE pid = $1 AND state = 'active'",
      {pid->text(0, 0)});
  ASSERT_TRUE(active);
  EXPECT_EQ(active->integer(0, 0), 0);
  EXPECT_TRUE(connection_->query(op_, "SELECT 1")) << "the session is usable afterwards";
}

TEST_F(PostgresConnectionE2e, ErrorsHaveTheKindThatTheCallerActsUpon) {
  const std::pair<const char*, Error::Kind> cases[] = {
      {"SELECT nonsense", Error::Kind::invalid},
      {"CREATE ROLE postgres", Error::Kind::conflict},
      {"SET ROLE pg_monitor; CREATE DATABASE x", Error::Kind::denied},
      {"DO $$ BEGIN RAISE SQLSTATE '53100'; END $$", Error::Kind::unavailable},
      {"DO $$ BEGIN RAISE SQLSTATE 'XX001'; END $$", Error::Kind::corrupt},
  };
  for (const auto& [statement, kind] : cases) {
    for (const std::string& one : split_statements(statement)) {
      const auto done = connection_->execute(op_, one);
      if (one.starts_with("SET ROLE")) continue;
      ASSERT_FALSE(done) << one;
      EXPECT_EQ(done.error().kind, kind) << one << ": " << done.error().what;
    }
    ASSERT_TRUE(connection_->execute(op_, "RESET ROLE"));
  }
  const auto full = connection_->execute(op_, "DO $$ BEGIN RAISE SQLSTATE '53100'; END $$");
  EXPECT_EQ(full.error().effective_code(), Error::Code::no_space);
}

TEST_F(PostgresConnectionE2e, AnErrorNamesItsStatementAndQuotesNoRow) {
  const auto done = connection_->execute(
      op_,
      "CREATE TEMP TABLE t (n int PRIMARY KEY, secret text); INSERT INTO t VALUES (1, "
      "'geheim'); SELECT 1; SELECT * FROM missing_table");
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().what, HasSubstr("SELECT * FROM missing_table"));
  EXPECT_THAT(done.error().what, Not(HasSubstr("geheim")));
}

TEST_F(PostgresConnectionE2e, CopyGoesOutAndInAgain) {
  ASSERT_TRUE(connection_->execute(op_,
                                   "CREATE TEMP TABLE a AS SELECT i, repeat('x', 500) AS t "
                                   "FROM generate_series(1, 20000) i; "
                                   "CREATE TEMP TABLE b (LIKE a)"));
  Bytes all;
  const auto out = connection_->copy_out(op_, "COPY a TO STDOUT", [&](ByteView bytes) {
    append(all, bytes);
    return Result<void>();
  });
  ASSERT_TRUE(out) << out.error().what;
  EXPECT_EQ(*out, 20000u);
  std::size_t at = 0;
  const auto give = [&](std::span<std::uint8_t> into) -> Result<std::size_t> {
    const std::size_t count = std::min(into.size(), all.size() - at);
    std::copy_n(all.begin() + static_cast<std::ptrdiff_t>(at), count, into.begin());
    at += count;
    return count;
  };
  const auto in = connection_->copy_in(op_, "COPY b FROM STDIN", give);
  ASSERT_TRUE(in) << in.error().what;
  EXPECT_EQ(*in, 20000u);
}

TEST_F(PostgresConnectionE2e, ACopyWhoseSourceFailsLeavesNoRowAndTheSessionUsable) {
  ASSERT_TRUE(connection_->execute(op_, "CREATE TEMP TABLE b (t text)"));
  int calls = 0;
  const auto in = connection_->copy_in(
      op_, "COPY b FROM STDIN", [&](std::span<std::uint8_t> into) -> Result<std::size_t> {
        if (++calls > 3) return fail(Error::Kind::corrupt, "pack 4f2a: checksum differs");
        std::fill(into.begin(), into.end(), std::uint8_t{'\n'});
        return into.size();
      });
  ASSERT_FALSE(in);
  EXPECT_EQ(in.error().kind, Error::Kind::corrupt);
  const auto rows = connection_->query(op_, "SELECT count(*) FROM b");
  ASSERT_TRUE(rows) << rows.error().what;
  EXPECT_EQ(rows->integer(0, 0), 0);
}

TEST_F(PostgresConnectionE2e, ARowThatTheServerRefusesIsItsError) {
  ASSERT_TRUE(connection_->execute(op_, "CREATE TEMP TABLE b (n integer)"));
  bool given = false;
  const auto in = connection_->copy_in(op_, "COPY b FROM STDIN",
                                       [&](std::span<std::uint8_t> into) -> Result<std::size_t> {
                                         if (given) return std::size_t{0};
                                         given = true;
                                         into[0] = 'x';
                                         into[1] = '\n';
                                         return std::size_t{2};
                                       });
  ASSERT_FALSE(in);
  EXPECT_EQ(in.error().kind, Error::Kind::invalid);
  EXPECT_THAT(in.error().what, HasSubstr("22P02"));
}

}  // namespace
}  // namespace lifeboat::postgres
