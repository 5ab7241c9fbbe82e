// source/files/walk.h - A live folder tree, entry by entry, in the canonical order of captures.
//
// A pull iterator: next() answers the root (as "."), then every entry, a folder before what is in
// it. It holds one descriptor and one list of names for each folder on the way down, whatever the
// size of the tree. An entry that cannot be looked at is reported to `trouble` and passed over.
//
// Threads: one thread.  Ownership: the descriptor in Found::place belongs to the walk and is valid
// until the next call.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/operation.h"
#include "source/files/metadata.h"
#include "source/files/tree.h"

namespace lifeboat::source::files {

struct WalkOptions {
  // Patterns of fnmatch(3): without '/' for a name in any folder, with '/' for the whole name.
  std::vector<std::string> exclude;
  bool one_file_system = false;
  // Something that could not be read: its name, and why.
  std::function<void(const std::string& name, const Error& why)> trouble;
  // Something that was left out on purpose: its name, and why.
  std::function<void(const std::string& name, const std::string& why)> skipped;
};

// True when the entry itself matches one of the patterns.
bool matches(const std::string& name, const std::string& base,
             const std::vector<std::string>& patterns);
// True when the entry or a folder that it lies in matches: what a walk would leave out.
bool left_out(const std::string& name, const std::vector<std::string>& patterns);

struct Found {
  Place place;
  struct stat seen = {};
};

class Walk {
 public:
  static Result<Walk> begin(const std::string& path, WalkOptions options);
  Result<std::optional<Found>> next(const Operation& op);

 private:
  struct Level {
    Descriptor folder;
    std::string prefix;  // "" at the root, "a/b/" within a/b
    std::vector<std::string> names;
    std::size_t at = 0;
  };
  Walk(Descriptor root, WalkOptions options);
  void enter(const Place& folder);
  void trouble(const std::string& name, const Error& why) const;

  Descriptor root_;
  WalkOptions options_;
  dev_t device_ = 0;
  bool mount_point_ = false;
  std::vector<Level> levels_;
  std::optional<Place> pending_;  // a folder that was answered and is not entered yet
};

}  // namespace lifeboat::source::files
