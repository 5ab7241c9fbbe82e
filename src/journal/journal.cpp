// How a run is written. Threads hand their events to a queue; one of them at a time is the writer:
// it takes all that waits, makes one segment of it and puts it while the others wait for their
// events to be durable. So intents that are ready together share a segment without anyone planning
// it. A segment whose put failed stays as it is, bytes and all, and goes first the next time:
// should it have been stored although the answer was lost, the same bytes prove that it is ours.
#include "journal/journal.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "base/guard.h"
#include "base/mutex.h"
#include "crypt/crypt.h"
#include "journal/chain_reader.h"
#include "journal/objects.h"
#include "journal/segment.h"
#include "journal/side_stream.h"
#include "journal/vault.h"

namespace lifeboat::journal {
namespace {

constexpr auto note_delay = std::chrono::seconds(1);
constexpr auto log_delay = std::chrono::seconds(4);
constexpr std::size_t events_per_segment_max = 2000;
constexpr auto others_write = std::chrono::milliseconds(100);
// Of lines, in one flush(): more than can wait at once, so that all that waited is written.
constexpr int chunks_per_flush_max = 4;

class ChainedJournal final : public Journal {
 public:
  ChainedJournal(repo::Repository& repository, std::string run, Driver driver, Chain chain)
      : repository_(repository),
        run_(std::move(run)),
        driver_(std::move(driver)),
        vault_(repository, run_, [this](const std::string& object) { written(object, {}); }),
        stream_(repository, run_, driver_.id),
        events_(std::move(chain.events)),
        next_(chain.segments),
        head_(chain.head),
        fresh_(chain.freshness_proven),
        flusher_([this](const std::stop_token& stop) { flush_in_time(stop); }) {}

  ~ChainedJournal() override {
    flusher_.request_stop();
    {
      MutexLock lock(mutex_);
      armed_ = true;  // wakes the flusher, which then sees the stop
      changed_.notify_all();
    }
    flusher_.join();
  }

  const std::string& run() const override { return run_; }
  std::vector<Event> events() const override;
  std::uint64_t segments() const override;
  bool freshness_proven() const override;
  Result<void> append(const Operation& op, std::vector<Event> events) override;
  void note(Event event) override;
  Result<void> flush(const Operation& op) override;
  Result<void> prove_lease(const Operation& op) override;
  void on_written(Written hook) override {
    MutexLock lock(mutex_);
    hook_ = std::move(hook);
  }
  Result<std::string> put_secret(const Operation& op, const std::string& name,
                                 const Secret& value) override {
    return vault_.put(op, name, value);
  }
  Result<Secret> get_secret(const Operation& op, const std::string& handle) override {
    return vault_.get(op, handle);
  }
  Result<void> destroy_vault(const Operation& op) override { return vault_.destroy(op); }
  void log(const std::string& step, std::string_view line) override;
  Result<std::vector<std::string>> read_log(const Operation& op, const std::string& step) override {
    return stream_.read(op, step);
  }

 private:
  // A segment on its way: taken from the queue, perhaps put already.
  struct Pending {
    Segment segment;
    Bytes sealed;
  };

  void enqueue(Event event) REQUIRES(mutex_);
  Result<void> write_noted(const Operation& op);
  Result<void> write_lines(const Operation& op);
  Result<void> write_chunks(const Operation& op);
  Result<void> wait_written(const Operation& op, std::uint64_t ticket) REQUIRES(mutex_);
  Result<void> write_one(const Operation& op) REQUIRES(mutex_);
  Result<void> put_pending(const Operation& op, const std::optional<Id>& previous);
  void accept(const Id& hash) REQUIRES(mutex_);
  Error lease_lost() const;
  void written(const std::string& object, const std::vector<Event>& events);
  void flush_in_time(const std::stop_token& stop);

  repo::Repository& repository_;
  const std::string run_;
  const Driver driver_;
  Vault vault_;
  SideStream stream_;

