// What can be said about the text without parsing it. yaml-cpp would take UTF-16, swallow control
// characters and tell tabs by obscure messages.
#include <algorithm>

#include "base/bytes.h"
#include "platform/yaml.h"

namespace lifeboat::platform {
namespace {

std::size_t indentation(std::string_view line) {
  return std::min(line.find_first_not_of(' '), line.size());
}

// True when the line ends with the mark of a block scalar: "key: |", "- >-  # why".
bool opens_block(std::string_view line) {
  if (const auto comment = line.find(" #"); comment != std::string_view::npos) {
    line = line.substr(0, comment);
  }
  const auto last = line.find_last_not_of(" \r\t");
  if (last == std::string_view::npos) return false;
  line = line.substr(0, last + 1);
  const auto mark = line.find_last_not_of("+-123456789");
  if (mark == std::string_view::npos || (line[mark] != '|' && line[mark] != '>')) return false;
  return mark == 0 || line[mark - 1] == ' ';
}

int character(std::string_view line, std::size_t byte) {
  const auto end = line.begin() + static_cast<std::ptrdiff_t>(std::min(byte, line.size()));
  return 1 + static_cast<int>(std::count_if(line.begin(), end, [](char c) {
           return (static_cast<unsigned char>(c) & 0xC0u) != 0x80u;
         }));
}

// The first byte that begins no well-formed character.
std::size_t first_broken(std::string_view line) {
  std::size_t at = 0;
  while (at < line.size()) {
    std::size_t length = 1;
    while (at + length < line.size() && length < 4 && !is_utf8(line.substr(at, length))) ++length;
    if (!is_utf8(line.substr(at, length))) return at;
    at += length;
  }
  return line.size();
}

class TextCheck {
 public:
  TextCheck(const std::string& file, std::vector<Finding>& findings)
      : file_(file), findings_(findings) {}

  // False when the rest of the text makes no sense either.
  bool line(std::string_view line, int number) {
    number_ = number;
    if (!is_utf8(line)) {
      add(line, first_broken(line), "not UTF-8", "save the file as UTF-8");
      return false;
    }
    for (std::size_t i = 0; i < line.size(); ++i) {
      const auto c = static_cast<unsigned char>(line[i]);
      const bool return_at_end = c == '\r' && i + 1 == line.size();
      if ((c >= 0x20 && c != 0x7f) || c == '\t' || return_at_end) continue;
      add(line, i, c == 0 ? "a NUL byte" : "a control character, " + printable(line.substr(i, 1)),
          "only text belongs here; is this the right file?");
      return false;
    }
    tabs(line);
    return true;
  }

 private:
  void add(std::string_view line, std::size_t byte, std::string message, std::string hint) {
    const Mark mark{file_, number_, character(line, byte)};
    findings_.push_back({mark, "", std::move(message), std::move(hint)});
  }

  // A tab may stand in the text of a block scalar, but never where indentation is meant.
  void tabs(std::string_view line) {
    const std::size_t indent = indentation(line);
    const bool blank = line.find_first_not_of(" \t\r") == std::string_view::npos;
    if (in_block_ && (blank || indent > block_indent_)) return;
    in_block_ = false;
    if (!blank && line[indent] == '\t') {
      add(line, indent, "a tab in the indentation", "YAML knows only spaces there");
    }
    if (opens_block(line)) {
      in_block_ = true;
      block_indent_ = indent;
    }
  }

  const std::string& file_;
  std::vector<Finding>& findings_;
  int number_ = 0;
  bool in_block_ = false;
  std::size_t block_indent_ = 0;
};

}  // namespace

void check_text(std::string_view text, const std::string& file, std::vector<Finding>& findings) {
  const Mark start{file, 1, 1};
  if (text.size() > yaml_size_max_bytes) {
    findings.push_back({start, "",
                        "the file is larger than " + std::to_string(yaml_size_max_bytes) +
                            " bytes, the most that is read",
                        "is this the right file?"});
    return;
  }
  for (const std::string_view bom : {"\xEF\xBB\xBF", "\xFE\xFF", "\xFF\xFE"}) {
    if (!text.starts_with(bom)) continue;
    findings.push_back(
        {start, "", "the file begins with a byte order mark", "save it as UTF-8 without one"});
    return;
  }
  TextCheck check(file, findings);
  for (int number = 1; !text.empty() && findings.size() < 20; ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    if (!check.line(text.substr(0, end), number)) return;
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

}  // namespace lifeboat::platform
