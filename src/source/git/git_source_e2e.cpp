// Against the real git, in folders and over HTTP: testbed/with git-http -- source_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "base/temporary_folder.h"
#include "base/testbed_variable.h"
#include "capture/memory_capture.h"
#include "client/process/test_launcher.h"
#include "schema/json.h"
#include "source/git/git_source.h"
#include "source/git/local_repository.h"
#include "source/source_contract.h"
#include "test_places.h"

namespace lifeboat::source {
namespace {

namespace fs = std::filesystem;
using git::GitProgram;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

const SystemClock the_clock;
const Operation op{.clock = &the_clock};

GitProgram program_for(const std::string& place) {
  auto address = git::read_address(place, "/");
  EXPECT_TRUE(address);
  if (!address->is_local()) {
    address->user = testbed_variable("TESTBED_GIT_USER");
    address->password = Secret(testbed_variable("TESTBED_GIT_PASSWORD"));
  }
  return GitProgram(test_launcher(), *address);
}

// A repository made by hand, as a person would, with git itself.
class Bench {
 public:
  explicit Bench(std::string path) : path_(std::move(path)), git_(program_for(path_)) {}
  const std::string& path() const { return path_; }
  std::string git_dir() const { return git::look_at(path_).git_dir; }

  std::string run(std::vector<std::string> args, const std::string& input = {}) const {
    git::GitCall call{.args = std::move(args), .git_dir = git_dir(), .input = input};
    for (const char* who : {"AUTHOR", "COMMITTER"}) {
      call.env[std::string("GIT_") + who + "_NAME"] = "Ann";
      call.env[std::string("GIT_") + who + "_EMAIL"] = "ann@acme.example";
      call.env[std::string("GIT_") + who + "_DATE"] = "1700000000 +0100";
    }
    const auto output = git_.run(op, call);
    EXPECT_TRUE(output) << output.error().what;
    return output ? output->substr(0, output->find('\n')) : "";
  }
  void init(const std::string& branch = "main") const {
    run({"init", "--quiet", "--bare", "--initial-branch=" + branch, path_});
  }
  // A commit of one file on `ref`; answers its id.
  std::string commit(const std::string& ref, const std::string& file, const std::string& text,
                     const std::string& parent = {}) const {
    const std::string blob = run({"hash-object", "-w", "--stdin"}, text);
    const std::string tree = run({"mktree"}, "100644 blob " + blob + "\t" + file + "\n");
    std::vector<std::string> args = {"commit-tree", tree, "-m", "a change of " + file};
    if (!parent.empty()) args.insert(args.end(), {"-p", parent});
    const std::string id = run(args);
    run({"update-ref", ref, id});
    return id;
  }
  void fill() const {
    init("trunk");
    const std::string first = commit("refs/heads/trunk", "README", "one\n");
    const std::string second = commit("refs/heads/trunk", "README", "two\n", first);
    const std::string side =
        commit("refs/heads/feature/ü-x", "b\\in", std::string("\0\x01\xff", 3), first);
    const std::string merge = run({"commit-tree", run({"rev-parse", second + "^{tree}"}), "-m",
                                   "merge", "-p", second, "-p", side});
    run({"update-ref", "refs/heads/trunk", merge});
    run({"update-ref", "refs/remotes/origin/trunk", second});
    run({"update-ref", "refs/notes/commits", first});
    run({"tag", "-a", "v1", "-m", "the first", first});
    run({"tag", "-a", "v1-again", "-m", "a tag of a tag", "v1"});
    run({"tag", "light", second});
    run({"update-ref", "refs/odd/blob", run({"hash-object", "-w", "--stdin"}, "only a blob")});
    run({"update-ref", "refs/odd/tree", run({"rev-parse", side + "^{tree}"})});
  }

 private:
  std::string path_;
  GitProgram git_;
};

class GitSystem final : public System {
 public:
  GitSystem(std::string path, std::string address)
      : bench_(std::move(path)), address_(std::move(address)) {}
  std::unique_ptr<Source> open() override { return make_git_source(program_for(address_)); }
  void alter() override {
    bench_.run({"update-ref", "refs/tags/light", bench_.run({"rev-parse", "refs/tags/v1^{}"})});
  }
  const Bench& bench() const { return bench_; }

