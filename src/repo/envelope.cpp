#include "repo/envelope.h"

#include <algorithm>

#include "repo/padme.h"
#include "repo/wire.h"

namespace lifeboat::repo {
namespace {

constexpr std::size_t salt_bytes = 32;
constexpr std::size_t sealed_key_bytes = std::tuple_size_v<crypt::SealedKey>;
constexpr crypt::Nonce zero_nonce{};

std::string context_of(const Binding& binding) {
  return "lifeboat/v1/" + std::string(binding.kind);
}

Bytes associated(const KeyTree& keys, const Binding& binding) {
  Bytes aad(keys.repository.begin(), keys.repository.end());
  append(aad, header(binding.type));
  append_u16(aad, static_cast<std::uint16_t>(binding.name.size()));
  append(aad, as_bytes(binding.name));
  return aad;
}

std::size_t prefix_bytes(ObjectType type) {
  return header_bytes + salt_bytes + (type == ObjectType::record ? sealed_key_bytes : 0);
}

tl::unexpected<Error> broken(const Binding& binding, std::string_view how) {
  return fail(Error::Kind::corrupt, binding.name + ": " + std::string(how),
              "run `lifeboat check`; fetch this object from a second copy of the repository",
              Error::Code::integrity);
}

}  // namespace

Bytes seal_envelope(const KeyTree& keys, const BaseKey& base, const Binding& binding,
                    ByteView message, Random& random) {
  const Bytes padded = pad(message);
  const auto fresh = random.array<32>();
  // Bound to the content: a clone with our random state repeats a key for the same bytes only.
  const Id salt =
      crypt::hmac_sha256(base.key, {as_bytes("salt"), ByteView(fresh), ByteView(padded)});
  const auto head = header(binding.type);
  Bytes object(head.begin(), head.end());
  append(object, salt.view());
  if (base.sealed) append(object, *base.sealed);
  const crypt::Key key = crypt::hkdf(base.key, salt.view(), context_of(binding));
  append(object, crypt::seal(key, zero_nonce, associated(keys, binding), padded));
  const std::string context = context_of(binding);
  append(object,
         sign(keys.writer, {context, keys.repository, binding.name, crypt::sha256(object)}));
  return object;
}

Result<crypt::SealedKey> session_key_in(ByteView object) {
  if (object.size() < prefix_bytes(ObjectType::record)) {
    return fail(Error::Kind::corrupt, "sealed record is too short", "", Error::Code::integrity);
  }
  crypt::SealedKey sealed{};
  std::copy_n(object.begin() + header_bytes + salt_bytes, sealed.size(), sealed.begin());
  return sealed;
}

Result<Opened> open_envelope(const KeyTree& keys, const crypt::Key& base, const Binding& binding,
                             ByteView object) {
  const std::size_t prefix = prefix_bytes(binding.type);
  if (object.size() < prefix + crypt::tag_bytes + signature_bytes) {
    return broken(binding, "is cut short");
  }
  const auto expected = header(binding.type);
  if (!std::equal(expected.begin(), expected.end(), object.begin())) {
    return broken(binding, "does not begin as such an object does");
  }
  const ByteView covered = object.first(object.size() - signature_bytes);
  const ByteView salt = object.subspan(header_bytes, salt_bytes);
  const crypt::Key key = crypt::hkdf(base, salt, context_of(binding));
  auto padded = crypt::open(key, zero_nonce, associated(keys, binding), covered.subspan(prefix));
  if (!padded) return broken(binding, "does not authenticate");
  Opened opened;
  opened.padded = *std::move(padded);
  const auto message = unpad(opened.padded);
  if (!message) return broken(binding, message.error().what);
  opened.message = *message;
  opened.hash = crypt::sha256(covered);
  std::copy(object.end() - signature_bytes, object.end(), opened.signature.begin());
  return opened;
}

Result<void> proven_by(const VerifyKey& writer, const KeyTree& keys, const Binding& binding,
                       const Opened& opened) {
  const std::string context = context_of(binding);
  const auto proof =
      verify(writer, {context, keys.repository, binding.name, opened.hash}, opened.signature);
  if (!proof) return broken(binding, "its signature does not fit");
  return {};
}

}  // namespace lifeboat::repo