  mutable Mutex mutex_;
  Condition changed_;
  Written hook_ GUARDED_BY(mutex_);
  std::vector<Event> events_ GUARDED_BY(mutex_);  // durable ones
  std::vector<Event> queue_ GUARDED_BY(mutex_);   // not yet taken by a writer
  std::uint64_t queued_total_ GUARDED_BY(mutex_) = 0;
  std::uint64_t written_total_ GUARDED_BY(mutex_) = 0;
  std::uint64_t next_ GUARDED_BY(mutex_);
  Id head_ GUARDED_BY(mutex_);
  bool fresh_ GUARDED_BY(mutex_);
  std::optional<Error> lost_ GUARDED_BY(mutex_);  // once set, nothing is written any more
  bool writing_ GUARDED_BY(mutex_) = false;
  bool chunking_ GUARDED_BY(mutex_) = false;
  bool armed_ GUARDED_BY(mutex_) = false;    // notes wait for the flusher
  bool log_due_ GUARDED_BY(mutex_) = false;  // lines wait for the flusher
  std::optional<Pending> pending_;           // of the thread that holds writing_
  std::jthread flusher_;                     // last: it uses all of the above
};

std::vector<Event> ChainedJournal::events() const {
  MutexLock lock(mutex_);
  std::vector<Event> all = events_;
  if (!writing_ && pending_) std::ranges::copy(pending_->segment.events, std::back_inserter(all));
  std::ranges::copy(queue_, std::back_inserter(all));
  return all;
}

std::uint64_t ChainedJournal::segments() const {
  MutexLock lock(mutex_);
  return next_;
}

bool ChainedJournal::freshness_proven() const {
  MutexLock lock(mutex_);
  return fresh_;
}

void ChainedJournal::enqueue(Event event) {
  ASSERT(!event.facts.tainted());
  if (event.time.ns == 0) event.time = repository_.environment().clock->wall();
  queue_.push_back(std::move(event));
  ++queued_total_;
}

Result<void> ChainedJournal::append(const Operation& op, std::vector<Event> events) {
  MutexLock lock(mutex_);
  if (lost_) return fail(*lost_);
  for (Event& event : events) enqueue(std::move(event));
  return wait_written(op, queued_total_);
}

void ChainedJournal::note(Event event) {
  MutexLock lock(mutex_);
  if (lost_) return;
  enqueue(std::move(event));
  armed_ = true;
  changed_.notify_all();
}

void ChainedJournal::log(const std::string& step, std::string_view line) {
  stream_.add(step, line);
  MutexLock lock(mutex_);
  log_due_ = true;
  changed_.notify_all();
}

// What steps print must not hold back what they did: lines may come as fast as they are written.
Result<void> ChainedJournal::flush(const Operation& op) {
  TRY_DO(write_noted(op));
  TRY_DO(write_lines(op));
  return write_noted(op);
}

Result<void> ChainedJournal::write_noted(const Operation& op) {
  MutexLock lock(mutex_);
  if (lost_) return fail(*lost_);
  return wait_written(op, queued_total_);
}

// One thread at a time: whoever finds no lines any more must find the events of their chunks.
Result<void> ChainedJournal::write_lines(const Operation& op) {
  {
    MutexLock lock(mutex_);
    while (chunking_) changed_.wait(mutex_);
    chunking_ = true;
  }
  auto done = write_chunks(op);
  MutexLock lock(mutex_);
  chunking_ = false;
  changed_.notify_all();
  return done;
}

Result<void> ChainedJournal::write_chunks(const Operation& op) {
  for (int chunks = 0; chunks < chunks_per_flush_max && !stream_.empty(); ++chunks) {
    TRY(const auto chunk, stream_.write(op));
    if (!chunk) break;
    written(chunk->object, {});
    Value facts;
    facts.set("number", chunk->number);
    facts.set("lines", chunk->lines);
    facts.set("hash", chunk->hash.hex());
    MutexLock lock(mutex_);
    if (!lost_) enqueue({"log.chunk", std::move(facts), {}, 0});
  }
  return {};
}

Result<void> ChainedJournal::wait_written(const Operation& op, std::uint64_t ticket) {
  while (written_total_ < ticket) {
    if (lost_) return fail(*lost_);
    if (writing_) {
      changed_.wait_for(mutex_, others_write);
      TRY_DO(op.proceed());  // whoever writes may have more patience than we
      continue;
    }
    writing_ = true;
    auto done = write_one(op);
    writing_ = false;
    changed_.notify_all();
    if (!done) return done;
  }
  return {};
}

// One segment: the one that failed before, or all that waits. Called with writing_ held.
Result<void> ChainedJournal::write_one(const Operation& op) {
  if (!pending_) {
    const std::size_t count = std::min(queue_.size(), events_per_segment_max);
    const auto end = queue_.begin() + static_cast<std::ptrdiff_t>(count);
    pending_ = Pending{{run_, next_, std::nullopt, driver_, {queue_.begin(), end}}, {}};
    queue_.erase(queue_.begin(), end);
  }
  const auto previous = next_ == 0 ? std::optional<Id>() : std::optional<Id>(head_);
  mutex_.unlock();
  auto done = put_pending(op, previous);
  const Id hash = done ? crypt::sha256(pending_->sealed) : Id{};
  const bool remembered =
      done && remember_head(repository_, run_, pending_->segment.number + 1, hash);
  mutex_.lock();
  if (!done) {
    if (done.error().effective_code() == Error::Code::lease_held) lost_ = done.error();
    return done;
  }
  fresh_ = remembered || repository_.environment().memory.empty();
  const std::string object = segment_name(run_, next_);
  std::vector<Event> events = pending_->segment.events;
  accept(hash);
  mutex_.unlock();
  written(object, events);
  mutex_.lock();
  return {};
}

Result<void> ChainedJournal::put_pending(const Operation& op, const std::optional<Id>& previous) {
  Pending& pending = *pending_;
  const std::string name = segment_name(run_, pending.segment.number);
  if (pending.sealed.empty()) {
    pending.segment.previous = previous;
    TRY(pending.sealed, repository_.seal(segment_kind, name, encode(pending.segment)));
  }
  TRY(const bool ours, put_settled(op, repository_.store(), name, pending.sealed));
  if (!ours) return fail(lease_lost());
  return {};
}

void ChainedJournal::accept(const Id& hash) {
  for (Event& event : pending_->segment.events) {
    event.segment = next_;
    events_.push_back(std::move(event));
    ++written_total_;
  }
  pending_.reset();
  head_ = hash;
  ++next_;
}

Error ChainedJournal::lease_lost() const {
  return {
      Error::Kind::conflict, fmt::format("run {}: another driver has taken it over", run_),
      fmt::format("watch it with `lifeboat runs show {}`; nothing more is changed from here", run_),
      Error::Code::lease_held};
}

Result<void> ChainedJournal::prove_lease(const Operation& op) {
  std::uint64_t number = 0;
  {
    MutexLock lock(mutex_);
    if (lost_) return fail(*lost_);
    // While we write (or may have written) the next one, the outcome of that tells.
    if (writing_ || pending_) return {};
    number = next_;
  }
  TRY(const bool taken, present(op, repository_.store(), segment_name(run_, number)));
  MutexLock lock(mutex_);
  if (!taken || writing_ || pending_ || next_ != number) return {};
  lost_ = lease_lost();
  return fail(*lost_);
}

void ChainedJournal::written(const std::string& object, const std::vector<Event>& events) {
  Written hook;
  {
    MutexLock lock(mutex_);
    hook = hook_;
  }
  if (hook) hook(object, events);
}

// Notes within a second, lines within a few. What fails is tried again after the next delay; that
// the run cannot be written at all is for append() and flush() to say.
void ChainedJournal::flush_in_time(const std::stop_token& stop) {
  const Clock& clock = *repository_.environment().clock;
  const Operation op{&clock, stop};
  const auto stopped = [](const void* token) {
    return static_cast<const std::stop_token*>(token)->stop_requested();
  };
  while (!stop.stop_requested()) {
    std::chrono::nanoseconds delay = note_delay;
    {
      MutexLock lock(mutex_);
      while (!armed_ && !log_due_) changed_.wait(mutex_);
      if (!armed_) delay = log_delay;
      armed_ = log_due_ = false;
    }
    clock.pause(delay, +stopped, &stop);
    if (stop.stop_requested()) return;
    const auto done = flush(op);
    const bool more = !stream_.empty();
    MutexLock lock(mutex_);
    if (!done && !lost_) armed_ = true;
    if (more) log_due_ = true;
  }
}

}  // namespace

Result<void> check_run_name(const std::string& run) {
  const bool fits = !run.empty() && run.size() <= 64 && std::ranges::all_of(run, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
  if (fits) return {};
  return fail(Error::Kind::invalid, "'" + printable(run) + "' is no name of a run",
              "`lifeboat runs list` shows the runs");
}

Result<std::unique_ptr<Journal>> Journal::begin(const Operation& op, repo::Repository& repository,
                                                const std::string& run, const Driver& driver,
                                                std::vector<Event> first) {
  TRY_DO(check_run_name(run));
  ASSERT(!first.empty());
  auto journal = std::make_unique<ChainedJournal>(repository, run, driver, Chain{});
  auto begun = journal->append(op, std::move(first));
  if (begun) return std::unique_ptr<Journal>(std::move(journal));
  if (begun.error().effective_code() != Error::Code::lease_held) return fail(begun.error());
  return fail(Error::Kind::conflict, "run " + run + " exists already",
              "go on with it: `lifeboat recover --resume " + run + "`");
}

Result<std::unique_ptr<Journal>> Journal::open(const Operation& op, repo::Repository& repository,
                                               const std::string& run, const Driver& driver) {
  TRY(auto chain, read_chain(op, repository, run));
  return std::unique_ptr<Journal>(
      std::make_unique<ChainedJournal>(repository, run, driver, std::move(chain)));
}

}  // namespace lifeboat::journal
