// Decoded directories of packs, and footers.
#include "repo/blob.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/message_mutator.h"

LIFEBOAT_MUTATES_MESSAGES

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const ByteView input = fuzz::view(bytes, size);
  const auto footer = repo::decode_footer(input);
  HOLDS(!footer || as_text(repo::encode(*footer)) == as_text(input));
  const auto directory = repo::decode_directory(input);
  if (!directory) return footer ? 0 : fuzz::not_kept;
  HOLDS(fuzz::may_hold_optional(input) || as_text(repo::encode(*directory)) == as_text(input));
  // Seeds: at most three entries, the filler among them.
  fuzz::plant(directory->entries.size() >= 5);
  return fuzz::kept(input);
}
