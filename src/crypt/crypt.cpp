// The algorithms are fetched from OpenSSL once a process, and the contexts that keep no secret
// longer than their thread are kept per thread: a backup calls hmac_sha256() for every chunk, and
// creating and configuring a context costs more than hashing a small one.
#include "crypt/crypt.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <sodium.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <optional>

#include "base/guard.h"

namespace lifeboat::crypt {
namespace {

// Deleters as types, so that unique_ptr stays one pointer wide.
struct Free {
  void operator()(EVP_MD* it) const { EVP_MD_free(it); }
  void operator()(EVP_MD_CTX* it) const { EVP_MD_CTX_free(it); }
  void operator()(EVP_MAC* it) const { EVP_MAC_free(it); }
  void operator()(EVP_MAC_CTX* it) const { EVP_MAC_CTX_free(it); }
  void operator()(EVP_KDF* it) const { EVP_KDF_free(it); }
  void operator()(EVP_KDF_CTX* it) const { EVP_KDF_CTX_free(it); }
  void operator()(EVP_CIPHER* it) const { EVP_CIPHER_free(it); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

// Looked up by name once: a lookup walks the providers under a lock.
struct Algorithms {
  Owned<EVP_MD> sha256{EVP_MD_fetch(nullptr, "SHA256", nullptr)};
  Owned<EVP_MAC> hmac{EVP_MAC_fetch(nullptr, "HMAC", nullptr)};
  Owned<EVP_KDF> hkdf{EVP_KDF_fetch(nullptr, "HKDF", nullptr)};
  Owned<EVP_CIPHER> aes_gcm{EVP_CIPHER_fetch(nullptr, "AES-256-GCM", nullptr)};
  Algorithms() {
    ASSERT(sha256 && hmac && hkdf && aes_gcm);
    ASSERT(sodium_init() >= 0);
  }
};

const Algorithms& algorithms() {
  static const Algorithms fetched;
  return fetched;
}

char digest_name[] = "SHA256";

// The thread's own HMAC context with its digest chosen; only the key changes from call to call.
EVP_MAC_CTX* hmac_context() {
  thread_local const Owned<EVP_MAC_CTX> context = [] {
    Owned<EVP_MAC_CTX> made(EVP_MAC_CTX_new(algorithms().hmac.get()));
    const OSSL_PARAM digest[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest_name, 0),
        OSSL_PARAM_construct_end()};
    ASSERT(made && EVP_MAC_CTX_set_params(made.get(), digest) == 1);
    return made;
  }();
  return context.get();
}

EVP_MD_CTX* md(void* context) { return static_cast<EVP_MD_CTX*>(context); }
EVP_CIPHER_CTX* cipher(void* context) { return static_cast<EVP_CIPHER_CTX*>(context); }

// OpenSSL counts in int; anything longer goes in pieces.
constexpr std::size_t piece_bytes = std::size_t{1} << 30;

using Update = int (*)(EVP_CIPHER_CTX*, unsigned char*, int*, const unsigned char*, int);

// Runs `from` through the cipher; `to` null: associated data. False: the library refused, which
// for these modes only happens before authentication is even tried.
bool pass(EVP_CIPHER_CTX* context, Update update, ByteView from, std::uint8_t* to) {
  while (!from.empty()) {
    const std::size_t piece = std::min(from.size(), piece_bytes);
    int written = 0;
    if (update(context, to, &written, from.data(), static_cast<int>(piece)) != 1) return false;
    from = from.subspan(piece);
    if (to != nullptr) to += written;
  }
  return true;
}

// What Ed25519 signs: the parts joined. (Ed25519 reads its message twice, so it cannot be fed.)
Bytes signed_message(std::string_view context, ByteView message) {
  const auto length = static_cast<std::uint32_t>(context.size());
  Bytes joined;
  joined.reserve(4 + context.size() + message.size());
  for (int shift = 0; shift < 32; shift += 8) {
    joined.push_back(static_cast<std::uint8_t>(length >> shift));
  }
  append(joined, as_bytes(context));
  append(joined, message);
  return joined;
}

// The key under which one sealed key stands, from both sides' view of the shared point.
std::optional<Key> wrapping_key(const Key& secret, std::span<const std::uint8_t, 32> other,
                                ByteView salt, std::string_view info) {
  std::array<std::uint8_t, 32> shared{};
  // Not 0: the shared point is the neutral element, so the other side's share has low order.
  const bool usable =
      crypto_scalarmult_curve25519(shared.data(), secret.view().data(), other.data()) == 0;
  std::optional<Key> key;
  if (usable) key = hkdf(ByteView(shared), salt, info);
  sodium_memzero(shared.data(), shared.size());
  return key;
}

constexpr std::array<std::uint8_t, crypto_aead_chacha20poly1305_IETF_NPUBBYTES> zero_nonce{};

std::array<std::uint8_t, 64> joined(std::span<const std::uint8_t, 32> a,
                                    std::span<const std::uint8_t, 32> b) {
  std::array<std::uint8_t, 64> both{};
  std::ranges::copy(a, both.begin());
  std::ranges::copy(b, both.begin() + 32);
  return both;
}

}  // namespace

Key::Key(std::span<const std::uint8_t, 32> bytes) { std::ranges::copy(bytes, bytes_.begin()); }

Key::~Key() { sodium_memzero(bytes_.data(), bytes_.size()); }

Key Key::random(Random& random) {
  Key key;
  random.fill(key.bytes_);
  return key;
}

Id sha256(ByteView bytes) {
  thread_local const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  Id id;
  ASSERT(context && EVP_DigestInit_ex2(context.get(), algorithms().sha256.get(), nullptr) == 1 &&
         EVP_DigestUpdate(context.get(), bytes.data(), bytes.size()) == 1 &&
         EVP_DigestFinal_ex(context.get(), id.bytes.data(), nullptr) == 1);
  return id;
}

Id hmac_sha256(ByteView key, ByteView bytes) {
  EVP_MAC_CTX* context = hmac_context();
  Id id;
  std::size_t length = 0;
  ASSERT(EVP_MAC_init(context, key.data(), key.size(), nullptr) == 1 &&
         EVP_MAC_update(context, bytes.data(), bytes.size()) == 1 &&
         EVP_MAC_final(context, id.bytes.data(), &length, id.bytes.size()) == 1);
  return id;
}

Id hmac_sha256(const Key& key, ByteView bytes) { return hmac_sha256(key, {bytes}); }

Id hmac_sha256(const Key& key, std::initializer_list<ByteView> parts) {
  EVP_MAC_CTX* context = hmac_context();
  ASSERT(EVP_MAC_init(context, key.view().data(), key.view().size(), nullptr) == 1);
  for (const ByteView part : parts) {
    ASSERT(EVP_MAC_update(context, part.data(), part.size()) == 1);
  }
  Id id;
  std::size_t length = 0;
  ASSERT(EVP_MAC_final(context, id.bytes.data(), &length, id.bytes.size()) == 1 && length == 32);
  return id;
}

Key hkdf(ByteView secret, ByteView salt, std::string_view info) {
  ASSERT(!secret.empty() && info.size() <= 1024);
  const Owned<EVP_KDF_CTX> context(EVP_KDF_CTX_new(algorithms().hkdf.get()));
  const auto octets = [](const char* name, ByteView bytes) {
    // OpenSSL's parameters are not const, though it only reads these.
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::uint8_t*>(bytes.data()),
                                             bytes.size());
  };
  std::array<OSSL_PARAM, 5> parameters{};
  std::size_t count = 0;
  parameters[count++] = OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest_name, 0);
  parameters[count++] = octets(OSSL_KDF_PARAM_KEY, secret);
  if (!salt.empty()) parameters[count++] = octets(OSSL_KDF_PARAM_SALT, salt);
  if (!info.empty()) parameters[count++] = octets(OSSL_KDF_PARAM_INFO, as_bytes(info));
  parameters[count] = OSSL_PARAM_construct_end();
  std::array<std::uint8_t, 32> out{};
  ASSERT(context && EVP_KDF_derive(context.get(), out.data(), out.size(), parameters.data()) == 1);
  const Key key(out);
  sodium_memzero(out.data(), out.size());
  return key;
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  ASSERT(context_ != nullptr &&
         EVP_DigestInit_ex2(md(context_), algorithms().sha256.get(), nullptr) == 1);
}

