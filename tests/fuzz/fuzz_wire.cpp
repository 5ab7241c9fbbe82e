// Messages: one that has every kind of field, and itself within itself.
#include "repo/wire.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/message_mutator.h"

LIFEBOAT_MUTATES_MESSAGES

namespace lifeboat::fuzz {
namespace {

struct Seen {
  int deepest = 0;
};

std::optional<Bytes> rebuilt(ByteView message, Seen& seen, int depth) {
  if (depth > 16) return std::nullopt;
  repo::Fields in(message);
  repo::Writer out;
  out.uint(1, in.uint(1));
  out.sint(2, in.sint(2));
  out.flag(3, in.flag(3));
  out.bytes(4, in.bytes(4));
  out.text(5, in.text(5));
  out.id(6, in.optional_id(6));
  while (const auto inner = in.message(7)) {
    const auto again = rebuilt(*inner, seen, depth + 1);
    if (!again) return std::nullopt;
    out.message(7, *again);
  }
  out.map(8, in.map(8));
  if (!in.done("message")) return std::nullopt;
  seen.deepest = std::max(seen.deepest, depth);
  return out.take();
}

void varint(ByteView bytes) {
  ByteView rest = bytes;
  const auto value = repo::take_varint(rest);
  if (!value) {
    HOLDS(rest.size() == bytes.size());
    return;
  }
  Bytes again;
  repo::append_varint(again, *value);
  HOLDS(as_text(again) == as_text(bytes.first(bytes.size() - rest.size())));
}

}  // namespace
}  // namespace lifeboat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const ByteView message = fuzz::view(bytes, size);
  fuzz::varint(message);
  fuzz::Seen seen;
  const auto again = fuzz::rebuilt(message, seen, 0);
  if (!again) return fuzz::not_kept;
  HOLDS(fuzz::may_hold_optional(message) || as_text(*again) == as_text(message));
  // Seeds: two levels (deepest is 1).
  fuzz::plant(seen.deepest >= 2);
  return fuzz::kept(message);
}
