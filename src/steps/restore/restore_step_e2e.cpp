// The restore step over the real git: what it keeps aside in the repository is what was there.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backup/backup.h"
#include "base/temporary_folder.h"
#include "client/process/launcher.h"
#include "plan/fake_context.h"
#include "repo/test_world.h"
#include "source/git/git_source.h"
#include "steps/restore/restore_step.h"
#include "test_places.h"

namespace lifeboat::steps {
namespace {

using source::git::GitProgram;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class RestoreGit : public testing::Test {
 protected:
  GitProgram program(const std::string& path) {
    return {*launcher_, repo::value(source::git::read_address(path, "/"))};
  }
  std::string git(const std::string& repository, std::vector<std::string> args,
                  const std::string& input = {}) {
    source::git::GitCall call{.args = std::move(args), .git_dir = repository, .input = input};
    for (const char* who : {"AUTHOR", "COMMITTER"}) {
      call.env[std::string("GIT_") + who + "_NAME"] = "Ann";
      call.env[std::string("GIT_") + who + "_EMAIL"] = "ann@acme.example";
      call.env[std::string("GIT_") + who + "_DATE"] = "1700000000 +0100";
    }
    return repo::value(program(repository).run(op_, call));
  }
  std::string word(const std::string& repository, std::vector<std::string> args,
                   const std::string& input = {}) {
    const std::string output = git(repository, std::move(args), input);
    return output.substr(0, output.find('\n'));
  }
  // A repository whose `main` has one file, `file`.
  std::string made(const std::string& name, const std::string& file) {
    const std::string place = folder_.path() + "/" + name;
    git(place, {"init", "--quiet", "--bare", "--initial-branch=main", place});
    const std::string blob = word(place, {"hash-object", "-w", "--stdin"}, "of " + name);
    const std::string tree = word(place, {"mktree"}, "100644 blob " + blob + "\t" + file + "\n");
    const std::string commit = word(place, {"commit-tree", tree, "-m", "a change"});
    git(place, {"update-ref", "refs/heads/main", commit});
    return place;
  }
  // All references but the marker's, with what they point to.
  std::string references(const std::string& repository) {
    return git(repository, {"for-each-ref", "--format=%(refname) %(objectname)", "refs/heads",
                            "refs/tags", "refs/notes"});
  }
  std::unique_ptr<plan::Step> step(const std::string& original, const std::string& target) {
    types_.add(source::git_source());
    Value config;
    config.set("path", original);
    restore_.repository = repository_.get();
    restore_.types = &types_;
    restore_.sources["code"] = {"git", config};
    repo::SnapshotDraft draft;
    draft.source = "code";
    draft.source_type = "git";
    const auto live = source::make_git_source(program(original));
    restore_.snapshots["code"] =
        repo::value(backup::capture_one(op_, *repository_, *live, draft)).id;
    Value wanted;
    wanted.set("source", "code");
    wanted.set("into", target);
    wanted.set("foreign", "keep_aside");
    return repo::value(restore_step(restore_).make(wanted, context_));
  }
  std::vector<repo::Snapshot> kept() {
    std::vector<repo::Snapshot> found;
    for (const repo::Snapshot& each : repository_->snapshots()) {
      if (each.about.kind == repo::SnapshotKind::kept) found.push_back(each);
    }
    return found;
  }

  SystemClock clock_;
  Operation op_{&clock_};
  std::unique_ptr<Launcher> launcher_ = make_launcher(clock_, "", LIFEBOAT_SUPERVISOR_PATH);
  TemporaryFolder folder_ = repo::value(TemporaryFolder::make("git"));
  store::MemoryStore store_;
  repo::World world_{store_};
  std::unique_ptr<repo::Repository> repository_ = repo::value(world_.create());
  source::SourceTypes types_;
  RestoreWorld restore_;
  plan::FakeContext context_{{.clock = &clock_, .launcher = launcher_.get()}};
};

TEST_F(RestoreGit, WhatWasKeptAsideRestoredElsewhereHasTheOldReferences) {
  const std::string original = made("original.git", "ours");
  const std::string target = made("target.git", "theirs");
  git(target, {"update-ref", "refs/heads/feature", "refs/heads/main"});
  git(target, {"tag", "-a", "v1", "-m", "theirs", "main"});
  const std::string theirs = references(target);
  ASSERT_THAT(theirs, HasSubstr("refs/tags/v1"));

  const auto restoring = step(original, target);
  const auto seen = repo::value(restoring->observe(op_));
  EXPECT_THAT(seen.would, HasSubstr("keep aside"));
  ASSERT_EQ(seen.changes.size(), 2U);  // in all, and the references that differ
  EXPECT_THAT(seen.changes[0].to, HasSubstr("items"));
  repo::works(restoring->apply(op_));
  EXPECT_EQ(references(target), references(original));
  const auto aside = kept();
  ASSERT_EQ(aside.size(), 1U);
  const auto proof = repo::value(restoring->verify(op_));
  EXPECT_THAT(proof.kept_aside,
              ElementsAre("snapshot " + aside.front().id.brief() + " in the repository"));
  for (const plan::Check& check : proof.checks) EXPECT_TRUE(check.ok) << check.name;

  const std::string elsewhere = folder_.path() + "/elsewhere.git";
  const auto feed = repo::value(repository_->feed(op_, aside.front().id));
  source::RestoreOptions options;
  options.marker = {"run-2", "by hand", 1, aside.front().id.brief(), false};
  repo::value(source::make_git_source(program(elsewhere))->restore(op_, *feed, options));
  EXPECT_EQ(references(elsewhere), theirs);
  EXPECT_EQ(git(elsewhere, {"show", "v1:theirs"}), "of target.git");
}

TEST_F(RestoreGit, AnEmptyRepositoryIsNotKept) {
  const std::string original = made("original.git", "ours");
  const auto restoring = step(original, folder_.path() + "/target.git");
  repo::works(restoring->apply(op_));
  EXPECT_THAT(repo::value(restoring->verify(op_)).kept_aside, IsEmpty());
  EXPECT_THAT(kept(), IsEmpty());
}

}  // namespace
}  // namespace lifeboat::steps
