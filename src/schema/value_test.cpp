#include "schema/value.h"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

TEST(Value, AnIntegerEqualsTheNumberOfTheSameSizeAndNoOther) {
  EXPECT_EQ(Value(1), Value(1.0));
  EXPECT_EQ(Value(1.0), Value(1));
  EXPECT_FALSE(Value(1) == Value(1.5));
  // The nearest double of 2^63-1 is 2^63: not the same number.
  EXPECT_FALSE(Value(std::int64_t{9223372036854775807}) == Value(9223372036854775808.0));
  EXPECT_FALSE(Value(1) == Value("1"));
}

TEST(Value, TheTaintOfAPartIsTheTaintOfTheWhole) {
  Value list(Value::List{});
  list.push("open");
  Value map;
  map.set("list", list);
  EXPECT_FALSE(map.tainted());
  map.map().find("list")->second.push(Value("secret").taint());
  EXPECT_TRUE(map.tainted());
  EXPECT_FALSE(map.own_taint());
}

TEST(Value, MarksTellWhereAKeyAndItsValueStand) {
  Value value("x");
  value.at_mark({"lifeboat.yaml", 3, 9}).at_key(3, 5);
  EXPECT_EQ(value.mark().text(), "lifeboat.yaml:3:9");
  EXPECT_EQ(value.key_mark().text(), "lifeboat.yaml:3:5");
  Value other;
  other.in_place_of(value);
  EXPECT_EQ(other.key_mark().text(), "lifeboat.yaml:3:5");
  EXPECT_EQ(Value("y").mark().text(), "");
}

TEST(Value, MembersThatAreAbsentOrOfAnotherTypeGiveTheFallback) {
  Value map;
  map.set("port", 5432);
  EXPECT_EQ(map.integer("port", 1), 5432);
  EXPECT_EQ(map.text("port", "none"), "none");
  EXPECT_TRUE(map.boolean("absent", true));
  EXPECT_TRUE(Value("text").at("port").is_null());
}

}  // namespace
}  // namespace lifeboat
