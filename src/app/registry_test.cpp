// The registry, the documentation and the examples name the same things.
#include "app/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "app/type_tables.h"
#include "client/process/launcher.h"
#include "plan/fake_context.h"
#include "platform/platform.h"
#include "test_places.h"

namespace lifeboat::app {
namespace {

using testing::HasSubstr;

std::string read(const std::string& name) {
  std::ifstream file(std::string(LIFEBOAT_SOURCE_DIR) + "/" + name);
  EXPECT_TRUE(file) << name;
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

class Registry : public testing::Test {
 protected:
  Registry() : sources_(known_sources()), steps_(known_steps(world_)), guards_(known_guards()) {
    for (const auto& [name, type] : sources_.all()) {
      words_.sources.push_back({name, type.help, type.fields});
    }
    words_.steps = &steps_;
    words_.guards = &guards_;
  }
  const steps::RestoreWorld world_;
  const source::SourceTypes sources_;
  const plan::StepTypes steps_;
  const plan::GuardKinds guards_;
  platform::Vocabulary words_;
};

TEST_F(Registry, WhatAStepUsuallyTakesIsARange) {
  for (const auto& [name, type] : steps_.all()) {
    EXPECT_GT(type.usually.low.count(), 0) << name;
    EXPECT_LE(type.usually.low, type.usually.likely) << name;
    EXPECT_LT(type.usually.likely, type.usually.high) << name;
  }
}

void expect_documented(const Record& record, const std::string& what) {
  EXPECT_FALSE(record.help.empty()) << what;
  for (const Field& field : record.fields) {
    EXPECT_FALSE(field.help.empty()) << what << "." << field.name;
    if (field.shape.record) expect_documented(*field.shape.record, what + "." + field.name);
  }
}

TEST_F(Registry, EveryTypeAndFieldTellsWhatItIsFor) {
  for (const auto& [name, type] : sources_.all()) expect_documented(type.fields, name);
  for (const auto& [name, type] : steps_.all()) {
    EXPECT_FALSE(type.help.empty()) << name;
    for (const Field& field : type.fields.fields) {
      EXPECT_FALSE(field.help.empty()) << name << "." << field.name;
    }
  }
}

TEST_F(Registry, EveryKindOfGuardTellsWhatItIsForAndWhatItExpects) {
  for (const auto& [name, kind] : guards_.all()) {
    EXPECT_FALSE(kind.help.empty()) << name;
    EXPECT_TRUE(kind.look) << name;
    EXPECT_NE(kind.fields.find(kind.expected), nullptr) << name;
    for (const Field& field : kind.fields.fields) {
      EXPECT_FALSE(field.help.empty()) << name << "." << field.name;
    }
  }
}

// Answers when it is told to stop, as a program that hangs.
class HangingLauncher final : public Launcher {
 public:
  Result<Finished> run(const Operation& op, const Command&, ByteView) override {
    ++asked;
    TRY_DO(op.proceed());
    return Finished{.status = 0, .output = "secret\n", .errors = {}, .left = {}};
  }
  Result<std::unique_ptr<Child>> start(const Operation&, const Command&) override {
    return fail(Error::Kind::invalid, "no streams here");
  }
  void mask(const Secret&) override {}
  std::string masked(std::string_view text) const override { return std::string(text); }
  std::vector<int> living(const std::string&) const override { return {}; }
  int asked = 0;
};

TEST_F(Registry, AProgramThatAStepAsksForASecretEndsWithTheOperation) {
  const SystemClock clock;
  HangingLauncher launcher;
  plan::FakeContext context({.clock = &clock, .launcher = &launcher});
  const Value from = Value{}.set("exec", Value(Value::List{Value("pass")}));
  Value check = Value{}.set("url", "http://127.0.0.1:1").set("password", from);
  Value source = Value{}.set("url", "https://127.0.0.1:1/a.git").set("password", from);
  Value edit = Value{}.set("repo", source);
  edit.set("set", Value{}.set("a.yaml", Value{}.set("key", "value")));
  for (const auto& [type, config] : {std::pair("http-check", check), std::pair("git-edit", edit)}) {
    launcher.asked = 0;
    const auto step = steps_.find(type)->make(config, context);
    ASSERT_TRUE(step) << step.error().what;
    std::stop_source stop;
    stop.request_stop();
    const auto stopped = (*step)->preflight({&clock, stop.get_token()});
    ASSERT_FALSE(stopped) << type;
    EXPECT_EQ(stopped.error().kind, Error::Kind::cancelled) << stopped.error().what;
    EXPECT_EQ(launcher.asked, 1) << type;
  }
}

TEST_F(Registry, ThePageOfThePlatformFileHasTheTablesOfAllTypes) {
  EXPECT_THAT(read("docs/plan-file.md"), HasSubstr(type_tables(sources_, steps_, guards_)))
      << "put the output of `lifeboat schema --markdown` below the line <!-- types -->";
}

TEST_F(Registry, TheExamplesOfThePagesAreValid) {
  for (const auto& [name, heading] : {std::pair("docs/plan-file.md", "## A complete example"),
                                      std::pair("docs/checks.md", "# Proving that it works")}) {
    const std::string page = read(name);
    const std::size_t title = page.find(heading);
    ASSERT_NE(title, std::string::npos) << name;
    const std::size_t begin = page.find("```yaml\n", title) + 8;
    const std::string example = page.substr(begin, page.find("```", begin) - begin);
    const auto platform = platform::read_platform(example, name, words_);
    EXPECT_TRUE(platform) << (platform ? "" : platform.error().what);
  }
}

TEST_F(Registry, TheShopIsValid) {
  std::string text = read("examples/shop/lifeboat.yaml");
  for (const char* place : {"@REPOSITORY@", "@SECRETS@", "@GIT@", "@UPLOADS@"}) {
    for (std::size_t at = text.find(place); at != std::string::npos; at = text.find(place)) {
      text.replace(at, std::string(place).size(), "/srv/x");
    }
  }
  text.replace(text.find("@POSTGRES_URL@"), 14, "postgresql://postgres@127.0.0.1:5432/postgres");
  text.replace(text.find("@RABBITMQ_URL@"), 14, "http://127.0.0.1:15672");
  const auto platform = platform::read_platform(text, "shop", words_);
  ASSERT_TRUE(platform) << platform.error().what;
  EXPECT_EQ(platform->plans.size(), 1u);
}

TEST_F(Registry, TypesThatChangeSomethingSayWhat) {
  for (const auto& [name, type] : steps_.all()) {
    EXPECT_TRUE(type.make) << name;
    EXPECT_TRUE(type.effects) << name;
  }
}

}  // namespace
}  // namespace lifeboat::app
