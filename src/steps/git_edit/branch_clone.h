// steps/git_edit/branch_clone.h - One branch of a repository, in a temporary clone: read files of
// its newest commit, add a commit, push it.
//
// Life: open(), then refresh() before each attempt; commit_files() pushes on top of exactly the
// commit that refresh() read, or fails with conflict and changes nothing.
// Threads: one at a time.  Ownership: the Launcher outlives it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/temporary_folder.h"
#include "source/git/git_program.h"
#include "source/git/local_repository.h"

namespace lifeboat::steps {

struct Trailers {
  std::string run, step;
  std::uint64_t generation = 0;
  bool undo = false;
};
struct Committer {
  std::string name, email;
  std::int64_t seconds = 0;  // since 1970, UTC
};

class BranchClone {
 public:
  // `branch` "" = where HEAD of the repository points.
  static Result<std::unique_ptr<BranchClone>> open(const Operation& op,
                                                   const source::git::GitProgram& git,
                                                   const std::string& branch);
  // For open().
  BranchClone(const source::git::GitProgram& git, TemporaryFolder folder,
              source::git::LocalRepository clone)
      : git_(git), folder_(std::move(folder)), clone_(std::move(clone)) {}

  // Reads the branch again.  Errors: not_found (no such branch), as git's.
  Result<void> refresh(const Operation& op);
  const std::string& branch() const { return branch_; }
  const std::string& tip() const { return tip_; }

  // The newest commit with these trailers' run and step within the last thousand; nullopt when
  // there is none.
  struct Own {
    std::string commit;
    std::uint64_t generation = 0;
    bool undo = false;  // it took back what the one before it did
  };
  Result<std::optional<Own>> own_commit(const Operation& op, const Trailers& of);

  // Content of a regular file.  Errors: not_found; invalid (a link or folder).
  Result<std::string> read(const Operation& op, const std::string& commit, const std::string& file);
  // The id of the file's content, "" when there is none.
  Result<std::string> blob_id(const Operation& op, const std::string& commit,
                              const std::string& file);

  // Removes a lock that a killed push left on the branch, where the repository is on this machine.
  // For a step that is tried again only; answers what it removed.  Errors: cancelled.
  Result<std::vector<std::string>> remove_stale_locks(const Operation& op) const;

  // Commits new contents on top of tip() and pushes; answers the commit's id.
  // Errors: conflict when the branch has moved; as git's.
  struct Draft {
    std::map<std::string, std::string> contents;  // by file
    std::string message;
    Trailers trailers;
    Committer committer;
  };
  Result<std::string> commit_files(const Operation& op, const Draft& draft);

 private:
  struct Entry {
    std::string mode, id;
  };
  Result<std::optional<Entry>> entry(const Operation& op, const std::string& commit,
                                     const std::string& file);

  const source::git::GitProgram& git_;
  TemporaryFolder folder_;
  source::git::LocalRepository clone_;
  std::string branch_, tip_;
};

}  // namespace lifeboat::steps
