// Key objects, signed as real ones are: the message is the fuzzer's. What one wraps is opened with
// the identity that a seed was wrapped for.
#include "crypt/age.h"
#include "repo/key_objects.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/message_mutator.h"
#include "tests/fuzz/signed_by_root.h"

LIFEBOAT_MUTATES_MESSAGES

namespace lifeboat::fuzz {
namespace {

const Secret& identity() {
  static const Secret text = [] {
    SeededRandom random(1);
    return crypt::age::new_identity(random).identity;
  }();
  return text;
}

repo::Config config() {
  repo::Config config;
  config.repository = repository_id;
  config.root_verify_key = root_keys().root.verify_key;
  config.cheap_passphrase = true;
  return config;
}

void unlock(const repo::KeyObject& object) {
  const auto by_identity = unwrap(config(), object, repo::Identity{identity()});
  HOLDS(by_identity || !by_identity.error().what.empty());
  // Costs that real keys have would be nearly all of the fuzzer's time.
  if (object.cost.memory_bytes > 64u << 10 || object.cost.passes > 1) return;
  HOLDS(!unwrap(config(), object, repo::Passphrase{Secret("not this one")}));
}

}  // namespace
}  // namespace lifeboat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const ByteView message = fuzz::view(bytes, size);
  HOLDS(!repo::decode_key_object(fuzz::config(), 0, message));  // nobody signed it
  Bytes object = fuzz::framed(repo::ObjectType::key, message);
  const repo::SignedObject covered{"lifeboat/v1/key", fuzz::repository_id, "keys/00",
                                   crypt::sha256(object)};
  append(object, sign(fuzz::root_keys().root, covered));
  const auto key = repo::decode_key_object(fuzz::config(), 0, object);
  if (!key) return fuzz::not_kept;
  HOLDS(key->about.slot == 0);
  // What the wrapping is bound to: all that stands before the wrapped secret.
  HOLDS(as_text(message).starts_with(as_text(key->covered)));
  HOLDS(key->wrapped.empty() || as_text(message).find(as_text(key->wrapped), key->covered.size()) <=
                                    key->covered.size() + 11);
  fuzz::unlock(*key);
  // Seeds: no field from a later version.
  fuzz::plant(fuzz::may_hold_optional(message) && !key->wrapped.empty());
  return fuzz::kept(message);
}
