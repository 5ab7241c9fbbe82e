#include "platform/platform.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "platform/vocabulary_fixture.h"
#include "schema/json.h"

namespace lifeboat::platform {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> wrong(const std::string& text) {
  std::vector<Finding> findings;
  const auto platform = read_platform(text, "f", test_vocabulary(), &findings);
  EXPECT_EQ(platform.has_value(), findings.empty());
  std::vector<std::string> texts;
  for (const Finding& finding : findings) texts.push_back(finding.text());
  return texts;
}

TEST(Platform, AGoodFileBecomesWhatItSays) {
  const auto platform = read_platform(good_file(), "lifeboat.yaml", test_vocabulary());
  ASSERT_TRUE(platform) << platform.error().what;
  EXPECT_EQ(platform->name, "shop");
  EXPECT_EQ(platform->repository, "/var/lib/lifeboat");
  EXPECT_EQ(platform->objectives.rto, std::chrono::minutes(15));
  EXPECT_EQ(platform->objectives.rpo, std::chrono::hours(1));
  EXPECT_EQ(platform->sources.at("orders").type, "postgres");
  EXPECT_EQ(platform->sources.at("orders").config.integer("jobs", 0), 4);
  EXPECT_EQ(platform->sources.at("lone").config.text("url"), "postgresql://db/lone");
  EXPECT_EQ(platform->sources.at("uploads").why, "what customers sent");
  const plan::Plan& plan = platform->plans.at("shop-lost");
  EXPECT_EQ(plan.heartbeat, "check.url");
  EXPECT_EQ(plan.inputs.size(), 2u);
  EXPECT_THAT(plan.topological(), ElementsAre("db", "orders", "check"));
  // Not what YAML makes of it.
  EXPECT_EQ(plan.find("db")->config.text("text"), "no");
  EXPECT_EQ(plan.find("orders")->retry.times, 3);
  EXPECT_EQ(plan.find("db")->mark.text(), "lifeboat.yaml:20:7");
}

TEST(Platform, AllFindingsComeInTheOrderOfTheFile) {
  EXPECT_THAT(
      wrong("version: 1\nplatform: shop\nretention: { last: 3 }\nsources:\n"
            "  orders: { postgre: { url: x } }\n  b: { files: { path: x, folow: true } }\n"
            "plans:\n  p:\n    steps:\n      a: { restore: { source: ordres, into: x } }\n"),
      ElementsAre("f:3:1: 'retention' is not in this version (the word is kept for a later version "
                  "of Lifeboat; remove it)",
                  "f:5:13: sources.orders: unknown source type or key 'postgre' (did you mean "
                  "'postgres'?)",
                  "f:6:26: sources.b.files: unknown key 'folow' (did you mean 'follow'?)",
                  "f:10:31: plans.p.steps.a.restore.source: no source is named 'ordres' (did you "
                  "mean 'orders'?)"));
}

struct Bad {
  std::string text, finding;
};
void PrintTo(const Bad& bad, std::ostream* out) { *out << bad.finding; }
class BadFile : public testing::TestWithParam<Bad> {};
TEST_P(BadFile, IsToldWithItsPlace) {
  EXPECT_THAT(wrong(GetParam().text), ElementsAre(GetParam().finding));
}

std::string with(const std::string& text) { return "version: 1\nplatform: shop\n" + text; }

INSTANTIATE_TEST_SUITE_P(
    All, BadFile,
    testing::Values(
        Bad{"platform: x\n", "f:1:1: 'version' is missing (begin the file with 'version: 1')"},
        Bad{"- a\n", "f:1:1: expected a map with 'version: 1' first, found a list"},
        Bad{"version: 2\nnew-word: x\n",
            "f:1:10: version: version 2 of the platform file is not known (this program reads "
            "version 1; a newer Lifeboat is needed)"},
        Bad{"version: \"1\"\n",
            "f:1:10: version: expected an integer, found '1' (write it without quotes)"},
        Bad{"version: 1\n", "f:1:1: 'platform' is missing (name of the platform)"},
        Bad{"version: 1\nplatform: my shop\n",
            "f:2:11: platform: not a name for a platform (letters, digits, '-' and '_', a letter "
            "first, at most 63)"},
        Bad{with("objectives: { rto: soon }\n"),
            "f:3:20: objectives.rto: expected a duration, found 'soon' (like 90s, 15m, 1h30m or "
            "7d)"},
        Bad{with("sources: [a]\n"), "f:3:10: sources: expected a map by name, found a list"},
        Bad{with("sources: { 1a: { files: { path: x } } }\n"),
            "f:3:12: sources: '1a' is no name (letters, digits, '-' and '_', a letter first, at "
            "most 63)"},
        Bad{with("sources: { a: x }\n"),
            "f:3:12: sources.a: expected a map with the source's type (NAME: { TYPE: { ... } }; "
            "known types: postgres, files)"},
        Bad{with("sources: { a: { files: { path: x }, every: 5m } }\n"),
            "f:3:37: sources.a: 'every' is not in this version (the word is kept for a later "
            "version of Lifeboat; remove it)"},
        Bad{with("sources: { a: { files: { path: x }, postgres: x } }\n"),
            "f:3:37: sources.a: a source has one type; this one has 'files' and 'postgres'"},
        Bad{with("sources: { a: { description: x } }\n"),
            "f:3:12: sources.a: the source has no type (NAME: { TYPE: { ... } })"},
        Bad{with("sources: { a: { postgres: { url: x, password: hunter2 } } }\n"),
            "f:3:47: sources.a.postgres.password: a secret may not be written into the file (write "
            "{env: NAME}, {file: PATH}, {exec: [PROGRAM, ...]} or a ${reference})"},
        Bad{with("sources: { a: { files: { path: \"${HOME}/x\" } } }\n"),
            "f:3:32: sources.a.files.path: '${...}' has no meaning in a source (values of the "
            "environment are for secrets: {env: NAME})"},
        Bad{with("plans: { p: { steps: { a: { run: { port: \"5\" } } } } }\n"),
            "f:3:42: plans.p.steps.a.run.port: expected an integer, found '5' (write it without "
            "quotes)"},
        Bad{with("plans: { p: x }\n"), "f:3:10: plans.p: expected a map with 'steps'"},
        Bad{with("plans: { p: { steps: { a: { run: x, verify: y } } } }\n"),
            "f:3:37: plans.p.steps.a: 'verify' is not in this version (the word is kept for a "
            "later "
            "version of Lifeboat; remove it)"},
        Bad{with(
                "plans: { p: { steps: { a: { run: x, after: b }, b: { run: \"${a.url}\" } } } }\n"),
            "f:3:44: plans.p: these steps wait for each other: a -> b -> a (a waits for b at "
            "f:3:44; b waits for a at f:3:59)"}));

const std::string two_sources =
    "sources: { a: { files: { path: x } }, b: { files: { path: y } } }\n";

INSTANTIATE_TEST_SUITE_P(
    HooksAndGroups, BadFile,
    testing::Values(
        Bad{with("sources: { a: { files: { path: x }, hooks: { before: x } } }\n"),
            "f:3:44: sources.a.hooks: 'after' is missing (program and arguments: thaws. Runs "
            "whenever `before` was started, whatever happened)"},
        Bad{with("sources: { a: { files: { path: x }, hooks: { after: [] } } }\n"),
            "f:3:53: sources.a.hooks.after: names no program ([PROGRAM, ARGUMENTS...], or leave "
            "the word out)"},
        Bad{with("sources: { a: { files: { path: x }, hooks: { after: t, limit: 0s } } }\n"),
            "f:3:63: sources.a.hooks.limit: must be more than zero"},
        Bad{with("sources: { a: { files: { path: x }, hooks: { after: \"${x}\" } } }\n"),
            "f:3:53: sources.a.hooks.after: '${...}' has no meaning in a source (values of the "
            "environment are for secrets: {env: NAME})"},
        Bad{with("sources: { a: { files: { path: x }, hooks: { after: t, secret_env: { P: pw } } } "
                 "}\n"),
            "f:3:73: sources.a.hooks.secret_env.P: a secret may not be written into the file "
            "(write {env: NAME}, {file: PATH}, {exec: [PROGRAM, ...]} or a ${reference})"},
        Bad{with(two_sources + "groups: { g: { sources: [a, b] } }\n"),
            "f:4:14: groups.g: 'max_skew' is missing (how far apart their moments may lie)"},
        Bad{with(two_sources + "groups: { g: { sources: [a, c], max_skew: 2s } }\n"),
            "f:4:29: groups.g.sources: there is no source 'c' (known: a, b)"},
        Bad{with(two_sources + "groups: { g: { sources: [a], max_skew: 2s } }\n"),
            "f:4:25: groups.g.sources: a group has 2 to 16 sources"},
        Bad{with(two_sources + "groups: { g: { sources: [a, a], max_skew: 2s } }\n"),
            "f:4:29: groups.g.sources: 'a' is in it twice (a source has one moment, so it is in "
            "one group at most)"},
        Bad{with(two_sources + "groups: { g: { sources: [a, b], max_skew: 2s, attempts: 11 } }\n"),
            "f:4:57: groups.g.attempts: is 1 to 10"},
        Bad{with("sources: { a: { files: { path: x } }, b: { files: { path: y } }, c: { files: { "
                 "path: z } } }\ngroups: { g: { sources: [a, b], max_skew: 2s }, h: { sources: "
                 "[b, c], max_skew: 2s } }\n"),
            "f:4:64: groups.h.sources: 'b' is in group 'g' already (a source has one moment, so it "
            "is in one group at most)"}));

// Nothing in the file begins a recovery by itself, so no probe can by mistake.
TEST(Platform, H13NoWordOfTheFileAsksForARecoveryThatBeginsByItself) {
  const std::pair<std::string, std::string> words[] = {
      {"probes", "probes: { page: { http: x } }\n"},
      {"incidents", "incidents: { lost: { recover: lost } }\n"}};
  for (const auto& [word, text] : words) {
    const auto platform = read_platform(with(text), "f", test_vocabulary());
    ASSERT_FALSE(platform) << word;
    EXPECT_EQ(platform.error().code, Error::Code::usage);
    EXPECT_THAT(platform.error().what,
                HasSubstr("f:3:1: '" + word +
                          "' is not in this version (the word is kept for a later version of "
                          "Lifeboat; remove it)"));
  }
}

TEST(Platform, HooksAndGroupsAreRead) {
  const auto platform = read_platform(
      with("sources:\n  a: { files: { path: x }, hooks: { before: [freeze, a], after: thaw, limit: "
           "90s, env: { V: 1 }, secret_env: { P: { env: PW } } } }\n  b: { files: { path: y } }\n"
           "groups:\n  shop: { sources: [b, a], max_skew: 2s, hooks: { after: thaw } }\n"),
      "f", test_vocabulary());
  ASSERT_TRUE(platform) << platform.error().what;
  const Hooks& hooks = *platform->sources.at("a").hooks;
  EXPECT_THAT(hooks.before, ElementsAre("freeze", "a"));
  EXPECT_THAT(hooks.after, ElementsAre("thaw"));
  EXPECT_EQ(hooks.limit, std::chrono::seconds(90));
  EXPECT_EQ(hooks.timeout, std::chrono::seconds(30));
  EXPECT_EQ(hooks.retry_for, std::chrono::minutes(5));
  EXPECT_EQ(hooks.env.at("V"), "1");
  EXPECT_EQ(hooks.words.at("secret_env").at("P").text("env"), "PW");
  EXPECT_FALSE(platform->sources.at("b").hooks);
  const Group& group = platform->groups.at("shop");
  EXPECT_THAT(group.sources, ElementsAre("b", "a"));
  EXPECT_EQ(group.max_skew, std::chrono::seconds(2));
  EXPECT_EQ(group.attempts, 2U);
  EXPECT_TRUE(group.hooks->before.empty());
}

TEST(Platform, EveryWordOfALaterVersionIsRefusedByName) {
  for (const std::string& word : platform_words().reserved) {
    const auto found = wrong(with(word + ": x\n"));
    ASSERT_EQ(found.size(), 1u) << word;
    EXPECT_THAT(found[0], HasSubstr("'" + word + "' is not in this version"));
  }
  for (const std::string& word : source_words().reserved) {
    const auto found = wrong(with("sources: { a: { files: { path: x }, " + word + ": x } }\n"));
    ASSERT_EQ(found.size(), 1u) << word;
    EXPECT_THAT(found[0], HasSubstr("'" + word + "' is not in this version"));
  }
}

TEST(Platform, AFileFullOfMistakesEnds) {
  std::string text = with("plans:\n  p:\n    steps:\n");
  for (int i = 0; i < 8000; ++i) {
    const std::string number = std::to_string(i);
    text += "      step" + number + ": { run: \"${other" + number + ".url} ${inputs.x" + number +
            "}\", after: [another" + number + "] }\n";
  }
  EXPECT_EQ(wrong(text).size(), 3u * 8000u);
}

TEST(Platform, ExitStatusesTellALaterVersionFromAMistake) {
  const auto later = read_platform("version: 2\n", "f", test_vocabulary());
  EXPECT_EQ(exit_status(later.error().effective_code()), 17);
  const auto mistake = read_platform("version: one\n", "f", test_vocabulary());
  EXPECT_EQ(exit_status(mistake.error().effective_code()), 2);
}

class OnDisk : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = testing::TempDir() + "lifeboat-platform-XXXXXX";
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((folder_ / name).parent_path());
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  std::filesystem::path folder_;
};