 private:
  Bench bench_;
  const std::string address_;
};

// Repositories in a folder, addressed by `prefix` + name: by their path, or by the HTTP server.
class GitWorld : public World {
 public:
  GitWorld(std::string root, std::string prefix, bool makes_itself)
      : root_(std::move(root)), prefix_(std::move(prefix)), makes_itself_(makes_itself) {}
  const Clock& clock() override { return the_clock; }
  KeepsAside keeps_aside() const override { return KeepsAside::by_capture; }
  std::unique_ptr<System> filled() override {
    auto system = fresh();
    system->bench().fill();
    return system;
  }
  std::unique_ptr<System> empty() override {
    auto system = fresh();
    if (!makes_itself_) system->bench().init("trunk");
    return system;
  }
  std::unique_ptr<System> foreign() override {
    auto system = fresh();
    system->bench().init("trunk");
    system->bench().commit("refs/heads/trunk", "theirs", "theirs\n");
    system->bench().commit("refs/heads/feature", "theirs", "in the way of feature/...\n");
    return system;
  }
  // Over HTTP the same code streams from and to a scratch folder; once is enough.
  std::unique_ptr<System> huge(std::uint64_t size_bytes) override {
    if (!makes_itself_) return nullptr;
    auto system = fresh();
    const Bench& bench = system->bench();
    bench.init("trunk");
    bench.run({"config", "core.compression", "0"});
    const std::string file = root_ + "/huge.bin";
    write_random(file, size_bytes);
    const std::string blob = bench.run({"hash-object", "-w", file});
    fs::remove(file);
    const std::string tree = bench.run({"mktree"}, "100644 blob " + blob + "\thuge\n");
    bench.run({"update-ref", "refs/heads/trunk", bench.run({"commit-tree", tree, "-m", "huge"})});
    return system;
  }

 private:
  std::unique_ptr<GitSystem> fresh() {
    static int number = 0;
    const std::string name =
        "contract-" + std::to_string(getpid()) + "-" + std::to_string(++number) + ".git";
    fs::remove_all(root_ + "/" + name);
    return std::make_unique<GitSystem>(root_ + "/" + name, prefix_ + name);
  }
  static void write_random(const std::string& path, std::uint64_t size_bytes) {
    std::ofstream out(path, std::ios::binary);
    SeededRandom random(1);
    std::vector<std::uint8_t> block(1u << 20);
    random.fill(block);
    for (std::uint64_t done = 0; done < size_bytes; done += block.size()) {
      std::memcpy(block.data(), &done, sizeof done);
      out.write(reinterpret_cast<const char*>(block.data()),
                static_cast<std::streamsize>(block.size()));
    }
  }
  const std::string root_, prefix_;
  const bool makes_itself_;
};

// A world whose folder goes with it.
class FolderWorld final : public GitWorld {
 public:
  explicit FolderWorld(TemporaryFolder folder)
      : GitWorld(folder.path(), folder.path() + "/", true), folder_(std::move(folder)) {}

 private:
  TemporaryFolder folder_;
};

LIFEBOAT_SOURCE_CONTRACT(GitFolderContract, [] {
  return std::make_unique<FolderWorld>(*TemporaryFolder::make("git"));
});
LIFEBOAT_SOURCE_CONTRACT(GitHttpContract, [] {
  return std::make_unique<GitWorld>(testbed_variable("TESTBED_GIT_ROOT"),
                                    testbed_variable("TESTBED_GIT_BASE") + "/", false);
});

RestoreOptions first_run() {
  RestoreOptions options;
  options.marker = {.run = "run-1", .step = "deploy", .generation = 1, .snapshot = "4f2a"};
  return options;
}

std::string red_ones(const Result<std::vector<Check>>& checks) {
  if (!checks) return checks.error().what;
  std::string text;
  for (const Check& check : *checks) {
    if (!check.ok) text += check.name + ": " + check.actual + "\n";
  }
  return text;
}

class GitSourceTest : public testing::Test {
 protected:
  TemporaryFolder folder = *TemporaryFolder::make("git");
  Bench repository{folder.path() + "/original.git"};

