// source/files/files_source.h - The source type `files`: a folder with everything in it.
//
// Captured: files (holes stay holes), folders, symbolic and hard links, device nodes, FIFOs; names
// of any bytes; modes, owners, times before 1970 and after 2106, extended attributes with ACLs and
// capabilities. Sockets are named and skipped. The folder itself is the item ".".
// A files capture has no moment of its own: each file is as of when it was read, and one that
// changes meanwhile is flagged.
//
// Restored beside the target and renamed (place.h); verified byte by byte (files_compare.h). What
// only root may set is named in the report when another user restores.
//
// Contract: source/source_contract.h.
#pragma once

#include <memory>

#include "source/files/walk.h"
#include "source/source.h"

namespace lifeboat::source {

SourceType files_source();

namespace files {

class FilesSource final : public Source {
 public:
  // `path` is absolute.
  FilesSource(std::string path, WalkOptions options, const Clock& clock)
      : path_(std::move(path)), options_(std::move(options)), clock_(clock) {}

  Result<void> preflight(const Operation& op) override;
  Result<void> capture(const Operation& op, capture::Sink& sink) override;
  Result<TargetState> target(const Operation& op) override;
  Result<RestoreReport> restore(const Operation& op, capture::Feed& feed,
                                const RestoreOptions& options) override;
  Result<std::vector<Check>> verify(const Operation& op, capture::Feed& feed) override;
  Result<std::string> fingerprint(const Operation& op) override;
  Result<std::vector<Kept>> kept(const Operation& op) override;
  Result<void> remove_kept(const Operation& op, const std::string& name) override;

 private:
  const std::string path_;
  const WalkOptions options_;
  const Clock& clock_;
};

}  // namespace files
}  // namespace lifeboat::source
