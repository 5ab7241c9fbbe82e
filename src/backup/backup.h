// backup/backup.h - Captures sources into snapshots, ties them to a recovery point, puts one back.
//
// The meeting place of sources and repository: neither knows the other. back_up() captures the
// sources at once, at most 16 (their moments lie close together; the skew is recorded), stores the
// bundle, and commits one point. A source that fails makes the point partial, never silently
// absent; so does a group whose moments lie further apart than it allows.
//
// Threads: one call at a time per repository session; progress is called from any thread.
#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "backup/freeze.h"
#include "base/operation.h"
#include "repo/repository.h"
#include "repo/session.h"
#include "source/source.h"

namespace lifeboat::backup {

struct NamedSource {
  std::string name;  // as in the platform file
  std::string type;
  std::unique_ptr<source::Source> source;
  // Set when the source could not even be made (a secret is missing): its member is a failure.
  std::optional<Error> broken;
  Freezer freezer = {};           // empty: it need not stand still
  bool holds_its_moment = false;  // source::SourceType
};

// Sources that are captured as of one moment. No source is in two; 16 sources at most.
struct CaptureGroup {
  std::string name;
  std::vector<std::string> sources;
  std::chrono::nanoseconds max_skew{};
  unsigned attempts = 2;  // 1 or more
  Freezer freezer = {};
};

struct SourceResult {
  std::string name;
  std::optional<repo::Snapshot> snapshot;
  std::optional<Error> error;               // set exactly when there is no snapshot
  bool thawed_early = false;                // it is partial therefore
  std::optional<std::string> still_frozen;  // why it could not be thawed
};

struct GroupResult {
  repo::GroupMoment moment;
  unsigned attempts = 0;
  std::optional<std::string> still_frozen;
};

struct BackupReport {
  std::vector<SourceResult> sources;  // in the order given
  std::vector<GroupResult> groups;
  std::optional<repo::Point> point;  // absent when no source could be captured
  bool complete = false;
};

struct SourceProgress {
  std::string source;
  repo::SinkProgress done;
  bool finished = false;
};

// Reads one file of the bundle's closure at a time: path within the bundle -> path on this machine.
using BundleFiles = std::map<std::string, std::string>;

struct BackupOptions {
  BundleFiles bundle;
  std::string platform;  // name; a fact of the bundle
  // Sources of the platform that this backup leaves out: the point names them, and is not complete.
  std::vector<std::string> left_out;
  std::vector<CaptureGroup> groups;
  std::function<void(const SourceProgress&)> progress;
};

// Errors: only when nothing can be stored at all (repository unreachable, full, stopped); a failing
// source is in the report.
Result<BackupReport> back_up(const Operation& op, repo::Repository& repository,
                             std::vector<NamedSource>& sources, const BackupOptions& options);

// Captures one source as a snapshot of the given kind in a session of its own.
Result<repo::Snapshot> capture_one(const Operation& op, repo::Repository& repository,
                                   source::Source& source, const repo::SnapshotDraft& draft);

// What a source that cannot rename has to keep aside: before a restore by `run` changes the target,
// all that it holds is captured as a snapshot of kind `kept`. Nothing to do (nullopt) for a target
// that is absent or empty, whose marker is of this very run and step, or whose type renames.
// Durable when it returns.
struct KeepRequest {
  std::string source, source_type;  // as the snapshot that comes into the target
  source::KeepsAside keeps_aside;
  source::Marker marker;  // of the restore that is about to begin
};
Result<std::optional<repo::Snapshot>> keep_first(const Operation& op, repo::Repository& repository,
                                                 source::Source& target,
                                                 const KeepRequest& request);

// Unpacks the bundle of a snapshot into `directory` (made, 0700; files 0600, executables 0700).
// Answers the paths. Names that would leave the directory are refused.
Result<std::vector<std::string>> unpack_bundle(const Operation& op, repo::Repository& repository,
                                               const Id& bundle, const std::string& directory);

}  // namespace lifeboat::backup
