// crypt/crypt.h - The few cryptographic acts that the repository format is made of.
//
// Each is a thin, typed call into OpenSSL or libsodium; nothing here is an algorithm of our own.
// docs/format.md says how they are put together; tools/unpack.py does the same with Python's
// `cryptography`, so every construction must exist there too.
//
// Threads: all functions from any thread. Keys are wiped when they go.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"

namespace lifeboat::crypt {

// 32 secret bytes that wipe themselves. Copyable: keys are derived and handed on.
class Key {
 public:
  Key() = default;
  explicit Key(std::span<const std::uint8_t, 32> bytes);
  Key(const Key&) = default;
  Key& operator=(const Key&) = default;
  ~Key();
  std::span<const std::uint8_t, 32> view() const { return bytes_; }
  static Key random(Random& random);

 private:
  std::array<std::uint8_t, 32> bytes_{};
};

using Nonce = std::array<std::uint8_t, 12>;
inline constexpr std::size_t tag_bytes = 16;

Id sha256(ByteView bytes);
Id hmac_sha256(const Key& key, ByteView bytes);
// With a key of any length, as protocols of others have them.
Id hmac_sha256(ByteView key, ByteView bytes);
// HMAC over the concatenation of the parts, without joining them in memory.
Id hmac_sha256(const Key& key, std::initializer_list<ByteView> parts);
// HKDF-SHA256 (RFC 5869), 32 bytes out. `secret` is not empty; `info` is at most 1024 bytes.
Key hkdf(ByteView secret, ByteView salt, std::string_view info);
inline Key hkdf(const Key& secret, ByteView salt, std::string_view info) {
  return hkdf(ByteView(secret.view()), salt, info);
}

// A running SHA-256.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  void add(ByteView bytes);
  Id finish();  // once

 private:
  void* context_;
};

// AES-256-GCM. seal() answers ciphertext followed by the 16-byte tag.
Bytes seal(const Key& key, const Nonce& nonce, ByteView associated, ByteView plain);
// Errors: corrupt ("does not authenticate"); nothing of the plaintext is handed out then.
Result<Bytes> open(const Key& key, const Nonce& nonce, ByteView associated, ByteView sealed);

// The same under one key for many blobs: the key schedule is made once. One thread at a time.
class Aead {
 public:
  explicit Aead(const Key& key);
  ~Aead();
  Aead(const Aead&) = delete;
  Aead& operator=(const Aead&) = delete;
  // Appends ciphertext and tag to `out`.
  void seal(const Nonce& nonce, ByteView associated, ByteView plain, Bytes& out);
  // Makes `out` the plaintext (sealed.size() - 16 bytes).  Errors: corrupt; `out` is empty then.
  Result<void> open(const Nonce& nonce, ByteView associated, ByteView sealed, Bytes& out);

 private:
  void* encrypt_;
  void* decrypt_;
};

// X25519 key pair.
struct ExchangeKey {
  Key secret;
  std::array<std::uint8_t, 32> public_key{};
  static ExchangeKey from(const Key& secret);
};
// False for the few low-order points, with which a shared secret would be known to everybody.
bool usable_public_key(const std::array<std::uint8_t, 32>& public_key);

// Seals 32 bytes to a public key, as age's X25519 stanza does it: an ephemeral share (32), then
// ChaCha20-Poly1305 with a zero nonce under HKDF-SHA256(shared, share || recipient, info) (48).
// Only the holder of the secret key opens it. 80 bytes. Two seals of one key differ.
// A recipient that was read from somewhere must be usable_public_key() first (ASSERTed).
using SealedKey = std::array<std::uint8_t, 80>;
SealedKey seal_key(const std::array<std::uint8_t, 32>& recipient, const Key& key,
                   std::string_view info, Random& random);
// Errors: corrupt (not sealed to this key, altered, or its share is a low-order point).
Result<Key> open_key(const ExchangeKey& recipient, const SealedKey& sealed, std::string_view info);

// Ed25519.
using Signature = std::array<std::uint8_t, 64>;
struct SigningKey {
  Key seed;
  std::array<std::uint8_t, 32> verify_key{};
  static SigningKey from(const Key& seed);
};
// The signed message is: length of `context` in bytes (32 bits, little endian), `context`,
// `message`. So no two contexts mix, whatever the messages are.
Signature sign(const SigningKey& key, std::string_view context, ByteView message);
// Errors: corrupt.
Result<void> verify(const std::array<std::uint8_t, 32>& verify_key, std::string_view context,
                    ByteView message, const Signature& signature);

// Argon2id (RFC 9106, version 1.3, one lane), 16-byte salt, 32 bytes out. memory_bytes: a multiple
// of 1024, at least 8192. Who reads the costs from a file bounds them first: all of the memory is
// really used.  Errors: unavailable when memory is short; invalid when the costs are out of range.
Result<Key> argon2id(std::string_view passphrase, std::span<const std::uint8_t, 16> salt,
                     std::uint64_t memory_bytes, std::uint32_t passes);

// Compares in time that depends on the lengths only.
bool equal(ByteView a, ByteView b);

}  // namespace lifeboat::crypt
