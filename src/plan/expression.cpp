// A hand-written descent over a dozen rules: the grammar is in expression.h, one function a level.
#include "plan/expression.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.h"

namespace lifeboat::plan {
namespace {

constexpr std::size_t length_max = 4096;
constexpr int depth_max = 32;
constexpr std::size_t path_max = 32;

bool letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool digit(char c) { return c >= '0' && c <= '9'; }

struct Token {
  enum class Kind { end, word, integer, number, string, symbol };
  Kind kind = Kind::end;
  std::string text;  // of a string: without quotes and escapes
  std::size_t at = 0;
};

class Lexer {
 public:
  Lexer(std::string_view text, std::size_t start) : text_(text), at_(start) {}

  // The next token; an Error for what is none.
  Result<Token> next() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t')) {
      ++at_;
    }
    Token token;
    token.at = started_ = at_;
    if (at_ >= text_.size()) return token;
    const char c = text_[at_];
    if (letter(c)) return word(std::move(token));
    if (digit(c) || (c == '-' && at_ + 1 < text_.size() && digit(text_[at_ + 1]))) {
      return number(std::move(token));
    }
    if (c == '\'' || c == '"') return string(std::move(token));
    return symbol(std::move(token));
  }
  // Where the last token, or what is none, begins.
  std::size_t started() const { return started_; }

 private:
  Result<Token> word(Token token) {
    const std::size_t start = at_;
    while (at_ < text_.size() && (letter(text_[at_]) || digit(text_[at_]) || text_[at_] == '-')) {
      ++at_;
    }
    token.kind = Token::Kind::word;
    token.text = text_.substr(start, at_ - start);
    return token;
  }

  Result<Token> number(Token token) {
    const std::size_t start = at_++;
    while (at_ < text_.size() && digit(text_[at_])) ++at_;
    token.kind = Token::Kind::integer;
    if (at_ + 1 < text_.size() && text_[at_] == '.' && digit(text_[at_ + 1])) {
      token.kind = Token::Kind::number;
      for (++at_; at_ < text_.size() && digit(text_[at_]);) ++at_;
    }
    token.text = text_.substr(start, at_ - start);
    return token;
  }

  Result<Token> string(Token token) {
    const char quote = text_[at_++];
    token.kind = Token::Kind::string;
    while (at_ < text_.size() && text_[at_] != quote) {
      char c = text_[at_++];
      if (c == '\\' && at_ < text_.size()) {
        c = text_[at_++];
        if (c == 'n') c = '\n';
        if (c == 't') c = '\t';
      }
      token.text += c;
    }
    if (at_ >= text_.size()) return fail(Error::Kind::invalid, "the text has no closing quote");
    ++at_;
    return token;
  }

  Result<Token> symbol(Token token) {
    static constexpr std::array<std::string_view, 16> symbols = {
        "==", "!=", "<=", ">=", "??", "<", ">", "?", ":", "(", ")", "[", "]", ".", ",", "}"};
    for (const std::string_view symbol : symbols) {
      if (!text_.substr(at_).starts_with(symbol)) continue;
      at_ += symbol.size();
      token.kind = Token::Kind::symbol;
      token.text = symbol;
      return token;
    }
    const std::string_view rest = text_.substr(at_);
    std::string hint;
    if (rest.starts_with("&&")) hint = "write 'and'";
    if (rest.starts_with("||")) hint = "write 'or', or '?\?' for a default";
    if (rest.starts_with("!")) hint = "write 'not'";
    if (rest.starts_with("=")) hint = "write '=='";
    return fail(Error::Kind::invalid, "'" + printable(rest.substr(0, 1)) + "' has no meaning here",
                hint);
  }

  std::string_view text_;
  std::size_t at_;
  std::size_t started_ = 0;
};

using Kind = Expression::Kind;

Expression make(Kind kind, std::vector<Expression> parts) {
  Expression made;
  made.kind = kind;
  made.parts = std::move(parts);
  return made;
}

Expression literal(Value value) {
  Expression made;
  made.literal = std::move(value);
  return made;
}

class Parser {
 public:
  Parser(std::string_view text, std::size_t start) : lexer_(text, start), start_(start) {}

  // One expression up to `end` ("}" or "" for the end of the text), which is consumed.
  Result<Expression> parse(std::string_view end) {
    TRY_DO(advance());
    if (token_.kind == Token::Kind::end || is(end)) return problem("the expression is empty");
    TRY(auto parsed, choice());
    const bool ended = end.empty() ? token_.kind == Token::Kind::end : is(end);
    if (!ended) {
      if (token_.kind == Token::Kind::end) return problem("the closing '}' is missing");
      return problem("'" + printable(token_.text) + "' is not expected");
    }
    return parsed;
  }
  std::size_t end_at() const { return token_.at + token_.text.size(); }

