// capture/feed.h - One stored capture, read again: in order, by name, or in any order that is fast.
//
// A Feed is cheap to hold and safe to share; what it hands out (Cursor, Reader) belongs to one
// thread each. Reading proves what it reads: bytes that do not authenticate are Kind::corrupt, with
// the name of the item in the error, and are never handed out.
//
// Threads: Feed's methods from any thread; a Cursor or Reader is used by one thread at a time.
// Memory: each Reader holds one bounded prefetch window; fetch() one bounded set of packs.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/bytes.h"
#include "base/operation.h"
#include "capture/item.h"
#include "capture/sink.h"

namespace lifeboat::capture {

// Walks the items in canonical order.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual Result<std::optional<Item>> next(const Operation& op) = 0;  // nullopt: no more
};

// The content of one item from its first byte to its last.
class Reader {
 public:
  virtual ~Reader() = default;
  // Fills at most `out`; 0 = end. Holes read as zeros.
  virtual Result<std::size_t> read(const Operation& op, std::span<std::uint8_t> out) = 0;
};

// A piece of an item's content that fetch() delivers: bytes at an offset. Pieces of one item may
// come in any order and from any thread, each exactly once; holes are not delivered.
struct Piece {
  std::size_t item;  // index into the span given to fetch()
  std::uint64_t offset_bytes;
  ByteView bytes;  // valid during the call only
};

class Feed {
 public:
  virtual ~Feed() = default;
  virtual const Moments& moments() const = 0;
  virtual Result<std::unique_ptr<Cursor>> items(const Operation& op) = 0;
  // Errors: not_found.
  virtual Result<Item> find(const Operation& op, std::string_view name) = 0;
  virtual Result<std::unique_ptr<Reader>> open(const Operation& op, const Item& item) = 0;
  // Delivers the content of all `items` (from a Cursor of this feed) in the order that reads the
  // store best, several in flight. `deliver` is called from several threads and may block
  // (back-pressure); its first error ends the fetch and is returned.
  virtual Result<void> fetch(const Operation& op, std::span<const Item> items,
                             const std::function<Result<void>(const Piece&)>& deliver) = 0;
};

}  // namespace lifeboat::capture
