// repo/keys.h - The key tree: everything that follows from the root secret; and who may sign.
//
// Threads: plain values.  Source: docs/format.md, "Keys", "Object header".
#pragma once

#include <array>
#include <string>
#include <vector>

#include "crypt/crypt.h"

namespace lifeboat::repo {

using RepositoryId = std::array<std::uint8_t, 16>;
using VerifyKey = std::array<std::uint8_t, 32>;

enum class ObjectType : std::uint8_t {
  config = 1,
  key = 2,
  log = 3,
  pack = 4,
  index = 5,
  record = 6
};
inline constexpr std::size_t header_bytes = 8;
inline constexpr std::size_t signature_bytes = 64;
std::array<std::uint8_t, header_bytes> header(ObjectType type);

// Who signs: an Ed25519 key that the root has certified.
struct Certificate {
  VerifyKey verify_key{};
  Id domain;  // deduplicates against blobs of this domain only
  std::uint64_t rights = 0;
  std::uint64_t epoch = 0;
  crypt::Signature signature{};

  static constexpr std::uint64_t may_write = 1;
  Id writer() const { return crypt::sha256(verify_key); }
};

// What a holder of the root secret has.
struct KeyTree {
  RepositoryId repository{};
  crypt::ExchangeKey data;
  crypt::SigningKey root;
  crypt::Key ids, chunking, metadata;
  crypt::SigningKey writer;
  Id writer_id, domain;

  static KeyTree derive(const crypt::Key& root_secret, const RepositoryId& repository);
};

Certificate certify(const KeyTree& keys);
Bytes encode(const Certificate& certificate);
// Errors: corrupt. Does not check the signature.
Result<Certificate> decode_certificate(ByteView message);
Result<void> verify(const Certificate& certificate, const KeyTree& keys);
// The same for whoever has the root's verify key only.
Result<void> verify(const Certificate& certificate, const VerifyKey& root,
                    const RepositoryId& repository);

// Signatures of objects: over repository id, object name and the hash of the stored bytes.
struct SignedObject {
  std::string_view context;  // "lifeboat/v1/log"
  const RepositoryId& repository;
  std::string_view name;
  Id hash;
};
crypt::Signature sign(const crypt::SigningKey& key, const SignedObject& object);
Result<void> verify(const VerifyKey& key, const SignedObject& object,
                    const crypt::Signature& signature);

// The writers that may sign, by id.
class Writers {
 public:
  explicit Writers(std::vector<Certificate> certificates)
      : certificates_(std::move(certificates)) {}
  const Certificate* find(const Id& writer) const;

 private:
  std::vector<Certificate> certificates_;
};

// The keys of one pack.
struct PackKeys {
  crypt::Key pack, blobs, nonces;
  Id commitment;
  static PackKeys derive(const crypt::Key& session, ByteView salt, const RepositoryId& repository);
};

// Names that tell nothing: "pack" or "index", of a session, by ordinal.
Id object_name(const KeyTree& keys, std::string_view kind, const Id& session,
               std::uint64_t ordinal);
std::string pack_path(const Id& name);
std::string index_path(const Id& name);
std::string log_path(std::uint64_t slot);

}  // namespace lifeboat::repo
