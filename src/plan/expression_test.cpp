#include "plan/expression.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "base/bytes.h"
#include "schema/json.h"

namespace lifeboat::plan {
namespace {

using testing::HasSubstr;

Scope sample() {
  Scope scope;
  scope.inputs = *parse_json(R"({"env": "prod", "count": 3, "on": true, "nothing": null})");
  scope.outputs["db"] = *parse_json(R"({"url": "postgresql://db", "port": 5432, "hosts": ["a", "b"],
                      "deep": {"x": {"y": 1.5}}})");
  Value secret("hunter2");
  scope.outputs["keys"] = Value().set("password", secret.taint());
  Value whole = *parse_json(R"({"inner": {"word": "w"}})");
  scope.outputs["sealed"] = Value().set("all", whole.taint());
  scope.skipped = {"gone"};
  return scope;
}

std::string value_of(const std::string& expression) {
  const auto value = evaluate(expression, sample());
  return value ? to_json(*value, Secrets::reveal) : "error: " + value.error().what;
}

struct Case {
  std::string expression, value;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.expression; }
class Evaluates : public testing::TestWithParam<Case> {};
TEST_P(Evaluates, ToItsValue) { EXPECT_EQ(value_of(GetParam().expression), GetParam().value); }

INSTANTIATE_TEST_SUITE_P(
    All, Evaluates,
    testing::Values(Case{"db.url", R"("postgresql://db")"}, Case{"db.hosts[1]", R"("b")"},
                    Case{"db.deep['x'].y", "1.5"}, Case{"inputs.count", "3"}, Case{"-7", "-7"},
                    Case{"2.50", "2.5"}, Case{"'it\\'s'", R"("it's")"},
                    Case{"\"a\\nb\"", R"("a\nb")"}, Case{"true", "true"}, Case{"null", "null"},
                    Case{"['a', 1, db.port]", R"(["a",1,5432])"},
                    Case{"inputs.env == 'prod'", "true"}, Case{"inputs.env != 'prod'", "false"},
                    Case{"1 == 1.0", "true"}, Case{"'1' == 1", "false"}, Case{"1 < 2", "true"},
                    Case{"2 <= 2", "true"}, Case{"2 > 3", "false"}, Case{"3 >= 2.5", "true"},
                    Case{"'a' < 'b'", "true"}, Case{"not inputs.on", "false"},
                    Case{"not not true", "true"}, Case{"true and false or true", "true"},
                    Case{"true or false and false", "true"}, Case{"'a' in db.hosts", "true"},
                    Case{"'c' not in db.hosts", "true"}, Case{"'x' in db.deep", "true"},
                    Case{"'gres' in db.url", "true"}, Case{"inputs.on ? 'yes' : 'no'", R"("yes")"},
                    Case{"false ? 1 : false ? 2 : 3", "3"}, Case{"(false ? 1 : 2) == 2", "true"},
                    Case{"inputs.absent ?? 'none'", R"("none")"},
                    Case{"inputs.nothing ?? inputs.absent ?? 5", "5"},
                    Case{"gone.url ?? 'x'", R"("x")"}, Case{"inputs.count ?? 9", "3"},
                    // What is not taken is not looked at.
                    Case{"true ? 1 : gone.x", "1"}, Case{"false and gone.x", "false"},
                    Case{"true or gone.x", "true"}, Case{"run-1.x ?? 1", "1"}));

INSTANTIATE_TEST_SUITE_P(
    Errors, Evaluates,
    testing::Values(
        Case{"gone.url", "error: gone.url: gone.url: step 'gone' was skipped"},
        Case{"later.url", "error: later.url: later.url: step 'later' has no outputs yet"},
        Case{"db.nothing", "error: db.nothing: db.nothing is not there"},
        Case{"db.hosts[2]", "error: db.hosts[2]: db.hosts[2] is not there"},
        Case{"1 < 'a'", "error: 1 < 'a': an integer and a string have no order"},
        Case{"1 and true", "error: 1 and true: expected true or false, found an integer"},
        Case{"'a' in 1",
             "error: 'a' in 1: 'in' needs a list, or text in a text or among the keys "
             "of a map; found an integer"},
        Case{"", "error: : the expression is empty (at character 1)"},
        Case{"db.", "error: db.: expected a name (at character 4)"},
        Case{"db.url db", "error: db.url db: 'db' is not expected (at character 8)"},
        Case{"a && b", "error: a && b: '&' has no meaning here (at character 3)"},
        Case{"(1", "error: (1: ')' is missing (at character 3)"},
        Case{"1 ? 2", "error: 1 ? 2: ':' is missing (at character 6)"},
        Case{"'abc", "error: 'abc: the text has no closing quote (at character 1)"},
        Case{"99999999999999999999",
             "error: 99999999999999999999: the number is too large (at character 1)"}));

TEST(Expression, DepthAndLengthAreBounded) {
  EXPECT_TRUE(parse_expression(std::string(30, '(') + "1" + std::string(30, ')')));
  const auto deep = parse_expression(std::string(40, '(') + "1" + std::string(40, ')'));
  ASSERT_FALSE(deep);
  EXPECT_THAT(deep.error().what, HasSubstr("nested too deeply"));
  EXPECT_FALSE(parse_expression(std::string(4097, ' ')));
  EXPECT_FALSE(parse_expression(std::string(4096, '[')));
  std::string chain = "true";
  for (int i = 0; i < 500; ++i) chain += " and true";
  EXPECT_TRUE(parse_expression(chain).has_value() || chain.size() > 4096);
  std::string choices;
  for (int i = 0; i < 300; ++i) choices += "a?b:";
  EXPECT_FALSE(parse_expression(choices + "c"));
  std::string nots;
  for (int i = 0; i < 1000; ++i) nots += "not ";
  EXPECT_TRUE(parse_expression(nots + "true"));
}

TEST(Expression, WhateverASecretWasUsedForIsASecret) {
  const Scope scope = sample();
  for (const char* text :
       {"keys.password", "keys.password == 'x'", "'h' in keys.password", "[keys.password]",
        "keys.password == 'x' ? 1 : 2", "not (keys.password == 'x')",
        "true and keys.password != ''", "absent.x ?? keys.password", "sealed.all.inner.word"}) {
    const auto value = evaluate(std::string(text), scope);
    ASSERT_TRUE(value) << text << ": " << value.error().what;
    EXPECT_TRUE(value->tainted()) << text;
  }
  EXPECT_FALSE(evaluate(std::string("db.url"), scope)->tainted());
}

TEST(Template, TextAndExpressionsInTurn) {
  const auto parsed = parse_template("a ${db.url} b$${c} ${'}'}$");
  ASSERT_TRUE(parsed);
  ASSERT_EQ(parsed->parts.size(), 5u);
  EXPECT_EQ(parsed->parts[0].text, "a ");
  EXPECT_EQ(parsed->parts[1].source, "db.url");
  EXPECT_EQ(parsed->parts[2].text, " b${c} ");
  EXPECT_EQ(parsed->parts[3].source, "'}'");
  EXPECT_EQ(parsed->parts[4].text, "$");
  EXPECT_FALSE(parsed->whole());
  EXPECT_TRUE(parse_template("${ db.url }")->whole());
  EXPECT_FALSE(parse_template("${db.url"));
}

std::vector<std::string> needed(const std::string& text) {
  std::vector<Reference> found;
  collect_references(*parse_expression(text), found);
  std::vector<std::string> names;
  for (const Reference& reference : found) {
    names.push_back((reference.needed ? "" : "?") + reference.text());
  }
  return names;
}

// A file may hold any bytes, escape sequences of a terminal among them.
TEST(Template, ErrorsQuoteItPrintable) {
  for (const std::string& source :
       {std::string("absent.x > '\x1b[31m\xff'"), std::string("db.deep ?? '\x1b\xff'")}) {
    const auto value = resolve(Value("a ${" + source + " == }"), sample());
    const auto inside = resolve(Value("a ${" + source + "}${gone.x}"), sample());
    for (const auto& refused : {value, inside, evaluate(source + " <", sample())}) {
      ASSERT_FALSE(refused);
      EXPECT_TRUE(is_utf8(refused.error().what));
      EXPECT_THAT(refused.error().what, testing::Not(HasSubstr("\x1b")));
    }
  }
}

TEST(Template, ReferencesThatMayBeMissingAreTold) {
  using testing::ElementsAre;
  EXPECT_THAT(needed("a.x == b.y[0]"), ElementsAre("a.x", "b.y[0]"));
  EXPECT_THAT(needed("a.x ?? b.y"), ElementsAre("?a.x", "?b.y"));
  EXPECT_THAT(needed("a.x ? b.y : c.z"), ElementsAre("a.x", "?b.y", "?c.z"));
  EXPECT_THAT(needed("a.x and b.y"), ElementsAre("a.x", "?b.y"));
}

// Random text out of the language's own pieces gets deeper into the parser than random bytes.
rc::Gen<std::string> pieces() {
  const auto piece = rc::gen::element<std::string>(
      "db", ".", "url", "hosts", "[", "]", "0", "1.5", "'a'", "\"", "(", ")", " and ", " or ",
      " not ", " in ", "==", "!=", "<", "<=", ">", "?", ":", "??", "${", "}", "$${", ",", " ",
      "null", "true", "inputs.count", "-", "\\", "\n", "keys.password", "\xff");
  return rc::gen::map(rc::gen::container<std::vector<std::string>>(piece), [](const auto& all) {
    std::string text;
    for (const auto& one : all) text += one;
    return text;
  });
}

RC_GTEST_PROP(Expression, NoTextMakesItFall, ()) {
  const std::string text =
      *rc::gen::oneOf(pieces(), rc::gen::container<std::string>(rc::gen::arbitrary<char>()));
  const Scope scope = sample();
  const auto value = evaluate(text, scope);
  if (!value) {
    RC_ASSERT(!value.error().what.empty());
  }
  Value config;
  config.set("x", text);
  const auto resolved = resolve(config, scope);
  const auto known = resolve_known(config, scope);
  if (resolved) {
    RC_ASSERT(known.has_value());
  }
  // Text without a reference means itself.
  if (text.find('$') == std::string::npos) {
    RC_ASSERT(resolved.has_value());
    RC_ASSERT(resolved->text("x") == text);
  }
}

}  // namespace
}  // namespace lifeboat::plan