TEST_F(OnDisk, AGigabyteIsRefusedByItsSizeAlone) {
  const std::string path = write("big.yaml", "");
  ASSERT_EQ(::truncate(path.c_str(), 1 << 30), 0);
  const auto platform = load_platform(path, test_vocabulary());
  ASSERT_FALSE(platform);
  EXPECT_THAT(platform.error().what,
              HasSubstr("1073741824 bytes, the most that is read is 1048576"));
  EXPECT_EQ(exit_status(platform.error().effective_code()), 2);
}

TEST_F(OnDisk, WhatIsNoFileIsToldAndNotWaitedFor) {
  EXPECT_EQ(load_platform(folder_ / "none", test_vocabulary()).error().kind,
            Error::Kind::not_found);
  EXPECT_THAT(load_platform(folder_, test_vocabulary()).error().what,
              HasSubstr("not a regular file"));
  const std::string pipe = folder_ / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(load_platform(pipe, test_vocabulary()).error().what, HasSubstr("not a regular file"));
}

TEST_F(OnDisk, TheBundleTakesWhatIsNamedAndMentionedButNoSecret) {
  write("recovery/start.py", "x");
  write("recovery/lib/deep.py", "x");
  write("notes/a.md", "x");
  write("secrets/pw", "hunter2");
  write("not-named", "x");
  write("notes/.git/config", "x");
  write("notes/pw", "hunter2");
  std::filesystem::create_symlink("/etc/hostname", folder_ / "recovery" / "link");
  std::filesystem::create_directory_symlink(folder_, folder_ / "notes" / "loop");
  const std::string path = write(
      "lifeboat.yaml",
      with("include: [notes]\nplans:\n  p:\n    files: [recovery/lib]\n    steps:\n"
           "      a: { run: { hosts: [python3, recovery/start.py, --port, \"1\", recovery, "
           "/etc/passwd, recovery/link, ../x], password: { file: secrets/pw },\n"
           "           free: { password: { file: notes/pw }, dir: recovery, directory: . } } }\n"));
  const auto platform = load_platform(path, test_vocabulary());
  ASSERT_TRUE(platform) << platform.error().what;
  const auto files = local_files(*platform, test_vocabulary());
  ASSERT_TRUE(files) << files.error().what;
  EXPECT_THAT(*files, ElementsAre("notes/a.md", "recovery/lib/deep.py", "recovery/start.py"));
}

