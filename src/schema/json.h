// schema/json.h - Values to and from JSON, canonical and bounded.
//
// nlohmann/json does the work behind this header. Writing is canonical (keys sorted, no white space
// unless asked), so equal values give equal bytes; a tainted value is written as "***" unless the
// caller says Secrets::reveal, which only the vault and a child's own input may do.
// Bytes that are not UTF-8 cannot be JSON: use text_or_base64() for names from the outside.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "schema/value.h"

namespace lifeboat {

enum class Secrets { mask, reveal };

std::string to_json(const Value& value, Secrets secrets = Secrets::mask);
std::string to_pretty_json(const Value& value, Secrets secrets = Secrets::mask);

struct JsonLimits {
  std::size_t depth = 64;
  std::size_t size_bytes = 64u << 20;
};
// Errors: invalid, with the byte position; duplicate keys, excess depth and size, lone surrogates
// and numbers that no double holds are errors too.
Result<Value> parse_json(std::string_view text, const JsonLimits& limits = {});

// Sets `key` to the text; where it is not UTF-8, to its printable() form and `key_bytes` to base64.
void set_text_or_base64(Value& map, const std::string& key, std::string_view text);

}  // namespace lifeboat
