#include "steps/json_path.h"

#include <gtest/gtest.h>

#include "schema/json.h"

namespace lifeboat::steps {
namespace {

TEST(JsonPath, PathsReachIntoListsAndMaps) {
  const Value tree = *parse_json(R"({"a": [{"b": 1}, [2, 3]], "c": {"d e": null}})");
  EXPECT_EQ(*at_path(tree, "a[0].b"), Value(1));
  EXPECT_EQ(*at_path(tree, "a[1][1]"), Value(3));
  EXPECT_EQ(*at_path(tree, ""), tree);
  EXPECT_TRUE(at_path(tree, "a[7].b")->is_null());
  EXPECT_TRUE(at_path(tree, "c.d e")->is_null());
  for (const char* path : {".a", "a.", "a..b", "a[", "a[x]", "a[]", "a[-1]"}) {
    EXPECT_FALSE(at_path(tree, path)) << path;
  }
}

TEST(JsonPath, PointersReachKeysThatHoldDotsAndSlashes) {
  const Value tree = *parse_json(R"({"a": [{"b.c": 1}], "d/e": {"~": 2, "": 3}})");
  EXPECT_EQ(*at_path(tree, "/a/0/b.c"), Value(1));
  EXPECT_EQ(*at_path(tree, "/d~1e/~0"), Value(2));
  EXPECT_EQ(*at_path(tree, "/d~1e/"), Value(3));
  EXPECT_TRUE(at_path(tree, "/a/1/b.c")->is_null());
  EXPECT_TRUE(at_path(tree, "/a/x")->is_null());
  for (const char* path : {"/a~", "/a~2"}) EXPECT_FALSE(at_path(tree, path)) << path;
}

TEST(JsonPath, ATextIsEqualToTheScalarThatItWrites) {
  EXPECT_TRUE(equals_wanted(Value(17), Value("17")));
  EXPECT_TRUE(equals_wanted(Value(true), Value("true")));
  EXPECT_TRUE(equals_wanted(Value("17"), Value("17")));
  EXPECT_FALSE(equals_wanted(Value("17"), Value(17)));
  EXPECT_FALSE(equals_wanted(Value(Value::List{}), Value("[]")));
}

}  // namespace
}  // namespace lifeboat::steps