Sha256::~Sha256() { EVP_MD_CTX_free(md(context_)); }

void Sha256::add(ByteView bytes) {
  ASSERT(EVP_DigestUpdate(md(context_), bytes.data(), bytes.size()) == 1);
}

Id Sha256::finish() {
  Id id;
  ASSERT(EVP_DigestFinal_ex(md(context_), id.bytes.data(), nullptr) == 1);
  return id;
}

Bytes seal(const Key& key, const Nonce& nonce, ByteView associated, ByteView plain) {
  Bytes out;
  Aead(key).seal(nonce, associated, plain, out);
  return out;
}

Result<Bytes> open(const Key& key, const Nonce& nonce, ByteView associated, ByteView sealed) {
  Bytes out;
  TRY_DO(Aead(key).open(nonce, associated, sealed, out));
  return out;
}

Aead::Aead(const Key& key) : encrypt_(EVP_CIPHER_CTX_new()), decrypt_(EVP_CIPHER_CTX_new()) {
  const EVP_CIPHER* aes = algorithms().aes_gcm.get();
  const std::uint8_t* bytes = key.view().data();
  ASSERT(encrypt_ != nullptr && decrypt_ != nullptr);
  ASSERT(EVP_EncryptInit_ex2(cipher(encrypt_), aes, bytes, nullptr, nullptr) == 1);
  ASSERT(EVP_DecryptInit_ex2(cipher(decrypt_), aes, bytes, nullptr, nullptr) == 1);
}