 private:
  bool is(std::string_view symbol) const {
    return token_.kind == Token::Kind::symbol && token_.text == symbol;
  }
  bool is_word(std::string_view word) const {
    return token_.kind == Token::Kind::word && token_.text == word;
  }
  Error place(Error error) const {
    error.what += " (at character " + std::to_string(lexer_.started() - start_ + 1) + ")";
    return error;
  }
  tl::unexpected<Error> problem(std::string what, std::string hint = {}) const {
    return fail(place({Error::Kind::invalid, std::move(what), std::move(hint), {}}));
  }
  Result<void> advance() {
    auto token = lexer_.next();
    if (!token) return fail(place(token.error()));
    token_ = std::move(*token);
    return {};
  }
  Result<void> expect(std::string_view symbol) {
    if (!is(symbol)) return problem("'" + std::string(symbol) + "' is missing");
    return advance();
  }

  Result<Expression> choice();
  Result<Expression> first();
  Result<Expression> joined(Kind kind);
  Result<Expression> negation();
  Result<Expression> comparison();
  Result<Expression> primary();
  Result<Expression> word();
  Result<Expression> number();
  Result<Expression> list();
  Result<Expression> path();

  Lexer lexer_;
  std::size_t start_;
  Token token_;
  int depth_ = 0;
};

// Counts one level of nesting while it lives.
class Level {
 public:
  explicit Level(int& depth) : depth_(depth) { ++depth_; }
  ~Level() { --depth_; }
  Level(const Level&) = delete;
  Level& operator=(const Level&) = delete;

 private:
  int& depth_;
};

Result<Expression> Parser::choice() {
  const Level level(depth_);
  if (depth_ > depth_max) return problem("nested too deeply");
  TRY(auto condition, first());
  if (!is("?")) return condition;
  TRY_DO(advance());
  TRY(auto yes, choice());
  TRY_DO(expect(":"));
  TRY(auto no, choice());
  return make(Kind::choice, {std::move(condition), std::move(yes), std::move(no)});
}

Result<Expression> Parser::first() {
  TRY(auto value, joined(Kind::any));
  if (!is("??")) return value;
  std::vector<Expression> parts{std::move(value)};
  while (is("??")) {
    TRY_DO(advance());
    TRY(auto next, joined(Kind::any));
    parts.push_back(std::move(next));
  }
  return make(Kind::first, std::move(parts));
}

// a or b or ...; within it a and b and ...
Result<Expression> Parser::joined(Kind kind) {
  const std::string_view joint = kind == Kind::any ? "or" : "and";
  const auto inner = [&] { return kind == Kind::any ? joined(Kind::all) : negation(); };
  TRY(auto value, inner());
  if (!is_word(joint)) return value;
  std::vector<Expression> parts{std::move(value)};
  while (is_word(joint)) {
    TRY_DO(advance());
    TRY(auto next, inner());
    parts.push_back(std::move(next));
  }
  return make(kind, std::move(parts));
}

Result<Expression> Parser::negation() {
  bool negated = false;
  while (is_word("not")) {
    negated = !negated;
    TRY_DO(advance());
  }
  TRY(auto value, comparison());
  if (!negated) return value;
  return make(Kind::negation, {std::move(value)});
}

Result<Expression> Parser::comparison() {
  TRY(auto left, primary());
  const Token op = token_;
  const bool inside = is_word("in"), outside = is_word("not");
  const bool symbol = is("==") || is("!=") || is("<") || is("<=") || is(">") || is(">=");
  if (!inside && !outside && !symbol) return left;
  TRY_DO(advance());
  if (outside) {
    if (!is_word("in")) return problem("'in' is missing after 'not'");
    TRY_DO(advance());
  }
  TRY(auto right, primary());
  std::vector<Expression> sides;
  if (op.text.starts_with('>')) std::swap(left, right);
  sides.push_back(std::move(left));
  sides.push_back(std::move(right));
  Kind kind = Kind::equal;
  if (inside || outside) kind = Kind::member;
  if (op.text == "<" || op.text == ">") kind = Kind::less;
  if (op.text == "<=" || op.text == ">=") kind = Kind::less_equal;
  Expression made = make(kind, std::move(sides));
  if (!outside && op.text != "!=") return made;
  return make(Kind::negation, {std::move(made)});
}

