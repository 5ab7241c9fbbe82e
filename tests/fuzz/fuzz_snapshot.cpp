// Roots, trees, lists of content: what a snapshot is read from.
#include "repo/tree.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/message_mutator.h"

LIFEBOAT_MUTATES_MESSAGES

namespace lifeboat::fuzz {
namespace {

bool root(ByteView message) {
  const auto root = repo::decode_root(message);
  HOLDS(!root || may_hold_optional(message) || as_text(encode(*root)) == as_text(message));
  return root.has_value();
}

bool content(ByteView bytes) {
  const auto content = repo::decode_content(bytes);
  HOLDS(!content || as_text(repo::encode_content(*content)) == as_text(bytes));
  return content.has_value();
}

bool tree(ByteView message) {
  const auto items = repo::decode_tree(message);
  if (!items) return false;
  repo::TreeWriter again;
  for (const repo::StoredItem& item : *items) again.add(encode(item));
  HOLDS(may_hold_optional(message) || as_text(again.take()) == as_text(message));
  // Seeds: at most three items, content of one reference each.
  std::size_t references = 0;
  for (const repo::StoredItem& item : *items) references += item.content.size();
  plant(items->size() >= 4 || references >= 5);
  return true;
}

}  // namespace
}  // namespace lifeboat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const ByteView input = fuzz::view(bytes, size);
  const bool root = fuzz::root(input), content = fuzz::content(input), tree = fuzz::tree(input);
  return root || content || tree ? fuzz::kept(input) : fuzz::not_kept;
}
