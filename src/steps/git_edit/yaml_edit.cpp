// yaml-cpp's event parser says where each scalar begins; where it ends follows from its style. What
// this file gets wrong, edit() finds by reading the result again.
#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <sstream>

#include "base/guard.h"
#include "schema/json.h"
#include "steps/git_edit/edit.h"

namespace lifeboat::steps {
namespace {

constexpr std::size_t depth_limit = 64;
constexpr std::string_view byte_order_mark = "\xef\xbb\xbf";

bool is_blank(char c) { return c == ' ' || c == '\t'; }
bool is_space(char c) { return is_blank(c) || c == '\n' || c == '\r'; }

bool is_null_word(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}
bool is_boolean_word(std::string_view text) {
  static constexpr std::string_view words[] = {
      "true", "True", "TRUE", "false", "False", "FALSE", "yes", "Yes", "YES", "no", "No",
      "NO",   "on",   "On",   "ON",    "off",   "Off",   "OFF", "y",   "Y",   "n",  "N"};
  return std::find(std::begin(words), std::end(words), text) != std::end(words);
}
// Whatever some YAML reader takes for a number: 12, -1.5e3, 0x1f, 0o17, 1_000, 12:30, .inf, .nan.
bool is_number_word(std::string_view text) {
  const std::string_view body =
      !text.empty() && (text[0] == '-' || text[0] == '+') ? text.substr(1) : text;
  if (body.empty()) return false;
  for (const char* word : {".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"}) {
    if (body == word) return true;
  }
  const bool begins = (body[0] >= '0' && body[0] <= '9') ||
                      (body[0] == '.' && body.size() > 1 && body[1] >= '0' && body[1] <= '9');
  return begins && std::count(body.begin(), body.end(), '.') < 2 &&
         body.find_first_not_of("0123456789abcdefABCDEF.xoe+-_:") == std::string::npos;
}

Leaf::Kind plain_kind(std::string_view text) {
  if (is_null_word(text)) return Leaf::Kind::null;
  if (is_boolean_word(text)) return Leaf::Kind::boolean;
  return is_number_word(text) ? Leaf::Kind::number : Leaf::Kind::string;
}

// Behind the anchor and tag that may stand before a scalar.
std::size_t skip_properties(std::string_view text, std::size_t at) {
  while (at < text.size() && (text[at] == '&' || text[at] == '!')) {
    while (at < text.size() && !is_space(text[at])) ++at;
    while (at < text.size() && is_space(text[at])) ++at;
  }
  return at;
}

std::size_t end_of_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  for (++at; at < text.size(); ++at) {
    if (quote == '"' && text[at] == '\\') {
      ++at;
    } else if (text[at] == quote) {
      if (quote == '"' || at + 1 >= text.size() || text[at + 1] != '\'') return at + 1;
      ++at;
    }
  }
  return text.size();
}

// A plain scalar over several lines was folded: its line breaks are spaces of the value.
std::size_t end_of_plain(std::string_view text, std::size_t at, std::string_view value) {
  std::size_t i = 0;
  while (i < value.size() && at < text.size()) {
    if (text[at] == value[i] && !is_space(value[i])) {
      ++at, ++i;
    } else if (is_space(value[i]) && is_space(text[at])) {
      while (at < text.size() && is_space(text[at])) ++at;
      while (i < value.size() && is_space(value[i])) ++i;
    } else {
      break;
    }
  }
  return at;
}

std::size_t indent_at(std::string_view text, std::size_t line) {
  std::size_t at = line;
  while (at < text.size() && text[at] == ' ') ++at;
  return at - line;
}
std::size_t next_line(std::string_view text, std::size_t at) {
  const auto end = text.find('\n', at);
  return end == std::string_view::npos ? text.size() : end + 1;
}
bool is_empty_line(std::string_view text, std::size_t line) {
  const auto at = text.find_first_not_of(" \t\r", line);
  return at == std::string_view::npos || text[at] == '\n';
}

// The body of a block scalar: lines as deep as its first one that holds something, or deeper.
struct Block {
  std::size_t begin = 0, end = 0, indent = 0;
};
Block block_body(std::string_view text, std::size_t header) {
  Block block;
  block.begin = block.end = next_line(text, header);
  std::size_t first = block.begin;
  while (first < text.size() && is_empty_line(text, first)) first = next_line(text, first);
  block.indent = indent_at(text, first);
  for (std::size_t line = block.begin; line < text.size(); line = next_line(text, line)) {
    if (is_empty_line(text, line)) continue;  // belongs to it only if something follows
    if (indent_at(text, line) < block.indent || block.indent == 0) break;
    block.end = next_line(text, line);
  }
  return block;
}

// Follows the events and names every value by its keys.
class Walker final : public YAML::EventHandler {
 public:
  Walker(std::string_view text, std::size_t shift) : text_(text), shift_(shift) {}
  std::vector<Leaf> take() { return std::move(leaves_); }

