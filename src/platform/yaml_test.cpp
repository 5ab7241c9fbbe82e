#include "platform/yaml.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include "schema/json.h"

namespace lifeboat::platform {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> wrong(const std::string& text) {
  std::vector<Finding> findings;
  parse_yaml(text, "f", findings);
  std::vector<std::string> texts;
  for (const Finding& finding : findings) texts.push_back(finding.text());
  return texts;
}

TEST(Yaml, ScalarsStayTextAndKnowTheirQuotesAndPlaces) {
  std::vector<Finding> findings;
  const Value tree =
      parse_yaml("a: no\nü: {é: \"5\", n: ~}\nlist:\n  - |\n    two\n    lines\n", "f", findings);
  ASSERT_THAT(findings, IsEmpty());
  EXPECT_EQ(to_json(tree),
            "{\"a\":\"no\",\"list\":[\"two\\nlines\\n\"],\"ü\":{\"n\":null,\"é\":\"5\"}}");
  EXPECT_TRUE(tree.at("a").plain());
  EXPECT_EQ(tree.at("a").mark().text(), "f:1:4");
  const Value& quoted = tree.at("ü").at("é");
  EXPECT_FALSE(quoted.plain());
  // Columns count characters, not bytes.
  EXPECT_EQ(quoted.key_mark().text(), "f:2:5");
  EXPECT_EQ(quoted.mark().text(), "f:2:8");
}

struct Bad {
  std::string text, finding;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.finding; }
class BadYaml : public testing::TestWithParam<Bad> {};
TEST_P(BadYaml, IsToldWithItsPlace) {
  EXPECT_THAT(wrong(GetParam().text), ElementsAre(GetParam().finding));
}

INSTANTIATE_TEST_SUITE_P(
    All, BadYaml,
    testing::Values(
        Bad{"", "f:1:1: the file is empty"}, Bad{"# only a comment\n", "f:1:1: the file is empty"},
        Bad{"a: 1\nb:\n  a: 2\na: 3\n", "f:4:1: the key 'a' stands here twice (first at f:1:1)"},
        Bad{"a: &x 1\n", "f:1:4: anchors (&name) are not read (remove it)"},
        Bad{"a: *x\n", "f:1:4: aliases (*name) are not read (write the value out)"},
        Bad{"a: !!str 1\n",
            "f:1:4: tags (!name) are not read (remove it; types follow from the key)"},
        Bad{"a: 1\n---\nb: 2\n",
            "f:3:1: a second document begins here (the platform file is one document; remove the "
            "'---')"},
        Bad{"a: \"x\nb: 1\n", "f:3:1: a quoted text is not closed (it begins after f:1:1)"},
        Bad{"a: 1\nb: 'x", "f:2:1: a quoted text is not closed (it begins after f:2:1)"},
        Bad{"a: [1, 2\nb: 1\n",
            "f:2:2: a '[' or '{' is not closed (the last that was understood is at f:1:8)"},
        Bad{"a: {b: 1\n",
            "f:2:1: a '[' or '{' is not closed (the last that was understood is at f:1:8)"},
        Bad{"a: b: c\n",
            "f:1:5: the YAML breaks off here: no value is expected (check the indentation, and put "
            "quotes around text that holds ': ')"},
        Bad{"a:\n  - x\n - y\n",
            "f:3:2: the YAML breaks off here: no value is expected (check the indentation, and put "
            "quotes around text that holds ': ')"},
        Bad{"? [a]\n: b\n", "f:1:3: a key must be plain text, not a list or map"},
        Bad{": b\n", "f:1:1: a key is missing before ':'"},
        Bad{"a:\n\tb: 1\n", "f:2:1: a tab in the indentation (YAML knows only spaces there)"},
        Bad{std::string("a: x\0y", 6),
            "f:1:5: a NUL byte (only text belongs here; is this the right file?)"},
        Bad{"a: x\x1by\n",
            "f:1:5: a control character, \\x1b (only text belongs here; is this the right file?)"},
        Bad{"a: é\xff\n", "f:1:5: not UTF-8 (save the file as UTF-8)"},
        Bad{"\xEF\xBB\xBF"
            "a: 1\n",
            "f:1:1: the file begins with a byte order mark (save it as UTF-8 without one)"},
        Bad{"\xFF\xFE"
            "a",
            "f:1:1: the file begins with a byte order mark (save it as UTF-8 without one)"},
        Bad{std::string(257, 'k') + ": 1\n", "f:1:1: a key is longer than 256 bytes"}));

TEST(Yaml, TabsInTheTextOfABlockAreText) {
  EXPECT_THAT(wrong("a: |\n  \tone\n\n  two\t\nb: 1\n"), IsEmpty());
  EXPECT_THAT(wrong("a: |-  # why\n  \tone\n"), IsEmpty());
  EXPECT_THAT(wrong("a: b\t# c\n"), IsEmpty());
  EXPECT_THAT(wrong("a: |\n  one\n\tb: 1\n"),
              ElementsAre("f:3:1: a tab in the indentation (YAML knows only spaces there)"));
}

TEST(Yaml, LineEndsOfWindowsAreRead) {
  std::vector<Finding> findings;
  EXPECT_EQ(to_json(parse_yaml("a: 1\r\nb:\r\n  - x\r\n", "f", findings)),
            R"({"a":"1","b":["x"]})");
  EXPECT_THAT(findings, IsEmpty());
}

TEST(Yaml, ALaughingBillionCostsNothing) {
  std::string text = "a: &a [x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    const std::string before(1, static_cast<char>(c - 1));
    text += std::string(1, c) + ": &" + c + " [*" + before;
    for (int i = 0; i < 8; ++i) text += ", *" + before;
    text += "]\n";
  }
  const auto found = wrong(text);
  EXPECT_EQ(found.front(), "f:1:4: anchors (&name) are not read (remove it)");
  EXPECT_LE(found.size(), 100u);
}

