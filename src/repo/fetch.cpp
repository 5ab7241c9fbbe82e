// Many items at once: what is wanted is sorted by its place in the store, neighbours are read with
// one request, each blob is opened once and handed to all items that want a part of it.
#include <algorithm>
#include <thread>

#include "repo/snapshot_feed.h"

namespace lifeboat::repo {
namespace {

bool by_place(const Want& a, const Want& b) {
  return std::pair(a.place.entry.pack, a.place.entry.offset) <
         std::pair(b.place.entry.pack, b.place.entry.offset);
}

class Fetch {
 public:
  Fetch(const Operation& op, Core& core, std::vector<Want> wants, const Deliver& deliver)
      : op_(op), core_(core), wants_(std::move(wants)), deliver_(deliver) {
    std::sort(wants_.begin(), wants_.end(), by_place);
  }

  Result<void> run(const FetchLimits& limits) {
    std::vector<Found> found;
    found.reserve(wants_.size());
    for (const Want& want : wants_) found.push_back(want.place);
    ranges_ = plan_ranges(std::move(found), limits.range_bytes_most);
    {
      std::vector<std::jthread> threads;
      const std::size_t count = std::min<std::size_t>(limits.threads, ranges_.size());
      for (std::size_t i = 1; i < count; ++i) threads.emplace_back([this] { work(); });
      work();
    }
    MutexLock lock(mutex_);
    if (failure_) return fail(*failure_);
    return {};
  }

 private:
  void work() {
    BlobCoder coder;
    for (;;) {
      const std::size_t number = next_.fetch_add(1);
      if (number >= ranges_.size() || failed_) return;
      const BlobRange& range = ranges_[number];
      std::uint32_t opening = range.entries.front().offset;
      auto result =
          read_range(op_, core_, range, coder, [&](const IndexEntry& entry, const Bytes& plain) {
            auto handed = hand_out(entry, plain);
            opening = entry.offset + (handed ? entry.head.stored : 0);
            return handed;
          });
      if (!result) give_up(result.error(), range, opening);
    }
  }

  // The first want of the blob at this place.
  std::vector<Want>::const_iterator first_want(std::uint32_t pack, std::uint32_t offset) const {
    return std::lower_bound(wants_.begin(), wants_.end(), std::pair(pack, offset),
                            [](const Want& want, const auto& place) {
                              return std::pair(want.place.entry.pack, want.place.entry.offset) <
                                     place;
                            });
  }

  Result<void> hand_out(const IndexEntry& entry, const Bytes& plain) {
    for (auto want = first_want(entry.pack, entry.offset);
         want != wants_.end() && want->place.entry.pack == entry.pack &&
         want->place.entry.offset == entry.offset;
         ++want) {
      if (want->blob_offset > plain.size() || want->length > plain.size() - want->blob_offset) {
        return fail(Error::Kind::corrupt, "content reaches beyond its blob", "",
                    Error::Code::integrity);
      }
      const ByteView bytes = ByteView(plain).subspan(static_cast<std::size_t>(want->blob_offset),
                                                     static_cast<std::size_t>(want->length));
      TRY_DO(deliver_({want->item, want->item_offset, bytes}));
    }
    return {};
  }

  // Corruption is told with the name of an item that it hits; `opening` is the place that failed.
  void give_up(Error error, const BlobRange& range, std::uint32_t opening) {
    failed_ = true;
    MutexLock lock(mutex_);
    if (failure_) return;
    const auto want = first_want(range.entries.front().pack, opening);
    broken_item_ = error.kind == Error::Kind::corrupt && want != wants_.end()
                       ? std::optional(want->item)
                       : std::nullopt;
    failure_ = std::move(error);
  }

 public:
  std::optional<std::size_t> broken_item() const {
    MutexLock lock(mutex_);
    return broken_item_;
  }

 private:
  const Operation& op_;
  Core& core_;
  std::vector<Want> wants_;
  const Deliver& deliver_;
  std::vector<BlobRange> ranges_;
  std::atomic<std::size_t> next_ = 0;
  std::atomic<bool> failed_ = false;
  mutable Mutex mutex_;
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  std::optional<std::size_t> broken_item_ GUARDED_BY(mutex_);
};

}  // namespace

Fetched fetch_wants(const Operation& op, Core& core, std::vector<Want> wants,
                    const FetchLimits& limits, const Deliver& deliver) {
  Fetch fetch(op, core, std::move(wants), deliver);
  auto result = fetch.run(limits);
  return {std::move(result), fetch.broken_item()};
}

}  // namespace lifeboat::repo
