// source/files/files_compare.h - Proves a live tree against a feed, and digests a live tree.
//
// The comparison merges the walk with the items in one pass: both come in canonical order. Content
// is compared byte by byte, both sides read. One Check per aspect tells how many entries were
// compared and how many are equal; up to fifty differences get a Check of their own.
//
// Threads: one; content is compared on the feed's threads.  Ownership: feed outlives it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "capture/feed.h"
#include "source/files/walk.h"
#include "source/source.h"

namespace lifeboat::source::files {

class FilesCompare {
 public:
  FilesCompare(std::string path, WalkOptions options, capture::Feed& feed)
      : path_(std::move(path)), options_(std::move(options)), feed_(feed) {}
  Result<std::vector<Check>> run(const Operation& op);

 private:
  struct Aspect {
    std::uint64_t compared = 0, equal = 0;
  };
  struct Outcome {
    std::string aspect, name, expected, actual;
    bool equal = false;
  };
  void note(Outcome outcome);
  Result<void> merge(const Operation& op);
  Result<void> both(const Operation& op, const capture::Item& item, const Found& found);
  void metadata(const capture::Item& item, const Found& found);
  void hard_link(const capture::Item& item, const Found& found);
  void attributes_of(const capture::Item& item, const Found& found);
  void extra(const Found& found);
  Result<void> compare_batch(const Operation& op);
  Result<bool> same_with_holes(const Operation& op, const capture::Item& item);
  std::vector<Check> checks() const;

  const std::string path_;
  WalkOptions options_;
  capture::Feed& feed_;
  Descriptor root_;
  std::map<std::string, Aspect> aspects_;
  std::vector<Check> differences_;
  std::vector<capture::Item> batch_;
  std::uint64_t batch_bytes_ = 0;
};

// SHA-256 over names, kinds, metadata and content of a live tree, in hex: the same for equal trees
// on any host. Left out: ctime, inodes, devices, names of owners, sockets, what is excluded.
// Errors: not_found, denied (something cannot be read: a digest of a part would prove nothing).
Result<std::string> tree_fingerprint(const Operation& op, const std::string& path,
                                     WalkOptions options);

}  // namespace lifeboat::source::files
