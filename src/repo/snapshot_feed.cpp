#include "repo/snapshot_feed.h"

#include <algorithm>
#include <thread>

#include "base/mutex.h"

namespace lifeboat::repo {
namespace {

constexpr std::size_t wants_at_once = 16'384;

std::uint64_t window_of(const Core& core) {
  return std::clamp<std::uint64_t>(core.environment.memory_bytes / 16, 1u << 20, 8u << 20);
}

Error named(Error error, std::string_view name) {
  error.what = "item \"" + printable(name) + "\": " + error.what;
  return error;
}

class FeedCursor final : public capture::Cursor {
 public:
  explicit FeedCursor(std::shared_ptr<TreeIndex> index) : walk_(std::move(index)) {}
  Result<std::optional<capture::Item>> next(const Operation& op) override {
    TRY(const StoredItem* stored, walk_.next(op));
    if (stored == nullptr) return std::optional<capture::Item>();
    return std::optional<capture::Item>(stored->item);
  }

 private:
  TreeWalk walk_;
};

// Small contents are read when they are asked for; longer ones by a thread that stays a bounded
// window ahead.
class FeedReader final : public capture::Reader {
 public:
  using Parts = std::vector<ContentWalk::Part>;

  FeedReader(std::shared_ptr<Core> core, StoredItem stored, std::shared_ptr<BlobCache> cache,
             std::uint64_t window_bytes)
      : clock_(core->environment.clock),
        name_(stored.item.name),
        window_bytes_(window_bytes),
        walk_(std::move(core), stored, std::move(cache)),
        ahead_(1) {
    if (stored.item.size_bytes <= window_bytes) return;
    thread_ = std::jthread([this](const std::stop_token& stop) { read_ahead(stop); });
  }
  ~FeedReader() override {
    thread_.request_stop();
    ahead_.close();
  }

  Result<std::size_t> read(const Operation& op, std::span<std::uint8_t> out) override {
    TRY_DO(op.proceed());
    while (at_ == parts_.size()) {
      auto more = thread_.joinable() ? next_from_thread() : walk_.next_parts(op, window_bytes_);
      if (!more) return fail(named(more.error(), name_));
      if (more->empty()) return 0;
      parts_ = *std::move(more);
      at_ = 0;
      done_ = 0;
    }
    const ContentWalk::Part& part = parts_[at_];
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(part.length - done_, out.size()));
    if (part.blob) {
      std::memcpy(out.data(), part.blob->data() + part.offset + done_, size);
    } else {
      std::fill_n(out.begin(), size, std::uint8_t{0});
    }
    done_ += size;
    if (done_ == part.length) {
      ++at_;
      done_ = 0;
    }
    return size;
  }

 private:
  void read_ahead(const std::stop_token& stop) {
    const Operation op{clock_, stop};
    for (;;) {
      auto parts = walk_.next_parts(op, window_bytes_);
      const bool last = !parts || parts->empty();
      if (!ahead_.push(std::move(parts)) || last) return;
    }
  }
  Result<Parts> next_from_thread() {
    if (ended_) return Parts{};
    auto parts = ahead_.pop();
    ended_ = !parts || !*parts || (*parts)->empty();
    return parts ? *std::move(parts) : Result<Parts>(Parts{});
  }

  const Clock* const clock_;
  const std::string name_;
  const std::uint64_t window_bytes_;
  ContentWalk walk_;  // of the thread, when there is one
  Parts parts_;
  std::size_t at_ = 0;
  std::uint64_t done_ = 0;  // of parts_[at_]
  bool ended_ = false;
  BoundedQueue<Result<Parts>> ahead_;
  std::jthread thread_;
};

}  // namespace

SnapshotFeed::SnapshotFeed(std::shared_ptr<TreeIndex> index)
    : index_(std::move(index)), window_bytes_(window_of(*index_->core())) {}

Result<std::shared_ptr<capture::Feed>> SnapshotFeed::open(const Operation& op,
                                                          std::shared_ptr<Core> core,
                                                          const Id& id) {
  TRY_DO(core->sync_index(op));
  TRY(auto index, TreeIndex::open(op, std::move(core), id));
  return std::make_shared<SnapshotFeed>(std::move(index));
}

Result<std::unique_ptr<capture::Cursor>> SnapshotFeed::items(const Operation& op) {
  TRY_DO(op.proceed());
  return std::make_unique<FeedCursor>(index_);
}

Result<StoredItem> SnapshotFeed::stored(const Operation& op, std::string_view name) {
  TRY(const TreeIndex::Place place, index_->find(op, name, near_));
  near_ = place.number;
  return *place.item;
}

Result<capture::Item> SnapshotFeed::find(const Operation& op, std::string_view name) {
  TRY(const StoredItem item, stored(op, name));
  return item.item;
}

Result<std::unique_ptr<capture::Reader>> SnapshotFeed::open(const Operation& op,
                                                            const capture::Item& item) {
  TRY(StoredItem found, stored(op, item.name));
  return std::make_unique<FeedReader>(index_->core(), std::move(found), cache_, window_bytes_);
}

Result<void> SnapshotFeed::fetch(const Operation& op, std::span<const capture::Item> items,
                                 const Deliver& deliver) {
  Core& core = *index_->core();
  const unsigned threads = std::clamp(core.threads(), 2u, 8u);
  const FetchLimits limits{
      std::clamp<std::uint64_t>(core.environment.memory_bytes / (4 * threads), 1u << 20, 8u << 20),
      threads};
  std::vector<Want> wants;
  const auto flush = [&]() -> Result<void> {
    Fetched fetched = fetch_wants(op, core, std::exchange(wants, {}), limits, deliver);
    if (fetched.result || !fetched.broken_item) return std::move(fetched.result);
    return fail(named(fetched.result.error(), items[*fetched.broken_item].name));
  };
  for (std::size_t i = 0; i < items.size(); ++i) {
    auto found = stored(op, items[i].name);
    if (!found) return fail(named(found.error(), items[i].name));
    ContentWalk walk(index_->core(), *std::move(found));
    std::uint64_t offset = 0;
    for (;;) {
      auto refs = walk.next_refs(op, UINT64_MAX);
      if (!refs) return fail(named(refs.error(), items[i].name));
      if (refs->empty()) break;
      for (const ContentRef& ref : *refs) {
        if (ref.blob) {
          auto place = locate(core, *ref.blob, BlobType::data);
          if (!place) return fail(named(place.error(), items[i].name));
          wants.push_back({*place, i, offset, ref.offset, ref.length});
        }
        offset += ref.length;
      }
      if (wants.size() >= wants_at_once) TRY_DO(flush());
    }
  }
  return flush();
}

}  // namespace lifeboat::repo
