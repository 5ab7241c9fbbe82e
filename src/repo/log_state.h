// repo/log_state.h - What the log says so far: the fold of its records, one after the other.
//
// Pure: bytes in, state out. Reading, writing and remembering are repo/log.h.
//
// Threads: a plain value.  Source: docs/format.md, "The log".
#pragma once

#include <map>
#include <set>

#include "repo/config.h"
#include "repo/log_record.h"

namespace lifeboat::repo {

struct SessionState {
  Id writer, domain;
  std::string host;
  bool open = true;
  std::uint64_t index_segments = 0;  // that commits vouch for
};

class LogState {
 public:
  explicit LogState(const Config& config) : last_hash_(config.stored_hash) {}

  // Takes the stored bytes of the next slot.  Errors: corrupt, naming the slot; invalid
  // (version_too_new). After an error the state is as before.
  Result<void> apply(const KeyTree& keys, const Writers& writers, ByteView stored);

  std::uint64_t slots() const { return slots_; }
  const Id& last_hash() const { return last_hash_; }
  WallTime written() const { return written_; }
  std::uint64_t voids() const { return voids_; }
  std::uint64_t sequence_of(const Id& writer) const;
  const SessionState* session(const Id& session) const;
  const std::map<Id, SessionState>& sessions() const { return sessions_; }
  // Those that no forget names.
  std::vector<Snapshot> snapshots() const;
  const Snapshot* find_snapshot(const Id& snapshot) const;
  bool forgotten(const Id& snapshot) const { return forgotten_.contains(snapshot); }
  const std::vector<Point>& points() const { return points_; }
  const std::vector<RunRecord>& runs() const { return runs_; }

 private:
  bool admit(const LogRecord& record) const;
  void take(const LogRecord& record);

  std::uint64_t slots_ = 0, voids_ = 0;
  Id last_hash_;
  WallTime written_;
  std::map<Id, std::uint64_t> sequences_;
  std::map<Id, SessionState> sessions_;
  std::vector<Snapshot> snapshots_;
  std::set<Id> forgotten_;
  std::vector<Point> points_;
  std::vector<RunRecord> runs_;
};

}  // namespace lifeboat::repo
