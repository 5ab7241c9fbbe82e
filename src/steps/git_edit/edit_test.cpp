#include "steps/git_edit/edit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lifeboat::steps {
namespace {

using testing::HasSubstr;

std::string edited(const std::string& file, const std::string& text, const std::string& path,
                   Value value) {
  const auto done = edit(file, text, {{path, std::move(value)}});
  return done ? done->text : "ERROR " + done.error().what + " / " + done.error().hint;
}
std::string yaml(const std::string& text, const std::string& path, Value value) {
  return edited("a.yaml", text, path, std::move(value));
}

constexpr const char* values = R"(# settings of the shop
db:   # where it is
    host:  db.old.example   # moved in 2020
    port: 5432
    password: "s3\"cret"
    name: 'o''rders'
queue: { url: amqp://mq.old:5672/shop, tls: false }
list:
- name: a
  value: 1
-   name: b
    value: 2
empty:
nothing: ~
text: |
  line one

  line two
after: x
)";

std::string with(const std::string& from, const std::string& to) {
  std::string text = values;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos);
  return text.replace(at, from.size(), to);
}

TEST(EditYaml, OnlyTheBytesOfTheValueChange) {
  EXPECT_EQ(yaml(values, "db.host", "10.0.0.7"), with("db.old.example", "10.0.0.7"));
  EXPECT_EQ(yaml(values, "db.port", 6543), with("5432\n", "6543\n"));
  EXPECT_EQ(yaml(values, "db.port", "6543"), with("5432\n", "6543\n"));
  EXPECT_EQ(yaml(values, "queue.url", "amqp://mq.new:5672/shop"), with("mq.old", "mq.new"));
  EXPECT_EQ(yaml(values, "queue.tls", true), with("false", "true"));
  EXPECT_EQ(yaml(values, "list.1.value", 3), with("value: 2", "value: 3"));
}

