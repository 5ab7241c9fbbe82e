#include "store/memory.h"

#include <utility>

namespace lifeboat::store {
namespace {

Error refused(const std::string& name) {
  return {Error::Kind::unavailable, "memory store: " + name + ": refused, as the script wants", "",
          Error::Code::automatic};
}

Error unheard(const std::string& name) {
  return {Error::Kind::unavailable, "memory store: " + name + ": the answer was lost", "",
          Error::Code::automatic};
}

Error process_died() {
  return {Error::Kind::unavailable, "memory store: this process counts as dead", "",
          Error::Code::automatic};
}

}  // namespace

Result<MemoryStore::Fault> MemoryStore::enter(const Call& call) {
  TRY_DO(call.op.proceed());
  TRY_DO(call.verb == Verb::list ? check_prefix(call.name) : check_name(call.name));
  Script script;
  std::uint64_t ordinal = 0;
  {
    const MutexLock lock(mutex_);
    script = script_;
    ordinal = ordinal_++;
  }
  const Fault fault = script ? script(ordinal, call.verb, call.name) : Fault::none;
  if (fault == Fault::unavailable) return fail(refused(call.name));
  if (fault == Fault::no_space && call.verb == Verb::put) {
    return fail(Error::Kind::unavailable, "memory store: " + call.name + ": no space left",
                "free space and run the command again", Error::Code::no_space);
  }
  return fault == Fault::lost_reply ? fault : Fault::none;
}

std::optional<MemoryStore::Death> MemoryStore::dying(bool mutating) {
  if (dead_) return Death::before;
  if (!mutating || changes_ < dies_at_) return std::nullopt;
  dead_ = true;
  return death_;
}

void MemoryStore::store_torn(const Bytes& bytes) {
  const auto half = bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size() / 2);
  objects_["tmp/torn-" + std::to_string(ordinal_)] = Bytes(bytes.begin(), half);
}

Result<Put> MemoryStore::put(const Operation& op, const std::string& name, ByteView bytes) {
  TRY(const Fault fault, enter({op, Verb::put, name}));
  Bytes copy(bytes.begin(), bytes.end());
  const MutexLock lock(mutex_);
  const auto death = dying(true);
  if (death == Death::torn) store_torn(copy);
  if (death && *death != Death::after) return fail(process_died());
  const auto [held, created] = objects_.try_emplace(name, copy);
  if (created) ++changes_;
  if (death) return fail(process_died());
  if (fault == Fault::lost_reply) return fail(unheard(name));
  return held->second == copy ? Put::created : Put::exists;
}

Result<Bytes> MemoryStore::get(const Operation& op, const std::string& name,
                               std::optional<Range> range) {
  TRY(const Fault fault, enter({op, Verb::get, name}));
  if (fault == Fault::lost_reply) return fail(unheard(name));
  const MutexLock lock(mutex_);
  if (dying(false)) return fail(process_died());
  const auto held = objects_.find(name);
  if (held == objects_.end()) return fail(no_object(name));
  return cut_range(name, held->second, range);
}

Result<std::uint64_t> MemoryStore::size(const Operation& op, const std::string& name) {
  TRY(const Fault fault, enter({op, Verb::size, name}));
  if (fault == Fault::lost_reply) return fail(unheard(name));
  const MutexLock lock(mutex_);
  if (dying(false)) return fail(process_died());
  const auto held = objects_.find(name);
  if (held == objects_.end()) return fail(no_object(name));
  return held->second.size();
}

Result<void> MemoryStore::remove(const Operation& op, const std::string& name) {
  TRY(const Fault fault, enter({op, Verb::remove, name}));
  const MutexLock lock(mutex_);
  const auto death = dying(true);
  if (death && *death != Death::after) return fail(process_died());
  changes_ += objects_.erase(name);
  if (death) return fail(process_died());
  if (fault == Fault::lost_reply) return fail(unheard(name));
  return {};
}

Result<std::vector<std::string>> MemoryStore::list(const Operation& op, const std::string& prefix) {
  TRY(const Fault fault, enter({op, Verb::list, prefix}));
  if (fault == Fault::lost_reply) return fail(unheard(prefix));
  const MutexLock lock(mutex_);
  if (dying(false)) return fail(process_died());
  std::vector<std::string> names;
  for (auto it = objects_.lower_bound(prefix); it != objects_.end(); ++it) {
    if (!it->first.starts_with(prefix)) break;
    if (!it->first.starts_with("tmp/")) names.push_back(it->first);
  }
  return names;
}

void MemoryStore::set_script(Script script) {
  const MutexLock lock(mutex_);
  script_ = std::move(script);
}

void MemoryStore::die_after_changes(std::uint64_t changes, Death death) {
  const MutexLock lock(mutex_);
  dies_at_ = changes_ + changes;
  death_ = death;
}

bool MemoryStore::dead() const {
  const MutexLock lock(mutex_);
  return dead_;
}

void MemoryStore::revive() {
  const MutexLock lock(mutex_);
  dead_ = false;
  dies_at_ = UINT64_MAX;
}

std::uint64_t MemoryStore::changes() const {
  const MutexLock lock(mutex_);
  return changes_;
}

std::map<std::string, Bytes> MemoryStore::objects() const {
  const MutexLock lock(mutex_);
  return objects_;
}

void MemoryStore::set_object(const std::string& name, Bytes bytes) {
  const MutexLock lock(mutex_);
  objects_[name] = std::move(bytes);
}

void MemoryStore::erase_object(const std::string& name) {
  const MutexLock lock(mutex_);
  objects_.erase(name);
}

}  // namespace lifeboat::store
