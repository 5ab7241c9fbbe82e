#include "source/git/git_program.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/bytes.h"
#include "base/temporary_folder.h"
#include "source/git/git_source.h"
#include "source/git/local_repository.h"
#include "source/git/references.h"

namespace lifeboat::source::git {
namespace {

using testing::HasSubstr;

// Answers every command with what a test says, and keeps what it was asked.
class ScriptedLauncher final : public Launcher {
 public:
  Finished answer;
  Command last;
  Result<Finished> run(const Operation&, const Command& command, ByteView) override {
    last = command;
    return answer;
  }
  Result<std::unique_ptr<Child>> start(const Operation&, const Command&) override {
    return fail(Error::Kind::unavailable, "no streams here");
  }
  void mask(const Secret&) override {}
  std::string masked(std::string_view text) const override { return std::string(text); }
  std::vector<int> living(const std::string&) const override { return {}; }
};

TEST(GitAddress, PathsAndUrlsAreTold) {
  const auto place = [](const char* text) {
    const auto address = read_address(text, "/base/dir");
    return address ? (address->is_local() ? "path " : "url ") + address->place() : "none";
  };
  EXPECT_EQ(place("/srv/a.git/"), "path /srv/a.git");
  EXPECT_EQ(place("file:///srv/a.git"), "path /srv/a.git");
  EXPECT_EQ(place("../a.git"), "path /base/a.git");
  EXPECT_EQ(place("repos/a:b"), "path /base/dir/repos/a:b");
  EXPECT_EQ(place("git@host:group/a.git"), "url git@host:group/a.git");
  EXPECT_EQ(place("ssh://git@host/a.git"), "url ssh://git@host/a.git");
  EXPECT_EQ(place("https://h.example/a.git"), "url https://h.example/a.git");
}

TEST(GitAddress, WhatCouldRunAProgramIsRefused) {
  for (const char* text : {"ext::sh -c id", "--upload-pack=id", "", "ftp://h/a", "git://h/a"}) {
    const auto address = read_address(text, "/");
    ASSERT_FALSE(address) << text;
    EXPECT_EQ(address.error().effective_code(), Error::Code::usage);
  }
}

TEST(GitAddress, ALoginLeavesTheUrl) {
  const auto address = read_address("https://ci:s3cret@h.example/a.git", "/");
  ASSERT_TRUE(address);
  EXPECT_EQ(address->url, "https://h.example/a.git");
  EXPECT_EQ(address->user, "ci");
  EXPECT_EQ(address->password.reveal(), "s3cret");
}

class GitProgramTest : public testing::Test {
 protected:
  SystemClock clock;
  Operation op{.clock = &clock};
  ScriptedLauncher launcher;
  GitProgram program() {
    return GitProgram(launcher, *read_address("https://ci:s3cret@h.example/a.git", "/"));
  }
};

TEST_F(GitProgramTest, ThePasswordIsInNoArgumentAndNoPlainVariable) {
  ASSERT_TRUE(program().run(op, {.args = {"ls-remote", program().address().url}}));
  for (const std::string& word : launcher.last.argv) {
    EXPECT_EQ(word.find("s3cret"), std::string::npos);
  }
  for (const auto& [name, value] : launcher.last.env) {
    EXPECT_EQ(value.find("s3cret"), std::string::npos) << name;
  }
  EXPECT_EQ(launcher.last.secret_files.at("GIT_CONFIG_GLOBAL").reveal().find("s3cret"),
            std::string::npos);
  EXPECT_EQ(launcher.last.secret_env.at("LIFEBOAT_GIT_PASSWORD").reveal(), "s3cret");
  EXPECT_EQ(launcher.last.env.at("GIT_TERMINAL_PROMPT"), "0");
}

TEST_F(GitProgramTest, WhatGitSaysBecomesAKind) {
  const auto kind = [&](const char* errors) {
    launcher.answer = {.status = 128, .output = "", .errors = errors, .left = {}};
    return program().run(op, {.args = {"push"}}).error().kind;
  };
  using K = Error::Kind;
  EXPECT_EQ(kind("fatal: Authentication failed for 'https://h'"), K::denied);
  EXPECT_EQ(kind("fatal: unable to access 'x': Could not resolve host: h"), K::unavailable);
  EXPECT_EQ(kind("fatal: repository 'https://h/a.git/' not found"), K::not_found);
  EXPECT_EQ(kind(" ! [rejected] main -> main (fetch first)\nerror: failed to push"), K::conflict);
  EXPECT_EQ(kind("fatal: bad object 1234"), K::corrupt);
  EXPECT_EQ(kind("fatal: something new"), K::invalid);
  launcher.answer.errors = "error: write: No space left on device";
  EXPECT_EQ(program().run(op, {.args = {"fetch"}}).error().effective_code(), Error::Code::no_space);
}

TEST(GitReferences, AManifestIsReadBackOrRefused) {
  References references;
  references.head = "refs/heads/main";
  references.ids["refs/heads/main"] = std::string(40, 'a');
  const auto again = from_value(to_value(references));
  ASSERT_TRUE(again);
  EXPECT_EQ(*again, references);
  for (const char* name : {"refs/heads/a\ndelete refs/heads/b", "heads/a", "refs/heads/a b"}) {
    References hostile = references;
    hostile.ids[name] = std::string(40, 'a');
    EXPECT_EQ(from_value(to_value(hostile)).error().kind, Error::Kind::corrupt) << name;
  }
  references.ids["refs/heads/x"] = "--exec=id";
  EXPECT_FALSE(from_value(to_value(references)));
}

TEST(GitReferences, DifferencesAreNamed) {
  References wanted, live;
  wanted.ids = {{"refs/heads/a", "1"}, {"refs/heads/b", "1"}};
  live.ids = {{"refs/heads/b", "2"}, {"refs/heads/c", "1"}};
  EXPECT_EQ(differences(wanted, live),
            "1 missing (refs/heads/a), 1 different (refs/heads/b), 1 not captured (refs/heads/c)");
  EXPECT_EQ(differences(wanted, wanted), "");
}

TEST(GitSourceType, ALoginIsNotSentToAnotherHost) {
  const SourceType type = git_source();
  Value config;
  config.set("url", "https://old.example/a.git");
  config.set("user", "ci");
  config.set("password", Value("s3cret").taint());
  const auto moved = type.retarget(config, "https://new.example/a.git", Value());
  ASSERT_TRUE(moved);
  EXPECT_FALSE(moved->has("password"));
  const auto same = type.retarget(config, "https://old.example/b.git", Value());
  ASSERT_TRUE(same);
  EXPECT_EQ(same->text("password"), "s3cret");
  Value with;
  with.set("pasword", "x");
  EXPECT_EQ(type.retarget(config, "/srv/a.git", with).error().effective_code(), Error::Code::usage);
}

TEST(GitPlaces, AnInterruptedInitIsAnEmptyFolderAndAnythingElseIsNot) {
  namespace fs = std::filesystem;
  const auto folder = TemporaryFolder::make("git");
  ASSERT_TRUE(folder);
  const std::string path = folder->path() + "/shop.git";
  EXPECT_EQ(look_at(path).place, Place::absent);
  fs::create_directories(path + "/hooks");
  EXPECT_EQ(look_at(path).place, Place::empty_folder);
  std::ofstream(path + "/config") << "somebody's";  // git writes HEAD before it
  EXPECT_EQ(look_at(path).place, Place::something_else);
  std::ofstream(path + "/HEAD") << "ref: refs/heads/main\n";
  fs::create_directories(path + "/refs/heads");
  EXPECT_EQ(look_at(path).place, Place::empty_folder);
  std::ofstream(path + "/refs/heads/main") << "x";
  EXPECT_EQ(look_at(path).place, Place::something_else);
  fs::remove(path + "/refs/heads/main");
  std::ofstream(path + "/precious") << "x";
  EXPECT_EQ(look_at(path).place, Place::something_else);
  fs::remove(path + "/precious");
  fs::create_directories(path + "/objects");
  EXPECT_EQ(look_at(path).place, Place::repository);
}

}  // namespace
}  // namespace lifeboat::source::git
