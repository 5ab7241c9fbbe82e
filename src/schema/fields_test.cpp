#include "schema/fields.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schema/json.h"

namespace lifeboat {
namespace {

Field field(const char* name, Shape shape, bool required = false, Value fallback = {}) {
  Field made;
  made.name = name;
  made.shape = std::move(shape);
  made.required = required;
  made.fallback = std::move(fallback);
  return made;
}

Record sample() {
  Record record;
  record.name = "sample";
  record.fields = {field("url", shape::string(), true),
                   field("port", shape::integer(), false, Value(5432)),
                   field("ratio", shape::number()),
                   field("tls", shape::boolean()),
                   field("wait", shape::duration()),
                   field("at", shape::time()),
                   field("password", shape::secret()),
                   field("mode", shape::choice({"merge", "replace"})),
                   field("only", shape::string_or_list()),
                   field("env", shape::map(shape::string())),
                   field("free", shape::any())};
  record.short_form = "url";
  record.reserved = {"when"};
  return record;
}

Value plain(std::string text) {
  Value value(std::move(text));
  value.set_plain();
  return value;
}

std::vector<std::string> check(Value& value, bool references = false, bool as_text = false) {
  std::vector<Finding> findings;
  ValidateOptions options;
  options.path = "x";
  options.references_allowed = references;
  options.scalars_as_text = as_text;
  validate(value, sample(), options, findings);
  std::vector<std::string> texts;
  for (const Finding& finding : findings) texts.push_back(finding.text());
  return texts;
}

Value with(const std::string& key, Value value) {
  Value map;
  map.set("url", plain("u"));
  map.set(key, std::move(value));
  return map;
}

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Validate, PlainTextGetsItsTypeFromTheTable) {
  Value value;
  value.set("url", plain("no"));
  value.set("port", plain("5433"));
  value.set("tls", plain("true"));
  value.set("only", plain("orders"));
  value.set("free", plain("7"));
  value.set("ratio", plain("0.5"));
  EXPECT_THAT(check(value), IsEmpty());
  EXPECT_EQ(to_json(value),
            R"({"free":7,"only":["orders"],"port":5433,"ratio":0.5,"tls":true,"url":"no"})");
}

TEST(Validate, FallbacksAreSetAndAbsentFieldsStayAbsent) {
  Value value = with("env", Value(Value::Map{}));
  EXPECT_THAT(check(value), IsEmpty());
  EXPECT_EQ(to_json(value), R"({"env":{},"port":5432,"url":"u"})");
}

TEST(Validate, ALoneScalarSetsTheShortForm) {
  Value value = plain("postgresql://x");
  EXPECT_THAT(check(value), IsEmpty());
  EXPECT_EQ(value.text("url"), "postgresql://x");
}

TEST(Validate, TwiceIsAsOnce) {
  Value value = with("only", plain("a"));
  EXPECT_THAT(check(value), IsEmpty());
  const Value once = value;
  EXPECT_THAT(check(value), IsEmpty());
  EXPECT_EQ(value, once);
}

struct Wrong {
  std::string key;
  Value value;
  std::string finding;
};
void PrintTo(const Wrong& wrong, std::ostream* out) { *out << wrong.finding; }
class WrongValue : public testing::TestWithParam<Wrong> {};

TEST_P(WrongValue, IsToldWithPathAndWhatIsExpected) {
  Value value = with(GetParam().key, GetParam().value);
  EXPECT_THAT(check(value), ElementsAre(GetParam().finding));
}

INSTANTIATE_TEST_SUITE_P(
    All, WrongValue,
    testing::Values(
        Wrong{"port", Value("5432"),
              "x.port: expected an integer, found '5432' (write it without quotes)"},
        Wrong{"port", plain("0x1f"), "x.port: expected an integer, found '0x1f'"},
        Wrong{"port", plain("007"), "x.port: expected an integer, found '007'"},
        Wrong{"port", plain("99999999999999999999"),
              "x.port: expected an integer, found '99999999999999999999'"},
        Wrong{"port", plain("5.0"), "x.port: expected an integer, found '5.0'"},
        Wrong{"ratio", plain("1e999"), "x.ratio: expected a number, found '1e999'"},
        Wrong{"tls", plain("yes"), "x.tls: expected true or false, found 'yes'"},
        Wrong{"tls", Value("true"),
              "x.tls: expected true or false, found 'true' (write it without quotes)"},
        Wrong{"wait", plain("90"),
              "x.wait: expected a duration, found '90' (like 90s, 15m, 1h30m or 7d)"},
        Wrong{"at", plain("noon"),
              "x.at: expected a time, found 'noon' (like 2026-11-21T04:00:00Z)"},
        Wrong{"mode", plain("marge"),
              "x.mode: expected one of merge, replace, found 'marge' (did you mean 'merge'?)"},
        Wrong{"only", Value(Value::Map{}),
              "x.only: expected a string or a list of strings, found a map"},
        Wrong{"env", plain("A=B"), "x.env: expected a map of strings, found 'A=B'"},
        Wrong{"env", Value(), "x.env: has no value; expected a map of strings"},
        Wrong{"prot", plain("1"), "x: unknown key 'prot' (did you mean 'port'?)"},
        Wrong{"when", plain("1"),
              "x: 'when' is not in this version (the word is kept for a later version of "
              "Lifeboat; remove it)"}));

TEST(Validate, AMissingFieldIsToldOnce) {
  Value value;
  value.set("port", plain("1"));
  EXPECT_THAT(check(value), ElementsAre("x: 'url' is missing"));
}

TEST(Validate, ASecretMayNotBeWrittenDownAndIsNotShown) {
  for (const char* secret : {"hunter2", "$${hunter2}"}) {
    Value value = with("password", plain(secret));
    const auto findings = check(value, true);
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(findings[0].find("hunter2"), std::string::npos);
    EXPECT_THAT(findings[0], testing::HasSubstr("a secret may not be written into the file"));
  }
}

TEST(Validate, ASecretComesFromEnvironmentFileProgramOrReference) {
  for (const char* json : {R"({"env":"PW"})", R"({"file":"pw"})", R"({"exec":["pass","show"]})"}) {
    Value value = with("password", *parse_json(json));
    EXPECT_THAT(check(value), IsEmpty()) << json;
  }
  Value reference = with("password", plain("${step.password}"));
  EXPECT_THAT(check(reference, true), IsEmpty());
  Value resolved = with("password", Value("s").taint());
  EXPECT_THAT(check(resolved), IsEmpty());
  for (const char* json :
       {R"({"env":"A","file":"B"})", R"({"exec":[]})", R"({"vault":"x"})", "{}"}) {
    Value value = with("password", *parse_json(json));
    EXPECT_EQ(check(value).size(), 1u) << json;
  }
  Value later = with("password", *parse_json(R"({"sops":"x"})"));
  EXPECT_THAT(check(later)[0], testing::HasSubstr("'sops' is not in this version"));
}

TEST(Validate, ReferencesStandForAnyShapeOnlyWhereTheyAreAllowed) {
  Value value = with("port", plain("${db.port}"));
  EXPECT_THAT(check(value, true), IsEmpty());
  EXPECT_EQ(check(value, false).size(), 1u);
}

TEST(Validate, ResolvedScalarsBecomeTextWhereTextIsMeant) {
  Value value;
  value.set("url", 5432);
  EXPECT_EQ(check(value).size(), 1u);
  EXPECT_THAT(check(value, false, true), IsEmpty());
  EXPECT_EQ(value.text("url"), "5432");
}

TEST(Validate, FindingsShowNoSecretsAndNoControlCharacters) {
  Value value = with("port", Value("s3cret").taint());
  EXPECT_THAT(check(value)[0], testing::Not(testing::HasSubstr("s3cret")));
  Value hostile = with("port", plain("\x1b[2J"));
  EXPECT_THAT(check(hostile)[0], testing::Not(testing::HasSubstr("\x1b")));
}

TEST(Nearest, FindsTheWordThatWasMeantOrNone) {
  EXPECT_EQ(nearest("itno", {"into", "source"}), "into");
  EXPECT_EQ(nearest("postgre", {"postgres", "rabbitmq"}), "postgres");
  EXPECT_EQ(nearest("xyz", {"into", "source"}), "");
  EXPECT_EQ(nearest("a", {"b"}), "");
  EXPECT_EQ(nearest("", {"b"}), "");
}

TEST(References, AreFoundUnlessTheyAreEscaped) {
  EXPECT_TRUE(has_reference("a${b}"));
  EXPECT_FALSE(has_reference("a$${b}"));
  EXPECT_TRUE(has_reference("$${a}${b}"));
  EXPECT_FALSE(has_reference("$ {b}$"));
}

TEST(FindingsError, ShowsTwentyAndCountsTheRest) {
  std::vector<Finding> findings(23, Finding{{"f", 1, 2}, "p", "wrong", "hint"});
  const Error error = findings_error(findings);
  EXPECT_EQ(exit_status(error.effective_code()), 2);
  EXPECT_THAT(error.what, testing::StartsWith("f:1:2: p: wrong (hint)\n"));
  EXPECT_THAT(error.what, testing::EndsWith("\nand 3 more"));
}

TEST(ShapeName, SaysWhatIsExpected) {
  EXPECT_EQ(shape_name(shape::list(shape::list(shape::integer()))), "a list of lists of integers");
  EXPECT_EQ(shape_name(shape::map(shape::any())), "a map of values");
}

}  // namespace
}  // namespace lifeboat