// Each of these nests a hundred thousand levels in less than 1 MiB.
TEST(Yaml, AHundredThousandLevelsAreRefusedWithoutTheStack) {
  constexpr int levels = 100'000;
  for (const char* level : {"[", "{", "- ", "? ", "[a: ", "{a: ", "{[", "- - ", "[[{x: "}) {
    std::string text;
    for (int i = 0; i < levels; ++i) text += level;
    const auto found = wrong(text);
    ASSERT_EQ(found.size(), 1u) << level;
    EXPECT_THAT(found[0], testing::AnyOf(HasSubstr("nested deeper than 64 levels"),
                                         HasSubstr("a key must be plain text")))
        << level;
  }
  std::string text;
  for (int i = 0; i < 1000; ++i) text += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_THAT(wrong(text), ElementsAre(HasSubstr("nested deeper than 64 levels")));
}

TEST(Yaml, AMebibyteInOneLineIsReadInOnePass) {
  std::string text = "[ü";
  while (text.size() + 8 < yaml_size_max_bytes) text += ", ü";
  std::vector<Finding> findings;
  const Value tree = parse_yaml(text + "]", "f", findings);
  ASSERT_THAT(findings, IsEmpty());
  const auto& list = tree.list();
  EXPECT_EQ(list.back().mark().column, 2 + 3 * static_cast<int>(list.size() - 1));
}

TEST(Yaml, ManyDuplicateKeysAreToldAHundredTimesAtMost) {
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "a: 1\n";
  EXPECT_EQ(wrong(text).size(), 100u);
}

TEST(Yaml, MoreThanAMebibyteIsRefusedUnread) {
  EXPECT_THAT(wrong(std::string(yaml_size_max_bytes + 1, 'a')),
              ElementsAre(HasSubstr("the file is larger than 1048576 bytes")));
}

RC_GTEST_PROP(Yaml, NoTextMakesItFall, ()) {
  const auto piece = rc::gen::element<std::string>(
      "a", ": ", ":", "- ", "\n", "  ", "[", "]", "{", "}", ",", "|", ">", "\"", "'", "#", "&x ",
      "*x", "!t ", "---", "...", "?", "%", "\t", "~", "1", "\\", "é", "@", "`", "<<");
  const auto parts = *rc::gen::container<std::vector<std::string>>(piece);
  std::string text;
  for (const std::string& part : parts) text += part;
  std::vector<Finding> findings;
  const Value tree = parse_yaml(text, "f", findings);
  for (const Finding& finding : findings) {
    RC_ASSERT(finding.mark.line >= 1);
    RC_ASSERT(finding.mark.column >= 1);
  }
  if (findings.empty()) {
    RC_ASSERT(parse_json(to_json(tree)).has_value());
  }
}

}  // namespace
}  // namespace lifeboat::platform
