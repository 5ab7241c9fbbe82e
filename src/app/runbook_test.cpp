// Runbooks of whole platform files, with every step type there is: what is data is never code.
#include "runbook/runbook.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/registry.h"
#include "base/temporary_folder.h"
#include "platform/platform.h"
#include "run/expectation.h"
#include "steps/by_hand/by_hand.h"
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
    words_.guards = &guards_;
  }

  platform::Platform platform(const std::string& text) {
    auto read = platform::read_platform(text, "lifeboat.yaml", words_);
    EXPECT_TRUE(read) << (read ? "" : read.error().what);
    return read ? *std::move(read) : platform::Platform();
  }
  static plan::Plan variant(const platform::Platform& platform, const std::string& plan,
                            plan::Manner manner = plan::Manner::ungraceful) {
    auto made = runbook::variant_for_people(platform.plans.at(plan), manner);
    EXPECT_TRUE(made) << (made ? "" : made.error().what);
    return made ? *std::move(made) : plan::Plan();
  }
  runbook::Ground ground(const platform::Platform& platform, const plan::Plan& plan) {
    runbook::Ground ground;
    ground.plan = &plan;
    ground.types = &steps_;
    ground.guards = &guards_;
    ground.sources = platform::source_values(platform);
    ground.platform = platform.name;
    ground.repository = platform.repository;
    ground.version = "0.0.0";
    for (const plan::StepNode& step : ground.plan->steps) {
      ground.expectations[step.name] = run::assumed(step, steps_);
    }
    return ground;
  }
  runbook::Runbook page(const platform::Platform& platform, const std::string& name,
                        const run::RunState* green = nullptr,
                        plan::Manner manner = plan::Manner::ungraceful) {
    const plan::Plan plan = variant(platform, name, manner);
    runbook::Ground made = ground(platform, plan);
    made.manner = manner;
    made.green = green;
    return runbook::make_runbook(made);
  }
  // What is stale of a page once the text of the platform file is another one.
  std::vector<std::string> changes(const runbook::Stamp& stamp, const std::string& text,
                                   const std::string& name) {
    const platform::Platform other = platform(text);
    const plan::Plan plan = variant(other, name);
    return runbook::compare(stamp, ground(other, plan));
  }

  const steps::RestoreWorld world_;
  const source::SourceTypes sources_;
  const plan::StepTypes steps_;
  const plan::GuardKinds guards_ = known_guards();
  platform::Vocabulary words_;
};

std::string commands_of(const runbook::Runbook& page) {
  std::string text;
  for (const runbook::Block& block : page.blocks) {
    if (block.kind == runbook::Block::Kind::code && block.language == "sh") text += block.code;
  }
  return text;
}

TEST_F(Runbooks, EveryKindOfGuardSaysWhatAPersonTypes) {
  for (const auto& [name, kind] : guards_.all()) EXPECT_TRUE(kind.by_hand) << name;
}

TEST_F(Runbooks, EveryTypeButAGateSaysWhatAPersonTypes) {
  for (const auto& [name, type] : steps_.all()) {
    EXPECT_EQ(static_cast<bool>(type.by_hand), name != plan::approval_type) << name;
  }
}

