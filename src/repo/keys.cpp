#include "repo/keys.h"

#include <algorithm>

#include "repo/wire.h"

namespace lifeboat::repo {
namespace {

Bytes signed_message(const SignedObject& object) {
  Bytes message(object.repository.begin(), object.repository.end());
  append_u16(message, static_cast<std::uint16_t>(object.name.size()));
  append(message, as_bytes(object.name));
  append(message, object.hash.view());
  return message;
}

// The certificate without its signature: what the root signs, after the repository id.
Writer certified_part(const Certificate& certificate) {
  Writer writer;
  writer.message(1, certificate.verify_key);
  writer.id(2, certificate.domain);
  writer.uint(3, certificate.rights);
  writer.uint(4, certificate.epoch);
  return writer;
}

Bytes certified_message(const Certificate& certificate, const RepositoryId& repository) {
  Bytes message(repository.begin(), repository.end());
  append(message, certified_part(certificate).view());
  return message;
}

constexpr std::string_view certificate_context = "lifeboat/v1/certificate";

}  // namespace

std::array<std::uint8_t, header_bytes> header(ObjectType type) {
  return {'L', 'F', 'B', 'T', static_cast<std::uint8_t>(type), 1, 0, 0};
}

KeyTree KeyTree::derive(const crypt::Key& root_secret, const RepositoryId& repository) {
  const auto derived = [&](std::string_view purpose) {
    return crypt::hkdf(root_secret, repository, "lifeboat/v1/epoch/0/" + std::string(purpose));
  };
  KeyTree keys;
  keys.repository = repository;
  keys.data = crypt::ExchangeKey::from(derived("data"));
  keys.root = crypt::SigningKey::from(derived("root-signing"));
  keys.ids = derived("ids");
  keys.chunking = derived("chunking");
  keys.metadata = derived("metadata");
  keys.writer = crypt::SigningKey::from(derived("writer/0"));
  keys.writer_id = crypt::sha256(keys.writer.verify_key);
  keys.domain = keys.writer_id;
  return keys;
}

Certificate certify(const KeyTree& keys) {
  Certificate certificate{keys.writer.verify_key, keys.domain, Certificate::may_write, 0, {}};
  certificate.signature =
      crypt::sign(keys.root, certificate_context, certified_message(certificate, keys.repository));
  return certificate;
}

Bytes encode(const Certificate& certificate) {
  Writer writer = certified_part(certificate);
  writer.message(5, certificate.signature);
  return writer.take();
}

Result<Certificate> decode_certificate(ByteView message) {
  Fields fields(message);
  Certificate certificate;
  certificate.verify_key = fields.array<32>(1);
  certificate.domain = fields.id(2);
  certificate.rights = fields.uint(3);
  certificate.epoch = fields.uint(4);
  certificate.signature = fields.array<64>(5);
  TRY_DO(fields.done("certificate"));
  return certificate;
}

Result<void> verify(const Certificate& certificate, const KeyTree& keys) {
  return verify(certificate, keys.root.verify_key, keys.repository);
}

Result<void> verify(const Certificate& certificate, const VerifyKey& root,
                    const RepositoryId& repository) {
  return crypt::verify(root, certificate_context, certified_message(certificate, repository),
                       certificate.signature);
}

crypt::Signature sign(const crypt::SigningKey& key, const SignedObject& object) {
  return crypt::sign(key, object.context, signed_message(object));
}

Result<void> verify(const VerifyKey& key, const SignedObject& object,
                    const crypt::Signature& signature) {
  return crypt::verify(key, object.context, signed_message(object), signature);
}

const Certificate* Writers::find(const Id& writer) const {
  const auto found = std::find_if(certificates_.begin(), certificates_.end(),
                                  [&](const Certificate& it) { return it.writer() == writer; });
  return found == certificates_.end() ? nullptr : &*found;
}

PackKeys PackKeys::derive(const crypt::Key& session, ByteView salt,
                          const RepositoryId& repository) {
  PackKeys keys;
  keys.pack = crypt::hkdf(session, salt, "lifeboat/v1/pack");
  keys.blobs = crypt::hkdf(keys.pack, repository, "lifeboat/v1/pack/blobs");
  keys.nonces = crypt::hkdf(keys.pack, repository, "lifeboat/v1/pack/nonces");
  keys.commitment =
      *Id::from(crypt::hkdf(keys.pack, repository, "lifeboat/v1/pack/commitment").view());
  return keys;
}

Id object_name(const KeyTree& keys, std::string_view kind, const Id& session,
               std::uint64_t ordinal) {
  Bytes number;
  append_u64(number, ordinal);
  return crypt::hmac_sha256(keys.metadata, {as_bytes(kind), session.view(), ByteView(number)});
}

std::string pack_path(const Id& name) {
  const std::string hex = name.hex();
  return "packs/" + hex.substr(0, 2) + "/" + hex;
}

std::string index_path(const Id& name) { return "index/" + name.hex(); }

std::string log_path(std::uint64_t slot) {
  std::array<std::uint8_t, 8> big{};
  for (unsigned i = 0; i < 8; ++i) big[i] = static_cast<std::uint8_t>(slot >> (56 - 8 * i));
  return "log/" + to_hex(big);
}

}  // namespace lifeboat::repo
