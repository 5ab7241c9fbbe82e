// capture/memory_capture.h - A capture that lives in this process: what a source wrote, read again.
//
// The reference Sink and Feed: strict about the order of names and calls, so that a source that
// works here works with the repository. Items stay in memory; their content goes to an anonymous
// temporary file, so that a test that measures memory measures the source and not this class.
// Faults on demand: the sink fails after so many bytes, as a full disk would.
//
// Life: make one, hand it to Source::capture(), take feed() after commit(). The feed shares the
// stored items and outlives the sink. A capture may build upon an earlier one (`previous`).
//
// Threads: the sink as every Sink; feeds as every Feed (fetch() delivers from two threads, pieces
// of one item out of order, on purpose).  Contract: capture/sink_contract.h.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "capture/feed.h"
#include "capture/sink.h"

namespace lifeboat::capture {

class MemoryCapture final : public Sink {
 public:
  struct Options {
    const MemoryCapture* previous = nullptr;        // committed; need not outlive this one
    std::optional<std::uint64_t> fail_after_bytes;  // write() fails once more were offered
    Error failure = {Error::Kind::unavailable, "memory capture: told to fail", "", {}};
  };
  MemoryCapture();
  explicit MemoryCapture(Options options);
  ~MemoryCapture() override;

  Result<void> begin(const Operation& op, const Item& item, Cut cut = Cut::by_content) override;
  Result<void> write(const Operation& op, ByteView bytes) override;
  Result<void> hole(const Operation& op, std::uint64_t length_bytes) override;
  Result<void> finish(const Operation& op, const Item& item) override;
  Result<std::optional<Item>> previous(const Operation& op, std::string_view name) override;
  Result<void> unchanged(const Operation& op, const Item& item) override;
  Result<void> commit(const Operation& op, const Moments& moments) override;

  bool committed() const;
  // What was committed, to be read; null before commit().
  std::shared_ptr<Feed> feed() const;
  // Bytes that were given to write(), and items that came by unchanged().
  std::uint64_t written_bytes() const { return written_bytes_; }
  std::uint64_t unchanged_items() const { return unchanged_items_; }

  struct Stored;  // the committed items; opaque

 private:
  Result<void> next_name(const std::string& name);

  Options options_;
  std::shared_ptr<const Stored> previous_;
  std::shared_ptr<Stored> stored_;
  bool open_ = false;
  bool committed_ = false;
  std::optional<std::string> last_asked_, last_answered_;
  std::uint64_t written_bytes_ = 0, unchanged_items_ = 0;
};

}  // namespace lifeboat::capture