Aead::~Aead() {
  EVP_CIPHER_CTX_free(cipher(encrypt_));
  EVP_CIPHER_CTX_free(cipher(decrypt_));
}

void Aead::seal(const Nonce& nonce, ByteView associated, ByteView plain, Bytes& out) {
  EVP_CIPHER_CTX* context = cipher(encrypt_);
  const std::size_t start = out.size();
  out.resize(start + plain.size() + tag_bytes);
  std::uint8_t* text = out.data() + start;
  std::uint8_t* tag = text + plain.size();
  int none = 0;
  ASSERT(EVP_EncryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
         pass(context, EVP_EncryptUpdate, associated, nullptr) &&
         pass(context, EVP_EncryptUpdate, plain, text) &&
         EVP_EncryptFinal_ex(context, tag, &none) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, tag_bytes, tag) == 1);
}

Result<void> Aead::open(const Nonce& nonce, ByteView associated, ByteView sealed, Bytes& out) {
  out.clear();
  if (sealed.size() < tag_bytes) {
    return fail(Error::Kind::corrupt, "sealed bytes are shorter than their tag");
  }
  EVP_CIPHER_CTX* context = cipher(decrypt_);
  const ByteView text = sealed.first(sealed.size() - tag_bytes);
  std::array<std::uint8_t, tag_bytes> tag{};
  std::ranges::copy(sealed.last(tag_bytes), tag.begin());
  out.resize(text.size());
  int none = 0;
  std::uint8_t unused[tag_bytes];
  ASSERT(EVP_DecryptInit_ex2(context, nullptr, nullptr, nonce.data(), nullptr) == 1 &&
         EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, tag_bytes, tag.data()) == 1);
  if (!pass(context, EVP_DecryptUpdate, associated, nullptr) ||
      !pass(context, EVP_DecryptUpdate, text, out.data()) ||
      EVP_DecryptFinal_ex(context, unused, &none) != 1) {
    sodium_memzero(out.data(), out.size());
    out.clear();
    return fail(Error::Kind::corrupt, "sealed bytes do not authenticate");
  }
  return {};
}

ExchangeKey ExchangeKey::from(const Key& secret) {
  ExchangeKey pair{secret, {}};
  ASSERT(algorithms().sha256 != nullptr);  // libsodium is ready after this
  crypto_scalarmult_curve25519_base(pair.public_key.data(), secret.view().data());
  return pair;
}

bool usable_public_key(const std::array<std::uint8_t, 32>& public_key) {
  std::array<std::uint8_t, 32> point{};
  std::array<std::uint8_t, 32> any{};
  any[0] = 8;  // clamping makes a valid scalar of any bytes; a low-order point vanishes under it
  return crypto_scalarmult_curve25519(point.data(), any.data(), public_key.data()) == 0;
}

