// repo/chunker.h - Where the bytes of an item are cut, by their content: a keyed Gear hash.
//
// An insertion moves cuts only near itself, because a cut depends on the 64 bytes before it and on
// the lengths that are allowed; equal stretches of two items get equal chunks.
//
// Threads: one each; GearTable is immutable.  Source: docs/format.md, "How content is cut".
#pragma once

#include <array>

#include "repo/config.h"

namespace lifeboat::repo {

using GearTable = std::array<std::uint64_t, 256>;
GearTable gear_table(const crypt::Key& chunking);

class Chunker {
 public:
  Chunker(const GearTable& table, const ChunkerParameters& parameters);

  struct Scan {
    std::size_t taken;  // bytes that belong to the current chunk
    bool cut;           // the chunk ends after them
  };
  // Looks at more bytes of the current chunk. After a cut the next byte begins a new one.
  Scan scan(ByteView bytes);
  // Begins a new chunk, wherever the last one stood.
  void restart() { length_ = hash_ = 0; }

 private:
  const GearTable& table_;
  const std::uint64_t warm_, least_, average_, most_;
  const std::uint64_t strict_, loose_;
  std::uint64_t length_ = 0, hash_ = 0;
};

}  // namespace lifeboat::repo
