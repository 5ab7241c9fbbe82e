// Runbooks of whole platform files, with every step type there is: what is data is never code.
#include "runbook/runbook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/registry.h"
#include "base/temporary_folder.h"
#include "platform/platform.h"
#include "run/expectation.h"
#include "test_places.h"

namespace lifeboat::app {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

std::string read(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}
std::string golden(const std::string& name) {
  return std::string(LIFEBOAT_SOURCE_DIR) + "/tests/golden/" + name;
}

class Runbooks : public testing::Test {
 protected:
  Runbooks() : sources_(known_sources()), steps_(known_steps(world_)) {
    for (const auto& [name, type] : sources_.all()) {
      words_.sources.push_back({name, type.help, type.fields});
    }
    words_.steps = &steps_;
  }

  platform::Platform platform(const std::string& text) {
    auto read = platform::read_platform(text, "lifeboat.yaml", words_);
    EXPECT_TRUE(read) << (read ? "" : read.error().what);
    return read ? *std::move(read) : platform::Platform();
  }
  runbook::Runbook page(const platform::Platform& platform, const std::string& plan,
                        const run::RunState* green = nullptr) {
    runbook::Ground ground;
    ground.plan = &platform.plans.at(plan);
    ground.types = &steps_;
    ground.sources = platform::source_values(platform);
    ground.platform = platform.name;
    ground.repository = platform.repository;
    ground.version = "0.0.0";
    for (const plan::StepNode& step : ground.plan->steps) {
      ground.expectations[step.name] = run::assumed(step, steps_);
    }
    ground.green = green;
    return runbook::make_runbook(ground);
  }