Result<Expression> Parser::primary() {
  switch (token_.kind) {
    case Token::Kind::end:
      return problem("something is missing at the end");
    case Token::Kind::word:
      return word();
    case Token::Kind::integer:
    case Token::Kind::number:
      return number();
    case Token::Kind::string: {
      Expression text = literal(Value(std::move(token_.text)));
      TRY_DO(advance());
      return text;
    }
    case Token::Kind::symbol:
      break;
  }
  if (is("[")) return list();
  if (!is("(")) return problem("'" + printable(token_.text) + "' is not expected");
  TRY_DO(advance());
  TRY(auto inner, choice());
  TRY_DO(expect(")"));
  return inner;
}

Result<Expression> Parser::word() {
  if (token_.text == "and" || token_.text == "or" || token_.text == "in") {
    return problem("'" + token_.text + "' has nothing on its left");
  }
  if (token_.text == "not") return problem("put parentheses around 'not'");
  const bool yes = token_.text == "true";
  if (!yes && token_.text != "false" && token_.text != "null") return path();
  const Value value = token_.text == "null" ? Value() : Value(yes);
  TRY_DO(advance());
  return literal(value);
}

Result<Expression> Parser::number() {
  const char* const begin = token_.text.data();
  const char* const end = begin + token_.text.size();
  Value value;
  std::errc wrong{};
  if (token_.kind == Token::Kind::integer) {
    std::int64_t whole = 0;
    wrong = std::from_chars(begin, end, whole).ec;
    value = Value(whole);
  } else {
    double real = 0;
    wrong = std::from_chars(begin, end, real).ec;
    value = Value(real);
  }
  if (wrong != std::errc()) return problem("the number is too large");
  TRY_DO(advance());
  return literal(std::move(value));
}

Result<Expression> Parser::list() {
  TRY_DO(advance());
  std::vector<Expression> items;
  while (!is("]")) {
    TRY(auto item, choice());
    items.push_back(std::move(item));
    if (!is(",")) break;
    TRY_DO(advance());
  }
  TRY_DO(expect("]"));
  return make(Kind::list, std::move(items));
}

Result<Expression> Parser::path() {
  Expression made;
  made.kind = Kind::path;
  made.path.emplace_back(token_.text);
  TRY_DO(advance());
  while (is(".") || is("[")) {
    const bool index = is("[");
    TRY_DO(advance());
    const bool text = token_.kind == (index ? Token::Kind::string : Token::Kind::word);
    const bool place = token_.kind == Token::Kind::integer && token_.text[0] != '-';
    if (!text && !place) return problem(index ? "expected a place or 'key'" : "expected a name");
    if (made.path.size() >= path_max) return problem("the path is too long");
    std::int64_t number = 0;
    const char* const begin = token_.text.data();
    if (place && std::from_chars(begin, begin + token_.text.size(), number).ec != std::errc()) {
      return problem("the number is too large");
    }
    made.path.push_back(place && index ? Value(number) : Value(token_.text));
    TRY_DO(advance());
    if (index) TRY_DO(expect("]"));
  }
  return made;
}

}  // namespace

Result<Expression> parse_expression(std::string_view text) {
  if (text.size() > length_max) return fail(Error::Kind::invalid, "the expression is too long");
  return Parser(text, 0).parse("");
}

Result<Template> parse_template(std::string_view text) {
  Template made;
  std::string plain;
  const auto flush = [&] {
    if (!plain.empty()) made.parts.push_back({std::move(plain), std::nullopt, {}});
    plain.clear();
  };
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    if (rest.starts_with("$${")) {
      plain += "${";
      at += 3;
    } else if (rest.starts_with("${")) {
      flush();
      Parser parser(rest.substr(0, length_max), 2);
      TRY(auto expression, parser.parse("}"));
      const std::size_t end = parser.end_at();
      made.parts.push_back({{}, std::move(expression), std::string(rest.substr(2, end - 3))});
      at += end;
    } else {
      plain += rest.front();
      ++at;
    }
  }
  flush();
  return made;
}

const std::vector<std::string>& root_words() {
  static const std::vector<std::string> words = {"inputs", "sources", "run", "point", "platform"};
  return words;
}

bool reserved_name(std::string_view name) {
  static constexpr std::array<std::string_view, 8> words = {"true", "false", "null", "and",
                                                            "or",   "not",   "in",   "each"};
  const auto& roots = root_words();
  return std::find(words.begin(), words.end(), name) != words.end() ||
         std::find(roots.begin(), roots.end(), name) != roots.end();
}

bool valid_name(std::string_view name) {
  if (name.empty() || name.size() > 63 || !letter(name[0])) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return letter(c) || digit(c) || c == '-'; });
}

}  // namespace lifeboat::plan
