#include "repo/core.h"

#include <thread>

#include "repo/envelope.h"

namespace lifeboat::repo {

constexpr std::string_view session_key_info = "lifeboat/v1/session";

Core::Core(store::Store& its_store, const Environment& its_environment, Config its_config,
           KeyTree its_keys)
    : store(its_store),
      environment(its_environment),
      config(std::move(its_config)),
      keys(std::move(its_keys)),
      writers(config.writers),
      log(store, environment, config, keys, writers),
      index(environment.cache) {}

unsigned Core::threads() const {
  if (environment.threads > 0) return environment.threads;
  return std::max(1u, std::thread::hardware_concurrency());
}

Result<crypt::Key> Core::session_key(const crypt::SealedKey& sealed) {
  {
    MutexLock lock(mutex_);
    const auto known = session_keys_.find(sealed);
    if (known != session_keys_.end()) return known->second;
  }
  auto key = crypt::open_key(keys.data, sealed, session_key_info);
  if (!key) {
    return fail(Error::Kind::corrupt, "sealed session key does not open", "",
                Error::Code::integrity);
  }
  MutexLock lock(mutex_);
  session_keys_.emplace(sealed, *key);
  return key;
}

Result<IndexSegment> Core::read_segment(const Operation& op, const Id& session,
                                        std::uint64_t ordinal) {
  const Id name = object_name(keys, "index", session, ordinal);
  const Binding binding{ObjectType::index, "index", index_path(name)};
  auto stored = store.get(op, binding.name);
  if (!stored) return wrap(stored.error(), binding.name);
  TRY(const Opened opened, open_envelope(keys, keys.metadata, binding, *stored));
  auto segment = decode_index_segment(opened.message);
  if (!segment) return wrap(segment.error(), binding.name);
  const Certificate* writer = writers.find(segment->writer);
  if (writer == nullptr || segment->domain != writer->domain || segment->session != session ||
      segment->ordinal != ordinal) {
    return fail(Error::Kind::corrupt, binding.name + ": is not of the writer that it names", "",
                Error::Code::integrity);
  }
  TRY_DO(proven_by(writer->verify_key, keys, binding, opened));
  return segment;
}

std::map<std::string, Error> Core::broken_segments() const {
  MutexLock lock(mutex_);
  return broken_segments_;
}

Result<void> Core::sync_index(const Operation& op) {
  const Turnstile::Turn turn(index_turn_);
  const auto state = log.state();
  for (const auto& [id, session] : state->sessions()) {
    for (;;) {
      std::uint64_t ordinal = 0;
      {
        MutexLock lock(mutex_);
        ordinal = segments_read_[id];
      }
      if (ordinal >= session.index_segments) break;
      TRY_DO(op.proceed());
      auto segment = read_segment(op, id, ordinal);
      const bool lasting = !segment && (segment.error().kind == Error::Kind::corrupt ||
                                        segment.error().kind == Error::Kind::not_found);
      if (!segment && !lasting) return fail(segment.error());
      if (segment) index.add(*segment);
      MutexLock lock(mutex_);
      ++segments_read_[id];
      if (!segment) {
        broken_segments_.emplace(index_path(object_name(keys, "index", id, ordinal)),
                                 segment.error());
      }
    }
  }
  return {};
}

}  // namespace lifeboat::repo
