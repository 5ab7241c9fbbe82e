#include "schema/page_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/bytes.h"

namespace lifeboat {
namespace {

// First and last of each range: no width, no ink, or another direction for what follows.
constexpr std::array<std::pair<unsigned, unsigned>, 11> unseen = {{{0x00AD, 0x00AD},
                                                                   {0x061C, 0x061C},
                                                                   {0x115F, 0x1160},
                                                                   {0x180B, 0x180F},
                                                                   {0x200B, 0x200F},
                                                                   {0x2028, 0x202E},
                                                                   {0x2060, 0x206F},
                                                                   {0x3164, 0x3164},
                                                                   {0xFEFF, 0xFEFF},
                                                                   {0xFFF9, 0xFFFB},
                                                                   {0xE0000, 0xE0FFF}}};

bool is_unseen(unsigned code) {
  return std::ranges::any_of(
      unseen, [&](const auto& range) { return code >= range.first && code <= range.second; });
}

// Of well-formed UTF-8.
std::size_t length_of(unsigned char lead) {
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

unsigned code_of(std::string_view sequence) {
  constexpr std::array lead_mask = {0x7Fu, 0x1Fu, 0x0Fu, 0x07u};
  unsigned code = static_cast<unsigned char>(sequence[0]) & lead_mask.at(sequence.size() - 1);
  for (const char c : sequence.substr(1)) code = code << 6 | (static_cast<unsigned>(c) & 0x3Fu);
  return code;
}

}  // namespace

std::string visible(std::string_view text) {
  const std::string plain = printable(text);  // well-formed from here on
  std::string out;
  for (std::string_view rest = plain; !rest.empty();) {
    const std::string_view one = rest.substr(0, length_of(static_cast<unsigned char>(rest[0])));
    const unsigned code = code_of(one);
    if (!is_unseen(code)) {
      out += one;
    } else {
      out += code > 0xFFFF ? fmt::format("\\U{:08x}", code) : fmt::format("\\u{:04x}", code);
    }
    rest.remove_prefix(one.size());
  }
  return out;
}

std::string visible_lines(std::string_view text) {
  std::string lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines += visible(text.substr(0, end));
    if (end == text.size()) break;
    lines += '\n';
    text.remove_prefix(end + 1);
  }
  return lines;
}

std::string html_text(std::string_view text) {
  std::string out;
  for (const char c : visible_lines(text)) {
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

std::string markdown_text(std::string_view text) {
  constexpr std::string_view anywhere = "\\`*_{}[]()#!|>~";
  constexpr std::string_view at_the_beginning = "+-";
  std::string lines(text);
  std::ranges::replace(lines, '\n', ' ');
  std::string escaped;
  for (const char c : visible(lines)) {
    if (c == '<') {
      escaped += "&lt;";
    } else if (c == '&') {
      escaped += "&amp;";
    } else {
      const bool first = escaped.find_first_not_of(' ') == std::string::npos;
      if (anywhere.find(c) != std::string_view::npos ||
          (first && at_the_beginning.find(c) != std::string_view::npos)) {
        escaped += '\\';
      }
      escaped += c;
    }
  }
  return escaped;
}

}  // namespace lifeboat
