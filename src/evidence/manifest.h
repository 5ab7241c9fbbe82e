// evidence/manifest.h - What of a bundle is signed: name, size and SHA-256 of each file, and by
// whom; and the signatures.
//
// What is signed are the bytes of manifest.json, as SIGN(key, "lifeboat/v1/evidence",
// manifest.json) of docs/format.md. Who signs stands in the manifest itself, so nobody can be taken
// off or put on. signatures.json holds one signature for each of them, in their order, and the
// digest of the manifest, which tells a damaged manifest from damaged signatures. Both files are
// canonical JSON: there is exactly one way to write them.
//
// Threads: pure functions.  Source: docs/format.md, "Evidence".
#pragma once

#include <string>
#include <vector>

#include "evidence/evidence.h"

namespace lifeboat::evidence {

inline constexpr std::string_view signing_context = "lifeboat/v1/evidence";
inline constexpr std::string_view manifest_file = "manifest.json";
inline constexpr std::string_view signatures_file = "signatures.json";
inline constexpr std::int64_t manifest_version = 1;
inline constexpr std::string_view repository_role = "repository";
inline constexpr std::string_view operator_role = "operator";

struct SignerLine {
  std::string role;         // one of the two above; a reader refuses others
  std::string key;          // crypt::verify_key_text()
  std::string root;         // repository: the key that certified it
  std::string certificate;  // repository: base64 of the message (docs/format.md, "Certificate")
};

struct FileLine {
  std::string name, sha256;
  std::int64_t size = 0;
};

struct Manifest {
  std::string run, repository;  // repository: id, hex
  std::string made;             // RFC 3339
  std::vector<FileLine> files;  // by name
  std::vector<SignerLine> signers;
};

struct Signatures {
  std::string manifest;                 // SHA-256 of manifest.json, hex
  std::vector<std::string> of_signers;  // crypt::signature_text(), as Manifest::signers
};

Bytes encode(const Manifest& manifest);
Bytes encode(const Signatures& signatures);
// Errors: invalid with code version_too_new; corrupt: not canonical, or not what it should be.
Result<Manifest> decode_manifest(ByteView bytes);
Result<Signatures> decode_signatures(ByteView bytes);

// Adds manifest and signatures to the files.
void sign_files(Files& files, repo::Repository& repository, const Manifest& about,
                const std::optional<crypt::SigningKey>& operator_key);

// Whether the bytes are those that this text says, and the only ones that say it.
Result<Value> canonical_json(ByteView bytes);

}  // namespace lifeboat::evidence
