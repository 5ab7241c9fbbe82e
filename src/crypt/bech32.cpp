#include "crypt/bech32.h"

#include <algorithm>
#include <array>
#include <optional>

namespace lifeboat::crypt {
namespace {

constexpr std::string_view alphabet = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";
constexpr std::size_t checksum_length = 6;

// The checksum of BIP 173: a BCH code over GF(32).
std::uint32_t polymod(const Bytes& values) {
  constexpr std::array<std::uint32_t, 5> generator{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd,
                                                   0x2a1462b3};
  std::uint32_t sum = 1;
  for (const std::uint8_t value : values) {
    const std::uint32_t top = sum >> 25;
    sum = (sum & 0x1ffffff) << 5 ^ value;
    for (std::size_t i = 0; i < generator.size(); ++i) {
      if ((top >> i & 1) != 0) sum ^= generator[i];
    }
  }
  return sum;
}

Bytes expand(std::string_view prefix) {
  Bytes out;
  for (const char c : prefix) out.push_back(static_cast<std::uint8_t>(c) >> 5);
  out.push_back(0);
  for (const char c : prefix) out.push_back(static_cast<std::uint8_t>(c) & 31);
  return out;
}

// Regroups bits, `from` at a time into `to` at a time. nullopt: the padding is not as it must be.
std::optional<Bytes> regroup(ByteView in, unsigned from, unsigned to, bool pad) {
  Bytes out;
  std::uint32_t bits = 0;
  unsigned count = 0;
  for (const std::uint8_t value : in) {
    bits = (bits << from | value) & 0xffff;
    count += from;
    while (count >= to) {
      count -= to;
      out.push_back(static_cast<std::uint8_t>(bits >> count & ((1u << to) - 1)));
    }
  }
  if (pad && count > 0) {
    out.push_back(static_cast<std::uint8_t>(bits << (to - count) & ((1u << to) - 1)));
  } else if (!pad && (count >= from || (bits & ((1u << count) - 1)) != 0)) {
    return std::nullopt;
  }
  return out;
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::string bech32_encode(std::string_view prefix, ByteView bytes) {
  Bytes values = *regroup(bytes, 8, 5, true);
  Bytes summed = expand(prefix);
  append(summed, values);
  summed.resize(summed.size() + checksum_length);
  const std::uint32_t sum = polymod(summed) ^ 1;
  for (unsigned i = 0; i < checksum_length; ++i) {
    values.push_back(static_cast<std::uint8_t>(sum >> 5 * (5 - i) & 31));
  }
  std::string out = std::string(prefix) + "1";
  for (const std::uint8_t value : values) out += alphabet[value];
  return out;
}

Result<Bech32> bech32_decode(std::string_view text) {
  const auto bad = [](const char* why) {
    return fail(Error::Kind::invalid, std::string("not a key: ") + why);
  };
  const bool has_lower = std::ranges::any_of(text, [](char c) { return c >= 'a' && c <= 'z'; });
  const bool has_upper = std::ranges::any_of(text, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (has_lower && has_upper) return bad("upper and lower case are mixed");
  std::string folded(text);
  std::ranges::transform(folded, folded.begin(), lower);
  const std::size_t separator = folded.rfind('1');
  if (separator == std::string::npos || separator == 0 ||
      folded.size() - separator - 1 < checksum_length) {
    return bad("it is too short");
  }
  Bech32 decoded{.prefix = folded.substr(0, separator), .bytes = {}};
  if (!std::ranges::all_of(decoded.prefix, [](char c) { return c >= 33 && c <= 126; })) {
    return bad("a character that may not stand in it");
  }
  Bytes values;
  for (const char c : folded.substr(separator + 1)) {
    const std::size_t at = alphabet.find(c);
    if (at == std::string_view::npos) return bad("a character that may not stand in it");
    values.push_back(static_cast<std::uint8_t>(at));
  }
  Bytes summed = expand(decoded.prefix);
  append(summed, values);
  if (polymod(summed) != 1) return bad("its checksum is wrong: is a character mistyped?");
  auto bytes = regroup(ByteView(values).first(values.size() - checksum_length), 5, 8, false);
  if (!bytes) return bad("its padding is wrong");
  decoded.bytes = *std::move(bytes);
  return decoded;
}

}  // namespace lifeboat::crypt
