#include "repo/chunker.h"

#include <algorithm>

namespace lifeboat::repo {
namespace {

constexpr std::uint64_t window = 64;  // older bytes have been shifted out of the hash

// 2^64 / n, for n > 1.
std::uint64_t one_in(std::uint64_t n) { return UINT64_MAX / n; }

}  // namespace

GearTable gear_table(const crypt::Key& chunking) {
  GearTable table{};
  for (unsigned i = 0; i < table.size(); ++i) {
    const auto byte = static_cast<std::uint8_t>(i);
    const Id mac = crypt::hmac_sha256(chunking, {as_bytes("gear"), ByteView(&byte, 1)});
    for (unsigned k = 0; k < 8; ++k) {
      table[i] |= static_cast<std::uint64_t>(mac.bytes[k]) << (8 * k);
    }
  }
  return table;
}

Chunker::Chunker(const GearTable& table, const ChunkerParameters& parameters)
    : table_(table),
      warm_(parameters.least - std::min(window, parameters.least)),
      least_(parameters.least),
      average_(parameters.average),
      most_(parameters.most),
      strict_(one_in(2 * parameters.average)),
      loose_(one_in(parameters.average / 2)) {}

Chunker::Scan Chunker::scan(ByteView bytes) {
  std::size_t at = 0;
  if (length_ < warm_) {  // no cut can be here, and the hash forgets it anyway
    at = static_cast<std::size_t>(std::min<std::uint64_t>(warm_ - length_, bytes.size()));
    length_ += at;
  }
  std::uint64_t hash = hash_;
  while (at < bytes.size()) {
    // A stretch within which the rule stays the same.
    const std::uint64_t limit = length_ + 1 < least_ ? least_ - 1
                                : length_ < average_ ? average_
                                                     : most_;
    const std::uint64_t threshold = limit < least_ ? 0 : limit == average_ ? strict_ : loose_;
    const auto stretch =
        static_cast<std::size_t>(std::min<std::uint64_t>(limit - length_, bytes.size() - at));
    const std::size_t end = at + stretch;
    const std::size_t begin = at;
    bool cut = false;
    while (at < end && !cut) {
      hash = (hash << 1) + table_[bytes[at++]];
      cut = hash < threshold;
    }
    length_ += at - begin;
    if (cut || length_ == most_) {
      restart();
      return {at, true};
    }
  }
  hash_ = hash;
  return {at, false};
}

}  // namespace lifeboat::repo
