// Against the real git: repositories whose owner would like to run something as us.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"
#include "capture/memory_capture.h"
#include "client/process/test_launcher.h"
#include "source/git/git_source.h"
#include "source/git/local_repository.h"

namespace lifeboat::source {
namespace {

namespace fs = std::filesystem;
using git::GitProgram;
using testing::Contains;
using testing::HasSubstr;

const SystemClock the_clock;
const Operation op{.clock = &the_clock};

// A working tree whose owner planted a program wherever git would run one. It leaves a trace.
class HostileRepository : public testing::Test {
 protected:
  HostileRepository() : folder(*TemporaryFolder::make("git")) {
    program("evil", "echo \"$0 $*\" >> " + trace() + "\ncase \"$1\" in clean|smudge) cat;; esac\n");
    fs::create_directory(folder.path() + "/hooks");
    for (const char* hook : {"reference-transaction", "pre-receive", "update", "post-receive",
                             "post-update", "pre-push", "post-index-change", "pre-auto-gc"}) {
      fs::create_symlink(evil(), folder.path() + "/hooks/" + hook);
    }
  }

  std::string trace() const { return folder.path() + "/trace"; }
  std::string evil() const { return folder.path() + "/evil"; }
  void program(const std::string& name, const std::string& body) const {
    const std::string path = folder.path() + "/" + name;
    std::ofstream(path) << "#!/bin/sh\n" << body;
    fs::permissions(path, fs::perms::owner_all);
  }
  // What was run; forgotten then.
  std::string traces() const {
    std::ifstream file(trace());
    const std::string text(std::istreambuf_iterator<char>(file), {});
    fs::remove(trace());
    return text;
  }

  static GitProgram git(const std::string& path) {
    return GitProgram(test_launcher(), *git::read_address(path, "/"));
  }
  std::string run(const std::string& path, std::vector<std::string> args) const {
    git::GitCall call{.args = std::move(args), .git_dir = git::look_at(path).git_dir};
    for (const char* who : {"AUTHOR", "COMMITTER"}) {
      call.env[std::string("GIT_") + who + "_NAME"] = "Eve";
      call.env[std::string("GIT_") + who + "_EMAIL"] = "eve@acme.example";
    }
    const auto output = git(path).run(op, call);
    EXPECT_TRUE(output) << output.error().what;
    return output ? output->substr(0, output->find('\n')) : "";
  }
  // As a person would who trusts it.
  int plainly(const std::string& path, std::vector<std::string> args) const {
    Command command;
    command.argv = std::move(args);
    command.argv.insert(command.argv.begin(), {"git", "-C", path});
    const auto finished = test_launcher().run(op, command);
    EXPECT_TRUE(finished);
    return finished ? finished->status : -1;
  }

  std::string make(const std::string& name, bool bare) const {
    std::string path = folder.path() + "/" + name;
    run(path, {"init", "--quiet", bare ? "--bare" : "--initial-branch=main", path});
    return path;
  }
  void commit(const std::string& path, const std::string& file, const std::string& text) const {
    std::ofstream(path + "/" + file) << text;
    run(path, {"--work-tree=" + path, "add", path + "/" + file});
    run(path, {"commit", "--quiet", "-m", "one"});
  }
  void plant(const std::string& path) const {
    const std::vector<std::pair<std::string, std::string>> traps = {
        {"core.hooksPath", folder.path() + "/hooks"},
        {"core.fsmonitor", evil()},
        {"core.sshCommand", evil()},
        {"core.askPass", evil()},
        {"core.pager", evil()},
        {"core.alternateRefsCommand", evil()},
        {"credential.helper", "!" + evil()},
        {"filter.evil.clean", evil() + " clean"},
        {"filter.evil.smudge", evil() + " smudge"},
        {"diff.evil.textconv", evil()},
        {"diff.external", evil()},
        {"gc.auto", "1"},
        {"gc.recentObjectsHook", evil()},
        {"uploadpack.packObjectsHook", evil()},
        {"receive.denyCurrentBranch", "updateInstead"},
        {"protocol.ext.allow", "always"}};
    for (const auto& [key, value] : traps) run(path, {"config", key, value});
    fs::create_directories(git::look_at(path).git_dir + "/info");
    std::ofstream(git::look_at(path).git_dir + "/info/attributes") << "* filter=evil diff=evil\n";
  }