  std::unique_ptr<Source> open(const std::string& place) {
    return make_git_source(program_for(place));
  }
  std::unique_ptr<capture::MemoryCapture> captured(const capture::MemoryCapture* before = nullptr) {
    auto sink = std::make_unique<capture::MemoryCapture>(
        capture::MemoryCapture::Options{.previous = before, .fail_after_bytes = {}});
    const auto done = open(repository.path())->capture(op, *sink);
    EXPECT_TRUE(done) << done.error().what;
    return sink;
  }
};

TEST_F(GitSourceTest, AnEmptyRepositoryIsCapturedAndRestored) {
  repository.init("dev");
  const auto sink = captured();
  const std::string copy = folder.path() + "/copy.git";
  const auto done = open(copy)->restore(op, *sink->feed(), first_run());
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(red_ones(open(copy)->verify(op, *sink->feed())), "");
  EXPECT_EQ(Bench(copy).run({"symbolic-ref", "HEAD"}), "refs/heads/dev");
}

TEST_F(GitSourceTest, ADetachedHeadComesBack) {
  repository.fill();
  const std::string first = repository.run({"rev-parse", "refs/tags/v1^{}"});
  repository.run({"update-ref", "--no-deref", "HEAD", first});
  const auto sink = captured();
  const std::string copy = folder.path() + "/copy.git";
  ASSERT_TRUE(open(copy)->restore(op, *sink->feed(), first_run()));
  EXPECT_EQ(red_ones(open(copy)->verify(op, *sink->feed())), "");
  EXPECT_EQ(Bench(copy).run({"rev-parse", "HEAD"}), first);
}

// As after SIGKILL or a power cut in the middle of git.
TEST_F(GitSourceTest, LocksOfAKilledRestoreDoNotStopTheNext) {
  repository.fill();
  const auto sink = captured();
  const std::string copy = folder.path() + "/copy.git";
  ASSERT_TRUE(open(copy)->restore(op, *sink->feed(), first_run()));
  Bench bench(copy);
  auto marker = first_run().marker;
  const std::string id = bench.run({"hash-object", "-w", "--stdin"}, marker.text() + "\n");
  bench.run({"update-ref", "refs/lifeboat/marker", id});
  bench.run({"update-ref", "-d", "refs/tags/v1"});
  const std::vector<std::string> locks = {"/refs/lifeboat/marker.lock", "/refs/heads/trunk.lock",
                                          "/packed-refs.lock", "/HEAD.lock"};
  for (const std::string& lock : locks) std::ofstream(copy + lock) << "half";
  const auto done = open(copy)->restore(op, *sink->feed(), first_run());
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->remarks.size(), locks.size());
  EXPECT_EQ(red_ones(open(copy)->verify(op, *sink->feed())), "");
}

TEST_F(GitSourceTest, NothingIsReadAgainWhileNoReferenceMoved) {
  repository.fill();
  const auto first = captured();
  const auto second = captured(first.get());
  EXPECT_EQ(second->unchanged_items(), 1u);
  repository.commit("refs/heads/new", "x", "y");
  const auto third = captured(second.get());
  EXPECT_EQ(third->unchanged_items(), 0u);
  const std::string copy = folder.path() + "/copy.git";
  ASSERT_TRUE(open(copy)->restore(op, *second->feed(), first_run()));
  EXPECT_EQ(red_ones(open(copy)->verify(op, *second->feed())), "");
}

TEST_F(GitSourceTest, RewrittenAndVanishedBranchesAreRemarkedUpon) {
  repository.fill();
  const auto first = captured();
  EXPECT_THAT(first->feed()->moments().remarks, IsEmpty());
  repository.commit("refs/heads/trunk", "README", "more\n",
                    repository.run({"rev-parse", "refs/heads/trunk"}));
  const auto forward = captured(first.get());
  EXPECT_THAT(forward->feed()->moments().remarks, IsEmpty());
  repository.commit("refs/heads/trunk", "README", "another past\n");
  repository.run({"update-ref", "-d", "refs/heads/feature/ü-x"});
  const auto rewritten = captured(forward.get());
  EXPECT_THAT(rewritten->feed()->moments().remarks,
              Contains(HasSubstr("refs/heads/trunk was rewritten")));
  EXPECT_THAT(rewritten->feed()->moments().remarks,
              Contains(HasSubstr("refs/heads/feature/ü-x is gone")));
}

TEST_F(GitSourceTest, WhatIsNotCapturedIsRemarkedUpon) {
  repository.init();
  repository.commit("refs/heads/main", ".gitmodules", "[submodule \"x\"]\n");
  EXPECT_THAT(captured()->feed()->moments().remarks, Contains(HasSubstr("submodules")));
  repository.commit("refs/heads/main", ".gitattributes", "*.bin filter=lfs diff=lfs\n");
  EXPECT_THAT(captured()->feed()->moments().remarks, Contains(HasSubstr("Git LFS")));
}

TEST_F(GitSourceTest, AShallowRepositoryIsPartial) {
  repository.fill();
  const std::string shallow = folder.path() + "/shallow";
  Bench clone(shallow);
  ASSERT_EQ(clone.run({"clone", "--quiet", "--depth=1", "file://" + repository.path(), shallow}),
            "");
  std::ofstream(shallow + "/uncommitted") << "x";
  capture::MemoryCapture sink;
  const auto done = open(shallow)->capture(op, sink);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_TRUE(sink.feed()->moments().partial);
  EXPECT_THAT(sink.feed()->moments().remarks, Contains(HasSubstr("shallow")));
  EXPECT_THAT(sink.feed()->moments().remarks, Contains(HasSubstr("uncommitted")));
}

TEST_F(GitSourceTest, ADamagedRepositoryIsNotCaptured) {
  repository.fill();
  const std::string blob = repository.run({"rev-parse", "refs/odd/blob"});
  fs::remove(repository.path() + "/objects/" + blob.substr(0, 2) + "/" + blob.substr(2));
  capture::MemoryCapture sink;
  const auto done = open(repository.path())->capture(op, sink);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::corrupt) << done.error().what;
  EXPECT_FALSE(sink.committed());
}

