#include "repo/wire.h"

#include <algorithm>

#include "base/guard.h"

namespace lifeboat::repo {
namespace {

constexpr std::uint32_t first_optional_tag = 64;

std::uint64_t zigzag(std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  return (bits << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

std::int64_t unzigzag(std::uint64_t value) {
  return static_cast<std::int64_t>((value >> 1) ^ ((value & 1) != 0 ? UINT64_MAX : 0));
}

void append_little_endian(Bytes& to, std::uint64_t value, int width) {
  for (int i = 0; i < width; ++i) to.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}

}  // namespace

void append_varint(Bytes& to, std::uint64_t value) {
  while (value >= 0x80) {
    to.push_back(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7;
  }
  to.push_back(static_cast<std::uint8_t>(value));
}

std::optional<std::uint64_t> take_varint(ByteView& from) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < 10 && i < from.size(); ++i) {
    const std::uint8_t byte = from[i];
    if (i == 9 && byte > 1) return std::nullopt;  // beyond 64 bits
    value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
    if ((byte & 0x80) != 0) continue;
    if (byte == 0 && i > 0) return std::nullopt;  // not the shortest form
    from = from.subspan(i + 1);
    return value;
  }
  return std::nullopt;
}

void append_u16(Bytes& to, std::uint16_t value) { append_little_endian(to, value, 2); }
void append_u32(Bytes& to, std::uint32_t value) { append_little_endian(to, value, 4); }
void append_u64(Bytes& to, std::uint64_t value) { append_little_endian(to, value, 8); }

std::uint32_t read_u32(const std::uint8_t* at) {
  std::uint32_t value = 0;
  for (unsigned i = 0; i < 4; ++i) value |= static_cast<std::uint32_t>(at[i]) << (8 * i);
  return value;
}

void Writer::message(std::uint32_t tag, ByteView encoded) {
  ASSERT(tag > 0 && tag >= last_);
  last_ = tag;
  append_varint(out_, tag);
  append_varint(out_, encoded.size());
  append(out_, encoded);
}

void Writer::bytes(std::uint32_t tag, ByteView value) {
  if (!value.empty()) message(tag, value);
}

void Writer::uint(std::uint32_t tag, std::uint64_t value) {
  if (value == 0) return;
  Bytes encoded;
  append_varint(encoded, value);
  message(tag, encoded);
}

void Writer::sint(std::uint32_t tag, std::int64_t value) { uint(tag, zigzag(value)); }

void Writer::id(std::uint32_t tag, const std::optional<Id>& value) {
  if (value) id(tag, *value);
}

void Writer::map(std::uint32_t tag, const std::map<std::string, std::string>& entries) {
  for (const auto& [key, value] : entries) {
    Writer entry;
    entry.text(1, key);
    entry.text(2, value);
    message(tag, entry.view());
  }
}

void Fields::refuse(std::string_view why) {
  if (failed_) return;
  failed_ = true;
  why_ = why;
  tag_ = 0;
  rest_ = {};
}

// Brings the next field to the front.
void Fields::advance() {
  if (rest_.empty()) {
    tag_ = 0;
    return;
  }
  const auto tag = take_varint(rest_);
  const auto length = tag ? take_varint(rest_) : std::nullopt;
  if (!length || *tag == 0 || *tag > UINT32_MAX || *tag < tag_ || *length > rest_.size()) {
    refuse("fields are not well-formed");
    return;
  }
  tag_ = static_cast<std::uint32_t>(*tag);
  value_ = rest_.first(static_cast<std::size_t>(*length));
  rest_ = rest_.subspan(value_.size());
}

// True when the field `tag` is in front; passes over optional ones before it.
bool Fields::seek(std::uint32_t tag) {
  while (tag_ != 0 && tag_ < tag) {
    if (tag_ < first_optional_tag) {
      newer_ = true;
      refuse("holds a field that this version does not know");
      return false;
    }
    advance();
  }
  return tag_ == tag;
}

std::optional<ByteView> Fields::message(std::uint32_t tag) {
  if (!seek(tag)) return std::nullopt;
  const ByteView value = value_;
  advance();
  return value;
}

ByteView Fields::bytes(std::uint32_t tag) {
  const auto value = message(tag);
  if (value && value->empty()) refuse("writes out an empty value");
  return value.value_or(ByteView{});
}

std::optional<std::uint64_t> Fields::number(std::uint32_t tag) {
  auto value = message(tag);
  if (!value) return std::nullopt;
  const auto number = take_varint(*value);
  if (!number || *number == 0 || !value->empty()) {
    refuse("holds a number that is not well-formed");
    return std::nullopt;
  }
  return number;
}

std::uint64_t Fields::uint(std::uint32_t tag) { return number(tag).value_or(0); }
std::int64_t Fields::sint(std::uint32_t tag) { return unzigzag(number(tag).value_or(0)); }

bool Fields::flag(std::uint32_t tag) {
  const std::uint64_t value = uint(tag);
  if (value > 1) refuse("holds a flag that is not 1");
  return value == 1;
}

void Fields::copy(std::uint32_t tag, std::span<std::uint8_t> out) {
  const auto value = message(tag);
  if (!value || value->size() != out.size()) {
    refuse("lacks a field, or has it in the wrong size");
    return;
  }
  std::memcpy(out.data(), value->data(), out.size());
}

Id Fields::id(std::uint32_t tag) {
  Id id;
  copy(tag, id.bytes);
  return id;
}

std::optional<Id> Fields::optional_id(std::uint32_t tag) {
  if (failed_ || !seek(tag)) return std::nullopt;
  return id(tag);
}

std::map<std::string, std::string> Fields::map(std::uint32_t tag) {
  std::map<std::string, std::string> entries;
  while (const auto encoded = message(tag)) {
    Fields entry(*encoded);
    std::string key = entry.text(1);
    std::string value = entry.text(2);
    const bool ascending = entries.empty() || entries.rbegin()->first < key;
    // Nothing else may stand in an entry: whoever copies a map could not keep it.
    Writer same;
    same.text(1, key);
    same.text(2, value);
    const bool exact = std::ranges::equal(same.view(), *encoded);
    if (!entry.done("") || !ascending || !exact) {
      refuse("holds a map that is not well-formed");
      break;
    }
    entries.emplace_hint(entries.end(), std::move(key), std::move(value));
  }
  return entries;
}

Result<void> Fields::done(std::string_view what) {
  seek(UINT32_MAX);
  while (!failed_ && tag_ != 0) advance();  // the one tag that seek() cannot pass: the highest
  if (!failed_) return {};
  if (newer_) {
    return fail(Error::Kind::invalid, std::string(what) + " " + why_,
                "use the newest lifeboat: a later version wrote this repository",
                Error::Code::version_too_new);
  }
  return fail(Error::Kind::corrupt, std::string(what) + " " + why_);
}

}  // namespace lifeboat::repo
