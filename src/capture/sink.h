// capture/sink.h - Where a source writes one capture: items in order, content in ranges.
//
// Life: { begin(item) [write | hole]* finish(final item) | unchanged(item) }* note()* commit().
// Nothing is visible to readers until commit() has answered. A sink that is destroyed before has
// stored nothing that anybody sees. write() blocks when the pipeline behind it is full
// (back-pressure): a source needs no memory bound of its own beyond one buffer.
//
// Threads: one thread at a time.  Ownership: the caller owns the sink; buffers are copied or hashed
// before write() returns.  Contract: capture/sink_contract.h (every sink passes it).
#pragma once

#include <optional>
#include <string>

#include "base/bytes.h"
#include "base/operation.h"
#include "capture/item.h"

namespace lifeboat::capture {

// How the bytes of an item are cut: streams and files by content, images and databases at fixed
// places.
enum class Cut { by_content, fixed };

// Moments and place of a capture, as the source knows them.
struct Moments {
  WallTime begin, consistent_at, end;  // a dump's data is as of its first instant
  std::string position;                // LSN, commit, resourceVersion: text; may be empty
  // Things that were skipped or are flawed, one line each ("sockets/x: a socket, skipped").
  std::vector<std::string> remarks;
  bool partial = false;  // something that was asked for is missing or may be torn: exit 3
  std::map<std::string, std::string> facts;  // server version, identity, counts, losses
};

class Sink {
 public:
  virtual ~Sink() = default;

  // Errors of all: cancelled; unavailable / denied (store); invalid (order of names or calls).
  virtual Result<void> begin(const Operation& op, const Item& item, Cut cut = Cut::by_content) = 0;
  virtual Result<void> write(const Operation& op, ByteView bytes) = 0;
  virtual Result<void> hole(const Operation& op, std::uint64_t length_bytes) = 0;
  // The item again, with what only the reading told (facts, changed_while_read). Name and kind
  // must be those of begin().
  virtual Result<void> finish(const Operation& op, const Item& item) = 0;

  // The item of this name in the previous capture of the same source, if there is one. Names must
  // be asked in canonical order. What it answers may go to unchanged() when the source has proof
  // that the content is the same: nothing is read again then.
  virtual Result<std::optional<Item>> previous(const Operation& op, std::string_view name) = 0;
  // Stores the item with the content it had in the previous capture; only after previous() of the
  // same name answered an item.
  virtual Result<void> unchanged(const Operation& op, const Item& item) = 0;

  // Makes the capture durable and visible.
  virtual Result<void> commit(const Operation& op, const Moments& moments) = 0;
};

}  // namespace lifeboat::capture
