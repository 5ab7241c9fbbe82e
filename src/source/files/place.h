// source/files/place.h - The folder that a restore fills: what lies there, whose it is, and the
// swap by which a finished tree takes its name.
//
// A tree NAME in folder DIR is restored into DIR/.NAME.lifeboat-RUN and renamed to DIR/NAME at the
// end: under the final name there is never half a tree. DIR/.NAME.lifeboat.json (mode 0600) is the
// marker: run, step, generation, snapshot, done, the inode of the tree it speaks of, and what was
// kept aside. Foreign data is renamed to DIR/NAME_before_RUN.
//
// A mount point cannot be renamed: there the tree is built in place, only where nothing was before,
// and the marker says so (`in_place`), so that the same run may empty it and start again. Foreign
// data in a mount point is always refused.
//
// After a crash at any instant the marker tells which of staging, final name and kept-aside folder
// are ours; nothing else is ever removed.
//
// Threads: one.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "source/files/tree.h"
#include "source/source.h"

namespace lifeboat::source::files {

class TargetPlace {
 public:
  // `path` is absolute. Its folder need not exist yet.
  static Result<TargetPlace> at(const std::string& path);

  Result<TargetState> state(const Operation& op) const;

  // What a restore may do here: refuses, or writes the marker, keeps aside nothing yet, and answers
  // an empty folder to build the tree in.  Errors: conflict (refused).
  Result<Descriptor> prepare(const Operation& op, const RestoreOptions& options);
  // Gives the tree that was built its name; foreign data is kept aside first. Names of what was
  // kept are answered.
  Result<std::vector<std::string>> publish(const Operation& op);
  // Removes what was built, for a disk that is full; the marker stays, not done.
  Result<void> discard(const Operation& op);

  Result<std::vector<Kept>> kept(const Operation& op) const;
  Result<void> remove_kept(const Operation& op, const std::string& name);
  const std::string& path() const { return path_; }

 private:
  struct KeptTree {
    std::string run;
    ino_t inode = 0;
  };
  // The marker file: Marker and what only this place knows.
  struct Record {
    std::optional<Marker> marker;
    ino_t tree = 0;         // inode of the tree under the final name, if it is ours
    ino_t next = 0;         // inode of the tree that is about to take the name
    bool in_place = false;  // built in a mount point
    dev_t device = 0;       // of the mount point
    std::map<std::string, KeptTree> kept;
  };
  Result<Record> read_record() const;
  Result<void> write_record();
  Result<void> make_folder();
  Result<std::optional<struct stat>> look(const std::string& base) const;
  Result<bool> is_empty(const Operation& op) const;
  Result<bool> may_replace(const Operation& op, const RestoreOptions& options);
  Result<Descriptor> prepare_in_place(const Operation& op);
  Result<Descriptor> prepare_beside(const Operation& op);
  Result<void> keep_aside(const std::string& run);
  Result<void> keep_unfinished(const Marker& other);
  Result<void> take_name(const std::string& staging);
  bool explained(const struct stat& seen) const;
  std::string staging_of(const std::string& run) const;
  static std::string old_of(const std::string& staging) { return staging + ".old"; }
  std::string marker_base() const { return "." + base_ + ".lifeboat.json"; }

  std::string path_;    // of the tree
  std::string folder_;  // DIR
  std::string base_;    // NAME
  Descriptor dir_;      // open on DIR; closed while that does not exist
  Record record_;
  bool foreign_ = false;  // what lies under the final name is to be kept aside
  std::vector<std::string> kept_now_;
};

}  // namespace lifeboat::source::files