TEST_F(OnDisk, TheBundleTakesTheCertificatesThatASourceTrusts) {
  write("tls/ca.pem", "x");
  const std::string path =
      write("lifeboat.yaml", with("sources:\n"
                                  "  a: { postgres: { url: x, ca_file: tls/ca.pem } }\n"
                                  "  b: { postgres: { url: x, ca_file: /etc/ssl/ca.pem } }\n"));
  const auto platform = load_platform(path, test_vocabulary());
  ASSERT_TRUE(platform) << platform.error().what;
  const auto files = local_files(*platform, test_vocabulary());
  ASSERT_TRUE(files) << files.error().what;
  EXPECT_THAT(*files, ElementsAre("tls/ca.pem"));
}

TEST_F(OnDisk, NoSecretIsInTheBundleByWhateverPathItIsNamed) {
  for (const char* name : {"keys/input", "keys/absolute", "keys/linked", "keys/crooked"}) {
    write(name, "hunter2");
  }
  write("keys/readme", "x");
  std::filesystem::create_symlink("linked", folder_ / "keys" / "link");
  const std::string path =
      write("lifeboat.yaml",
            with("include: [keys]\nsources:\n"
                 "  a: { postgres: { url: x, password: { file: \"" +
                 (folder_ / "keys" / "absolute").string() +
                 "\" } } }\n"
                 "  b: { postgres: { url: x, password: { file: keys/link } } }\n"
                 "  c: { postgres: { url: x, password: { file: ./keys/../keys/crooked } } }\n"
                 "plans:\n  p:\n"
                 "    inputs: { t: { type: secret, default: { file: keys/input } } }\n"
                 "    steps:\n      a: { run: { text: x } }\n"));
  const auto platform = load_platform(path, test_vocabulary());
  ASSERT_TRUE(platform) << platform.error().what;
  const auto files = local_files(*platform, test_vocabulary());
  ASSERT_TRUE(files) << files.error().what;
  EXPECT_THAT(*files, ElementsAre("keys/readme"));
}

