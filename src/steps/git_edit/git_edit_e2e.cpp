// Against the real git, in a folder and over HTTP: testbed/with git-http -- steps_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"
#include "base/testbed_variable.h"
#include "client/process/test_launcher.h"
#include "plan/step_contract.h"
#include "steps/git_edit/branch_clone.h"
#include "steps/git_edit/git_edit_step.h"
#include "test_places.h"

namespace lifeboat::steps {
namespace {

using source::git::GitCall;
using source::git::GitProgram;
using testing::HasSubstr;

const SystemClock the_clock;
const Operation op{.clock = &the_clock};

constexpr const char* values_yaml =
    "# the shop\ndb:\n    host: db.old   # moved\n    port: 5432\n    password: 'old'\n";
constexpr const char* settings_json = "{ \"queue\": {\"url\":\"amqp://old\"} }\n";

// A bare repository with two files on two branches.
class Bench {
 public:
  explicit Bench(std::string path)
      : path_(std::move(path)),
        git_(test_launcher(), *source::git::read_address(path_, "/")),
        made_(run({"init", "--quiet", "--bare", "--initial-branch=main", path_}, "", false)) {
    commit("refs/heads/main", {{"values.yaml", values_yaml}, {"settings.json", settings_json}});
    run({"update-ref", "refs/heads/other", tip()});
  }
  const std::string& path() const { return path_; }
  std::string tip() const { return line(run({"rev-parse", "refs/heads/main"})); }
  std::string tree() const { return run({"ls-tree", "-r", "refs/heads/main"}); }
  std::string file(const std::string& name) const { return run({"show", "main:" + name}); }

  // Replaces the whole tree of the branch.
  void commit(const std::string& ref, const std::map<std::string, std::string>& files) const {
    std::string entries;
    for (const auto& [name, text] : files) {
      const std::string blob = line(run({"hash-object", "-w", "--stdin"}, text));
      entries += "100644 blob " + blob + "\t" + name + "\n";
    }
    const std::string tree = line(run({"mktree"}, entries));
    std::vector<std::string> args = {"commit-tree", tree, "-m", "by hand"};
    const auto parent =
        git_.attempt(op, {.args = {"rev-parse", "--quiet", "--verify", ref}, .git_dir = path_});
    if (parent && parent->status == 0) args.insert(args.end(), {"-p", line(parent->output)});
    run({"update-ref", ref, line(run(args))});
  }
  std::string run(std::vector<std::string> args, const std::string& input = {},
                  bool inside = true) const {
    GitCall call{.args = std::move(args), .git_dir = inside ? path_ : "", .input = input};
    for (const char* who : {"AUTHOR", "COMMITTER"}) {
      call.env[std::string("GIT_") + who + "_NAME"] = "Ann";
      call.env[std::string("GIT_") + who + "_EMAIL"] = "ann@acme.example";
    }
    const auto output = git_.run(op, call);
    EXPECT_TRUE(output) << output.error().what;
    return output ? *output : "";
  }

 private:
  static std::string line(const std::string& text) { return text.substr(0, text.find('\n')); }
  const std::string path_;
  const GitProgram git_;
  const std::string made_;
};

constexpr const char* planted = "pl4nted-passw0rd";

Value config_for(const std::string& repo) {
  Value yaml{Value::Map{}}, json{Value::Map{}}, files{Value::Map{}}, config{Value::Map{}};
  yaml.set("db.host", "10.0.0.7");
  yaml.set("db.port", 6543);
  Value password(planted);
  password.taint();
  yaml.set("db.password", std::move(password));
  json.set("queue.url", "amqp://new");
  files.set("values.yaml", std::move(yaml));
  files.set("settings.json", std::move(json));
  config.set("repo", repo);
  config.set("set", std::move(files));
  config.set("message", "New endpoints");
  return config;
}

class GitEditWorld final : public plan::StepWorld {
 public:
  const plan::StepType& type() override { return type_; }
  Value config() override { return config_for(bench_.path()); }
  plan::FakeContext& context() override { return context_; }
  std::string digest() override { return bench_.tree(); }
  void alter() override {
    bench_.commit("refs/heads/main",
                  {{"values.yaml", values_yaml}, {"settings.json", settings_json}});
  }
  bool make_foreign() override { return false; }  // every file has somebody's values
  std::vector<std::string> secrets() override { return {planted}; }

