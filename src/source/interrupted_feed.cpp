#include "source/interrupted_feed.h"

namespace lifeboat::source {
namespace {

class CountingCursor final : public capture::Cursor {
 public:
  CountingCursor(std::unique_ptr<capture::Cursor> cursor, InterruptedFeed& owner)
      : cursor_(std::move(cursor)), owner_(owner) {}
  Result<std::optional<capture::Item>> next(const Operation& op) override {
    TRY(auto item, cursor_->next(op));
    if (item) owner_.count();
    return item;
  }

 private:
  std::unique_ptr<capture::Cursor> cursor_;
  InterruptedFeed& owner_;
};

class CountingReader final : public capture::Reader {
 public:
  CountingReader(std::unique_ptr<capture::Reader> reader, InterruptedFeed& owner)
      : reader_(std::move(reader)), owner_(owner) {}
  Result<std::size_t> read(const Operation& op, std::span<std::uint8_t> out) override {
    TRY(const std::size_t count, reader_->read(op, out));
    owner_.count();
    return count;
  }

 private:
  std::unique_ptr<capture::Reader> reader_;
  InterruptedFeed& owner_;
};

}  // namespace

Result<std::unique_ptr<capture::Cursor>> InterruptedFeed::items(const Operation& op) {
  TRY(auto cursor, feed_.items(op));
  return std::unique_ptr<capture::Cursor>(
      std::make_unique<CountingCursor>(std::move(cursor), *this));
}

Result<std::unique_ptr<capture::Reader>> InterruptedFeed::open(const Operation& op,
                                                               const capture::Item& item) {
  TRY(auto reader, feed_.open(op, item));
  return std::unique_ptr<capture::Reader>(
      std::make_unique<CountingReader>(std::move(reader), *this));
}

Result<void> InterruptedFeed::fetch(
    const Operation& op, std::span<const capture::Item> items,
    const std::function<Result<void>(const capture::Piece&)>& deliver) {
  return feed_.fetch(op, items, [&](const capture::Piece& piece) {
    count();
    return deliver(piece);
  });
}

}  // namespace lifeboat::source
