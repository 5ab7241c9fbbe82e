#include "repo/pack_writer.h"

#include <algorithm>

#include "base/guard.h"
#include "repo/envelope.h"

namespace lifeboat::repo {
namespace {

constexpr unsigned data_streams = 3, upload_threads = 2;
constexpr std::size_t uploads_waiting_most = 1;
constexpr std::uint64_t blob_bytes_usual_most = 5u << 20;  // address space, not memory
constexpr std::size_t segment_entries_most = 65'536;
constexpr std::chrono::milliseconds look_up_every{50};  // at a stop or a deadline

crypt::SealedKey seal_session(Core& core, const crypt::Key& key) {
  return crypt::seal_key(core.keys.data.public_key, key, "lifeboat/v1/session",
                         *core.environment.random);
}

// Three open data packs, one of metadata, two or three on their way: about ten parts of the budget.
std::uint64_t pack_target(const Core& core) {
  const std::uint64_t share = core.environment.memory_bytes / 10;
  return std::clamp<std::uint64_t>(share, 256u << 10, core.config.pack_target_bytes);
}

}  // namespace

// A pack that is being filled. Blobs are sealed outside of its lock and appended under it.
struct PackWriter::OpenPack {
  std::uint64_t ordinal = 0;
  Id name;
  std::array<std::uint8_t, 32> salt{};
  PackKeys keys;
  unsigned stream = 0;
  std::uint64_t reserved = 0;  // guarded by the writer's mutex, as are the next two
  unsigned outstanding = 0;    // reserved, not yet appended
  bool closed = false;         // takes no more
  Mutex mutex;
  Bytes body GUARDED_BY(mutex);  // header and blobs
  std::vector<BlobHead> heads GUARDED_BY(mutex);
};

struct PackWriter::Job {
  std::uint64_t ticket;
  Id id;
  Blob blob;
};

struct PackWriter::Finished {
  std::shared_ptr<OpenPack> pack;
  Bytes object;
  std::vector<BlobHead> heads;
  std::uint32_t directory_bytes = 0;
};

PackWriter::PackWriter(std::shared_ptr<Core> core, const Id& session)
    : core_(std::move(core)),
      session_(session),
      session_key_(crypt::Key::random(*core_->environment.random)),
      sealed_session_(seal_session(*core_, session_key_)),
      pack_target_bytes_(pack_target(*core_)),
      metadata_target_bytes_(std::max<std::uint64_t>(pack_target_bytes_ / 4, 256u << 10)),
      queue_bytes_most_(std::max<std::uint64_t>(core_->environment.memory_bytes / 10, 1u << 20)),
      own_(core_->environment.cache),
      streams_(1 + data_streams) {
  for (unsigned i = 0; i < core_->threads(); ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }
  for (unsigned i = 0; i < upload_threads; ++i) {
    threads_.emplace_back([this](const std::stop_token& stop) { upload(stop); });
  }
}

PackWriter::~PackWriter() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
  }
  for (std::jthread& thread : threads_) thread.request_stop();
  changed_.notify_all();
  threads_.clear();  // joins
}

unsigned PackWriter::data_stream() {
  MutexLock lock(mutex_);
  return 1 + next_stream_++ % data_streams;
}

bool PackWriter::knows(const Id& blob) const {
  {
    MutexLock lock(mutex_);
    if (claimed_.contains(blob)) return true;
  }
  return own_.contains(blob) || core_->index.contains(blob);
}

void PackWriter::give_up(const Error& error) {
  MutexLock lock(mutex_);
  if (!failure_) failure_ = error;
  changed_.notify_all();
}

// Waits for `done`, which is asked with the lock held.
Result<void> PackWriter::wait_until(const Operation& op, const std::function<bool()>& done) {
  for (;;) {
    {
      MutexLock lock(mutex_);
      if (failure_) return fail(*failure_);
      if (done()) return {};
      changed_.wait_for(mutex_, look_up_every);
    }
    TRY_DO(op.proceed());
  }
}

Result<Id> PackWriter::put(const Operation& op, Blob blob) {
  const Id id = blob_id(core_->keys, core_->keys.domain, blob.type, blob.plain);
  if (own_.contains(id) || core_->index.contains(id)) return id;
  const std::uint64_t size = blob.plain.size();
  std::uint64_t ticket = 0;
  {
    MutexLock lock(mutex_);
    if (failure_) return fail(*failure_);
    if (!claimed_.insert(id).second) return id;
    ticket = next_ticket_++;
    tickets_.insert(ticket);
  }
  const auto room = wait_until(op, [&]() REQUIRES(mutex_) {
    return queue_bytes_ == 0 || queue_bytes_ + size <= queue_bytes_most_;
  });
  // Queued even when the caller was stopped meanwhile: another sink may rely on the claim by now.
  MutexLock lock(mutex_);
  queue_bytes_ += size;
  jobs_.push_back({ticket, id, std::move(blob)});
  changed_.notify_all();
  if (!room) return fail(room.error());
  return id;
}

