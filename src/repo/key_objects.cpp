#include "repo/key_objects.h"

#include <fmt/format.h>

#include <algorithm>

#include "crypt/age.h"
#include "repo/wire.h"

namespace lifeboat::repo {
namespace {

constexpr std::string_view key_context = "lifeboat/v1/key";
constexpr std::string_view passphrase_info = "lifeboat/v1/passphrase";
constexpr std::uint64_t kind_passphrase = 1, kind_age = 2;
constexpr std::uint32_t tag_age_label = 64;
constexpr PassphraseCost floor_cost{};
constexpr PassphraseCost ceiling_cost{std::uint64_t{4} << 30, 64};

tl::unexpected<Error> broken(unsigned slot, std::string_view how) {
  return fail(Error::Kind::corrupt, key_path(slot) + ": " + std::string(how),
              "unlock with another key, or fetch this object from a second copy",
              Error::Code::integrity);
}

Result<crypt::Key> key_from_passphrase(const Secret& text, const KeyObject& object,
                                       const RepositoryId& repository) {
  TRY(const crypt::Key stretched,
      crypt::argon2id(text.reveal(), object.salt, object.cost.memory_bytes, object.cost.passes));
  return crypt::hkdf(stretched, repository, passphrase_info);
}

Result<Bytes> wrap_root(const KeyTree& keys, const crypt::Key& root_secret,
                        const KeyRequest& request, KeyObject& object, Random& random) {
  if (const auto* recipient = std::get_if<AgeRecipient>(&request.key)) {
    return crypt::age::wrap({recipient->text}, root_secret.view(), random);
  }
  const Secret& text = std::get<Passphrase>(request.key).text;
  TRY(const crypt::Key key, key_from_passphrase(text, object, keys.repository));
  return crypt::seal(key, crypt::Nonce{}, object.covered, root_secret.view());
}

bool cost_allowed(const PassphraseCost& cost, bool cheap) {
  const bool enough =
      cheap || (cost.memory_bytes >= floor_cost.memory_bytes && cost.passes >= floor_cost.passes);
  return enough && cost.memory_bytes <= ceiling_cost.memory_bytes && cost.passes > 0 &&
         cost.passes <= ceiling_cost.passes;
}

// Where the repository id stands: it is the first field, `01 10` and 16 bytes.
constexpr std::size_t id_begin = header_bytes + 2, id_end = id_begin + 16;

bool ours(const Config& config, unsigned slot, ByteView stored) {
  const ByteView covered = stored.first(stored.size() - signature_bytes);
  crypt::Signature signature{};
  std::copy(stored.end() - signature_bytes, stored.end(), signature.begin());
  const std::string name = key_path(slot);
  const SignedObject signed_object{key_context, config.repository, name, crypt::sha256(covered)};
  return verify(config.root_verify_key, signed_object, signature).has_value();
}

// Names another repository, and is none of ours whose id alone was damaged.
bool of_another_repository(const Config& config, unsigned slot, ByteView stored) {
  const auto head = header(ObjectType::key);
  if (stored.size() < id_end + signature_bytes ||
      !std::equal(head.begin(), head.end(), stored.begin()))
    return false;
  if (stored[header_bytes] != 1 || stored[header_bytes + 1] != config.repository.size())
    return false;
  const ByteView id = stored.subspan(id_begin, config.repository.size());
  if (std::equal(id.begin(), id.end(), config.repository.begin())) return false;
  Bytes mended(stored.begin(), stored.end());
  std::copy(config.repository.begin(), config.repository.end(), mended.begin() + id_begin);
  return !ours(config, slot, mended);
}

tl::unexpected<Error> wrong_key() {
  return fail(Error::Kind::denied, "no key of the repository opens with what was given",
              "check the passphrase or the identity file", Error::Code::wrong_key);
}

}  // namespace

std::string key_path(unsigned slot) { return fmt::format("keys/{:02}", slot); }

Result<Bytes> make_key_object(const KeyTree& keys, const crypt::Key& root_secret,
                              const KeyRequest& request, Random& random) {
  const auto* passphrase = std::get_if<Passphrase>(&request.key);
  const auto* recipient = std::get_if<AgeRecipient>(&request.key);
  if (passphrase != nullptr && passphrase->text.empty()) {
    return fail(Error::Kind::invalid, "the passphrase is empty");
  }
  if (recipient != nullptr) TRY_DO(crypt::age::check_recipient(recipient->text));
  KeyObject object;
  object.cost = request.cost;
  object.salt = random.array<16>();
  Writer writer;
  writer.message(1, keys.repository);
  writer.uint(2, request.slot);
  writer.uint(3, passphrase != nullptr ? kind_passphrase : kind_age);
  writer.text(4, recipient != nullptr ? recipient->text : request.label);
  writer.sint(5, request.created.ns);
  if (passphrase != nullptr) {
    Writer cost;
    cost.uint(1, request.cost.memory_bytes);
    cost.uint(2, request.cost.passes);
    cost.message(3, object.salt);
    writer.message(6, cost.view());
  }
  object.covered = writer.view();
  TRY(const Bytes wrapped, wrap_root(keys, root_secret, request, object, random));
  writer.bytes(7, wrapped);
  if (recipient != nullptr) writer.text(tag_age_label, request.label);

  const auto head = header(ObjectType::key);
  Bytes stored(head.begin(), head.end());
  append(stored, writer.view());
  const std::string name = key_path(request.slot);
  append(stored, sign(keys.root, {key_context, keys.repository, name, crypt::sha256(stored)}));
  return stored;
}

Result<KeyObject> decode_key_object(const Config& config, unsigned slot, ByteView stored) {
  if (stored.size() < header_bytes + signature_bytes) return broken(slot, "is cut short");
  const std::string name = key_path(slot);
  const auto expected = header(ObjectType::key);
  if (!std::equal(expected.begin(), expected.end(), stored.begin()) ||
      !ours(config, slot, stored)) {
    return broken(slot, "its signature does not fit its bytes");
  }

  const ByteView message =
      stored.subspan(header_bytes, stored.size() - header_bytes - signature_bytes);
  Fields fields(message);
  KeyObject object;
  if (fields.array<16>(1) != config.repository) fields.refuse("is of another repository");
  if (fields.uint(2) != slot) fields.refuse("names another slot");
  object.about.slot = slot;
  const std::uint64_t kind = fields.uint(3);
  object.passphrase = kind == kind_passphrase;
  object.about.kind = object.passphrase ? "passphrase" : kind == kind_age ? "age" : "unknown";
  const bool age = kind == kind_age;
  (age ? object.about.recipient : object.about.label) = fields.text(4);
  object.about.created.ns = fields.sint(5);
  if (const auto encoded = fields.message(6)) {
    Fields cost(*encoded);
    object.cost.memory_bytes = cost.uint(1);
    const std::uint64_t passes = cost.uint(2);
    if (passes > UINT32_MAX) cost.refuse("holds a number that is too large");
    object.cost.passes = static_cast<std::uint32_t>(passes);
    object.salt = cost.array<16>(3);
    TRY_DO(cost.done(name + ": cost"));
  }
  const ByteView wrapped = fields.bytes(7);
  object.wrapped.assign(wrapped.begin(), wrapped.end());
  if (age) object.about.label = fields.text(tag_age_label);
  TRY_DO(fields.done(name + ":"));
  if (wrapped.empty()) return broken(slot, "wraps nothing");
  // What the wrapping is bound to ends before the field of the wrapped secret.
  Writer field;
  field.bytes(7, wrapped);
  const std::ptrdiff_t end = wrapped.data() + wrapped.size() - message.data();
  const ByteView aad = message.first(static_cast<std::size_t>(end) - field.view().size());
  object.covered.assign(aad.begin(), aad.end());
  return object;
}

Result<std::optional<StoredKey>> stored_key(const Operation& op, store::Store& store,
                                            const Config& config, unsigned slot) {
  auto stored = store.get(op, key_path(slot));
  if (!stored && stored.error().kind == Error::Kind::not_found) return std::optional<StoredKey>();
  if (!stored) return wrap(std::move(stored).error(), key_path(slot));
  const bool foreign = of_another_repository(config, slot, *stored);
  return std::optional<StoredKey>({*std::move(stored), !foreign});
}

Result<unsigned> put_key(const Operation& op, store::Store& store, unsigned from,
                         const MakeKeyObject& make) {
  for (unsigned slot = from; slot < key_slots; ++slot) {
    const auto size = store.size(op, key_path(slot));
    if (size) continue;
    if (size.error().kind != Error::Kind::not_found) return fail(size.error());
    TRY(const Bytes object, make(slot));
    TRY(const store::Put put, store.put(op, key_path(slot), object));
    if (put == store::Put::created) return slot;  // else somebody adds one at the same time
  }
  return fail(Error::Kind::invalid, "all 64 keys are taken", "remove one first");
}

Result<crypt::Key> unwrap(const Config& config, const KeyObject& object, const Unlock& unlock) {
  Bytes plain;
  if (const auto* passphrase = std::get_if<Passphrase>(&unlock)) {
    if (!object.passphrase) return wrong_key();
    if (!cost_allowed(object.cost, config.cheap_passphrase)) {
      return fail(Error::Kind::invalid,
                  key_path(object.about.slot) + ": its passphrase cost is out of bounds",
                  "such a key was not made by lifeboat; unlock with another one");
    }
    TRY(const crypt::Key key, key_from_passphrase(passphrase->text, object, config.repository));
    auto opened = crypt::open(key, crypt::Nonce{}, object.covered, object.wrapped);
    if (!opened) return wrong_key();
    plain = *std::move(opened);
  } else {
    if (object.about.kind != "age") return wrong_key();
    TRY(const auto identities, crypt::age::identities_in(std::get<Identity>(unlock).text));
    TRY(plain, crypt::age::unwrap(identities, object.wrapped));
  }
  if (plain.size() != 32) return broken(object.about.slot, "wraps something else than a root key");
  const crypt::Key root(std::span<const std::uint8_t, 32>(plain.data(), 32));
  std::fill(plain.begin(), plain.end(), std::uint8_t{0});
  return root;
}

Result<crypt::Key> unlock_root(const Operation& op, store::Store& store, const Config& config,
                               const Unlock& unlock) {
  if (const auto* identity = std::get_if<Identity>(&unlock)) {
    TRY_DO(crypt::age::identities_in(identity->text));  // says which line is wrong
  }
  std::optional<Error> first_trouble;
  int own = 0, strangers = 0;
  for (unsigned slot = 0; slot < key_slots; ++slot) {
    TRY_DO(op.proceed());
    TRY(const auto stored, stored_key(op, store, config, slot));
    strangers += stored && !stored->ours ? 1 : 0;
    if (!stored || !stored->ours) continue;
    ++own;
    const auto object = decode_key_object(config, slot, stored->bytes);
    const auto root = object ? unwrap(config, *object, unlock)
                             : Result<crypt::Key>(tl::unexpected<Error>(object.error()));
    if (root && !prove_config(config, KeyTree::derive(*root, config.repository))) {
      return broken(slot, "holds the root of another repository");
    }
    if (root) return root;
    const Error& error = root.error();
    if (error.kind == Error::Kind::unavailable) return fail(error);
    if (error.code != Error::Code::wrong_key && !first_trouble) first_trouble = error;
  }
  if (first_trouble) return fail(*first_trouble);
  if (own > 0 || strangers == 0) return wrong_key();
  return fail(Error::Kind::corrupt, "config: every key here is of another repository",
              "config or keys were exchanged: fetch both from a second copy",
              Error::Code::integrity);
}

Result<std::vector<KeyObject>> read_keys(const Operation& op, store::Store& store,
                                         const Config& config) {
  std::vector<KeyObject> objects;
  for (unsigned slot = 0; slot < key_slots; ++slot) {
    TRY_DO(op.proceed());
    TRY(const auto stored, stored_key(op, store, config, slot));
    if (!stored || !stored->ours) continue;
    TRY(KeyObject object, decode_key_object(config, slot, stored->bytes));
    objects.push_back(std::move(object));
  }
  return objects;
}

}  // namespace lifeboat::repo