 private:
  TemporaryFolder folder_ = *TemporaryFolder::make("git");
  Bench bench_{folder_.path() + "/deploy.git"};
  const plan::StepType type_ = git_edit_step();
  plan::FakeContext context_{{.clock = &the_clock, .launcher = &test_launcher()}};
};

LIFEBOAT_STEP_CONTRACT(GitEditContract, [] { return std::make_unique<GitEditWorld>(); });

// Lets somebody else push just before each of the first pushes.
class RacingLauncher final : public Launcher {
 public:
  RacingLauncher(const Bench& bench, int races) : bench_(bench), races_(races) {}
  Result<Finished> run(const Operation& each, const Command& command, ByteView input) override {
    const auto& words = command.argv;
    if (std::find(words.begin(), words.end(), "push") != words.end() && races_-- > 0) {
      bench_.commit("refs/heads/main", {{"values.yaml", values_yaml},
                                        {"settings.json", settings_json},
                                        {"theirs-" + std::to_string(races_), "theirs\n"}});
    }
    return test_launcher().run(each, command, input);
  }
  Result<std::unique_ptr<Child>> start(const Operation& each, const Command& command) override {
    return test_launcher().start(each, command);
  }
  void mask(const Secret& secret) override { test_launcher().mask(secret); }
  std::string masked(std::string_view text) const override { return test_launcher().masked(text); }
  std::vector<int> living(const std::string& owner) const override {
    return test_launcher().living(owner);
  }

 private:
  const Bench& bench_;
  int races_;
};

class GitEditTest : public testing::Test {
 protected:
  std::unique_ptr<plan::Step> step(plan::FakeContext& of, const Value& config) {
    auto made = git_edit_step().make(config, of);
    EXPECT_TRUE(made) << made.error().what;
    return made ? *std::move(made) : nullptr;
  }
  TemporaryFolder folder = *TemporaryFolder::make("git");
  Bench bench{folder.path() + "/deploy.git"};
  plan::FakeContext context{{.clock = &the_clock, .launcher = &test_launcher()}};
};

TEST_F(GitEditTest, OneCommitWithTrailersChangesOnlyTheValues) {
  const std::string before = bench.tip();
  ASSERT_TRUE(step(context, config_for(bench.path()))->apply(op));
  EXPECT_EQ(bench.file("values.yaml"),
            "# the shop\ndb:\n    host: 10.0.0.7   # moved\n    port: 6543\n    password: "
            "'pl4nted-passw0rd'\n");
  EXPECT_EQ(bench.file("settings.json"), "{ \"queue\": {\"url\":\"amqp://new\"} }\n");
  EXPECT_EQ(bench.run({"rev-list", "--count", before + "..main"}), "1\n");
  EXPECT_EQ(bench.run({"log", "-1", "--format=%B%an <%ae>", "main"}),
            "New endpoints\n\nLifeboat-Run: run-1\nLifeboat-Step: contract/step\n"
            "Lifeboat-Generation: 1\nLifeboat <lifeboat@localhost>\n");
}

TEST_F(GitEditTest, ARejectedPushIsReadAgainAndTried) {
  RacingLauncher racing(bench, 3);
  plan::FakeContext raced{{.clock = &the_clock, .launcher = &racing}};
  const auto one = step(raced, config_for(bench.path()));
  const auto done = one->apply(op);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(bench.file("theirs-0"), "theirs\n");
  EXPECT_THAT(bench.file("values.yaml"), HasSubstr("host: 10.0.0.7"));
  EXPECT_THAT(raced.lines(), testing::Contains(HasSubstr("the push was rejected")));
}

TEST_F(GitEditTest, ALockOfAKilledPushDoesNotStopTheNext) {
  std::ofstream(bench.path() + "/refs/heads/main.lock") << "half";
  EXPECT_FALSE(step(context, config_for(bench.path()))->apply(op));  // it may be somebody else's
  context.next_attempt();
  const auto done = step(context, config_for(bench.path()))->apply(op);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_THAT(bench.file("values.yaml"), HasSubstr("host: 10.0.0.7"));
}

TEST_F(GitEditTest, ABranchThatNeverHoldsStillIsGivenUpAsAConflict) {
  RacingLauncher racing(bench, 1000);
  plan::FakeContext raced{{.clock = &the_clock, .launcher = &racing}};
  const auto done = step(raced, config_for(bench.path()))->apply(op);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::conflict);
}

TEST_F(GitEditTest, WhatSomebodyChangedAfterwardsIsDrift) {
  const auto one = step(context, config_for(bench.path()));
  ASSERT_TRUE(one->apply(op));
  bench.commit("refs/heads/main", {{"values.yaml", values_yaml}, {"settings.json", settings_json}});
  const auto seen = one->observe(op);
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->state, plan::State::drifted);
  EXPECT_EQ(seen->generation, 1u);
}

TEST_F(GitEditTest, UndoKeepsWhatOthersDidSince) {
  const auto one = step(context, config_for(bench.path()));
  const auto seen = one->observe(op);
  ASSERT_TRUE(seen);
  ASSERT_TRUE(one->apply(op));
  std::string theirs = bench.file("values.yaml") + "added: by somebody\n";
  bench.commit("refs/heads/main",
               {{"values.yaml", theirs}, {"settings.json", bench.file("settings.json")}});
  const auto undone = one->undo(op, seen->before);
  ASSERT_TRUE(undone) << undone.error().what;
  EXPECT_EQ(bench.file("values.yaml"), std::string(values_yaml) + "added: by somebody\n");
  EXPECT_EQ(bench.file("settings.json"), settings_json);
}

