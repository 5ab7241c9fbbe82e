// repo/records.h - What the log of a repository tells: snapshots, points, runs, keys.
//
// Plain values, decoded and proven (signature, chain, repository id) before anyone sees them.
// Source: docs/format.md, "The log".
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "capture/sink.h"

namespace lifeboat::repo {

// What a snapshot holds. A bundle is the platform file and the files that its plans name; `kept` is
// what a recovery captured from its target before it changed it.
enum class SnapshotKind : std::uint8_t { source = 1, bundle = 2, kept = 3 };

struct SnapshotDraft {
  SnapshotKind kind = SnapshotKind::source;
  std::string source;                        // the name in the platform file; "" for bundles
  std::string source_type;                   // "postgres"; "" for bundles
  std::string run;                           // kept: the run that kept it
  std::map<std::string, std::string> facts;  // free, small: "fingerprint", "server_version"
};

struct Snapshot {
  Id id;                   // of its root record; what people name it by (brief())
  std::uint64_t slot = 0;  // its place in the log: the only order there is
  SnapshotDraft about;
  capture::Moments moments;
  std::string host;                  // that captured it
  std::int64_t clock_offset_ns = 0;  // host clock minus store clock, as measured; 0 = unknown
  Id writer;
  std::uint64_t items = 0, size_bytes = 0, stored_bytes = 0;  // stored: new in this snapshot
  std::optional<Id> previous;  // snapshot that `unchanged` items came from
};

// A snapshot that could not be taken is a member without id, with the reason.
struct Member {
  std::string source;
  std::optional<Id> snapshot;
  std::string reason;
  bool partial = false;
};

// Members that were captured as of one moment, as far as that went.
struct GroupMoment {
  std::string name;
  std::vector<std::string> sources;
  // Between their first and last consistent-at; nullopt: one of them could not be captured.
  std::optional<std::chrono::nanoseconds> skew;
  std::chrono::nanoseconds max_skew{};
  bool consistent = false;
  std::string reason;  // why it is not
  bool operator==(const GroupMoment&) const = default;
};

struct PointDraft {
  std::vector<Member> members;
  std::vector<GroupMoment> groups;
  std::optional<Id> bundle;  // snapshot of kind bundle
  bool complete = false;     // every member has a snapshot that is not partial
  bool verified = false;
};

struct Point {
  Id id;
  std::uint64_t slot = 0;
  WallTime created;
  PointDraft about;
  WallTime earliest, latest;  // spread of consistent-at: the skew is their difference
};

// A run that was begun: its journal is at runs/<run>/.
struct RunRecord {
  std::string run;
  std::uint64_t slot = 0;
  WallTime created;
  std::string plan;  // name
};

// What is known about how fresh our view of the log is.
struct Head {
  std::uint64_t records = 0;  // slots 0 .. records-1 exist
  Id hash;                    // of the last one
  WallTime written;           // as its writer's clock said
  bool remembered = false;    // false: no local memory of an earlier head, freshness unproven
};

}  // namespace lifeboat::repo
