// Data stays data: whatever a word holds, a shell reads exactly that, and nothing of it is run.
#include "plan/by_hand.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "plan/plan_fixture.h"

namespace lifeboat::plan {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

// What a shell makes of a word; a point at its end keeps newlines.
std::string read_by_shell(const std::string& word, const std::string& before = "") {
  const std::string script = before + "\nprintf '%s.' " + word + "\n";
  FILE* pipe = ::popen(("/bin/sh -u <<'EOF_OF_TEST'\n" + script + "EOF_OF_TEST").c_str(), "r");
  if (pipe == nullptr) return "(no shell)";
  std::string said;
  std::array<char, 4096> part{};
  for (;;) {
    const std::size_t got = std::fread(part.data(), 1, part.size(), pipe);
    if (got == 0) break;
    said.append(part.data(), got);
  }
  ::pclose(pipe);
  return said;
}

struct Fixture {
  Compiled compiled = compile_json(R"json({
    "inputs": {"target": {}},
    "steps": {
      "db": {"run": "x"},
      "app": {"run": {"text": "${inputs.target}/${db.url}", "env": {
          "A": "${db.token}", "B": "${sources.orders.url}", "C": "${db.hosts[0] ?? 'none'}",
          "D": "${db.facts.rows}"}}}}})json");
  Scope scope = [] {
    Scope known;
    known.sources = *parse_json(R"json({"orders":{"url":"postgresql://db/o'rders $(id)"}})json");
    known.platform = Value(Value::Map{});
    return known;
  }();
  HandNames names{compiled.plan, scope};
  ByHand hand{*compiled.plan.find("app"), names};
};

const std::vector<std::string> hostile = {
    "plain",
    "",
    "two words",
    "it's",
    "$(id)`id`$HOME",
    "'; id; '",
    "\"; id; \"",
    "a\nb\n",
    "\n\n",
    "\x1b[31mred\x1b]0;title\x07",
    "50% \\0 \\n %s",
    "-rf",
    "~root",
    "*?[a]",
    "caf\xc3\xa9 \xe2\x80\xae gnp.exe",
    "\xff\xfe not UTF-8",
    "```\n# heading",
    "<script>alert(1)</script>",
    "!history",
    "a\\",
};

TEST(ByHand, AShellReadsAWordAsItWas) {
  Fixture fixture;
  for (const std::string& text : hostile) {
    EXPECT_EQ(read_by_shell(fixture.hand.text(text)), text + ".") << text;
    EXPECT_EQ(read_by_shell(fixture.hand.word(Value(text))), text + ".") << text;
  }
}

TEST(ByHand, AWordHoldsNothingThatSpeaksToATerminal) {
  Fixture fixture;
  for (const std::string& text : hostile) {
    for (const char c : fixture.hand.text(text)) {
      EXPECT_TRUE(c == '\n' || static_cast<unsigned char>(c) >= 0x20) << text;
    }
  }
}

TEST(ByHand, AWordHoldsNothingThatNobodySees) {
  const std::string unseen = "a\xe2\x80\xaegpj\xe2\x80\x8b\xc2\xad.exe";
  const std::string word = shell_text(unseen);
  for (const char* part : {"\xe2\x80\xae", "\xe2\x80\x8b", "\xc2\xad"}) {
    EXPECT_THAT(word, Not(HasSubstr(part)));
    EXPECT_THAT(ByHand::remark(unseen), Not(HasSubstr(part)));
  }
  EXPECT_EQ(read_by_shell(word), unseen + ".");
}

TEST(ByHand, WhatItTakesFromSourcesIsKnownAfterwards) {
  Fixture fixture;
  fixture.hand.word(Value("${inputs.target} ${sources.orders.url}"));
  EXPECT_EQ(to_json(fixture.hand.taken()),
            R"json({"sources.orders.url":"postgresql://db/o'rders $(id)"})json");
}

TEST(Prose, OwnWordsHoldCodeAndDataIsApart) {
  const Prose prose = Prose("type `ls -l` in ").data("`x`");
  ASSERT_EQ(prose.pieces().size(), 4u);
  EXPECT_EQ(prose.pieces()[1].kind, Prose::Kind::own_code);
  EXPECT_EQ(prose.pieces()[1].text, "ls -l");
  EXPECT_EQ(prose.pieces()[3].kind, Prose::Kind::data);
  EXPECT_EQ(prose.text(), "type ls -l in `x`");
}

TEST(ByHand, WhatIsReferredToIsAVariable) {
  Fixture fixture;
  EXPECT_EQ(fixture.hand.word(Value("${inputs.target}/a b/${db.url}")),
            "\"$inputs_target\"'/a b/'\"$db_url\"");
  EXPECT_EQ(read_by_shell(fixture.hand.word(Value("${inputs.target}/${db.url}")),
                          "inputs_target='$(id) x'; db_url=\"it's\""),
            "$(id) x/it's.");
}

TEST(ByHand, WhatIsKnownIsWrittenDown) {
  Fixture fixture;
  EXPECT_EQ(read_by_shell(fixture.hand.word(Value("${sources.orders.url}"))),
            "postgresql://db/o'rders $(id).");
}

TEST(ByHand, AStepIsToldWhichOfItsOutputsAreWanted) {
  Fixture fixture;
  std::vector<std::string> variables;
  for (const WantedOutput& each : fixture.names.wanted("db")) variables.push_back(each.variable);
  EXPECT_THAT(variables, ElementsAre("db_facts_rows", "db_hosts_0", "db_token", "db_url"));
  // An expression that is no plain path is worked out by a person.
  ASSERT_EQ(fixture.names.computed().size(), 1u);
  EXPECT_EQ(fixture.names.computed().front().second, "db.hosts[0] ?? 'none'");
}

TEST(ByHand, TwoReferencesNeverShareAVariable) {
  Fixture fixture;
  EXPECT_EQ(fixture.names.variable("a.b_c"), "a_b_c");
  EXPECT_EQ(fixture.names.variable("a_b.c"), "a_b_c_2");
  EXPECT_EQ(fixture.names.variable("a.b_c"), "a_b_c");
  // Never one that means something to a shell.
  EXPECT_EQ(fixture.names.variable("PATH"), "path_value");
}

TEST(ByHand, ASecretIsAVariableAFileOrAProgram) {
  Fixture fixture;
  EXPECT_EQ(fixture.hand.secret(*parse_json(R"json({"env":"PGPASSWORD"})json")), "\"$PGPASSWORD\"");
  EXPECT_THAT(fixture.hand.environment(), ElementsAre("PGPASSWORD"));
  EXPECT_EQ(fixture.hand.secret(*parse_json(R"json({"file":"a b"})json")),
            "\"$(cd \"$bundle\" && cat -- 'a b')\"");
  EXPECT_EQ(fixture.hand.secret(*parse_json(R"json({"exec":["pass","show","x y"]})json")),
            "\"$(cd \"$bundle\" && pass show 'x y')\"");
  // A name that no shell can have is nothing to expand.
  EXPECT_THAT(fixture.hand.secret(*parse_json(R"json({"env":"X}$(id)"})json")),
              Not(HasSubstr("id)")));
  Value known("hunter2");
  known.taint();
  EXPECT_THAT(fixture.hand.word(known), Not(HasSubstr("hunter2")));
  EXPECT_THAT(fixture.hand.json(known), Not(HasSubstr("hunter2")));
}

TEST(ByHand, JsonIsOneWord) {
  Fixture fixture;
  const Value tree = *parse_json(R"json({"it's":["$(id)",1,true,{"a":"b c"}]})json");
  EXPECT_EQ(read_by_shell(fixture.hand.json(tree)), to_json(tree) + ".");
}

TEST(ByHand, ARemarkIsOneLine) {
  EXPECT_EQ(ByHand::remark("a\nrm -rf /\x1b[0m"), "# a rm -rf /\\x1b[0m");
}

}  // namespace
}  // namespace lifeboat::plan
