#include <algorithm>
#include <cctype>

#include "client/postgres/connection.h"

namespace lifeboat::postgres {
namespace {

bool word_part(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return std::isalnum(byte) != 0 || c == '_' || c == '$' || byte >= 0x80;
}

// Walks SQL text token by token; only what can hide a semicolon is a token of its own.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  std::vector<std::string> statements() {
    while (at_ < text_.size()) step();
    flush();
    return std::move(found_);
  }

 private:
  void step() {
    const char c = text_[at_];
    if (starts("--")) {
      skip_comment(std::min(text_.find('\n', at_), text_.size()));
    } else if (starts("/*")) {
      skip_comment(block_comment_end());
    } else if (c == '\'') {
      take(string_end(escapes_here()));
    } else if (c == '"') {
      take(quoted_end('"'));
    } else if (c == '$' && !dollar_tag().empty()) {
      const std::string tag = dollar_tag();
      const std::size_t end = text_.find(tag, at_ + tag.size());
      take(end == std::string_view::npos ? text_.size() : end + tag.size());
    } else if (c == ';' && depth_ == 0) {
      flush();
      ++at_;
    } else if (word_part(c)) {
      take_word();
    } else {
      take(at_ + 1);
    }
  }

  bool starts(std::string_view with) const { return text_.substr(at_).starts_with(with); }

  void take(std::size_t end) {
    const std::string_view part = text_.substr(at_, end - at_);
    if (!current_.empty() || std::isspace(static_cast<unsigned char>(part.front())) == 0) {
      current_ += part;
    }
    at_ = end;
  }
  // A comment is a blank inside a statement, nothing between two.
  void skip_comment(std::size_t end) {
    if (!current_.empty()) current_ += ' ';
    at_ = end;
  }
  void flush() {
    while (!current_.empty() && std::isspace(static_cast<unsigned char>(current_.back())) != 0) {
      current_.pop_back();
    }
    if (!current_.empty()) found_.push_back(std::move(current_));
    current_.clear();
    depth_ = 0;
    previous_.clear();
  }

  // SQL bodies of functions: BEGIN ATOMIC ... END, with CASE ... END inside.
  void take_word() {
    std::size_t end = at_;
    while (end < text_.size() && word_part(text_[end])) ++end;
    std::string word(text_.substr(at_, end - at_));
    for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
    if (word == "ATOMIC" && previous_ == "BEGIN") ++depth_;
    if (depth_ > 0 && word == "CASE") ++depth_;
    if (depth_ > 0 && word == "END") --depth_;
    previous_ = word;
    take(end);
  }

  // E'...' knows backslashes.
  bool escapes_here() const {
    if (at_ == 0 || (text_[at_ - 1] != 'E' && text_[at_ - 1] != 'e')) return false;
    return at_ < 2 || !word_part(text_[at_ - 2]);
  }
  std::size_t string_end(bool escapes) const {
    for (std::size_t end = at_ + 1; end < text_.size(); ++end) {
      if (escapes && text_[end] == '\\') {
        ++end;
      } else if (text_[end] == '\'') {
        return end + 1;  // a doubled quote begins the next string, which is as well
      }
    }
    return text_.size();
  }
  std::size_t quoted_end(char quote) const {
    const std::size_t end = text_.find(quote, at_ + 1);
    return end == std::string_view::npos ? text_.size() : end + 1;
  }
  std::size_t block_comment_end() const {
    int depth = 0;
    for (std::size_t end = at_; end + 1 < text_.size(); ++end) {
      const std::string_view pair = text_.substr(end, 2);
      if (pair == "/*") ++depth;
      if (pair == "*/") --depth;
      if (pair == "/*" || pair == "*/") ++end;
      if (depth == 0) return end + 1;
    }
    return text_.size();
  }
  // "$tag$" at this place, "" when it is none ($1 is a parameter).
  std::string dollar_tag() const {
    if (at_ > 0 && word_part(text_[at_ - 1])) return {};
    std::size_t end = at_ + 1;
    while (end < text_.size() && word_part(text_[end]) && text_[end] != '$') ++end;
    if (end >= text_.size() || text_[end] != '$') return {};
    if (end > at_ + 1 && std::isdigit(static_cast<unsigned char>(text_[at_ + 1])) != 0) return {};
    return std::string(text_.substr(at_, end + 1 - at_));
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  std::string current_, previous_;
  std::vector<std::string> found_;
};

}  // namespace

std::vector<std::string> split_statements(std::string_view script) {
  return Scanner(script).statements();
}

std::string shown_statement(std::string_view statement) {
  constexpr std::size_t longest = 120;
  const std::string_view line = statement.substr(0, statement.find('\n'));
  std::string shown = printable(line.substr(0, longest));
  if (line.size() > longest || line.size() < statement.size()) shown += " ...";
  return shown;
}

}  // namespace lifeboat::postgres
