// nlohmann's SAX parser reads through an iterator that counts, so that each event tells how far the
// text is read: the bytes of a value lie between the event before and its own.
#include <fmt/format.h>

#include <cstddef>
#include <iterator>
#include <nlohmann/json.hpp>

#include "base/guard.h"
#include "schema/json.h"
#include "steps/git_edit/edit.h"

namespace lifeboat::steps {
namespace {

constexpr std::size_t depth_limit = 64;

class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* count) : at_(at), count_(count) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*count_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }

 private:
  const char* at_;
  std::size_t* count_;
};

class Walker {
 public:
  using number_integer_t = nlohmann::json::number_integer_t;
  using number_unsigned_t = nlohmann::json::number_unsigned_t;
  using number_float_t = nlohmann::json::number_float_t;
  using string_t = nlohmann::json::string_t;
  using binary_t = nlohmann::json::binary_t;

  Walker(std::string_view text, const std::size_t& read) : text_(text), read_(read) {}
  std::vector<Leaf> take() { return std::move(leaves_); }
  const std::string& error() const { return error_; }

  bool null() { return value(Leaf::Kind::null, ""); }
  bool boolean(bool is) { return value(Leaf::Kind::boolean, is ? "true" : "false"); }
  bool number_integer(number_integer_t) { return number(); }
  bool number_unsigned(number_unsigned_t) { return number(); }
  bool number_float(number_float_t, const string_t&) { return number(); }
  bool string(string_t& text) { return value(Leaf::Kind::string, text); }
  bool binary(binary_t&) { return false; }
  bool key(string_t& name) {
    open_.back().key = name;
    last_ = read_;
    return true;
  }
  bool start_object(std::size_t) { return enter(false); }
  bool start_array(std::size_t) { return enter(true); }
  bool end_object() { return leave(); }
  bool end_array() { return leave(); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception& problem) {
    error_ = problem.what();
    return false;
  }

 private:
  struct Open {
    bool is_list = false;
    std::size_t count = 0;
    std::string path, key;
  };

  std::string name_here() const {
    if (open_.empty()) return {};
    const Open& open = open_.back();
    const std::string last = open.is_list ? std::to_string(open.count) : open.key;
    return open.path.empty() ? last : open.path + "." + last;
  }
  std::size_t begin() const {
    return std::min(text_.find_first_not_of(" \t\r\n:,", last_), text_.size());
  }
  // The parser has read one byte beyond a number: it has to see where it ends.
  bool number() {
    const std::size_t at = begin();
    const std::size_t end = std::min(text_.find_first_not_of("0123456789+-.eE", at), text_.size());
    return add({name_here(), std::string(text_.substr(at, end - at)), Leaf::Kind::number,
                Leaf::Style::plain, at, end});
  }
  bool value(Leaf::Kind kind, std::string text) {
    const auto style = kind == Leaf::Kind::string ? Leaf::Style::double_quoted : Leaf::Style::plain;
    return add({name_here(), std::move(text), kind, style, begin(), read_});
  }
  bool add(Leaf leaf) {
    last_ = leaf.end;
    leaves_.push_back(std::move(leaf));
    advance();
    return true;
  }
  void advance() {
    if (!open_.empty()) ++open_.back().count;
  }
  bool enter(bool is_list) {
    if (open_.size() >= depth_limit) {
      error_ = fmt::format("nested deeper than {}", depth_limit);
      return false;
    }
    Open inner;
    inner.is_list = is_list;
    inner.path = name_here();
    leaves_.push_back({inner.path, "", Leaf::Kind::collection, Leaf::Style::plain, read_, read_});
    open_.push_back(std::move(inner));
    last_ = read_;
    return true;
  }
  bool leave() {
    open_.pop_back();
    advance();
    last_ = read_;
    return true;
  }

  std::string_view text_;
  const std::size_t& read_;
  std::size_t last_ = 0;
  std::vector<Open> open_;
  std::vector<Leaf> leaves_;
  std::string error_;
};

bool is_number(const std::string& text) {
  const auto value = parse_json(text);
  return value && (value->is(Value::Type::integer) || value->is(Value::Type::number));
}

}  // namespace

Result<std::vector<Leaf>> json_leaves(std::string_view text) {
  // The library takes a zero byte for the end, and would not look at what follows.
  if (text.find('\0') != std::string_view::npos) {
    return fail(Error::Kind::invalid, "not JSON: it holds a zero byte");
  }
  return guard(Error::Kind::invalid, "not JSON", [&]() -> Result<std::vector<Leaf>> {
    std::size_t read = 0;
    Walker walker(text, read);
    const CountingIterator begin(text.data(), &read), end(text.data() + text.size(), &read);
    if (!nlohmann::json::sax_parse(begin, end, &walker)) {
      return fail(Error::Kind::invalid, "not JSON: " + walker.error());
    }
    return walker.take();
  });
}

std::string json_scalar(const Leaf& leaf, const Value& value) {
  const std::string text = leaf_text(value);
  const std::string quoted = to_json(Value(text));
  if (value.is_null()) return "null";
  if (leaf.kind == Leaf::Kind::string) return quoted;
  if (!value.is(Value::Type::string)) return text;
  if (leaf.kind == Leaf::Kind::number && is_number(text)) return text;
  if (leaf.kind == Leaf::Kind::boolean && (text == "true" || text == "false")) return text;
  return quoted;
}

}  // namespace lifeboat::steps
