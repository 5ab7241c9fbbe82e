#include "capture/memory_capture.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <thread>

#include "base/mutex.h"

namespace lifeboat::capture {
namespace {

constexpr std::size_t piece_bytes_max = 256u << 10;

Error system_error(std::string_view what) {
  return {Error::Kind::unavailable,
          "memory capture: " + std::string(what) + ": " + std::strerror(errno),
          "",
          {}};
}

// An append-only anonymous file. Reading is safe from any thread; appending belongs to the sink.
class Spool {
 public:
  Spool() {
    const char* folder = std::getenv("TMPDIR");
    fd_ = open(folder != nullptr ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd_ < 0) fd_ = memfd_create("lifeboat-capture", MFD_CLOEXEC);
  }
  Spool(const Spool&) = delete;
  Spool& operator=(const Spool&) = delete;
  ~Spool() {
    if (fd_ >= 0) close(fd_);
  }

  std::uint64_t size_bytes() const { return size_bytes_; }
  Result<void> add(ByteView bytes) {
    while (!bytes.empty()) {
      const ssize_t count =
          pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(size_bytes_));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return fail(system_error("cannot write its temporary file"));
      size_bytes_ += static_cast<std::uint64_t>(count);
      bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
    return {};
  }
  Result<void> get(std::uint64_t place, std::span<std::uint8_t> out) const {
    while (!out.empty()) {
      const ssize_t count = pread(fd_, out.data(), out.size(), static_cast<off_t>(place));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return fail(system_error("cannot read its temporary file"));
      place += static_cast<std::uint64_t>(count);
      out = out.subspan(static_cast<std::size_t>(count));
    }
    return {};
  }

 private:
  int fd_ = -1;
  std::uint64_t size_bytes_ = 0;
};

struct Extent {
  std::uint64_t offset_bytes = 0, length_bytes = 0;
  std::optional<std::uint64_t> place;  // in the spool; none: a hole
};

struct Entry {
  Item item;
  std::vector<Extent> extents;
  std::shared_ptr<Spool> spool;
};

}  // namespace

struct MemoryCapture::Stored {
  Moments moments;
  std::vector<Entry> entries;  // in canonical order
  std::shared_ptr<Spool> spool = std::make_shared<Spool>();

  const Entry* find(std::string_view name) const {
    const auto at = std::lower_bound(entries.begin(), entries.end(), name,
                                     [](const Entry& entry, std::string_view wanted) {
                                       return name_before(entry.item.name, wanted);
                                     });
    return at != entries.end() && at->item.name == name ? &*at : nullptr;
  }
};

namespace {

using Stored = MemoryCapture::Stored;

class MemoryCursor final : public Cursor {
 public:
  explicit MemoryCursor(std::shared_ptr<const Stored> stored) : stored_(std::move(stored)) {}
  Result<std::optional<Item>> next(const Operation& op) override {
    TRY_DO(op.proceed());
    if (at_ == stored_->entries.size()) return std::optional<Item>();
    return std::optional<Item>(stored_->entries[at_++].item);
  }

 private:
  std::shared_ptr<const Stored> stored_;
  std::size_t at_ = 0;
};

class MemoryReader final : public Reader {
 public:
  MemoryReader(std::shared_ptr<const Stored> stored, const Entry& entry)
      : stored_(std::move(stored)), entry_(entry) {}
  Result<std::size_t> read(const Operation& op, std::span<std::uint8_t> out) override {
    TRY_DO(op.proceed());
    while (at_ < entry_.extents.size() && within_ == entry_.extents[at_].length_bytes) {
      ++at_;
      within_ = 0;
    }
    if (at_ == entry_.extents.size()) return std::size_t{0};
    const Extent& extent = entry_.extents[at_];
    const auto count = static_cast<std::size_t>(
        std::min<std::uint64_t>({extent.length_bytes - within_, out.size(), piece_bytes_max}));
    if (extent.place) {
      TRY_DO(entry_.spool->get(*extent.place + within_, out.first(count)));
    } else {
      std::fill_n(out.begin(), count, std::uint8_t{0});
    }
    within_ += count;
    return count;
  }

