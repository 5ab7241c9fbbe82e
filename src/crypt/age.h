// crypt/age.h - The age v1 file format with X25519 recipients, interoperable with the age program.
//
// Used to wrap small things (the root secret of a repository, at most 64 KiB) for people's keys:
// `age -d -i key.txt` opens what wrap() made, and unwrap() opens what `age -r` made.
// Source: the age v1 specification (C2SP), binary form only; Bech32 of BIP 173.
// Threads: any.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"

namespace lifeboat::crypt::age {

// A new identity: its secret text ("AGE-SECRET-KEY-1...") and its recipient ("age1...").
struct NewIdentity {
  Secret identity;
  std::string recipient;
};
NewIdentity new_identity(Random& random);

// The recipient of an identity.  Errors: invalid.
Result<std::string> recipient_of(const Secret& identity);
// All identities in the text of an identity file (comments and blank lines are passed over).
// Errors: invalid, with the line; a file encrypted by passphrase or of another kind says so.
Result<std::vector<Secret>> identities_in(const Secret& file_text);
// Errors: invalid ("not an age recipient").
Result<void> check_recipient(std::string_view recipient);

Result<Bytes> wrap(const std::vector<std::string>& recipients, ByteView plain, Random& random);
// Errors: denied with code wrong_key when none of the identities opens it; corrupt.
Result<Bytes> unwrap(const std::vector<Secret>& identities, ByteView file);

}  // namespace lifeboat::crypt::age