  const steps::RestoreWorld world_;
  const source::SourceTypes sources_;
  const plan::StepTypes steps_;
  platform::Vocabulary words_;
};

std::string commands_of(const runbook::Runbook& page) {
  std::string text;
  for (const runbook::Block& block : page.blocks) {
    if (block.kind == runbook::Block::Kind::code && block.language == "sh") text += block.text;
  }
  return text;
}

TEST_F(Runbooks, EveryTypeButAGateSaysWhatAPersonTypes) {
  for (const auto& [name, type] : steps_.all()) {
    EXPECT_EQ(static_cast<bool>(type.by_hand), name != plan::approval_type) << name;
  }
}

// To renew: LIFEBOAT_GOLDEN=write build/release/app_test --gtest_filter='Runbooks.*'; read the
// diff.
TEST_F(Runbooks, TheSmallPlanIsAsItWas) {
  const std::string text =
      runbook::render_markdown(page(platform(read(golden("runbook-small.yaml"))), "lost"));
  const char* wish = std::getenv("LIFEBOAT_GOLDEN");
  if (wish != nullptr && std::string(wish) == "write") {
    std::ofstream(golden("runbook-small.md")) << text;
  }
  EXPECT_EQ(text, read(golden("runbook-small.md")));
}

std::string with_payload(const std::string& payload) {
  std::string escaped;  // for a double-quoted scalar of YAML
  for (const char c : payload) {
    if (c == '"' || c == '\\') escaped += '\\';
    escaped += c == '\n' ? "\\n" : c == '\x1b' ? "\\e" : std::string(1, c);
  }
  std::string text = read(golden("runbook-all-types.yaml"));
  for (std::size_t at = 0; (at = text.find("PAYLOAD", at)) != std::string::npos;) {
    text.replace(at, 7, escaped);
    at += escaped.size();
  }
  return text;
}

const std::vector<std::string>& payloads() {
  static const std::vector<std::string> all = {
      "harmless",
      "$(>canary)",
      "`>canary`",
      "'; >canary; '",
      "\"; >canary; \"",
      "\n>canary\n",
      "a\nSQL\n>canary\n",
      "\x1b]0;>canary\x1b\\",
      "</code></pre><script>alert(1)</script><img src=x onerror=alert(1)>",
      "```\n\n# heading\n\n```sh\n>canary\n",
      "--> <b>bold</b> | cell | [link](http://x) ![image](http://x)",
  };
  return all;
}

std::string once(std::string commands) {
  const std::string patience = "left=$1;";
  const std::size_t at = commands.find(patience);
  return at == std::string::npos ? commands : commands.replace(at, patience.size(), "left=1;");
}

TEST_F(Runbooks, NothingOfThePlatformFileIsRun) {
  for (const std::string& payload : payloads()) {
    const platform::Platform read = platform(with_payload(payload));
    ASSERT_TRUE(read.plans.contains("all")) << payload;
    const auto folder = TemporaryFolder::make("runbook");
    ASSERT_TRUE(folder);
    const std::string script = folder->path() + "/commands.sh";
    std::ofstream(script) << commands_of(page(read, "all"));
    const std::string shell = "cd '" + folder->path() + "' && ";
    EXPECT_EQ(std::system((shell + "/bin/sh -n commands.sh").c_str()), 0) << payload;
    // No program is found: what runs is the shell alone, and that is enough to make a file. What is
    // waited for is asked for once.
    const std::string set =
        "PATH=/nonexistent work=. bundle=. inputs_place=x PW=x RP=x HP=x JP=x MP=x "
        "LIFEBOAT_REPOSITORY=x harmless=x ";
    std::ofstream(script) << once(commands_of(page(read, "all"))) << "\n>reached\n";
    EXPECT_NE(std::system((shell + set + "/bin/sh commands.sh >/dev/null 2>&1").c_str()), -1);
    EXPECT_FALSE(std::filesystem::exists(folder->path() + "/canary")) << payload;
    EXPECT_TRUE(std::filesystem::exists(folder->path() + "/reached")) << payload;
  }
}

// The page without what is in its code blocks: there a text ends only at a fence of the same
// length.
std::string outside_of_code(const std::string& page) {
  std::istringstream lines(page);
  std::string text, fence;
  for (std::string line; std::getline(lines, line);) {
    if (!fence.empty()) {
      if (line == fence) fence.clear();
    } else if (line.starts_with("```")) {
      fence = line.substr(0, line.find_first_not_of('`'));
    } else {
      text += line + "\n";
    }
  }
  EXPECT_EQ(fence, "");
  return text;
}

TEST_F(Runbooks, NothingOfThePlatformFileIsMarkup) {
  for (const std::string& payload : payloads()) {
    const platform::Platform whole = platform(with_payload(payload));
    ASSERT_TRUE(whole.plans.contains("all")) << payload;
    const runbook::Runbook made = page(whole, "all");
    const std::string html = runbook::render_html(made);
    EXPECT_THAT(html, Not(HasSubstr("<script"))) << payload;
    EXPECT_THAT(html, Not(HasSubstr("<img"))) << payload;
    EXPECT_THAT(html, Not(HasSubstr("<b>"))) << payload;
    EXPECT_THAT(html, Not(HasSubstr("\x1b"))) << payload;
    const std::string text = runbook::render_markdown(made);
    EXPECT_THAT(text, Not(HasSubstr("\x1b"))) << payload;
    const std::string prose = outside_of_code(text);
    EXPECT_THAT(prose, Not(HasSubstr("\n# heading"))) << payload;
    EXPECT_THAT(prose, Not(HasSubstr("\n>canary"))) << payload;
    EXPECT_THAT(prose, Not(HasSubstr("[link](http"))) << payload;
    EXPECT_THAT(prose, Not(HasSubstr("<script"))) << payload;
    // The stamp is still whole.
    const auto stamp = runbook::read_stamp(text);
    ASSERT_TRUE(stamp) << payload;
    EXPECT_EQ(stamp->digest, made.stamp.digest) << payload;
  }
}

TEST_F(Runbooks, APageSaysWhatHasChangedSince) {
  const std::string text = read(golden("runbook-small.yaml"));
  const runbook::Runbook made = page(platform(text), "lost");
  const auto stamp = runbook::read_stamp(runbook::render_html(made));
  ASSERT_TRUE(stamp);
  const auto changes = [&](const std::string& from, const std::string& to) {
    std::string other = text;
    other.replace(other.find(from), from.size(), to);
    return runbook::compare(*stamp, platform(other).plans.at("lost"));
  };
  EXPECT_THAT(changes("version: 1", "# moved\n\nversion: 1"), IsEmpty());
  EXPECT_THAT(changes("at_least: 1", "at_least: 2"), testing::ElementsAre("step count: changed"));
  EXPECT_THAT(changes("      count:", "      number:"),
              testing::ElementsAre("step number: new", "step count: no longer there"));
  EXPECT_THAT(changes("The database is gone", "Gone"),
              testing::ElementsAre(HasSubstr("the plan itself")));
  EXPECT_FALSE(runbook::read_stamp("# no runbook"));
  EXPECT_FALSE(runbook::read_stamp("<!-- lifeboat-runbook {\"plan\":1} -->"));
}

TEST_F(Runbooks, WhatAGreenRunSawIsShownAndItsSecretsAreNot) {
  const platform::Platform small = platform(read(golden("runbook-small.yaml")));
  run::RunState green;
  green.pins.run = "run-7";
  run::StepState& server = green.steps["server"];
  server.checks = {{"observe ./new-server", "exit status 0", "exit \x1b[31m0 <b>", true}};
  server.outputs = Value(Value::Map{{"url", Value("postgresql://h/x")},
                                    {"password", Value("hunter2")},
                                    {"undeclared", Value("hunter2")}});
  const runbook::Runbook made = page(small, "lost", &green);
  for (const std::string& text : {runbook::render_markdown(made), runbook::render_html(made)}) {
    EXPECT_THAT(text, HasSubstr("postgresql"));
    EXPECT_THAT(text, HasSubstr("exit status 0"));
    EXPECT_THAT(text, Not(HasSubstr("hunter2")));
    EXPECT_THAT(text, Not(HasSubstr("\x1b")));
    EXPECT_THAT(text, Not(HasSubstr("<b>")));
  }
}

}  // namespace
}  // namespace lifeboat::app
