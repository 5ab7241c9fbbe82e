#include "journal/objects.h"

#include <algorithm>

#include "journal/segment.h"

namespace lifeboat::journal {
namespace {

constexpr int attempts_max = 5;
constexpr auto first_pause = std::chrono::milliseconds(200);

Result<bool> put_once(const Operation& op, store::Store& store, const std::string& name,
                      ByteView bytes) {
  TRY(const store::Put put, store.put(op, name, bytes));
  if (put == store::Put::created) return true;
  // An earlier attempt of ours may have been stored although its answer was lost.
  TRY(const Bytes stored, store.get(op, name));
  return std::ranges::equal(stored, bytes);
}

// Whether an attempt may be followed by another one.
bool try_again(const Error& error, int attempt) {
  return is_transient(error) && attempt < attempts_max;
}

}  // namespace

Result<bool> present(const Operation& op, store::Store& store, const std::string& name) {
  const auto size = store.size(op, name);
  if (size) return true;
  if (size.error().kind == Error::Kind::not_found) return false;
  return fail(size.error());
}

Result<std::uint64_t> first_absent(const Operation& op, store::Store& store,
                                   const std::string& prefix) {
  const auto exists = [&](std::uint64_t number) {
    return present(op, store, prefix + number_hex(number));
  };
  std::uint64_t low = 0;  // all below are taken to exist
  for (std::uint64_t step = 1;; step *= 2) {
    TRY(const bool there, exists(low + step - 1));
    if (!there) {
      std::uint64_t high = low + step - 1;  // absent
      while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        TRY(const bool middle_there, exists(middle));
        (middle_there ? low : high) = middle_there ? middle + 1 : middle;
      }
      return low;
    }
    low += step;
  }
}

Result<bool> put_settled(const Operation& op, store::Store& store, const std::string& name,
                         ByteView bytes) {
  for (int attempt = 1;; ++attempt) {
    auto done = put_once(op, store, name, bytes);
    if (done || !try_again(done.error(), attempt)) return done;
    TRY_DO(op.pause(first_pause * (1 << attempt)));
  }
}

Result<void> remove_settled(const Operation& op, store::Store& store, const std::string& name) {
  for (int attempt = 1;; ++attempt) {
    auto done = store.remove(op, name);
    if (done || !try_again(done.error(), attempt)) return done;
    TRY_DO(op.pause(first_pause * (1 << attempt)));
  }
}

}  // namespace lifeboat::journal