 private:
  std::shared_ptr<const Stored> stored_;
  const Entry& entry_;
  std::size_t at_ = 0;
  std::uint64_t within_ = 0;
};

// One piece still to be delivered.
struct Errand {
  std::size_t item = 0;
  std::uint64_t offset_bytes = 0;
  std::uint64_t place = 0;
  std::size_t length_bytes = 0;
  const Spool* spool = nullptr;
};

// Hands out errands from both ends in turn, so that no source can rely on an order.
class Errands {
 public:
  void add(std::size_t item, const Entry& entry) {
    for (const Extent& extent : entry.extents) {
      if (!extent.place) continue;
      for (std::uint64_t done = 0; done < extent.length_bytes;) {
        const auto count = static_cast<std::size_t>(
            std::min<std::uint64_t>(piece_bytes_max, extent.length_bytes - done));
        waiting_.push_back(
            {item, extent.offset_bytes + done, *extent.place + done, count, entry.spool.get()});
        done += count;
      }
    }
    last_ = waiting_.size();
  }
  const Errand* next() {
    MutexLock lock(mutex_);
    if (error_ || first_ == last_) return nullptr;
    from_back_ = !from_back_;
    return from_back_ ? &waiting_[--last_] : &waiting_[first_++];
  }
  void failed(Error error) {
    MutexLock lock(mutex_);
    if (!error_) error_ = std::move(error);
  }
  Result<void> outcome() {
    MutexLock lock(mutex_);
    if (error_) return fail(*error_);
    return {};
  }

 private:
  std::vector<Errand> waiting_;
  Mutex mutex_;
  std::size_t first_ = 0, last_ = 0;
  bool from_back_ = false;
  std::optional<Error> error_;
};

class MemoryFeed final : public Feed {
 public:
  explicit MemoryFeed(std::shared_ptr<const Stored> stored) : stored_(std::move(stored)) {}
  const Moments& moments() const override { return stored_->moments; }
  Result<std::unique_ptr<Cursor>> items(const Operation& op) override {
    TRY_DO(op.proceed());
    return std::unique_ptr<Cursor>(std::make_unique<MemoryCursor>(stored_));
  }
  Result<Item> find(const Operation& op, std::string_view name) override {
    TRY_DO(op.proceed());
    TRY(const Entry* entry, entry_of(name));
    return entry->item;
  }
  Result<std::unique_ptr<Reader>> open(const Operation& op, const Item& item) override {
    TRY_DO(op.proceed());
    TRY(const Entry* entry, entry_of(item.name));
    return std::unique_ptr<Reader>(std::make_unique<MemoryReader>(stored_, *entry));
  }
  Result<void> fetch(const Operation& op, std::span<const Item> items,
                     const std::function<Result<void>(const Piece&)>& deliver) override {
    Errands errands;
    for (std::size_t index = 0; index < items.size(); ++index) {
      TRY(const Entry* entry, entry_of(items[index].name));
      errands.add(index, *entry);
    }
    const auto work = [&] {
      Bytes buffer(piece_bytes_max);
      while (const Errand* errand = errands.next()) {
        const std::span<std::uint8_t> out(buffer.data(), errand->length_bytes);
        Result<void> done = op.proceed();
        if (done) done = errand->spool->get(errand->place, out);
        if (done) done = deliver({errand->item, errand->offset_bytes, out});
        if (!done) errands.failed(done.error());
      }
    };
    {
      const std::jthread other(work);
      work();
    }
    return errands.outcome();
  }

