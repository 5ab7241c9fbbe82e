#include "evidence/manifest.h"

#include <fmt/format.h>

#include "crypt/operator_key.h"
#include "schema/json.h"

namespace lifeboat::evidence {
namespace {

constexpr std::size_t json_bytes_max = 256u << 20;

tl::unexpected<Error> not_ours(std::string what) {
  return fail(Error::Kind::corrupt, std::move(what), "", Error::Code::integrity);
}

Result<Value> document_of(ByteView bytes, std::string_view format, std::int64_t version) {
  TRY(Value value, canonical_json(bytes));
  if (!value.is(Value::Type::map) || value.text("format") != format) {
    return not_ours(fmt::format("it is no {}", format));
  }
  const std::int64_t found = value.at("version").is(Value::Type::integer)
                                 ? value.at("version").integer()
                                 : std::int64_t{0};
  if (found == version) return value;
  if (found < version) return not_ours(fmt::format("it has version {}, which there is not", found));
  return fail(
      Error::Kind::invalid, fmt::format("it has version {}, this program knows {}", found, version),
      "use the Lifeboat version that made it, or a newer one", Error::Code::version_too_new);
}

SignerLine signer_from(const Value& value) {
  return {value.text("role"), value.text("key"), value.text("root"), value.text("certificate")};
}

FileLine file_from(const Value& value) {
  return {value.text("name"), value.text("sha256"), value.integer("size", -1)};
}

const Value::List& items(const Value& value) {
  static const Value::List none;
  return value.is(Value::Type::list) ? value.list() : none;
}

}  // namespace

Result<Value> canonical_json(ByteView bytes) {
  auto value = parse_json(as_text(bytes), {64, json_bytes_max});
  if (!value) return not_ours("it cannot be read: " + value.error().what);
  if (to_json(*value) != as_text(bytes)) return not_ours("its bytes are not canonical JSON");
  return *std::move(value);
}

Bytes encode(const Manifest& manifest) {
  Value value;
  value.set("format", "lifeboat-evidence-manifest");
  value.set("version", manifest_version);
  value.set("run", manifest.run);
  value.set("repository", manifest.repository);
  value.set("made", manifest.made);
  Value::List files, signers;
  for (const FileLine& file : manifest.files) {
    Value line;
    line.set("name", file.name);
    line.set("size", file.size);
    line.set("sha256", file.sha256);
    files.push_back(std::move(line));
  }
  for (const SignerLine& signer : manifest.signers) {
    Value line;
    line.set("role", signer.role);
    line.set("key", signer.key);
    if (!signer.root.empty()) line.set("root", signer.root);
    if (!signer.certificate.empty()) line.set("certificate", signer.certificate);
    signers.push_back(std::move(line));
  }
  value.set("files", std::move(files));
  value.set("signers", std::move(signers));
  return to_bytes(to_json(value));
}

Bytes encode(const Signatures& signatures) {
  Value value;
  value.set("format", "lifeboat-evidence-signatures");
  value.set("version", manifest_version);
  value.set("manifest", signatures.manifest);
  Value::List list;
  for (const std::string& signature : signatures.of_signers) list.emplace_back(signature);
  value.set("signatures", std::move(list));
  return to_bytes(to_json(value));
}

Result<Manifest> decode_manifest(ByteView bytes) {
  TRY(const Value value, document_of(bytes, "lifeboat-evidence-manifest", manifest_version));
  Manifest manifest{value.text("run"), value.text("repository"), value.text("made"), {}, {}};
  for (const Value& line : items(value.at("files"))) manifest.files.push_back(file_from(line));
  for (const Value& line : items(value.at("signers"))) {
    manifest.signers.push_back(signer_from(line));
  }
  // Nothing in it that is not understood: whatever stands in it was meant.
  if (encode(manifest) != Bytes(bytes.begin(), bytes.end())) {
    return not_ours("it holds something that does not belong there");
  }
  return manifest;
}

Result<Signatures> decode_signatures(ByteView bytes) {
  TRY(const Value value, document_of(bytes, "lifeboat-evidence-signatures", manifest_version));
  Signatures signatures{value.text("manifest"), {}};
  for (const Value& item : items(value.at("signatures"))) {
    if (item.is(Value::Type::string)) signatures.of_signers.push_back(item.string());
  }
  if (encode(signatures) != Bytes(bytes.begin(), bytes.end())) {
    return not_ours("it holds something that does not belong there");
  }
  return signatures;
}

void sign_files(Files& files, repo::Repository& repository, const Manifest& about,
                const std::optional<crypt::SigningKey>& operator_key) {
  Manifest manifest = about;
  for (const auto& [name, bytes] : files) {
    manifest.files.push_back(
        {name, crypt::sha256(bytes).hex(), static_cast<std::int64_t>(bytes.size())});
  }
  const repo::Signer signer = repository.signer();
  manifest.signers.push_back({std::string(repository_role), crypt::verify_key_text(signer.writer),
                              crypt::verify_key_text(signer.root), to_base64(signer.certificate)});
  if (operator_key) {
    manifest.signers.push_back(
        {std::string(operator_role), crypt::verify_key_text(operator_key->verify_key), "", ""});
  }
  const Bytes bytes = encode(manifest);
  Signatures signatures{crypt::sha256(bytes).hex(), {}};
  signatures.of_signers.push_back(crypt::signature_text(repository.sign(signing_context, bytes)));
  if (operator_key) {
    signatures.of_signers.push_back(
        crypt::signature_text(crypt::sign(*operator_key, signing_context, bytes)));
  }
  files[std::string(manifest_file)] = bytes;
  files[std::string(signatures_file)] = encode(signatures);
}

}  // namespace lifeboat::evidence
