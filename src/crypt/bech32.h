// crypt/bech32.h - Text form of age's keys: Bech32 (BIP 173) without its 90 character limit.
//
// Debian has no library for it. Pure functions; threads: any.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace lifeboat::crypt {

// Lower case. `prefix` is the human-readable part ("age").
std::string bech32_encode(std::string_view prefix, ByteView bytes);

struct Bech32 {
  std::string prefix;  // lower case
  Bytes bytes;
};
// Errors: invalid (characters, mixed case, checksum, padding).
Result<Bech32> bech32_decode(std::string_view text);

}  // namespace lifeboat::crypt