void PackWriter::work(const std::stop_token& stop) {
  BlobCoder coder;
  for (;;) {
    std::optional<Job> job;
    bool failed = false;
    {
      MutexLock lock(mutex_);
      while (jobs_.empty() && !stopping_) changed_.wait(mutex_);
      if (stopping_ || stop.stop_requested()) return;
      job.emplace(std::move(jobs_.front()));
      jobs_.pop_front();
      failed = failure_.has_value();
    }
    const std::uint64_t size = job->blob.plain.size();
    const auto result = failed ? Result<void>() : process(*job, coder);
    if (!result) give_up(result.error());
    MutexLock lock(mutex_);
    queue_bytes_ -= size;
    tickets_.erase(job->ticket);
    changed_.notify_all();
  }
}

Result<void> PackWriter::process(Job& job, BlobCoder& coder) {
  BlobHead head;
  head.id = job.id;
  head.type = job.blob.type;
  const ByteView payload = coder.compress(job.blob.plain, head);
  const std::shared_ptr<OpenPack> pack = reserve(job.blob.stream, head.stored);
  const Bytes sealed = seal_blob(core_->keys, pack->keys, head, payload);
  const auto again = open_blob(core_->keys, pack->keys, head, sealed, coder);
  if (!again || *again != job.blob.plain) {
    return fail(Error::Kind::corrupt,
                "blob " + head.id.brief() +
                    " does not read back as it was written: possible "
                    "hardware fault",
                "test this machine's memory and processor before you trust any backup from it",
                Error::Code::integrity);
  }
  {
    MutexLock lock(pack->mutex);
    append(pack->body, sealed);
    pack->heads.push_back(head);
  }
  job.blob.stored->fetch_add(head.stored);
  bool last = false;
  {
    MutexLock lock(mutex_);
    --pack->outstanding;
    last = pack->closed && pack->outstanding == 0;
  }
  if (last) complete(pack);
  return {};
}

// The open pack of the stream; a full one is closed and takes no more.
std::shared_ptr<PackWriter::OpenPack> PackWriter::reserve(unsigned stream, std::uint32_t bytes) {
  const std::uint64_t target =
      stream == metadata_stream ? metadata_target_bytes_ : pack_target_bytes_;
  MutexLock lock(mutex_);
  std::shared_ptr<OpenPack> pack = streams_[stream];
  if (!pack) {
    pack = std::make_shared<OpenPack>();
    pack->ordinal = next_ordinal_++;
    pack->stream = stream;
    pack->name = object_name(core_->keys, "pack", session_, pack->ordinal);
    pack->salt = core_->environment.random->array<32>();
    pack->keys = PackKeys::derive(session_key_, pack->salt, core_->keys.repository);
    const auto head = header(ObjectType::pack);
    MutexLock body_lock(pack->mutex);
    pack->body.reserve(static_cast<std::size_t>(target + target / 8 + blob_bytes_usual_most));
    pack->body.assign(head.begin(), head.end());
    live_packs_.insert(pack->ordinal);
    streams_[stream] = pack;
  }
  pack->reserved += bytes;
  ++pack->outstanding;
  if (pack->reserved >= target) {
    pack->closed = true;
    streams_[stream].reset();
  }
  return pack;
}

// Adds filler, directory and footer, and hands the pack to the uploaders. Called once a pack, by
// whoever appended its last blob or closed it.
void PackWriter::complete(const std::shared_ptr<OpenPack>& pack) {
  Finished finished;
  finished.pack = pack;
  {
    MutexLock lock(pack->mutex);
    finished.object = std::move(pack->body);
    finished.heads = std::move(pack->heads);
  }
  const PackDirectory directory{core_->keys.writer_id,
                                core_->keys.domain,
                                session_,
                                pack->ordinal,
                                pack->stream == metadata_stream ? 2u : 1u,
                                finished.heads};
  const PackSeal seal{core_->keys, pack->keys, pack->salt, sealed_session_, pack->name};
  finished.directory_bytes = finish_pack(seal, directory, finished.object);
  MutexLock lock(mutex_);
  while (uploads_.size() >= uploads_waiting_most && !failure_ && !stopping_) {
    changed_.wait(mutex_);
  }
  uploads_.push_back(std::move(finished));
  changed_.notify_all();
}