TEST(EditYaml, QuotesStayAndAreAddedWhereTheyAreNeeded) {
  EXPECT_EQ(yaml(values, "db.password", "a\"b\\c\n"), with(R"("s3\"cret")", R"("a\"b\\c\n")"));
  EXPECT_EQ(yaml(values, "db.name", "it's"), with("'o''rders'", "'it''s'"));
  EXPECT_EQ(yaml(values, "db.name", "two\nlines"), with("'o''rders'", R"("two\nlines")"));
  EXPECT_EQ(yaml(values, "db.host", "a: b"), with("db.old.example", R"("a: b")"));
  EXPECT_EQ(yaml(values, "db.host", "x #y"), with("db.old.example", R"("x #y")"));
  EXPECT_EQ(yaml(values, "db.host", ""), with("db.old.example", R"("")"));
  EXPECT_EQ(yaml(values, "db.host", "no"), with("db.old.example", R"("no")"));
  EXPECT_EQ(yaml(values, "db.host", "12:30"), with("db.old.example", R"("12:30")"));
  EXPECT_EQ(yaml(values, "queue.url", "a, b"), with("amqp://mq.old:5672/shop", R"("a, b")"));
}

TEST(EditYaml, ValuesThatAreNotThereYetAreWrittenBehindTheirColon) {
  EXPECT_EQ(yaml(values, "empty", "x"), with("empty:", "empty: x"));
  EXPECT_EQ(yaml(values, "empty", 7), with("empty:", "empty: 7"));
  EXPECT_EQ(yaml(values, "empty", "7"), with("empty:", "empty: \"7\""));
  EXPECT_EQ(yaml(values, "nothing", "x"), with("nothing: ~", "nothing: x"));
  EXPECT_EQ(yaml("a:", "a", "x"), "a: x");
  EXPECT_EQ(yaml("a: # why\nb: 1\n", "a", "x"), "a: x # why\nb: 1\n");
}

TEST(EditYaml, BlocksStayBlocks) {
  EXPECT_EQ(yaml(values, "text", "new one\nnew two\n"),
            with("line one\n\n  line two", "new one\n  new two"));
  EXPECT_EQ(yaml(values, "text", "no break"),
            with("|\n  line one\n\n  line two", "|-\n  no break"));
  EXPECT_EQ(yaml("a: >-  # folded\n  x\n  y\nb: 1\n", "a", "z"), "a: |-  # folded\n  z\nb: 1\n");
}

TEST(EditYaml, AnchorsTagsMarksAndUnicodeDoNotShiftIt) {
  EXPECT_EQ(yaml("a: &x old\nb: *x\n", "a", "new"), "a: &x new\nb: *x\n");
  EXPECT_EQ(yaml("a: !!str old\n", "a", "new"), "a: !!str new\n");
  EXPECT_EQ(yaml("\xef\xbb\xbf"
                 "ü: ä\nb: ö # ß\nc: 1\n",
                 "b", "é"),
            "\xef\xbb\xbf"
            "ü: ä\nb: é # ß\nc: 1\n");
  EXPECT_EQ(yaml("a: 1\r\nb: old\r\nc: 2\r\n", "b", "new"), "a: 1\r\nb: new\r\nc: 2\r\n");
  EXPECT_EQ(yaml("\"a.b\": {c: old}\n", "a.b.c", "new"), "\"a.b\": {c: new}\n");
  EXPECT_EQ(yaml("a: folded over\n  two lines\nb: 1\n", "a", "one"), "a: one\nb: 1\n");
}

TEST(EditYaml, SeveralDocumentsAreOneFile) {
  const std::string two = "kind: A\nspec: {a: 1}\n---\nkind: B\nspec: {b: 2}\n";
  EXPECT_EQ(yaml(two, "spec.b", 3), "kind: A\nspec: {a: 1}\n---\nkind: B\nspec: {b: 3}\n");
  EXPECT_THAT(yaml(two, "kind", "C"), HasSubstr("more than once"));
}

TEST(EditYaml, WhatCannotBeChangedIsNamed) {
  EXPECT_THAT(yaml(values, "db.hots", "x"),
              testing::AllOf(HasSubstr("a.yaml: there is no value 'db.hots'"),
                             HasSubstr("did you mean 'db.host'?")));
  EXPECT_THAT(yaml(values, "db", "x"), HasSubstr("is a map or list"));
  EXPECT_THAT(yaml("a: &x 1\nb: *x\n", "b", "x"), HasSubstr("is an alias"));
  EXPECT_THAT(yaml("a: [1\n", "a", "x"), HasSubstr("not YAML"));
  EXPECT_THAT(yaml(values, "db.host", Value(Value::List{})), HasSubstr("is to become a list"));
  EXPECT_THAT(edited("a.txt", "x", "a", "b"), HasSubstr("no form that can be edited"));
  EXPECT_THAT(yaml(std::string(100000, '['), "a", "x"), HasSubstr("not YAML"));
  EXPECT_THAT(yaml("a: \xff\n", "a", "x"), HasSubstr("not UTF-8"));
}

TEST(EditYaml, EqualValuesChangeNothing) {
  const auto done = edit("a.yaml", values, {{"db.host", "db.old.example"}, {"db.port", 5432}});
  ASSERT_TRUE(done);
  EXPECT_FALSE(done->changed);
  EXPECT_EQ(done->text, values);
}

TEST(EditYaml, WhatWasThereIsAnsweredAndKeepsTheTaint) {
  Value secret("new");
  secret.taint();
  const auto done = edit("a.yaml", values, {{"db.password", secret}, {"db.port", 1}});
  ASSERT_TRUE(done);
  EXPECT_EQ(done->before.at("db.password"), Value("s3\"cret"));
  EXPECT_TRUE(done->before.at("db.password").tainted());
  EXPECT_EQ(done->before.at("db.port"), Value("5432"));
}

TEST(EditJson, OnlyTheBytesOfTheValueChange) {
  const std::string text =
      "{ \"db\" : {\"host\":\"old\\u0041\",\n\t\"port\": 5432, \"on\":true },\n"
      " \"list\": [ 1 , [\"a\"], null,{} ], \"f\": -1.5e3}\n";
  const auto json = [&](const std::string& path, Value value) {
    return edited("a.json", text, path, std::move(value));
  };
  const auto with_new = [&](const std::string& from, const std::string& to) {
    std::string copy = text;
    return copy.replace(copy.find(from), from.size(), to);
  };
  EXPECT_EQ(json("db.host", "ü\"\n"), with_new(R"("old\u0041")", R"("ü\"\n")"));
  EXPECT_EQ(json("db.host", 7), with_new(R"("old\u0041")", R"("7")"));
  EXPECT_EQ(json("db.port", "6543"), with_new("5432", "6543"));
  EXPECT_EQ(json("db.port", "x"), with_new("5432", "\"x\""));
  EXPECT_EQ(json("db.on", "false"), with_new("true", "false"));
  EXPECT_EQ(json("list.0", 22), with_new("1 ,", "22 ,"));
  EXPECT_EQ(json("list.1.0", "b"), with_new("\"a\"", "\"b\""));
  EXPECT_EQ(json("list.2", "x"), with_new("null", "\"x\""));
  EXPECT_EQ(json("f", 1), with_new("-1.5e3", "1"));
  EXPECT_THAT(json("db.prot", 1), HasSubstr("did you mean 'db.port'?"));
  EXPECT_THAT(edited("a.json", "{\"a\":1,}", "a", 2), HasSubstr("not JSON"));
  EXPECT_THAT(edited("a.json", std::string("{\"a\":1}\0rest", 12), "a", 2), HasSubstr("not JSON"));
  EXPECT_THAT(edited("a.json", "{\"a\":1,\"a\":2}", "a", 2), HasSubstr("more than once"));
  EXPECT_THAT(edited("a.json", std::string(100000, '['), "a", 2), HasSubstr("nested deeper"));
}

TEST(EditEnv, QuotesExportAndCommentsStay) {
  const std::string text =
      "# A=1\nexport A=old # why\nB=\"x \\\" y\"\nC='q'\nD=\n  E=a#b\nURL=http://h/?a=b\n";
  const auto env = [&](const std::string& path, Value value) {
    return edited(".env.production", text, path, std::move(value));
  };
  const auto with_new = [&](const std::string& from, const std::string& to) {
    std::string copy = text;
    return copy.replace(copy.find(from), from.size(), to);
  };
  EXPECT_EQ(env("A", "new"), with_new("old", "new"));
  EXPECT_EQ(env("A", "two words"), with_new("old", "\"two words\""));
  EXPECT_EQ(env("B", "a\"b$c"), with_new(R"("x \" y")", R"("a\"b\$c")"));
  EXPECT_EQ(env("C", "it's"), with_new("'q'", "\"it's\""));
  EXPECT_EQ(env("C", "a b"), with_new("'q'", "'a b'"));
  EXPECT_EQ(env("D", 5), with_new("D=", "D=5"));
  EXPECT_EQ(env("E", "c"), with_new("a#b", "c"));
  EXPECT_EQ(env("URL", "http://n/?a=c"), with_new("http://h/?a=b", "http://n/?a=c"));
  EXPECT_THAT(env("F", "x"), HasSubstr("there is no value 'F'"));
}

TEST(EditProperties, BothSignsAndEscapesAreKnown) {
  const std::string text = "! c\n# c\ndb.url = jdbc:old\ndb.user: ann\npath=C:\\\\x\n";
  EXPECT_EQ(edited("a.properties", text, "db.url", "jdbc:new"),
            "! c\n# c\ndb.url = jdbc:new\ndb.user: ann\npath=C:\\\\x\n");
  EXPECT_EQ(edited("a.properties", text, "db.user", "bob"),
            "! c\n# c\ndb.url = jdbc:old\ndb.user: bob\npath=C:\\\\x\n");
  EXPECT_EQ(edited("a.properties", text, "path", "D:\\y"),
            "! c\n# c\ndb.url = jdbc:old\ndb.user: ann\npath=D:\\\\y\n");
}

TEST(EditManyValues, InOneFileAreChangedTogether) {
  const auto done =
      edit("a.yaml", values, {{"after", "a much longer value"}, {"db.host", "h"}, {"db.port", 1}});
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_THAT(done->text, HasSubstr("host:  h   # moved in 2020\n    port: 1\n"));
  EXPECT_THAT(done->text, HasSubstr("after: a much longer value\n"));
}

}  // namespace
}  // namespace lifeboat::steps