TEST_F(Runbooks, EveryClassOfErrorHasWordsForEveryType) {
  for (const auto& [name, type] : steps_.all()) {
    if (!type.by_hand) continue;
    plan::StepNode node;
    node.name = "step";
    node.type = name;
    plan::HandNames names({}, {});
    plan::ByHand hand(node, names);
    steps::by_hand::troubles(hand);
    using Kind = Error::Kind;
    for (const Kind kind : {Kind::invalid, Kind::not_found, Kind::conflict, Kind::denied,
                            Kind::unavailable, Kind::corrupt}) {
      const auto told = [&](const auto& row) {
        return row.first.text() == kind_name(kind) && !row.second.empty();
      };
      EXPECT_TRUE(std::ranges::any_of(hand.troubles(), told)) << name << ": " << kind_name(kind);
    }
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

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST_F(Runbooks, APageSaysWhatHasChangedSince) {
  const std::string text = read(golden("runbook-small.yaml"));
  const runbook::Runbook made = page(platform(text), "lost");
  const auto stamp = runbook::read_stamp(runbook::render_html(made));
  ASSERT_TRUE(stamp);
  const auto changes = [&](const std::string& from, const std::string& to) {
    return this->changes(*stamp, replaced(text, from, to), "lost");
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

// Addresses that a page names are not in the plan, and make it as stale as the plan does.
TEST_F(Runbooks, APageThatNamesAnotherAddressIsStale) {
  const std::string text = R"(
version: 1
platform: shop
repository: /mnt/rescue
sources:
  orders: { postgres: { url: "postgresql://a@10.0.0.7/x", databases: [orders] } }
  uploads: { files: { path: /srv/uploads } }
plans:
  lost:
    inputs: { target: { ask: "where to" } }
    guard: { postgres: { url: "${sources.orders.url}", system_identifier: "7" } }
    steps:
      look: { sql: { url: "${sources.orders.url}", expect: ["SELECT true"] } }
      back: { restore: { source: uploads, into: "${inputs.target}" } }
      same: { compare: { source: uploads }, after: [back] }
      told: { exec: { run: [./tell, "${platform.name}"], observe: [./told] } }
)";
  const auto stamp = runbook::read_stamp(runbook::render_markdown(page(platform(text), "lost")));
  ASSERT_TRUE(stamp);
  const auto changes = [&](const std::string& from, const std::string& to) {
    return this->changes(*stamp, replaced(text, from, to), "lost");
  };
  EXPECT_THAT(changes("platform: shop", "# the shop\nplatform: shop"), IsEmpty());
  EXPECT_THAT(changes("10.0.0.7", "10.0.0.8"), testing::ElementsAre("step look: changed"));
  EXPECT_THAT(changes("/srv/uploads", "/srv/files"), testing::ElementsAre("step same: changed"));
  EXPECT_THAT(changes("platform: shop", "platform: toys"),
              testing::ElementsAre("step told: changed"));
  EXPECT_THAT(changes("/mnt/rescue", "/mnt/other"), testing::ElementsAre(HasSubstr("repository")));
  EXPECT_THAT(changes("system_identifier: \"7\"", "system_identifier: \"8\""),
              testing::ElementsAre(HasSubstr("guards")));
  EXPECT_THAT(changes("sources:\n", "sources:\n  more: { files: { path: /srv/more } }\n"),
              testing::ElementsAre(HasSubstr("sources")));
  // No line holds them.
  EXPECT_THAT(changes("databases: [orders]", "databases: [orders, works]"), IsEmpty());
}

constexpr const char* variants = R"(
version: 1
platform: shop
plans:
  move:
    inputs: { region: { ask: region } }
    steps:
      drain: { exec: { run: [./drain], observe: [./drained] }, when: graceful }
      fence: { exec: { run: [./fence], observe: [./fenced] }, when: ungraceful }
      local: { exec: { run: [./local], observe: [./is-local] }, when: "inputs.region == 'eu'" }
      serve: { exec: { run: [./serve], observe: [./serves] }, after: [drain, fence, local] }
)";

TEST_F(Runbooks, APageIsOfOneVariant) {
  const platform::Platform move = platform(variants);
  const runbook::Runbook lost = page(move, "move");
  const runbook::Runbook still = page(move, "move", nullptr, plan::Manner::graceful);
  EXPECT_THAT(commands_of(lost), testing::AllOf(HasSubstr("./fence"), Not(HasSubstr("./drain"))));
  EXPECT_THAT(commands_of(still), testing::AllOf(HasSubstr("./drain"), Not(HasSubstr("./fence"))));
  EXPECT_EQ(lost.stamp.variant, "ungraceful");
  EXPECT_NE(lost.stamp.digest, still.stamp.digest);
  for (const std::string& text : {runbook::render_markdown(still), runbook::render_html(still)}) {
    const auto stamp = runbook::read_stamp(text);
    ASSERT_TRUE(stamp);
    EXPECT_EQ(stamp->variant, "graceful");
    EXPECT_EQ(stamp->digest, still.stamp.digest);
  }
}

TEST_F(Runbooks, AConditionThatNobodyKnowsYetIsToldWithItsStep) {
  const runbook::Runbook lost = page(platform(variants), "move");
  EXPECT_THAT(commands_of(lost), HasSubstr("./local"));
  const std::string text = runbook::render_markdown(lost);
  EXPECT_THAT(text, HasSubstr("| Only when | inputs.region == 'eu' holds"));
  const auto count = [&](std::string_view word) {
    std::size_t found = 0;
    for (std::size_t at = 0; (at = text.find(word, at)) != std::string::npos; ++at) ++found;
    return found;
  };
  EXPECT_EQ(count("Only when"), 1u);
}

TEST_F(Runbooks, BeforeTheFirstStepAPersonSeesThatTheTargetIsTheRightOne) {
  const std::string text = runbook::render_markdown(page(platform(R"yaml(
version: 1
platform: shop
plans:
  lost:
    inputs: { database: { ask: "its URL" }, account: { ask: "its number" } }
    guard:
      aws-account: "${inputs.account}"
      file: { path: machine-id, contains: "42 $(id)" }
      git: { url: "https://git.example/s", user: eve, password: { env: GIT }, root_commit: abc }
      git-ref: { url: "/srv/git", ref: refs/heads/main, commit: "abc" }
      host: rescue
      postgres: { url: "${inputs.database}", password: { env: DB }, system_identifier: "7301" }
      rabbitmq: { url: "http://mq:15672", password: { env: MQ }, ca_file: mq.pem, adopt: true }
    steps:
      serve: { exec: { run: [./serve], observe: [./serves] } }
)yaml"),
                                                         "lost"));
  const std::size_t begin = text.find("## Is this the right target?");
  const std::size_t end = text.find("## 1. serve");
  ASSERT_LT(begin, end);
  const std::string section = text.substr(begin, end - begin);
  for (const char* part :
       {"aws sts get-caller-identity", "same 'guard aws-account' \"$inputs_account\"",
        "cat -- \"$bundle\"/machine-id", "*'42 $(id)'*)", "rev-list --max-parents=0",
        "ls-remote -- /srv/git refs/heads/main", "uname -n", "PGPASSWORD=\"$DB\" psql",
        "SELECT system_identifier FROM pg_catalog.pg_control_system()",
        "same 'guard postgres' 7301", "--cacert \"$bundle\"/mq.pem",
        "/api/global-parameters/internal_cluster_id", "when it first answers"}) {
    EXPECT_THAT(section, HasSubstr(part));
  }
  // Nothing is wanted of what is only adopted.
  EXPECT_THAT(section, Not(HasSubstr("same 'guard rabbitmq'")));
  const std::string settings = text.substr(0, begin);
  for (const char* part : {"same() {", "curl_login() {", " psql", " aws", "${GIT:?", "${MQ:?"}) {
    EXPECT_THAT(settings, HasSubstr(part));
  }
  EXPECT_THAT(runbook::render_markdown(page(platform(variants), "move")),
              Not(HasSubstr("right target")));
}

TEST_F(Runbooks, OwnWordsStandAsTheyAreWritten) {
  const runbook::Runbook small = page(platform(read(golden("runbook-small.yaml"))), "lost");
  const std::string text = runbook::render_markdown(small);
  EXPECT_THAT(text, HasSubstr("`lifeboat runbook --check FILE`"));
  EXPECT_THAT(text, HasSubstr("`observe` ends with 1"));
  EXPECT_THAT(text, Not(HasSubstr("\\-")));
  EXPECT_THAT(text, Not(HasSubstr("\\`")));
  EXPECT_THAT(runbook::render_html(small), HasSubstr("<code>observe</code> ends with 1"));
}

TEST_F(Runbooks, WhatNobodySeesIsShown) {
  const std::string unseen = "a\xe2\x80\xaegpj\xe2\x80\x8b";
  const platform::Platform whole = platform(with_payload(unseen));
  ASSERT_TRUE(whole.plans.contains("all"));
  const runbook::Runbook made = page(whole, "all");
  for (const std::string& text : {runbook::render_markdown(made), runbook::render_html(made)}) {
    EXPECT_THAT(text, HasSubstr("\\u202e"));
    EXPECT_THAT(text, Not(HasSubstr("\xe2\x80\xae")));
    EXPECT_THAT(text, Not(HasSubstr("\xe2\x80\x8b")));
  }
  EXPECT_THAT(commands_of(made), Not(HasSubstr("\xe2\x80\xae")));
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
