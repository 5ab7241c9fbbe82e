#include "store/store.h"

#include <algorithm>
#include <latch>
#include <thread>

#include "base/guard.h"

namespace lifeboat::store {
namespace {

bool allowed(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '_' ||
         c == '-';
}

tl::unexpected<Error> bad_name(std::string_view name, const char* why) {
  return fail(Error::Kind::invalid, "object name '" + printable(name.substr(0, 220)) + "': " + why);
}

tl::unexpected<Error> untrusted(const Store& store, const std::string& why) {
  return fail(Error::Kind::invalid, store.describe() + ": put-if-absent does not hold: " + why,
              "keep repositories on storage where creating an object that exists fails: a local "
              "disk, NFS version 4, or an object store with conditional writes",
              Error::Code::refused);
}

struct Starter {
  std::latch& latch;
  ~Starter() { latch.count_down(); }
};

struct Racer {
  Bytes bytes;
  Result<Put> outcome = Put::exists;
};

}  // namespace

Result<void> check_name(std::string_view name) {
  if (name.empty() || name.size() > 200) return bad_name(name, "not 1 to 200 characters long");
  if (!std::ranges::all_of(name, allowed)) {
    return bad_name(name, "only a-z, 0-9, '/', '.', '_' and '-' may stand in it");
  }
  std::string_view rest = name;
  for (bool more = true; more;) {
    const std::size_t slash = rest.find('/');
    const std::string_view component = rest.substr(0, slash);
    if (component.empty() || component == "." || component == "..") {
      return bad_name(name, "a component is empty, '.' or '..'");
    }
    more = slash != std::string_view::npos;
    if (more) rest.remove_prefix(slash + 1);
  }
  if (name.substr(0, name.find('/')) == "tmp") return bad_name(name, "'tmp' is reserved");
  return {};
}

Result<void> check_prefix(std::string_view prefix) {
  if (prefix.empty()) return {};
  if (prefix.back() != '/') return bad_name(prefix, "a prefix ends in '/'");
  return check_name(prefix.substr(0, prefix.size() - 1));
}

Result<Bytes> cut_range(const std::string& name, ByteView object, std::optional<Range> range) {
  if (!range) return Bytes(object.begin(), object.end());
  if (range->offset_bytes > object.size() ||
      range->length_bytes > object.size() - range->offset_bytes) {
    return fail(short_object(name, *range, object.size()));
  }
  const ByteView part = object.subspan(range->offset_bytes, range->length_bytes);
  return Bytes(part.begin(), part.end());
}

Error short_object(const std::string& name, Range range, std::uint64_t size_bytes) {
  return {Error::Kind::corrupt,
          "object " + name + ": has " + std::to_string(size_bytes) + " bytes, but " +
              std::to_string(range.length_bytes) + " at offset " +
              std::to_string(range.offset_bytes) + " are expected",
          "the object was cut short: run 'lifeboat check'", Error::Code::automatic};
}

Error no_object(const std::string& name) {
  return {Error::Kind::not_found, "object " + name + ": not in the store", "",
          Error::Code::automatic};
}

Result<void> prove_put_if_absent(const Operation& op, Store& store, int writers,
                                 std::string_view attempt) {
  ASSERT(writers >= 2 && writers <= 64);
  const std::string name = "probe/" + std::string(attempt);
  TRY_DO(check_name(name));
  std::vector<Racer> racers(static_cast<std::size_t>(writers));
  std::latch start(1);
  TRY_DO(guard(Error::Kind::unavailable, "starting writers", [&]() -> Result<void> {
    std::vector<std::jthread> threads;
    threads.reserve(racers.size());
    // Goes before the threads are joined, also when one of them cannot be created.
    const Starter starter{start};
    for (std::size_t i = 0; i < racers.size(); ++i) {
      // Different lengths too, so that bytes mixed from two writers cannot pass for one's.
      racers[i].bytes = to_bytes("writer " + std::to_string(i) + " of " + std::string(attempt));
      racers[i].bytes.resize(racers[i].bytes.size() + 977 * i, static_cast<std::uint8_t>(i));
    }
    for (Racer& racer : racers) {
      threads.emplace_back([&store, &start, &op, &name, &racer] {
        start.wait();
        racer.outcome = store.put(op, name, racer.bytes);
      });
    }
    return {};
  }));
  const Racer* winner = nullptr;
  int winners = 0;
  for (const Racer& racer : racers) {
    if (!racer.outcome) return fail(racer.outcome.error());
    if (*racer.outcome != Put::created) continue;
    ++winners;
    winner = &racer;
  }
  auto stored = store.get(op, name);
  const auto removed = store.remove(op, name);
  if (winners != 1) {
    return untrusted(store, std::to_string(winners) + " of " + std::to_string(writers) +
                                " writers were told that they created one object");
  }
  if (!stored && stored.error().kind != Error::Kind::not_found) return fail(stored.error());
  if (!stored || *stored != winner->bytes) {
    return untrusted(store, "the object does not hold what its writer put");
  }
  return removed;
}

}  // namespace lifeboat::store