TEST_F(OnDisk, AFileThatIsNamedMustBeThereAndBelow) {
  const auto missing =
      load_platform(write("a.yaml", with("include: [none.txt]\n")), test_vocabulary());
  ASSERT_TRUE(missing);
  EXPECT_EQ(local_files(*missing, test_vocabulary()).error().kind, Error::Kind::not_found);
  const auto outside = load_platform(write("b.yaml", with("include: [../x]\n")), test_vocabulary());
  ASSERT_TRUE(outside);
  EXPECT_THAT(local_files(*outside, test_vocabulary()).error().what,
              HasSubstr("is not below the folder of the platform file"));
}

std::vector<std::string> secrets_of(const std::string& text) {
  const auto platform = read_platform(text, "f", test_vocabulary());
  EXPECT_TRUE(platform) << platform.error().what;
  std::vector<std::string> found;
  if (!platform) return found;
  for (const LocalSecret& secret : local_secrets(*platform, test_vocabulary())) {
    found.push_back(secret.mark.text() + " " + secret.path + ": " + secret.from);
  }
  return found;
}

TEST(LocalSecrets, AreNamedWhenARecoveryNeedsThem) {
  const std::string sources =
      "sources:\n  orders: { postgres: { url: x, password: { env: PW } } }\n"
      "  other: { postgres: { url: x, password: { env: NOT_RESTORED } } }\n";
  EXPECT_THAT(
      secrets_of(with(sources + "plans:\n  p:\n    inputs: { t: { type: secret, default: { exec: "
                                "[pass, show] } } }\n    steps:\n"
                                "      a: { restore: { source: orders, into: x } }\n"
                                "      b: { run: { password: { file: secrets/pw } } }\n"
                                "      c: { run: { password: \"${b.token}\" } }\n")),
      ElementsAre("f:8:43 plans.p.inputs.t: program pass",
                  "f:4:43 plans.p.steps.a.restore.password: environment variable PW",
                  "f:11:29 plans.p.steps.b.run.password: file secrets/pw"));
  EXPECT_THAT(secrets_of(with(sources)), IsEmpty());
}

TEST(LocalSecrets, SayHowTheFileNamesThemWhereTheySurelyAreSome) {
  plan::StepTypes steps = *test_vocabulary().steps;
  plan::StepType type = *steps.find("restore");
  type.name = "put-back";
  type.fields.fields.push_back(plan::test_field("with", shape::any()));
  steps.add(type);
  Vocabulary words = test_vocabulary();
  words.steps = &steps;
  const auto platform = read_platform(
      with("sources:\n  orders: { postgres: { url: x, password: { env: PW } } }\n"
           "plans:\n  p:\n    steps:\n"
           "      a: { put-back: { source: orders, into: x, with: { password: { file: pw } } } }\n"
           "      b: { run: { free: { env: prod } } }\n"),
      "f", words);
  ASSERT_TRUE(platform) << platform.error().what;
  const auto found = local_secrets(*platform, words);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].path, "plans.p.steps.a.put-back.with.password");
  EXPECT_EQ(found[0].place.text("file"), "pw");
  EXPECT_EQ(found[1].from, "environment variable prod") << "it may be one";
  EXPECT_TRUE(found[1].place.is_null());
}

}  // namespace
}  // namespace lifeboat::platform
