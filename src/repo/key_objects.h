// repo/key_objects.h - The root secret, wrapped once for each recipient.
//
// Threads: any.  Source: docs/format.md, "Key objects".
#pragma once

#include <functional>
#include <optional>

#include "repo/config.h"
#include "repo/repository.h"

namespace lifeboat::repo {

inline constexpr unsigned key_slots = 64;
std::string key_path(unsigned slot);

// A decoded key object whose signature holds.
struct KeyObject {
  KeyRecord about;
  bool passphrase = false;
  PassphraseCost cost;
  std::array<std::uint8_t, 16> salt{};
  Bytes wrapped;
  Bytes covered;  // associated data of the wrapping
};

struct KeyRequest {
  const NewKey& key;
  unsigned slot;
  std::string label;
  WallTime created;
  PassphraseCost cost;
};
// Errors: invalid (no recipient, empty passphrase); unavailable (no memory for the cost).
Result<Bytes> make_key_object(const KeyTree& keys, const crypt::Key& root_secret,
                              const KeyRequest& request, Random& random);
// What stands in a slot. An init that was killed, or lost against another one, leaves keys that
// name another repository: they are not ours, and nothing to us.
struct StoredKey {
  Bytes bytes;
  bool ours = false;
};
// nullopt when there is none.  Errors: those of the store.
Result<std::optional<StoredKey>> stored_key(const Operation& op, store::Store& store,
                                            const Config& config, unsigned slot);
// Puts what `make` answers into the first free slot from `from` on; answers that slot. Two who do
// so at once get one each.  Errors: invalid (all are taken); those of store and `make`.
using MakeKeyObject = std::function<Result<Bytes>(unsigned slot)>;
Result<unsigned> put_key(const Operation& op, store::Store& store, unsigned from,
                         const MakeKeyObject& make);
// Errors: corrupt, naming the object.
Result<KeyObject> decode_key_object(const Config& config, unsigned slot, ByteView object);
// Errors: denied (wrong_key); invalid; unavailable (memory).
Result<crypt::Key> unwrap(const Config& config, const KeyObject& object, const Unlock& unlock);

// Tries all key objects of the repository with `unlock`.
Result<crypt::Key> unlock_root(const Operation& op, store::Store& store, const Config& config,
                               const Unlock& unlock);
// All keys of this repository, in order. Objects that are broken are errors.
Result<std::vector<KeyObject>> read_keys(const Operation& op, store::Store& store,
                                         const Config& config);

}  // namespace lifeboat::repo
