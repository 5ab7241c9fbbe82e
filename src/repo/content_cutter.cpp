#include <algorithm>

#include "repo/snapshot_sink.h"

namespace lifeboat::repo {
namespace {

constexpr std::size_t zero_run_bytes = 64u << 10;

bool all_zero(ByteView bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

}  // namespace

ContentCutter::ContentCutter(const GearTable& table, const ChunkerParameters& parameters)
    : parameters_(parameters), chunker_(table, parameters) {}

void ContentCutter::begin(capture::Cut cut) {
  cut_ = cut;
  position_ = 0;
  buffer_.clear();
  chunker_.restart();
}

Result<void> ContentCutter::feed(ByteView bytes, const Out& out) {
  if (cut_ == capture::Cut::fixed) return feed_fixed(bytes, out);
  while (!bytes.empty()) {
    const Chunker::Scan scan = chunker_.scan(bytes);
    append(buffer_, bytes.first(scan.taken));
    bytes = bytes.subspan(scan.taken);
    if (scan.cut) TRY_DO(out.emit(std::exchange(buffer_, {})));
  }
  return {};
}

Result<void> ContentCutter::feed_fixed(ByteView bytes, const Out& out) {
  while (!bytes.empty()) {
    const std::uint64_t room = parameters_.fixed - position_ % parameters_.fixed;
    const auto take = static_cast<std::size_t>(std::min<std::uint64_t>(room, bytes.size()));
    append(buffer_, bytes.first(take));
    bytes = bytes.subspan(take);
    position_ += take;
    if (take == room) TRY_DO(emit_fixed(out));
  }
  return {};
}

// The buffer, with the zeros that fill aligned 64 KiB left out.
Result<void> ContentCutter::emit_fixed(const Out& out) {
  const Bytes block = std::exchange(buffer_, {});
  const std::uint64_t start = position_ - block.size();
  std::size_t at = 0, pending = 0;  // block[pending..at) holds data that is not emitted yet
  while (at < block.size()) {
    const std::size_t unit = zero_run_bytes - (start + at) % zero_run_bytes;
    const std::size_t size = std::min(unit, block.size() - at);
    const bool hole = size == zero_run_bytes && all_zero(ByteView(block).subspan(at, size));
    if (hole) {
      if (pending < at)
        TRY_DO(out.emit({block.begin() + static_cast<std::ptrdiff_t>(pending),
                         block.begin() + static_cast<std::ptrdiff_t>(at)}));
      TRY_DO(out.hole(size));
      pending = at + size;
    }
    at += size;
  }
  if (pending == 0) return block.empty() ? Result<void>() : out.emit(block);
  if (pending == block.size()) return {};
  return out.emit({block.begin() + static_cast<std::ptrdiff_t>(pending), block.end()});
}

Result<void> ContentCutter::end(const Out& out, std::uint64_t skipped) {
  if (cut_ == capture::Cut::fixed) {
    TRY_DO(emit_fixed(out));
  } else if (!buffer_.empty()) {
    TRY_DO(out.emit(std::exchange(buffer_, {})));
  }
  chunker_.restart();
  position_ += skipped;
  return {};
}

}  // namespace lifeboat::repo
