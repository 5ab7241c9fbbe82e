// source/files/files_capture.h - Streams a live folder tree into a sink.
//
// One pass in canonical order. A regular file whose size, mtime, ctime and inode are those of the
// previous capture is not read again, unless its last change lay within two seconds of the reading
// (or after it): a second change in the same tick of the file system's clock would not show. What
// such a file is then stored with is the fact `recent`.
//
// What changes while it is read, cannot be read, or is read with an error, is named in a remark and
// makes the capture partial; everything else goes on. Facts of such items: `unreadable` (why, and
// from which byte on).
//
// Threads: one.  Ownership: sink and clock outlive it.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/clock.h"
#include "capture/sink.h"
#include "source/files/walk.h"

namespace lifeboat::source::files {

class FilesCapture {
 public:
  FilesCapture(capture::Sink& sink, const Clock& clock) : sink_(sink), clock_(clock) {}
  Result<void> run(const Operation& op, const std::string& path, WalkOptions options);

 private:
  Result<void> take(const Operation& op, const Found& found);
  Result<void> take_file(const Operation& op, const Found& found, capture::Item item);
  Result<bool> take_unchanged(const Operation& op, const Found& found);
  Result<void> take_content(const Operation& op, int file, capture::Item& item,
                            const struct stat& before);
  Result<void> take_range(const Operation& op, int file, capture::Item& item, off_t end);
  Result<void> take_other(const Operation& op, const capture::Item& item);
  bool describe(const Found& found, capture::Item& item);
  bool recent(const struct stat& seen) const;
  void remark(const std::string& name, const std::string& why);
  void flaw(const std::string& name, const std::string& why);

  struct FirstName {
    std::string name;
    std::uint64_t unseen = 0;  // links that have not come yet
  };
  capture::Sink& sink_;
  const Clock& clock_;
  capture::Moments moments_;
  std::uint64_t remarks_left_out_ = 0;
  Owners owners_;
  std::map<std::pair<dev_t, ino_t>, FirstName> linked_;
  Bytes buffer_;
  off_t at_ = 0;  // within the file that is being read
  std::uint64_t files_ = 0, bytes_ = 0, unchanged_ = 0;
};

}  // namespace lifeboat::source::files