  void OnDocumentStart(const YAML::Mark&) override { open_.clear(); }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    const std::size_t at = skip_properties(text_, place(mark));
    const std::string_view rest = text_.substr(std::min(at, text_.size()));
    for (const std::string_view word : {"~", "null", "Null", "NULL"}) {
      const bool ends =
          rest.size() == word.size() ||
          (rest.size() > word.size() && (is_space(rest[word.size()]) || rest[word.size()] == ',' ||
                                         rest[word.size()] == '}' || rest[word.size()] == ']'));
      // The mark of a value that is not written is that of its key.
      if (rest.starts_with(word) && ends && at >= key_end_) {
        return value({"", "", Leaf::Kind::null, Leaf::Style::plain, at, at + word.size()}, "");
      }
    }
    const auto colon = text_.find(':', key_end_);
    const std::size_t behind = colon == std::string_view::npos ? text_.size() : colon + 1;
    value({"", "", Leaf::Kind::null, Leaf::Style::nothing, behind, behind}, "");
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    value({"", "", Leaf::Kind::alias, Leaf::Style::plain, place(mark), place(mark)}, "*");
  }
  void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                const std::string& text) override {
    Leaf leaf;
    leaf.text = text;
    leaf.begin = skip_properties(text_, place(mark));
    const char first = leaf.begin < text_.size() ? text_[leaf.begin] : '\0';
    if (first == '"' || first == '\'') {
      leaf.style = first == '"' ? Leaf::Style::double_quoted : Leaf::Style::single_quoted;
      leaf.end = end_of_quoted(text_, leaf.begin);
    } else if (first == '|' || first == '>') {
      leaf.style = Leaf::Style::block;
      leaf.end = block_body(text_, leaf.begin).end;
    } else {
      leaf.kind = plain_kind(text);
      leaf.end = end_of_plain(text_, leaf.begin, text);
    }
    value(std::move(leaf), text);
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    enter(place(mark), true);
  }
  void OnSequenceEnd() override { leave(); }
  void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    enter(place(mark), false);
  }
  void OnMapEnd() override { leave(); }

 private:
  struct Open {
    bool is_list = false, has_key = false;
    std::size_t count = 0;
    std::string path, key;
  };

  std::size_t place(const YAML::Mark& mark) const {
    return shift_ + static_cast<std::size_t>(std::max(mark.pos, 0));
  }
  std::string name_here() const {
    if (open_.empty()) return {};
    const Open& open = open_.back();
    const std::string last = open.is_list ? std::to_string(open.count) : open.key;
    return open.path.empty() ? last : open.path + "." + last;
  }
  // A key or a value, whichever is due.
  void value(Leaf leaf, const std::string& key_text) {
    if (!open_.empty() && !open_.back().is_list && !open_.back().has_key) {
      open_.back().key = key_text;
      open_.back().has_key = true;
      key_end_ = leaf.end;
      return;
    }
    leaf.path = name_here();
    leaves_.push_back(std::move(leaf));
    advance();
  }
  void advance() {
    if (open_.empty()) return;
    ++open_.back().count;
    open_.back().has_key = false;
  }
  void enter(std::size_t at, bool is_list) {
    if (open_.size() >= depth_limit) throw YAML::Exception(YAML::Mark(), "nested too deep");
    const bool as_key = !open_.empty() && !open_.back().is_list && !open_.back().has_key;
    if (as_key) {  // a map as a key: what it names has no name here
      open_.back().key = "?";
      open_.back().has_key = true;
    }
    Open inner;
    inner.is_list = is_list;
    inner.path = name_here();
    leaves_.push_back({inner.path, "", Leaf::Kind::collection, Leaf::Style::plain, at, at});
    open_.push_back(std::move(inner));
  }
  void leave() {
    open_.pop_back();
    advance();
  }

  std::string_view text_;
  const std::size_t shift_;
  std::vector<Open> open_;
  std::vector<Leaf> leaves_;
  std::size_t key_end_ = 0;
};

