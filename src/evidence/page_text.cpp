#include "evidence/page_text.h"

#include <fmt/format.h>

#include <array>

#include "base/bytes.h"
#include "run/text.h"

namespace lifeboat::evidence {
namespace {

// First and last of each range; all take three bytes in UTF-8.
constexpr std::array<std::pair<unsigned, unsigned>, 5> unseen = {
    {{0x200B, 0x200F}, {0x2028, 0x202E}, {0x2060, 0x206F}, {0xFEFF, 0xFEFF}, {0xFFF9, 0xFFFB}}};

bool is_unseen(unsigned code) {
  for (const auto& [first, last] : unseen) {
    if (code >= first && code <= last) return true;
  }
  return false;
}

}  // namespace

std::string visible(std::string_view text) {
  const std::string plain = printable(text);  // well-formed from here on
  std::string out;
  for (std::size_t at = 0; at < plain.size();) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(plain[at + i]); };
    if (byte(0) < 0xE0 || byte(0) > 0xEF) {
      out += plain[at++];
      continue;
    }
    const unsigned code = (byte(0) & 0x0Fu) << 12 | (byte(1) & 0x3Fu) << 6 | (byte(2) & 0x3Fu);
    out += is_unseen(code) ? fmt::format("\\u{:04x}", code) : plain.substr(at, 3);
    at += 3;
  }
  return out;
}

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : visible(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string markdown_text(std::string_view text) { return run::markdown(visible(text)); }

}  // namespace lifeboat::evidence
