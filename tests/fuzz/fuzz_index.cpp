// Index segments, and what an index finds of them.
#include <algorithm>

#include "repo/index.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/message_mutator.h"

LIFEBOAT_MUTATES_MESSAGES

namespace lifeboat::fuzz {
namespace {

// Whatever order segments come in, each of their blobs is found where a segment says it is.
void found_again(const repo::IndexSegment& segment) {
  repo::Index index{std::filesystem::path()};
  index.add(segment);
  index.add(segment);
  HOLDS(index.blobs() == segment.entries.size());
  for (const repo::IndexEntry& entry : segment.entries) {
    const auto found = index.find(entry.head.id);
    HOLDS(found && found->entry.head == entry.head && found->entry.offset == entry.offset);
    HOLDS(found->pack.name == segment.packs[entry.pack].name);
  }
  HOLDS(segment.entries.empty() || !index.contains(Id{}) ||
        segment.entries.front().head.id == Id{});
}

}  // namespace
}  // namespace lifeboat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const ByteView message = fuzz::view(bytes, size);
  auto segment = repo::decode_index_segment(message);
  if (!segment) return fuzz::not_kept;
  HOLDS(fuzz::may_hold_optional(message) || as_text(repo::encode(*segment)) == as_text(message));
  fuzz::found_again(*segment);
  // Seeds: at most two blobs, in one pack.
  fuzz::plant(segment->entries.size() >= 3 && segment->packs.size() >= 2);
  return fuzz::kept(message);
}