 private:
  Result<const Entry*> entry_of(std::string_view name) const {
    if (const Entry* entry = stored_->find(name)) return entry;
    return fail(Error::Kind::not_found, "memory capture: no item '" + printable(name) + "'");
  }
  std::shared_ptr<const Stored> stored_;
};

Error misuse(const std::string& what) {
  return {Error::Kind::invalid, "memory capture: " + what, "", {}};
}

}  // namespace

MemoryCapture::MemoryCapture() : MemoryCapture(Options()) {}
MemoryCapture::MemoryCapture(Options options)
    : options_(std::move(options)), stored_(std::make_shared<Stored>()) {
  if (options_.previous != nullptr && options_.previous->committed_) {
    previous_ = options_.previous->stored_;
  }
  options_.previous = nullptr;
}
MemoryCapture::~MemoryCapture() = default;

bool MemoryCapture::committed() const { return committed_; }

std::shared_ptr<Feed> MemoryCapture::feed() const {
  if (!committed_) return nullptr;
  return std::make_shared<MemoryFeed>(stored_);
}

Result<void> MemoryCapture::next_name(const std::string& name) {
  if (committed_) return fail(misuse("'" + printable(name) + "' after commit"));
  if (open_) return fail(misuse("'" + printable(name) + "' while another item is open"));
  const auto& entries = stored_->entries;
  if (!entries.empty() && !name_before(entries.back().item.name, name)) {
    return fail(misuse("'" + printable(name) + "' after '" + printable(entries.back().item.name) +
                       "' is not in canonical order"));
  }
  return {};
}

Result<void> MemoryCapture::begin(const Operation& op, const Item& item, Cut) {
  TRY_DO(op.proceed());
  TRY_DO(next_name(item.name));
  stored_->entries.push_back({item, {}, stored_->spool});
  stored_->entries.back().item.size_bytes = 0;
  open_ = true;
  return {};
}

Result<void> MemoryCapture::write(const Operation& op, ByteView bytes) {
  TRY_DO(op.proceed());
  if (!open_) return fail(misuse("write() outside of an item"));
  written_bytes_ += bytes.size();
  if (options_.fail_after_bytes && written_bytes_ > *options_.fail_after_bytes) {
    return fail(options_.failure);
  }
  Entry& entry = stored_->entries.back();
  const std::uint64_t place = stored_->spool->size_bytes();
  TRY_DO(stored_->spool->add(bytes));
  const std::uint64_t offset = entry.item.size_bytes;
  entry.item.size_bytes += bytes.size();
  if (bytes.empty()) return {};
  if (!entry.extents.empty() && entry.extents.back().place) {
    entry.extents.back().length_bytes += bytes.size();
  } else {
    entry.extents.push_back({offset, bytes.size(), place});
  }
  return {};
}

Result<void> MemoryCapture::hole(const Operation& op, std::uint64_t length_bytes) {
  TRY_DO(op.proceed());
  if (!open_) return fail(misuse("hole() outside of an item"));
  Entry& entry = stored_->entries.back();
  if (length_bytes > 0) entry.extents.push_back({entry.item.size_bytes, length_bytes, {}});
  entry.item.size_bytes += length_bytes;
  return {};
}

Result<void> MemoryCapture::finish(const Operation& op, const Item& item) {
  TRY_DO(op.proceed());
  if (!open_) return fail(misuse("finish() outside of an item"));
  Item& kept = stored_->entries.back().item;
  if (kept.name != item.name || kept.kind != item.kind) {
    return fail(
        misuse("finish('" + printable(item.name) + "') of item '" + printable(kept.name) + "'"));
  }
  const std::uint64_t size_bytes = kept.size_bytes;
  kept = item;
  kept.size_bytes = size_bytes;
  open_ = false;
  return {};
}

Result<std::optional<Item>> MemoryCapture::previous(const Operation& op, std::string_view name) {
  TRY_DO(op.proceed());
  if (last_asked_ && name_before(name, *last_asked_)) {
    return fail(misuse("previous('" + printable(name) + "') is not asked in canonical order"));
  }
  last_asked_ = name;
  last_answered_.reset();
  const Entry* entry = previous_ ? previous_->find(name) : nullptr;
  if (entry == nullptr) return std::optional<Item>();
  last_answered_ = name;
  return std::optional<Item>(entry->item);
}

Result<void> MemoryCapture::unchanged(const Operation& op, const Item& item) {
  TRY_DO(op.proceed());
  TRY_DO(next_name(item.name));
  if (last_answered_ != item.name) {
    return fail(misuse("unchanged('" + printable(item.name) + "') without previous()"));
  }
  Entry entry = *previous_->find(item.name);
  const std::uint64_t size_bytes = entry.item.size_bytes;
  entry.item = item;
  entry.item.size_bytes = size_bytes;
  stored_->entries.push_back(std::move(entry));
  ++unchanged_items_;
  return {};
}

Result<void> MemoryCapture::commit(const Operation& op, const Moments& moments) {
  TRY_DO(op.proceed());
  if (open_) return fail(misuse("commit() while an item is open"));
  if (committed_) return fail(misuse("commit() twice"));
  stored_->moments = moments;
  committed_ = true;
  return {};
}

}  // namespace lifeboat::capture
