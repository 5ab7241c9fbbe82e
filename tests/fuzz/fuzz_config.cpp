// Configs, signed as the real one is: the message is the fuzzer's.
#include "repo/config.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/message_mutator.h"
#include "tests/fuzz/signed_by_root.h"

LIFEBOAT_MUTATES_MESSAGES

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const ByteView message = fuzz::view(bytes, size);
  Bytes object = fuzz::framed(repo::ObjectType::config, message);
  append(object,
         crypt::sign(fuzz::root_keys().root, "lifeboat/v1/config", crypt::sha256(object).view()));
  const auto config = repo::decode_config(object);
  if (!config) return fuzz::not_kept;
  HOLDS(config->version == 1 && config->required_features == 0);
  HOLDS(fuzz::may_hold_optional(message) ||
        as_text(repo::encode_config(*config, fuzz::root_keys().root)) == as_text(object));
  const bool proven = repo::prove_config(*config, fuzz::root_keys()).has_value();
  // Seeds: one writer.
  fuzz::plant(proven && config->writers.size() >= 3);
  return proven ? fuzz::kept(message) : fuzz::not_kept;
}
