#include "repo/config.h"

#include <algorithm>
#include <optional>

#include "repo/wire.h"

namespace lifeboat::repo {
namespace {

constexpr std::string_view config_context = "lifeboat/v1/config";

Bytes encode_epoch(const Config& config) {
  Writer epoch;
  epoch.message(2, config.data_public_key);
  epoch.message(3, config.root_verify_key);
  return epoch.take();
}

Bytes encode_chunker(const ChunkerParameters& chunker) {
  Writer writer;
  writer.uint(1, chunker.least);
  writer.uint(2, chunker.average);
  writer.uint(3, chunker.most);
  writer.uint(4, chunker.fixed);
  writer.uint(5, chunker.small_limit);
  writer.uint(6, chunker.aggregate);
  return writer.take();
}

Result<ChunkerParameters> decode_chunker(ByteView message) {
  Fields fields(message);
  ChunkerParameters it;
  it.least = fields.uint(1);
  it.average = fields.uint(2);
  it.most = fields.uint(3);
  it.fixed = fields.uint(4);
  it.small_limit = fields.uint(5);
  it.aggregate = fields.uint(6);
  constexpr std::uint64_t zero_run = 64u << 10, ceiling = 16u << 20;
  const bool ordered =
      it.least >= 128 && it.least <= it.average && it.average <= it.most && it.most <= ceiling;
  const bool fits = it.fixed >= zero_run && it.fixed % zero_run == 0 && it.fixed <= ceiling &&
                    it.small_limit <= it.least && it.aggregate <= ceiling / 2;
  if (!ordered || !fits) fields.refuse("has sizes that make no sense");
  TRY_DO(fields.done("chunker in config"));
  return it;
}

Result<void> decode_epoch(ByteView message, Config& config) {
  Fields fields(message);
  if (fields.uint(1) != 0) fields.refuse("has no epoch 0");
  config.data_public_key = fields.array<32>(2);
  config.root_verify_key = fields.array<32>(3);
  return fields.done("epoch in config");
}

// The few fields whose meaning no version changes, read without looking at any other, so that
// damage is found, and the needed version named, before the rest is understood.
struct Lasting {
  std::uint64_t version = 0, required_features = 0;
  VerifyKey root_verify_key{};
  std::string needs;
};

std::optional<Lasting> read_lasting(ByteView message) {
  Lasting lasting;
  bool has_key = false;
  while (!message.empty()) {
    const auto tag = take_varint(message);
    const auto length = tag ? take_varint(message) : std::nullopt;
    if (!length || *length > message.size()) return std::nullopt;
    ByteView value = message.first(static_cast<std::size_t>(*length));
    message = message.subspan(value.size());
    if (*tag == 2) lasting.version = take_varint(value).value_or(0);
    if (*tag == 3) lasting.required_features = take_varint(value).value_or(0);
    if (*tag == 10) lasting.needs = as_text(value);
    if (*tag != 6 || has_key) continue;
    Config epoch;
    if (!decode_epoch(value, epoch)) return std::nullopt;
    lasting.root_verify_key = epoch.root_verify_key;
    has_key = true;
  }
  return has_key ? std::optional(lasting) : std::nullopt;
}

tl::unexpected<Error> damaged(std::string_view how) {
  return fail(Error::Kind::corrupt, "config: " + std::string(how),
              "fetch the object `config` from a second copy of the repository",
              Error::Code::integrity);
}

}  // namespace

Bytes encode_config(const Config& config, const crypt::SigningKey& root) {
  Writer writer;
  writer.message(1, config.repository);
  writer.uint(2, config.version);
  writer.uint(3, config.required_features);
  writer.uint(4, config.optional_features);
  writer.sint(5, config.created.ns);
  writer.message(6, encode_epoch(config));
  for (const Certificate& certificate : config.writers) writer.message(7, encode(certificate));
  writer.uint(8, config.pack_target_bytes);
  writer.message(9, encode_chunker(config.chunker));
  writer.text(10, config.needs);
  writer.flag(11, config.cheap_passphrase);

  const auto head = header(ObjectType::config);
  Bytes object(head.begin(), head.end());
  append(object, writer.view());
  append(object, crypt::sign(root, config_context, crypt::sha256(object).view()));
  return object;
}

Result<Config> decode_config(ByteView object) {
  if (object.size() < header_bytes + signature_bytes) return damaged("is too short");
  const ByteView covered = object.first(object.size() - signature_bytes);
  const ByteView message = covered.subspan(header_bytes);
  crypt::Signature signature{};
  std::copy(object.end() - signature_bytes, object.end(), signature.begin());

  const auto lasting = read_lasting(message);
  if (!lasting) return damaged("is not well-formed");
  const auto expected = header(ObjectType::config);
  const bool same_kind = std::equal(expected.begin(), expected.begin() + 5, object.begin());
  if (!same_kind || !crypt::verify(lasting->root_verify_key, config_context,
                                   crypt::sha256(covered).view(), signature)) {
    return damaged("its signature does not fit its bytes");
  }
  if (object[5] != expected[5] || lasting->version != 1 || lasting->required_features != 0) {
    return fail(Error::Kind::invalid,
                "the repository is of a newer format; it needs " +
                    (lasting->needs.empty() ? "a newer version" : printable(lasting->needs)),
                "install that version or a later one", Error::Code::version_too_new);
  }

  Fields fields(message);
  Config config;
  config.repository = fields.array<16>(1);
  config.version = fields.uint(2);
  config.required_features = fields.uint(3);
  config.optional_features = fields.uint(4);
  config.created.ns = fields.sint(5);
  if (const auto epoch = fields.message(6)) TRY_DO(decode_epoch(*epoch, config));
  while (const auto encoded = fields.message(7)) {
    TRY(Certificate certificate, decode_certificate(*encoded));
    config.writers.push_back(certificate);
  }
  config.pack_target_bytes = fields.uint(8);
  TRY(config.chunker, decode_chunker(fields.message(9).value_or(ByteView{})));
  config.needs = fields.text(10);
  config.cheap_passphrase = fields.flag(11);
  TRY_DO(fields.done("config"));
  config.stored_hash = crypt::sha256(object);
  return config;
}

Result<void> prove_config(const Config& config, const KeyTree& keys) {
  const bool ours = config.repository == keys.repository &&
                    config.root_verify_key == keys.root.verify_key &&
                    config.data_public_key == keys.data.public_key;
  if (!ours) return damaged("was not signed by the root of this key");
  for (const Certificate& certificate : config.writers) {
    if (!verify(certificate, keys)) return damaged("holds a certificate that is not the root's");
  }
  return {};
}

}  // namespace lifeboat::repo
