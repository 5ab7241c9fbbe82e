// repo/config.h - What a repository is: in the clear, signed by its root key.
//
// Reading has two halves: decode_config() proves that the bytes are undamaged and of a version that
// we know; prove_config(), once a key is there, that they are those of this root secret.
//
// Threads: plain values.  Source: docs/format.md, "Config".
#pragma once

#include "base/clock.h"
#include "repo/keys.h"

namespace lifeboat::repo {

struct ChunkerParameters {
  std::uint64_t least = 512u << 10, average = 1280u << 10, most = 4u << 20;
  std::uint64_t fixed = 256u << 10;
  std::uint64_t small_limit = 64u << 10, aggregate = 128u << 10;
  bool operator==(const ChunkerParameters&) const = default;
};

struct Config {
  RepositoryId repository{};
  std::uint64_t version = 1;
  std::uint64_t required_features = 0, optional_features = 0;
  WallTime created;
  std::array<std::uint8_t, 32> data_public_key{};
  VerifyKey root_verify_key{};
  std::vector<Certificate> writers;
  std::uint64_t pack_target_bytes = 32u << 20;
  ChunkerParameters chunker;
  std::string needs = "lifeboat 0.1";
  bool cheap_passphrase = false;
  Id stored_hash;  // of the object; what slot 0 of the log chains to
};

inline constexpr std::string_view config_path = "config";

Bytes encode_config(const Config& config, const crypt::SigningKey& root);
// Errors: corrupt; invalid (version_too_new, names the version that is needed).
Result<Config> decode_config(ByteView object);
// Errors: corrupt, when it was not this root secret that signed.
Result<void> prove_config(const Config& config, const KeyTree& keys);

}  // namespace lifeboat::repo