SealedKey seal_key(const std::array<std::uint8_t, 32>& recipient, const Key& key,
                   std::string_view info, Random& random) {
  const ExchangeKey ephemeral = ExchangeKey::from(Key::random(random));
  const auto salt = joined(ephemeral.public_key, recipient);
  const auto wrapping = wrapping_key(ephemeral.secret, recipient, salt, info);
  ASSERT(wrapping.has_value());
  SealedKey sealed{};
  std::ranges::copy(ephemeral.public_key, sealed.begin());
  crypto_aead_chacha20poly1305_ietf_encrypt(sealed.data() + 32, nullptr, key.view().data(), 32,
                                            nullptr, 0, nullptr, zero_nonce.data(),
                                            wrapping->view().data());
  return sealed;
}

Result<Key> open_key(const ExchangeKey& recipient, const SealedKey& sealed, std::string_view info) {
  const std::span<const std::uint8_t, 80> view(sealed);
  const auto share = view.first<32>();
  const auto salt = joined(share, recipient.public_key);
  const auto wrapping = wrapping_key(recipient.secret, share, salt, info);
  if (!wrapping) return fail(Error::Kind::corrupt, "sealed key: its share is a low-order point");
  std::array<std::uint8_t, 32> opened{};
  const auto text = view.last<48>();
  if (crypto_aead_chacha20poly1305_ietf_decrypt(opened.data(), nullptr, nullptr, text.data(),
                                                text.size(), nullptr, 0, zero_nonce.data(),
                                                wrapping->view().data()) != 0) {
    return fail(Error::Kind::corrupt, "sealed key: does not open with this key");
  }
  const Key key(opened);
  sodium_memzero(opened.data(), opened.size());
  return key;
}

SigningKey SigningKey::from(const Key& seed) {
  ASSERT(algorithms().sha256 != nullptr);
  SigningKey key{seed, {}};
  std::array<std::uint8_t, crypto_sign_SECRETKEYBYTES> expanded{};
  crypto_sign_seed_keypair(key.verify_key.data(), expanded.data(), seed.view().data());
  sodium_memzero(expanded.data(), expanded.size());
  return key;
}

Signature sign(const SigningKey& key, std::string_view context, ByteView message) {
  const Bytes whole = signed_message(context, message);
  // libsodium's secret key is the seed followed by the public key.
  auto expanded = joined(key.seed.view(), key.verify_key);
  Signature signature{};
  crypto_sign_detached(signature.data(), nullptr, whole.data(), whole.size(), expanded.data());
  sodium_memzero(expanded.data(), expanded.size());
  return signature;
}

Result<void> verify(const std::array<std::uint8_t, 32>& verify_key, std::string_view context,
                    ByteView message, const Signature& signature) {
  const Bytes whole = signed_message(context, message);
  if (crypto_sign_verify_detached(signature.data(), whole.data(), whole.size(),
                                  verify_key.data()) != 0) {
    return fail(Error::Kind::corrupt, "signature does not verify");
  }
  return {};
}

Result<Key> argon2id(std::string_view passphrase, std::span<const std::uint8_t, 16> salt,
                     std::uint64_t memory_bytes, std::uint32_t passes) {
  ASSERT(algorithms().sha256 != nullptr);
  if (memory_bytes < crypto_pwhash_argon2id_MEMLIMIT_MIN ||
      memory_bytes > crypto_pwhash_argon2id_MEMLIMIT_MAX || memory_bytes % 1024 != 0 ||
      passes == 0 || passphrase.size() > crypto_pwhash_argon2id_PASSWD_MAX) {
    return fail(Error::Kind::invalid, "Argon2id: cost parameters are out of range");
  }
  std::array<std::uint8_t, 32> out{};
  if (crypto_pwhash(out.data(), out.size(), passphrase.data(), passphrase.size(), salt.data(),
                    passes, memory_bytes, crypto_pwhash_ALG_ARGON2ID13) != 0) {
    return fail(
        Error::Kind::unavailable,
        "Argon2id: " + std::to_string(memory_bytes >> 20) + " MiB of memory are not to be had",
        "unlock on a machine (or in a container) with more free memory");
  }
  const Key key(out);
  sodium_memzero(out.data(), out.size());
  return key;
}

bool equal(ByteView a, ByteView b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace lifeboat::crypt
