#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/postgres/connection.h"

namespace lifeboat::postgres {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

TEST(SplitStatementsTest, SemicolonsInTextAreNoEnds) {
  EXPECT_THAT(split_statements("SELECT ';', E'a\\';b', \"x;y\" ; SELECT $q$;$q$; SELECT $$ ; $$"),
              ElementsAre("SELECT ';', E'a\\';b', \"x;y\"", "SELECT $q$;$q$", "SELECT $$ ; $$"));
}

TEST(SplitStatementsTest, CommentsBetweenStatementsAreDropped) {
  EXPECT_THAT(split_statements("-- one;\nSELECT 1; /* a /* b; */ ; */\n SELECT /* ; */ 2;\n;;"),
              ElementsAre("SELECT 1", "SELECT   2"));
}

TEST(SplitStatementsTest, ABodyOfSqlStaysWhole) {
  const std::string body =
      "CREATE FUNCTION f() RETURNS int BEGIN ATOMIC SELECT CASE WHEN true THEN 1 END; SELECT 2; "
      "END";
  EXPECT_THAT(split_statements(body + "; SELECT 3"), ElementsAre(body, "SELECT 3"));
}

TEST(SplitStatementsTest, ParametersAndDoubledQuotesAreUnderstood) {
  EXPECT_THAT(split_statements("SELECT $1, 'it''s; ok'; SELECT a$b; SELECT 2"),
              ElementsAre("SELECT $1, 'it''s; ok'", "SELECT a$b", "SELECT 2"));
}

TEST(SplitStatementsTest, WhatNeverEndsIsOneStatement) {
  EXPECT_THAT(split_statements("SELECT 'abc; def"), ElementsAre("SELECT 'abc; def"));
  EXPECT_THAT(split_statements("SELECT $x$ ; "), ElementsAre("SELECT $x$ ;"));
  EXPECT_TRUE(split_statements(" /* ; ").empty());
}

TEST(PostgresAddressTest, AUrlIsTakenApartAndItsPasswordIsShownNowhere) {
  const auto address =
      parse_url("postgresql://me:hunt%3A22@db.example:6543/shop%20a?sslmode=require");
  ASSERT_TRUE(address) << address.error().what;
  EXPECT_EQ(address->endpoint(), "db.example:6543");
  EXPECT_EQ(address->user, "me");
  EXPECT_EQ(address->database, "shop a");
  EXPECT_EQ(address->password.reveal(), "hunt:22");
  EXPECT_EQ(address->passfile().reveal(), "*:*:*:*:hunt\\:22\n");
  EXPECT_EQ(address->conninfo(),
            "host='db.example' port=6543 user='me' dbname='shop a' sslmode='require'");
  EXPECT_THAT(address->shown(), Not(HasSubstr("hunt")));
}

TEST(PostgresAddressTest, WhatIsNoUrlIsRefusedWithoutBeingQuoted) {
  for (const char* text :
       {"host=x password=geheim", "postgresql://u:geheim@h:99999/d",
        "postgresql://u:geheim@h/d?nonsense=1", "postgresql://u@h/d?sslpassword=geheim"}) {
    const auto address = parse_url(text);
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().kind, Error::Kind::invalid);
    EXPECT_THAT(address.error().what + address.error().hint, Not(HasSubstr("geheim")));
  }
}

}  // namespace
}  // namespace lifeboat::postgres
