// Records of the log.
#include "repo/log_record.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/message_mutator.h"

LIFEBOAT_MUTATES_MESSAGES

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const ByteView message = fuzz::view(bytes, size);
  const auto record = repo::decode_log_record(message);
  if (!record) return fuzz::not_kept;
  // What is in a record of an optional kind is passed over, so it does not come back.
  const bool whole =
      !std::holds_alternative<repo::Optional>(record->body) && !fuzz::may_hold_optional(message);
  HOLDS(!whole || as_text(repo::encode(*record)) == as_text(message));
  // Seeds: at most two members.
  if (const auto* point = std::get_if<repo::PointCommit>(&record->body)) {
    const auto& members = point->point.about.members;
    fuzz::plant(members.size() >= 4);
  }
  return fuzz::kept(message);
}
