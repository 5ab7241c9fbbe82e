// source/git/local_repository.h - A repository on this machine, worked on by git's plumbing.
//
// Objects travel as one pack, streamed from `git pack-objects` and into `git index-pack`; nothing
// is held in memory and nothing but git writes into a repository. References move in transactions
// of `git update-ref`. A repository elsewhere is worked on through a scratch one that is fetched
// into and pushed from.
//
// Threads: as the GitProgram.  Ownership: the GitProgram outlives it.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "capture/feed.h"
#include "capture/sink.h"
#include "source/git/references.h"

namespace lifeboat::source::git {

// empty_folder: also one with nothing but the beginning of an interrupted `git init`.
enum class Place { absent, empty_folder, repository, something_else };
struct Found {
  Place place = Place::absent;
  std::string git_dir;  // of a repository
  bool bare = true;
};
// What is at the path; looks no further up.
Found look_at(const std::string& path);

class LocalRepository {
 public:
  LocalRepository(const GitProgram& git, std::string git_dir)
      : git_(&git), git_dir_(std::move(git_dir)) {}
  // Makes a bare one where there is none; its folder too. Completes one that was interrupted.
  static Result<LocalRepository> init(const Operation& op, const GitProgram& git,
                                      const std::string& path);
  const std::string& git_dir() const { return git_dir_; }

  Result<References> references(const Operation& op) const;
  Result<std::optional<Marker>> marker(const Operation& op, const std::string& marker_id) const;
  Result<void> write_marker(const Operation& op, const Marker& marker) const;

  // Streams all objects that the references need into the open item of `sink`; answers how many.
  Result<std::uint64_t> send_pack(const Operation& op, const References& references,
                                  capture::Sink& sink) const;
  // Takes in a pack; `progress` hears of bytes.  Errors: corrupt when it is none.
  Result<void> take_pack(const Operation& op, capture::Feed& feed, const capture::Item& item,
                         const std::function<void(std::uint64_t)>& progress) const;
  // Makes references and HEAD those wanted; ours of refs/lifeboat/ stay.
  Result<void> move(const Operation& op, const References& wanted) const;

  // What a person has to know about this capture: shallow, submodules, LFS, uncommitted changes.
  Result<void> remark(const Operation& op, bool bare, capture::Moments& moments) const;
  // True when `before` is no ancestor of `now` any more.
  Result<bool> was_rewritten(const Operation& op, const std::string& before,
                             const std::string& now) const;
  // git fsck --full; its complaints, "" when there are none.
  Result<std::string> complaints(const Operation& op) const;

  Result<std::string> run(const Operation& op, std::vector<std::string> args,
                          std::string input = {}) const;

 private:
  // Nothing when it cannot be told.
  Result<std::optional<bool>> has_uncommitted(const Operation& op) const;
  Result<Finished> attempt(const Operation& op, std::vector<std::string> args) const;
  const GitProgram* git_;
  std::string git_dir_;
};

}  // namespace lifeboat::source::git
