// Parts of lines that several types write.
#include <algorithm>
#include <cctype>
#include <chrono>

#include "base/bytes.h"
#include "steps/by_hand/by_hand.h"

namespace lifeboat::steps::by_hand {

std::string pointer(const std::vector<std::string>& path) {
  std::string text;
  for (const std::string& key : path) {
    text += '/';
    for (const char c : key)
      text += c == '~' ? std::string("~0") : c == '/' ? "~1" : std::string(1, c);
  }
  return text;
}

std::string url_part(const std::string& text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.' || c == '~') {
      encoded += c;
    } else {
      encoded += '%';
      encoded += digits[byte >> 4];
      encoded += digits[byte & 15];
    }
  }
  return encoded;
}

std::string seconds_of(const Value& config, std::string_view field, std::string_view fallback) {
  const auto time = parse_duration(config.text(field, fallback));
  const auto whole = std::chrono::ceil<std::chrono::seconds>(
      time.value_or(std::chrono::nanoseconds(std::chrono::seconds(1))));
  return std::to_string(std::max<std::int64_t>(whole.count(), 1));
}

}  // namespace lifeboat::steps::by_hand
