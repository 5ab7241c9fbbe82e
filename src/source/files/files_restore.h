// source/files/files_restore.h - Builds the tree of a feed in an empty folder.
//
// Four passes over the items, so that memory holds one batch of files and one path of folders,
// whatever the size of the tree:
//   1. look: every name is safe, every parent a folder that came before; totals for progress
//   2. folders (mode 0700) and files: batches, content by Feed::fetch, then their metadata
//   3. links, devices, FIFOs: only now, so that no link ever lies on the way of a write
//   4. metadata of folders, deepest first
// Everything is opened beneath the root; a feed that names "..", an absolute path, a parent that is
// a link, is refused in pass 1 with nothing written.
//
// Threads: one; fetch() delivers from several.  Ownership: feed and options outlive it.
#pragma once

#include <atomic>
#include <map>
#include <string>
#include <vector>

#include "capture/feed.h"
#include "source/files/metadata.h"
#include "source/files/tree.h"
#include "source/source.h"

namespace lifeboat::source::files {

class FilesRestore {
 public:
  FilesRestore(capture::Feed& feed, const RestoreOptions& options)
      : feed_(feed), options_(options) {}

  // Pass 1; writes nothing.  Errors: invalid (a name that leads out), not_found (`only` names
  // nothing).
  Result<void> look(const Operation& op);
  // Passes 2 to 4, after look(), into the folder that `root` is open on.
  Result<RestoreReport> build(const Operation& op, int root);

 private:
  struct NewFile {
    std::string name;    // where it goes
    capture::Item item;  // whose content and metadata it gets
  };
  using Visit = std::function<Result<void>(const capture::Item& item)>;
  Result<void> each_item(const Operation& op, const Visit& visit);
  Result<void> check_item(const capture::Item& item);
  Result<void> add_file_or_folder(const Operation& op, const capture::Item& item);
  Result<void> add_file(const Operation& op, std::string name, const capture::Item& item);
  Result<void> write_batch(const Operation& op);
  Result<void> create(const NewFile& file);
  Result<void> add_special(const capture::Item& item);
  Result<void> make_special(const Place& place, const capture::Item& item);
  Result<void> make_hard_link(const Place& place, const capture::Item& item);
  Result<void> leave_folders(const std::string& next_name);
  Result<void> finish_folder(const capture::Item& item);
  Result<Place> place_of(const std::string& name);

  int root_ = -1;
  capture::Feed& feed_;
  const RestoreOptions& options_;
  RestoreReport report_;
  Shortfalls shortfalls_;
  std::uint64_t total_bytes_ = 0, selected_items_ = 0;
  std::atomic<std::uint64_t> done_bytes_ = 0;
  std::vector<NewFile> batch_;
  std::uint64_t batch_bytes_ = 0;
  std::vector<capture::Item> open_folders_;  // the way down to the current item
  // `only` took a second name of a file and not the first: that name -> the first.
  std::map<std::string, std::string> stand_ins_;
  std::string parent_name_;  // of parent_
  Descriptor parent_;
};

}  // namespace lifeboat::source::files