void PackWriter::upload(const std::stop_token& stop) {
  const Operation op{core_->environment.clock, stop};
  for (;;) {
    std::optional<Finished> finished;
    {
      MutexLock lock(mutex_);
      while (uploads_.empty() && !stopping_) changed_.wait(mutex_);
      if (stopping_) return;
      finished.emplace(std::move(uploads_.front()));
      uploads_.pop_front();
      changed_.notify_all();
      if (failure_) continue;
    }
    const auto stored = store_pack(op, *finished);
    if (!stored) give_up(stored.error());
  }
}

Result<void> PackWriter::store_pack(const Operation& op, Finished& finished) {
  const std::string path = pack_path(finished.pack->name);
  const auto put = core_->store.put(op, path, finished.object);
  if (!put) return wrap(put.error(), path);
  if (*put == store::Put::exists) {
    return fail(Error::Kind::conflict, path + ": exists already",
                "another process runs with the same random state (a cloned machine?)");
  }
  bool many = false;
  {
    MutexLock lock(mutex_);
    const auto number = static_cast<std::uint32_t>(fresh_packs_.size());
    fresh_packs_.push_back({finished.pack->name, finished.object.size(), finished.directory_bytes,
                            finished.pack->salt, 0});
    std::uint64_t offset = header_bytes;
    for (const BlobHead& head : finished.heads) {
      fresh_.push_back({head, number, static_cast<std::uint32_t>(offset)});
      offset += head.stored;
    }
    live_packs_.erase(finished.pack->ordinal);
    many = fresh_.size() >= segment_entries_most;
    changed_.notify_all();
  }
  return many ? write_segment(op) : Result<void>();
}

Result<void> PackWriter::write_segment(const Operation& op) {
  const Turnstile::Turn turn(segment_turn_);
  IndexSegment segment;
  segment.writer = core_->keys.writer_id;
  segment.domain = core_->keys.domain;
  segment.session = session_;
  segment.sessions.push_back({session_, sealed_session_});
  {
    MutexLock lock(mutex_);
    if (fresh_.empty()) return {};
    segment.ordinal = segments_;
    segment.packs = std::move(fresh_packs_);
    segment.entries = std::move(fresh_);
    fresh_packs_.clear();
    fresh_.clear();
  }
  const Binding binding{ObjectType::index, "index",
                        index_path(object_name(core_->keys, "index", session_, segment.ordinal))};
  const Bytes object = seal_envelope(core_->keys, {core_->keys.metadata, std::nullopt}, binding,
                                     encode(segment), *core_->environment.random);
  const auto put = core_->store.put(op, binding.name, object);
  if (!put || *put == store::Put::exists) {
    const Error error = put ? Error{Error::Kind::conflict, binding.name + ": exists already", "",
                                    Error::Code::automatic}
                            : put.error();
    give_up(error);  // its packs are listed nowhere now: nothing may build upon them
    return fail(error);
  }
  own_.add(segment);
  MutexLock lock(mutex_);
  ++segments_;
  for (const IndexEntry& entry : segment.entries) claimed_.erase(entry.head.id);
  return {};
}

void PackWriter::close_open_packs() {
  std::vector<std::shared_ptr<OpenPack>> ready;
  {
    MutexLock lock(mutex_);
    for (auto& pack : streams_) {
      if (!pack) continue;
      pack->closed = true;
      if (pack->outstanding == 0) ready.push_back(pack);
      pack.reset();
    }
  }
  for (const auto& pack : ready) complete(pack);
}

Result<std::uint64_t> PackWriter::flush(const Operation& op) {
  std::uint64_t ticket = 0;
  {
    MutexLock lock(mutex_);
    ticket = next_ticket_;
  }
  TRY_DO(wait_until(
      op, [&]() REQUIRES(mutex_) { return tickets_.empty() || *tickets_.begin() >= ticket; }));
  std::uint64_t ordinal = 0;
  {
    MutexLock lock(mutex_);
    ordinal = next_ordinal_;
  }
  close_open_packs();
  TRY_DO(wait_until(op, [&]() REQUIRES(mutex_) {
    return live_packs_.empty() || *live_packs_.begin() >= ordinal;
  }));
  TRY_DO(write_segment(op));
  MutexLock lock(mutex_);
  return segments_;
}

}  // namespace lifeboat::repo
