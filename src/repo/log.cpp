#include "repo/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <system_error>

#include "repo/envelope.h"

namespace lifeboat::repo {
namespace {

constexpr int append_attempts = 10'000;  // slots lost to others, one after the other

tl::unexpected<Error> rolled_back(std::string_view how) {
  return fail(Error::Kind::corrupt, "rollback detected: " + std::string(how),
              "the store shows an older or another repository than this machine has seen: compare "
              "with a second copy; if the loss is accepted, remove this machine's memory of it",
              Error::Code::integrity);
}

}  // namespace

void Turnstile::enter() {
  MutexLock lock(mutex_);
  while (taken_) changed_.wait(mutex_);
  taken_ = true;
}

void Turnstile::leave() {
  MutexLock lock(mutex_);
  taken_ = false;
  changed_.notify_one();
}

HeadMemory::HeadMemory(std::filesystem::path folder, const RepositoryId& repository) {
  if (!folder.empty()) file_ = folder / (to_hex(repository) + ".head");
}

std::optional<HeadMemory::Seen> HeadMemory::recall() const {
  if (file_.empty()) return std::nullopt;
  std::ifstream in(file_);
  Seen seen;
  std::string hex;
  if (!(in >> seen.slots >> hex)) return std::nullopt;
  const auto bytes = from_hex(hex);
  const auto hash = bytes ? Id::from(*bytes) : std::nullopt;
  if (!hash) return std::nullopt;
  seen.hash = *hash;
  return seen;
}

Result<void> HeadMemory::remember(const Seen& seen) const {
  if (file_.empty()) return {};
  const auto known = recall();
  if (known && known->slots >= seen.slots) return {};
  const auto failed = [&](int error) {
    return fail(error == EACCES || error == EROFS ? Error::Kind::denied : Error::Kind::unavailable,
                file_.string() + ": " + std::generic_category().message(error),
                "Lifeboat keeps the last seen head of the repository there");
  };
  std::error_code made;
  std::filesystem::create_directories(file_.parent_path(), made);
  if (made) return failed(made.value());
  const std::string temporary = fmt::format("{}.{}", file_.string(), ::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return failed(errno);
  const std::string text = fmt::format("{} {}\n", seen.slots, seen.hash.hex());
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
                       ::fsync(fd) == 0;
  const int error = errno;
  ::close(fd);
  if (!written || ::rename(temporary.c_str(), file_.c_str()) != 0) {
    const int why = written ? errno : error;
    ::unlink(temporary.c_str());
    return failed(why);
  }
  return {};
}

Log::Log(store::Store& store, const Environment& environment, const Config& config,
         const KeyTree& keys, const Writers& writers)
    : store_(store),
      environment_(environment),
      keys_(keys),
      writers_(writers),
      memory_(environment.memory, config.repository),
      state_(std::make_shared<LogState>(config)) {}

std::shared_ptr<const LogState> Log::state() const {
  MutexLock lock(mutex_);
  return state_;
}

Head Log::head() const {
  MutexLock lock(mutex_);
  return {state_->slots(), state_->last_hash(), state_->written(), remembered_};
}

void Log::publish(LogState state) {
  auto shared = std::make_shared<const LogState>(std::move(state));
  MutexLock lock(mutex_);
  state_ = std::move(shared);
}

// Records may be missing in the middle only if somebody removed them: look above the first absent.
Result<bool> Log::gap_above(const Operation& op, std::uint64_t slot) {
  for (std::uint64_t step = 1; step <= 4096; step = step < 8 ? step + 1 : step * 2) {
    const auto size = store_.size(op, log_path(slot + step));
    if (size) return true;
    if (size.error().kind != Error::Kind::not_found) return fail(size.error());
  }
  return false;
}

Result<void> Log::read_forward(const Operation& op, LogState& state) {
  for (bool gap = false;;) {
    TRY_DO(op.proceed());
    const std::uint64_t slot = state.slots();
    const auto stored = store_.get(op, log_path(slot));
    if (stored) {
      TRY_DO(state.apply(keys_, writers_, *stored));
      gap = false;
      continue;
    }
    if (stored.error().kind != Error::Kind::not_found) return wrap(stored.error(), log_path(slot));
    if (gap) {
      return fail(Error::Kind::corrupt, log_path(slot) + ": is missing, but later records exist",
                  "fetch this object from a second copy of the repository", Error::Code::integrity);
    }
    // What is above may have been written since we looked: then the slot is there when asked again.
    TRY(gap, gap_above(op, slot));
    if (!gap) return {};
  }
}

Result<void> Log::check_rollback(const Operation& op, const LogState& state) {
  const auto seen = memory_.recall();
  {
    MutexLock lock(mutex_);
    remembered_ = seen.has_value();
  }
  if (!seen || seen->slots == 0) return {};
  if (state.slots() < seen->slots) {
    return rolled_back(fmt::format("the log has {} records, this machine has seen {}",
                                   state.slots(), seen->slots));
  }
  Id hash = state.last_hash();
  if (state.slots() > seen->slots) {
    TRY(const Bytes stored, store_.get(op, log_path(seen->slots - 1)));
    hash = crypt::sha256(stored);
  }
  if (hash != seen->hash) {
    return rolled_back(log_path(seen->slots - 1) + " is not what this machine has seen there");
  }
  return {};
}

Result<void> Log::refresh(const Operation& op) {
  const Turnstile::Turn turn(turnstile_);
  LogState next = *state();
  if (next.slots() > 0) {  // what we know must still be there
    const std::string last = log_path(next.slots() - 1);
    const auto stored = store_.get(op, last);
    if (!stored && stored.error().kind != Error::Kind::not_found) return fail(stored.error());
    if (!stored) return rolled_back(last + " is gone");
    if (crypt::sha256(*stored) != next.last_hash()) return rolled_back(last + " was replaced");
  }
  const std::uint64_t before = next.slots();
  const auto read = read_forward(op, next);
  const HeadMemory::Seen seen{next.slots(), next.last_hash()};
  auto proven = read ? check_rollback(op, next) : read;
  // What stands below a broken record is proven, and a restore may well need just that.
  if (next.slots() > before) publish(std::move(next));
  if (!proven || seen.slots == 0) return proven;
  keep(seen);
  return {};
}

// What is read is proven also where this machine cannot keep that it was: a full or read-only disk
// must not stand between a person and the backup. head() then says that nothing was remembered.
void Log::keep(const HeadMemory::Seen& seen) {
  const bool kept = memory_.remember(seen).has_value();
  MutexLock lock(mutex_);
  remembered_ = remembered_ && kept;
}

// False: somebody else won the slot.
Result<bool> Log::put_next(const Operation& op, LogState& state, const Id& session,
                           const LogBody& body) {
  if (!std::holds_alternative<SessionOpen>(body)) {
    const SessionState* ours = state.session(session);
    if (ours == nullptr || !ours->open) {
      return fail(Error::Kind::conflict, "session " + session.brief() + " was closed",
                  "somebody took this process for dead: begin the backup again");
    }
  }
  LogRecord record;
  record.slot = state.slots();
  record.previous = state.last_hash();
  record.writer = keys_.writer_id;
  record.sequence = state.sequence_of(keys_.writer_id);
  record.session = session;
  record.time = environment_.clock->wall();
  record.attempt = environment_.random->array<16>();
  record.body = body;
  const Binding binding{ObjectType::log, "log", log_path(record.slot)};
  const Bytes object = seal_envelope(keys_, {keys_.metadata, std::nullopt}, binding, encode(record),
                                     *environment_.random);
  TRY(const store::Put put, store_.put(op, binding.name, object));
  if (put == store::Put::exists) return false;
  TRY_DO(state.apply(keys_, writers_, object));
  return true;
}

Result<std::uint64_t> Log::append(const Operation& op, const Id& session, LogBody body) {
  const Turnstile::Turn turn(turnstile_);
  LogState next = *state();
  for (int attempt = 0; attempt < append_attempts; ++attempt) {
    TRY_DO(read_forward(op, next));
    TRY(const bool won, put_next(op, next, session, body));
    if (!won) continue;
    const std::uint64_t slot = next.slots() - 1;
    const HeadMemory::Seen seen{next.slots(), next.last_hash()};
    publish(std::move(next));
    keep(seen);
    return slot;
  }
  return fail(Error::Kind::unavailable, "the log is too busy: every slot went to another writer");
}

}  // namespace lifeboat::repo