TEST_F(GitSourceTest, AMissingObjectInTheTargetIsSeen) {
  repository.fill();
  const auto sink = captured();
  const std::string copy = folder.path() + "/copy.git";
  ASSERT_TRUE(open(copy)->restore(op, *sink->feed(), first_run()));
  for (const auto& each : fs::directory_iterator(copy + "/objects/pack")) {
    fs::permissions(each.path(), fs::perms::owner_all);
    if (each.path().extension() != ".pack") continue;
    std::fstream pack(each.path(), std::ios::in | std::ios::out | std::ios::binary);
    pack.seekp(20);
    pack.put('\x55');
  }
  EXPECT_THAT(red_ones(open(copy)->verify(op, *sink->feed())), HasSubstr("git fsck"));
}

TEST_F(GitSourceTest, AnInitThatWasKilledIsCompleted) {
  repository.fill();
  const auto sink = captured();
  const std::string place = folder.path() + "/begun.git";
  fs::create_directories(place + "/refs/heads");
  std::ofstream(place + "/HEAD") << "ref: refs/heads/main\n";
  std::ofstream(place + "/config.lock") << "[core]";
  EXPECT_EQ(open(place)->target(op)->occupancy, Occupancy::empty);
  ASSERT_TRUE(open(place)->restore(op, *sink->feed(), first_run()));
  EXPECT_EQ(red_ones(open(place)->verify(op, *sink->feed())), "");
}

TEST_F(GitSourceTest, AFolderOfSomethingElseIsNeverTouched) {
  repository.fill();
  const auto sink = captured();
  const std::string place = folder.path() + "/data";
  fs::create_directory(place);
  std::ofstream(place + "/precious") << "x";
  EXPECT_EQ(open(place)->target(op)->occupancy, Occupancy::foreign);
  auto options = first_run();
  options.foreign = Foreign::keep_aside;
  const auto refused = open(place)->restore(op, *sink->feed(), options);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().effective_code(), Error::Code::refused);
  const auto captured_data = open(place)->preflight(op);
  ASSERT_FALSE(captured_data);
  EXPECT_EQ(captured_data.error().kind, Error::Kind::not_found);
}

TEST_F(GitSourceTest, OverHttpAWrongPasswordIsDeniedAndASilentPortUnavailable) {
  auto address = *git::read_address(testbed_variable("TESTBED_GIT_URL"), "/");
  address.user = "git";
  address.password = Secret("wr0ng-passw0rd");
  const auto denied = make_git_source(GitProgram(test_launcher(), address))->preflight(op);
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().kind, Error::Kind::denied) << denied.error().what;
  EXPECT_EQ((denied.error().what + denied.error().hint).find("wr0ng"), std::string::npos);

  address.password = Secret();
  const auto nobody = make_git_source(GitProgram(test_launcher(), address))->preflight(op);
  ASSERT_FALSE(nobody);
  EXPECT_EQ(nobody.error().kind, Error::Kind::denied) << nobody.error().what;

  const auto silent = open("http://127.0.0.1:1/a.git")->preflight(op);
  ASSERT_FALSE(silent);
  EXPECT_EQ(silent.error().kind, Error::Kind::unavailable) << silent.error().what;

  const auto absent = open(testbed_variable("TESTBED_GIT_BASE") + "/nowhere.git")->target(op);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().kind, Error::Kind::not_found) << absent.error().what;
}

}  // namespace
}  // namespace lifeboat::source