TEST_F(GitEditTest, ObserveSaysWhichValuesWouldChange) {
  const auto one = step(context, config_for(bench.path()));
  const auto seen = one->observe(op);
  ASSERT_TRUE(seen) << seen.error().what;
  ASSERT_FALSE(seen->changes.empty());
  bool host = false;
  for (const plan::Change& change : seen->changes) {
    EXPECT_NE(change.from, change.to) << change.what;
    host = host || (change.what == "values.yaml: db.host" && change.to == "10.0.0.7");
  }
  EXPECT_TRUE(host);
  ASSERT_TRUE(one->apply(op));
  EXPECT_TRUE(one->observe(op)->changes.empty());
}

TEST_F(GitEditTest, OtherInputsAreSetByTheNextAttemptUnlessSomebodyElseSetSomething) {
  ASSERT_TRUE(step(context, config_for(bench.path()))->apply(op));
  context.next_attempt();
  Value other = config_for(bench.path());
  other.map().at("set").map().at("values.yaml").map()["db.host"] = Value("10.0.0.8");
  const auto again = step(context, other);
  EXPECT_EQ(again->observe(op)->state, plan::State::ours_partial);
  ASSERT_TRUE(again->apply(op));
  EXPECT_EQ(again->observe(op)->state, plan::State::ours_done);
  // The first attempt's values are not what stands there now.
  context.next_attempt();
  EXPECT_EQ(step(context, config_for(bench.path()))->observe(op)->state, plan::State::ours_partial);
  std::string theirs = bench.file("values.yaml");
  theirs.replace(theirs.find("10.0.0.8"), 8, "10.0.0.9");
  bench.commit("refs/heads/main",
               {{"values.yaml", theirs}, {"settings.json", bench.file("settings.json")}});
  EXPECT_EQ(step(context, other)->observe(op)->state, plan::State::drifted);
}

TEST_F(GitEditTest, AnotherBranchCanBeNamedAndAMissingOneIsSaid) {
  Value config = config_for(bench.path());
  const std::string before = bench.tip();
  config.set("branch", "other");
  ASSERT_TRUE(step(context, config)->apply(op));
  EXPECT_EQ(bench.tip(), before);
  EXPECT_THAT(bench.run({"show", "other:values.yaml"}), HasSubstr("10.0.0.7"));
  config.set("branch", "nowhere");
  const auto missing = step(context, config)->observe(op);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, Error::Kind::not_found);
  EXPECT_THAT(missing.error().what, HasSubstr("no branch nowhere"));
}

TEST_F(GitEditTest, MissingFilesValuesAndHostilePathsAreNamed) {
  const auto error = [&](const std::string& file, const std::string& path) {
    Value config{Value::Map{}}, files{Value::Map{}}, values{Value::Map{}};
    values.set(path, "x");
    files.set(file, std::move(values));
    config.set("repo", bench.path());
    config.set("set", std::move(files));
    const auto seen = step(context, config)->observe(op);
    return seen ? std::string("none") : seen.error().what + " / " + seen.error().hint;
  };
  EXPECT_THAT(error("missing.yaml", "a"), HasSubstr("no file missing.yaml on branch main"));
  EXPECT_THAT(error("values.yaml", "db.hots"), HasSubstr("did you mean 'db.host'?"));
  EXPECT_THAT(error("../values.yaml", "a"), HasSubstr("no path of a file"));
  EXPECT_THAT(error(".GIT/config.yaml", "a"), HasSubstr("no path of a file"));
}

TEST_F(GitEditTest, OverHttpWithALoginTheSameHolds) {
  const std::string name = "git-edit-" + std::to_string(getpid()) + ".git";
  Bench served(testbed_variable("TESTBED_GIT_ROOT") + "/" + name);
  Value config = config_for("");
  Value repo{Value::Map{}};  // as ${sources.deploy} gives it
  repo.set("url", testbed_variable("TESTBED_GIT_BASE") + "/" + name);
  repo.set("user", testbed_variable("TESTBED_GIT_USER"));
  Value password{Value::Map{}};
  password.set("env", "TESTBED_GIT_PASSWORD");
  repo.set("type", "git");
  repo.set("password", std::move(password));
  config.set("repo", std::move(repo));
  const auto one = step(context, config);
  const auto applied = one->apply(op);
  ASSERT_TRUE(applied) << applied.error().what;
  const auto proof = one->verify(op);
  ASSERT_TRUE(proof) << proof.error().what;
  for (const plan::Check& check : proof->checks) EXPECT_TRUE(check.ok) << check.name;
  EXPECT_EQ(proof->outputs.text("commit"), served.tip());
  std::filesystem::remove_all(served.path());
}

}  // namespace
}  // namespace lifeboat::steps
