// source/interrupted_feed.h - A feed and a sink that ask for a stop in the middle of the work.
//
// Doubles for the contract: InterruptedFeed passes everything on and counts what is read (items of
// a cursor, reads, delivered pieces); at the Nth it asks for a stop, as Ctrl-C would at that
// moment. StoppingSink does the same at the Nth call of a capture. With N = 0 they only count.
//
// Threads: as the feed behind it.  Ownership: feed and stop source outlive the double.
#pragma once

#include <atomic>
#include <memory>
#include <stop_token>

#include "capture/feed.h"
#include "capture/memory_capture.h"

namespace lifeboat::source {

class InterruptedFeed final : public capture::Feed {
 public:
  InterruptedFeed(capture::Feed& feed, std::stop_source& stop, std::uint64_t stop_at)
      : feed_(feed), stop_(stop), stop_at_(stop_at) {}

  std::uint64_t events() const { return events_; }
  // One thing was read.
  void count() {
    if (++events_ == stop_at_) stop_.request_stop();
  }

  const capture::Moments& moments() const override { return feed_.moments(); }
  Result<std::unique_ptr<capture::Cursor>> items(const Operation& op) override;
  Result<capture::Item> find(const Operation& op, std::string_view name) override {
    return feed_.find(op, name);
  }
  Result<std::unique_ptr<capture::Reader>> open(const Operation& op,
                                                const capture::Item& item) override;
  Result<void> fetch(const Operation& op, std::span<const capture::Item> items,
                     const std::function<Result<void>(const capture::Piece&)>& deliver) override;

 private:
  capture::Feed& feed_;
  std::stop_source& stop_;
  const std::uint64_t stop_at_;
  std::atomic<std::uint64_t> events_ = 0;
};

class StoppingSink final : public capture::Sink {
 public:
  StoppingSink(std::stop_source& stop, std::uint64_t stop_at) : stop_(stop), stop_at_(stop_at) {}

  bool committed() const { return sink_.committed(); }

  Result<void> begin(const Operation& op, const capture::Item& item, capture::Cut cut) override {
    return counted(sink_.begin(op, item, cut));
  }
  Result<void> write(const Operation& op, ByteView bytes) override {
    return counted(sink_.write(op, bytes));
  }
  Result<void> hole(const Operation& op, std::uint64_t length_bytes) override {
    return counted(sink_.hole(op, length_bytes));
  }
  Result<void> finish(const Operation& op, const capture::Item& item) override {
    return counted(sink_.finish(op, item));
  }
  Result<std::optional<capture::Item>> previous(const Operation& op,
                                                std::string_view name) override {
    return sink_.previous(op, name);
  }
  Result<void> unchanged(const Operation& op, const capture::Item& item) override {
    return counted(sink_.unchanged(op, item));
  }
  // Not checked for a stop here: a source that goes on after one is to be caught, not helped.
  Result<void> commit(const Operation& op, const capture::Moments& moments) override {
    Operation deaf = op;
    deaf.stop = {};
    return sink_.commit(deaf, moments);
  }

 private:
  Result<void> counted(Result<void> result) {
    if (++calls_ == stop_at_) stop_.request_stop();
    return result;
  }
  std::stop_source& stop_;
  const std::uint64_t stop_at_;
  std::uint64_t calls_ = 0;
  capture::MemoryCapture sink_;
};

}  // namespace lifeboat::source
