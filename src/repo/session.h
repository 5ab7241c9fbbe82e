// repo/session.h - A writer's visit to a repository: from its open record in the log to its close.
//
// Life: Repository::open_session() writes the open record; snapshot() hands out sinks, several at
// once; each sink's commit() makes its packs and index durable and writes the commit record, after
// which the snapshot is there for everyone. commit_point() ties snapshots together. close() ends
// it; a session whose process died is closed by a record of whoever needs it gone.
//
// Threads: all methods from any thread; each sink belongs to one thread.
#pragma once

#include <memory>

#include "capture/sink.h"
#include "repo/records.h"

namespace lifeboat::repo {

// What a sink has done so far; for progress.
struct SinkProgress {
  std::uint64_t items = 0, bytes_read = 0, bytes_stored = 0, unchanged_items = 0;
  std::uint64_t bytes_unchanged = 0;  // of items that were not read again
};

class SnapshotSink : public capture::Sink {
 public:
  // The committed snapshot; only after commit() answered.
  virtual const Snapshot& snapshot() const = 0;
  virtual SinkProgress progress() const = 0;  // from any thread
};

class Session {
 public:
  virtual ~Session() = default;
  virtual Result<std::unique_ptr<SnapshotSink>> snapshot(const Operation& op,
                                                         const SnapshotDraft& draft) = 0;
  virtual Result<Point> commit_point(const Operation& op, const PointDraft& draft) = 0;
  // Announces a run in the log, so that runs are found without a listing.
  virtual Result<RunRecord> announce_run(const Operation& op, const std::string& run,
                                         const std::string& plan) = 0;
  // Removes snapshots of kind `kept` from view (a signed forget record).  Errors: not_found;
  // refused for other kinds (retention comes with prune).
  virtual Result<void> forget_kept(const Operation& op, const Id& snapshot) = 0;
  virtual Result<void> close(const Operation& op) = 0;
};

}  // namespace lifeboat::repo
