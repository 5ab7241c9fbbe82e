// journal/segment.h - One segment of a run as bytes: canonical JSON, sealed by the repository.
//
// Pure: no I/O. decode() takes bytes that were authenticated, and still trusts nothing of them.
// Threads: pure functions.  Source: docs/format.md, "Runs".
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "journal/journal.h"

namespace lifeboat::journal {

// The kinds under which the objects of a run are sealed.
inline constexpr std::string_view segment_kind = "run-segment";
inline constexpr std::string_view log_kind = "run-log";
inline constexpr std::string_view vault_key_kind = "run-vault-key";
inline constexpr std::string_view vault_kind = "run-vault";
inline constexpr std::string_view heartbeat_kind = "heartbeat";

// Raised when a reader of this version could misread what a later one writes.
inline constexpr std::int64_t segment_version = 1;

struct Segment {
  std::string run;
  std::uint64_t number = 0;
  std::optional<Id>
      previous;  // SHA-256 of the stored bytes of the segment before; none for the 1st
  Driver driver;
  std::vector<Event> events;
};

// "runs/RUN/0000000000000007"
std::string segment_name(const std::string& run, std::uint64_t number);
std::string number_hex(std::uint64_t number);  // 16 digits
std::optional<std::uint64_t> number_from_hex(std::string_view text);

// No event holds a secret (ASSERTed).
Bytes encode(const Segment& segment);
// Errors: corrupt; invalid with code version_too_new. Each event's `segment` is set.
Result<Segment> decode(ByteView plain);

Value to_value(const Driver& driver);
Driver driver_from(const Value& value);

}  // namespace lifeboat::journal