  TemporaryFolder folder;
};

TEST_F(HostileRepository, RunsNothingWhenItIsCaptured) {
  const std::string path = make("tree", false);
  commit(path, "readme", "one\n");
  plant(path);
  std::ofstream(path + "/readme") << "two\n";  // of the same size: git has to look inside
  EXPECT_EQ(plainly(path, {"status"}), 0);
  EXPECT_THAT(traces(), HasSubstr("clean"));  // the traps work
  const auto source = make_git_source(git(path));
  ASSERT_TRUE(source->preflight(op));
  capture::MemoryCapture sink;
  const auto done = source->capture(op, sink);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(traces(), "");
  EXPECT_THAT(sink.feed()->moments().remarks, Contains(HasSubstr("uncommitted")));
}

TEST_F(HostileRepository, ItsUntouchedWorkingTreeIsNotRemarkedUpon) {
  const std::string path = make("tree", false);
  commit(path, "readme", "one\n");
  std::ofstream(path + "/.git/info/exclude") << "*.log\n";
  std::ofstream(path + "/debug.log") << "not of the repository";
  capture::MemoryCapture sink;
  ASSERT_TRUE(make_git_source(git(path))->capture(op, sink));
  EXPECT_THAT(sink.feed()->moments().remarks, testing::IsEmpty());
}

TEST_F(HostileRepository, RunsNothingWhenItIsRestoredInto) {
  const std::string path = make("tree", false);
  commit(path, "readme", "one\n");
  capture::MemoryCapture sink;
  ASSERT_TRUE(make_git_source(git(path))->capture(op, sink));
  const std::string target = make("target.git", true);
  plant(target);
  const std::string blob = run(target, {"hash-object", "-w", evil()});
  EXPECT_EQ(plainly(target, {"update-ref", "refs/trap/set", blob}), 0);
  EXPECT_EQ(plainly(target, {"update-ref", "-d", "refs/trap/set"}), 0);
  EXPECT_THAT(traces(), HasSubstr("reference-transaction"));  // the traps work
  RestoreOptions options;
  options.marker = {.run = "r-1", .step = "repo", .snapshot = "s-1"};
  const auto done = make_git_source(git(target))->restore(op, *sink.feed(), options);
  ASSERT_TRUE(done) << done.error().what;
  ASSERT_TRUE(make_git_source(git(target))->verify(op, *sink.feed()));
  EXPECT_EQ(traces(), "");
}

TEST_F(HostileRepository, RunsNothingWhenItIsFetchedFromOrPushedTo) {
  const std::string path = make("tree", false);
  commit(path, "readme", "one\n");
  const std::string clone = make("clone.git", true);
  const std::string alternate = make("alternate.git", true);
  std::ofstream(path + "/.git/objects/info/alternates") << alternate << "/objects\n";
  plant(path);
  const auto program = git(path);
  const auto ours = [&](std::vector<std::string> args) {
    const auto done = program.run(op, {.args = std::move(args), .git_dir = clone});
    EXPECT_TRUE(done) << done.error().what;
  };
  ours({"fetch", "--quiet", path, "+refs/heads/main:refs/heads/main"});
  EXPECT_EQ(traces(), "");
  EXPECT_EQ(plainly(clone, {"push", "--quiet", path, "main:refs/heads/trap"}), 0);
  EXPECT_THAT(traces(), HasSubstr("post-receive"));  // the traps work
  ours({"push", "--quiet", path, "main:refs/heads/other"});
  EXPECT_EQ(run(path, {"rev-parse", "refs/heads/other"}), run(clone, {"rev-parse", "main"}));
  EXPECT_EQ(traces(), "");
}

TEST_F(HostileRepository, RunsNothingForAnObjectThatItPromises) {
  const std::string path = make("tree", false);
  commit(path, "readme", "one\n");
  const std::string blob = run(path, {"rev-parse", "main:readme"});
  fs::remove(path + "/.git/objects/" + blob.substr(0, 2) + "/" + blob.substr(2));
  for (const auto& [key, value] :
       std::vector<std::pair<std::string, std::string>>{{"core.repositoryFormatVersion", "1"},
                                                        {"extensions.partialClone", "origin"},
                                                        {"remote.origin.url", path},
                                                        {"remote.origin.promisor", "true"},
                                                        {"remote.origin.uploadpack", evil()}}) {
    run(path, {"config", key, value});
  }
  EXPECT_NE(plainly(path, {"cat-file", "-p", blob}), 0);
  EXPECT_NE(traces(), "");
  capture::MemoryCapture sink;
  EXPECT_FALSE(make_git_source(git(path))->capture(op, sink));
  EXPECT_EQ(traces(), "");
}

}  // namespace
}  // namespace lifeboat::source
