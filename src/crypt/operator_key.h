// crypt/operator_key.h - A person's Ed25519 key: a PEM file (PKCS #8), as openssl makes and reads.
//
//   openssl genpkey -algorithm ed25519 -out alice.pem      makes one too
//   openssl pkey -in alice.pem -aes256 -out alice.pem      puts a passphrase on it
//
// The public half is written "ed25519:" and its 32 bytes in base64. What is signed with such a key
// can be verified by whoever has that text, without anything of ours.
//
// Threads: all functions from any thread.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/secret.h"
#include "crypt/crypt.h"

namespace lifeboat::crypt {

// The PEM text of a private key, without a passphrase: for a file of mode 0600.
Secret operator_key_to_pem(const SigningKey& key);
// `passphrase` is asked only when the key has one.  Errors: invalid (no PEM, another kind of key);
// denied with code wrong_key (the passphrase does not fit); those of `passphrase`.
Result<SigningKey> operator_key_from_pem(const Secret& pem,
                                         const std::function<Result<Secret>()>& passphrase);

using VerifyKey = std::array<std::uint8_t, 32>;
std::string verify_key_text(const VerifyKey& key);
std::optional<VerifyKey> verify_key_from(std::string_view text);

std::string signature_text(const Signature& signature);  // base64
std::optional<Signature> signature_from(std::string_view text);

}  // namespace lifeboat::crypt
