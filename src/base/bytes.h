// base/bytes.h - Byte strings, their text forms (hex, base64), and 32-byte ids.
//
// hex and base64 are libsodium's; text forms are for people, JSON and object names only.
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lifeboat {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline Bytes to_bytes(std::string_view text) {
  const ByteView view = as_bytes(text);
  return {view.begin(), view.end()};
}
inline void append(Bytes& to, ByteView bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); }

std::string to_hex(ByteView bytes);                       // lower case
std::optional<Bytes> from_hex(std::string_view text);     // nullopt: not hex, or an odd length
std::string to_base64(ByteView bytes);                    // standard alphabet, padded
std::optional<Bytes> from_base64(std::string_view text);  // strict: padded, no white space

// True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view text);
// For terminals and Markdown: control characters, escape sequences and bytes that are not UTF-8
// become \xNN, so that a hostile name cannot speak to the terminal.
std::string printable(std::string_view text);
// As one word of a POSIX shell: quoted where it must be.
std::string shell_word(std::string_view text);

// A 32-byte name: keyed ids of blobs, hashes, snapshots.
struct Id {
  std::array<std::uint8_t, 32> bytes{};
  auto operator<=>(const Id&) const = default;
  ByteView view() const { return bytes; }
  std::string hex() const { return to_hex(bytes); }
  // The first 12 hex digits: what people read and type.
  std::string brief() const { return hex().substr(0, 12); }
  static std::optional<Id> from(ByteView view) {
    if (view.size() != 32) return std::nullopt;
    Id id;
    std::memcpy(id.bytes.data(), view.data(), 32);
    return id;
  }
};

}  // namespace lifeboat

template <>
struct std::hash<lifeboat::Id> {
  std::size_t operator()(const lifeboat::Id& id) const noexcept {
    std::size_t word = 0;  // ids are uniform already
    std::memcpy(&word, id.bytes.data(), sizeof word);
    return word;
  }
};