// True when the text means itself as a plain scalar, in block and in flow context.
bool is_plain_safe(std::string_view text) {
  if (text.empty() || is_space(text.front()) || is_space(text.back())) return false;
  if (std::string_view("-?:,[]{}#&*!|>'\"%@`").find(text.front()) != std::string_view::npos) {
    return text.front() == '-' && text.size() > 1 && text[1] >= '0' && text[1] <= '9';
  }
  if (text.back() == ':' || text.find_first_of(",[]{}") != std::string_view::npos) return false;
  if (text.find(": ") != std::string_view::npos || text.find(" #") != std::string_view::npos) {
    return false;
  }
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

bool is_single_line(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != 0x7f; });
}

std::string single_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}
// Every JSON string is a YAML double-quoted one.
std::string double_quoted(const std::string& text) { return to_json(Value(text)); }

std::string plain(const Leaf& leaf, const Value& value) {
  const std::string text = leaf_text(value);
  if (value.is_null()) return "null";
  if (!value.is(Value::Type::string)) return text;
  const Leaf::Kind kind = plain_kind(text);
  const bool keeps_type = kind == Leaf::Kind::string || kind == leaf.kind;
  return keeps_type && is_plain_safe(text) ? text : double_quoted(text);
}

std::string block(std::string_view file, const Leaf& leaf, const std::string& text) {
  const Block body = block_body(file, leaf.begin);
  if (body.indent == 0 || text.empty() || is_space(text.front())) return double_quoted(text) + "\n";
  const std::size_t last = text.find_last_not_of('\n');
  const std::size_t breaks = text.size() - last - 1;
  std::string out = breaks == 0 ? "|-" : breaks == 1 ? "|" : "|+";
  const auto line_end = file.find('\n', leaf.begin);
  const std::string_view header = file.substr(leaf.begin, line_end - leaf.begin);
  const auto comment = header.find_first_of(" \t\r");
  if (comment != std::string_view::npos) out += header.substr(comment);
  out += "\n";
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    out += line.empty() ? "\n" : std::string(body.indent, ' ') + line + "\n";
  }
  return out;
}

}  // namespace

Result<std::vector<Leaf>> yaml_leaves(std::string_view text) {
  return guard(Error::Kind::invalid, "not YAML", [&]() -> Result<std::vector<Leaf>> {
    const std::size_t shift = text.starts_with(byte_order_mark) ? byte_order_mark.size() : 0;
    std::istringstream stream{std::string(text)};
    YAML::Parser parser(stream);
    Walker walker(text, shift);
    while (parser.HandleNextDocument(walker)) {
    }
    return walker.take();
  });
}

std::string yaml_scalar(std::string_view file, const Leaf& leaf, const Value& value) {
  const std::string text = leaf_text(value);
  switch (leaf.style) {
    case Leaf::Style::single_quoted:
      return is_single_line(text) ? single_quoted(text) : double_quoted(text);
    case Leaf::Style::double_quoted:
      return double_quoted(text);
    case Leaf::Style::block:
      return block(file, leaf, text);
    case Leaf::Style::nothing:
      return " " + plain(leaf, value);
    case Leaf::Style::plain:
      break;
  }
  return plain(leaf, value);
}

}  // namespace lifeboat::steps
