// repo/wire.h - Messages: the one canonical encoding of everything structured in a repository.
//
// A message is a sequence of fields (tag, length, bytes) with ascending tags. There is exactly one
// encoding of a value, so what decodes re-encodes to the same bytes, and signatures and ids can
// stand on stored bytes. Decoding allocates nothing beyond the input's own size.
//
// Reading is sequential: ask for the fields in ascending order of tags, then done(). Failures are
// sticky, getters answer defaults after one, and done() tells. Unknown tags below 64 refuse with
// version_too_new; those from 64 on are passed over.
//
// Threads: none shared.  Source: docs/format.md, 1.1.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace lifeboat::repo {

void append_varint(Bytes& to, std::uint64_t value);
// Takes one minimal varint off the front of `from`; nullopt: not one.
std::optional<std::uint64_t> take_varint(ByteView& from);

void append_u16(Bytes& to, std::uint16_t value);
void append_u32(Bytes& to, std::uint32_t value);
void append_u64(Bytes& to, std::uint64_t value);
std::uint32_t read_u32(const std::uint8_t* at);

// Writes fields in ascending order of tags (ASSERT). Zero and empty values are left out, except
// by id() and message().
class Writer {
 public:
  void uint(std::uint32_t tag, std::uint64_t value);
  void sint(std::uint32_t tag, std::int64_t value);
  void flag(std::uint32_t tag, bool value) { uint(tag, value ? 1 : 0); }
  void bytes(std::uint32_t tag, ByteView value);
  void text(std::uint32_t tag, std::string_view value) { bytes(tag, as_bytes(value)); }
  void id(std::uint32_t tag, const Id& value) { message(tag, value.view()); }
  void id(std::uint32_t tag, const std::optional<Id>& value);
  // Written even when empty; may be repeated.
  void message(std::uint32_t tag, ByteView encoded);
  void map(std::uint32_t tag, const std::map<std::string, std::string>& entries);

  const Bytes& view() const { return out_; }
  Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
  std::uint32_t last_ = 0;
};

class Fields {
 public:
  explicit Fields(ByteView message) : rest_(message) { advance(); }

  std::uint64_t uint(std::uint32_t tag);
  std::int64_t sint(std::uint32_t tag);
  bool flag(std::uint32_t tag);
  ByteView bytes(std::uint32_t tag);  // empty when absent
  std::string text(std::uint32_t tag) { return std::string(as_text(bytes(tag))); }
  Id id(std::uint32_t tag);  // required
  std::optional<Id> optional_id(std::uint32_t tag);
  // One nested message, or the next of a repeated one; nullopt: no (more).
  std::optional<ByteView> message(std::uint32_t tag);
  std::map<std::string, std::string> map(std::uint32_t tag);
  template <std::size_t N>
  std::array<std::uint8_t, N> array(std::uint32_t tag) {  // required
    std::array<std::uint8_t, N> out{};
    copy(tag, out);
    return out;
  }

  // What the message says may not be: a failure of the caller's own checks, told by done().
  void refuse(std::string_view why);
  bool failed() const { return failed_; }
  // Errors: corrupt, or invalid (version_too_new), beginning with `what`.
  Result<void> done(std::string_view what);

 private:
  void advance();
  bool seek(std::uint32_t tag);
  void copy(std::uint32_t tag, std::span<std::uint8_t> out);
  std::optional<std::uint64_t> number(std::uint32_t tag);

  ByteView rest_;
  ByteView value_;
  std::uint32_t tag_ = 0;  // of the field in front; 0: none
  bool failed_ = false, newer_ = false;
  std::string why_;
};

}  // namespace lifeboat::repo
