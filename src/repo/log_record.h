// repo/log_record.h - The records of the log, encoded and decoded.
//
// Threads: plain values.  Source: docs/format.md, "The log".
#pragma once

#include <variant>

#include "repo/records.h"
#include "repo/wire.h"

namespace lifeboat::repo {

struct SessionOpen {
  Id domain;
  std::string host, program;
};
struct SessionClose {
  Id session;
};
// Snapshot::slot and ::writer are the record's own.
struct SnapshotCommit {
  Snapshot snapshot;
  std::uint64_t index_segments = 0;  // of this session, that exist now
};
struct PointCommit {
  Point point;
};
struct RunAnnounced {
  RunRecord run;
};
struct Forget {
  Id snapshot;
  std::string reason;
};
// A kind from 64 on, which this version passes over.
struct Optional {
  std::uint64_t kind = 0;
};
using LogBody = std::variant<SessionOpen, SessionClose, SnapshotCommit, PointCommit, RunAnnounced,
                             Forget, Optional>;

struct LogRecord {
  std::uint64_t slot = 0;
  Id previous, writer;
  std::uint64_t sequence = 0;
  Id session;
  WallTime time;
  std::array<std::uint8_t, 16> attempt{};
  LogBody body;
  std::uint64_t epoch = 0;
};

Bytes encode(const LogRecord& record);
// Errors: corrupt; invalid (version_too_new).
Result<LogRecord> decode_log_record(ByteView message);

// Parts that the root of a snapshot shares.
void encode_about(Writer& to, const SnapshotDraft& about, std::uint32_t first_tag);
SnapshotDraft decode_about(Fields& from, std::uint32_t first_tag);
Bytes encode_moments(const capture::Moments& moments, std::size_t remarks_most);
// Errors: corrupt, also when there is no message, or more remarks than encode_moments() leaves.
Result<capture::Moments> decode_moments(std::optional<ByteView> message, std::size_t remarks_most);

inline constexpr std::size_t remarks_in_log = 64, remarks_in_root = 1000;

}  // namespace lifeboat::repo
