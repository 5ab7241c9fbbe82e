#include "store/memory.h"

namespace lifeboat::store {
namespace {

Error unavailable(const std::string& name, const char* why) {
  return {Error::Kind::unavailable, "object " + name + ": " + why, "", Error::Code::automatic};
}

bool changes_something(MemoryStore::Verb verb) {
  return verb == MemoryStore::Verb::put || verb == MemoryStore::Verb::remove;
}

}  // namespace

// The script is called without the lock held: it may look into the store.
Result<MemoryStore::Fault> MemoryStore::enter(const Call& call) {
  TRY_DO(call.op.proceed());
  TRY_DO(call.verb == Verb::list ? check_prefix(call.name) : check_name(call.name));
  Script script;
  std::uint64_t ordinal = 0;
  {
    MutexLock lock(mutex_);
    if (dead_) return fail(unavailable(call.name, "the process is dead"));
    ordinal = ordinal_++;
    script = script_;
  }
  const Fault fault = script ? script(ordinal, call.verb, call.name) : Fault::none;
  if (fault == Fault::unavailable) return fail(unavailable(call.name, "the store does not answer"));
  if (fault == Fault::no_space && call.verb == Verb::put) {
    return fail(Error::Kind::unavailable, "object " + call.name + ": the store is full",
                "make room in the store", Error::Code::no_space);
  }
  return fault == Fault::no_space ? Fault::none : fault;
}

// Whether this call is the one in which the process dies.
bool MemoryStore::dies(Verb verb) {
  if (!changes_something(verb) || changes_ < dies_at_) return false;
  dead_ = true;
  return true;
}

// Puts (`bytes`) or removes (null) the object, and dies or loses the reply as was asked.
Result<void> MemoryStore::change(Fault fault, const std::string& name, const Bytes* bytes) {
  MutexLock lock(mutex_);
  if (dead_) return fail(unavailable(name, "the process is dead"));
  const bool dying = dies(bytes != nullptr ? Verb::put : Verb::remove);
  if (dying && death_ == Death::torn && bytes != nullptr) {
    const auto half = bytes->begin() + static_cast<std::ptrdiff_t>(bytes->size() / 2);
    objects_["tmp/" + name] = Bytes(bytes->begin(), half);
  }
  if (dying && death_ != Death::after) return fail(unavailable(name, "the process is dead"));
  if (bytes != nullptr) {
    objects_.emplace(name, *bytes);
  } else {
    objects_.erase(name);
  }
  ++changes_;
  if (dying) return fail(unavailable(name, "the process is dead"));
  if (fault == Fault::lost_reply) return fail(unavailable(name, "the reply was lost"));
  return {};
}

Result<Put> MemoryStore::put(const Operation& op, const std::string& name, ByteView bytes) {
  TRY(const Fault fault, enter({op, Verb::put, name}));
  {
    MutexLock lock(mutex_);
    const auto found = objects_.find(name);
    if (found != objects_.end()) {
      const bool ours = ByteView(found->second).size() == bytes.size() &&
                        std::equal(bytes.begin(), bytes.end(), found->second.begin());
      if (fault == Fault::lost_reply) return fail(unavailable(name, "the reply was lost"));
      return ours ? Put::created : Put::exists;
    }
  }
  const Bytes copy(bytes.begin(), bytes.end());
  TRY_DO(change(fault, name, &copy));
  // Another thread may have been first between the look and the change: emplace() kept its bytes.
  MutexLock lock(mutex_);
  const auto found = objects_.find(name);
  return found != objects_.end() && found->second == copy ? Put::created : Put::exists;
}

Result<Bytes> MemoryStore::get(const Operation& op, const std::string& name,
                               std::optional<Range> range) {
  TRY(const Fault fault, enter({op, Verb::get, name}));
  if (fault == Fault::lost_reply) return fail(unavailable(name, "the reply was lost"));
  MutexLock lock(mutex_);
  const auto found = objects_.find(name);
  if (found == objects_.end()) return fail(no_object(name));
  return cut_range(name, found->second, range);
}

Result<std::uint64_t> MemoryStore::size(const Operation& op, const std::string& name) {
  TRY(const Fault fault, enter({op, Verb::size, name}));
  if (fault == Fault::lost_reply) return fail(unavailable(name, "the reply was lost"));
  MutexLock lock(mutex_);
  const auto found = objects_.find(name);
  if (found == objects_.end()) return fail(no_object(name));
  return std::uint64_t{found->second.size()};
}

Result<void> MemoryStore::remove(const Operation& op, const std::string& name) {
  TRY(const Fault fault, enter({op, Verb::remove, name}));
  {
    MutexLock lock(mutex_);
    if (!objects_.contains(name) && fault == Fault::none && changes_ < dies_at_) return {};
  }
  return change(fault, name, nullptr);
}

Result<std::vector<std::string>> MemoryStore::list(const Operation& op, const std::string& prefix) {
  TRY(const Fault fault, enter({op, Verb::list, prefix}));
  if (fault == Fault::lost_reply) return fail(unavailable(prefix, "the reply was lost"));
  MutexLock lock(mutex_);
  std::vector<std::string> names;
  for (auto at = objects_.lower_bound(prefix);
       at != objects_.end() && at->first.starts_with(prefix); ++at) {
    if (!at->first.starts_with("tmp/")) names.push_back(at->first);
  }
  return names;
}

void MemoryStore::set_script(Script script) {
  MutexLock lock(mutex_);
  script_ = std::move(script);
}

void MemoryStore::die_after_changes(std::uint64_t changes, Death death) {
  MutexLock lock(mutex_);
  dies_at_ = changes_ + changes;
  death_ = death;
}

bool MemoryStore::dead() const {
  MutexLock lock(mutex_);
  return dead_;
}

void MemoryStore::revive() {
  MutexLock lock(mutex_);
  dead_ = false;
  dies_at_ = UINT64_MAX;
}

std::uint64_t MemoryStore::changes() const {
  MutexLock lock(mutex_);
  return changes_;
}

std::map<std::string, Bytes> MemoryStore::objects() const {
  MutexLock lock(mutex_);
  return objects_;
}

void MemoryStore::set_object(const std::string& name, Bytes bytes) {
  MutexLock lock(mutex_);
  objects_[name] = std::move(bytes);
}

void MemoryStore::erase_object(const std::string& name) {
  MutexLock lock(mutex_);
  objects_.erase(name);
}

}  // namespace lifeboat::store
