#include "steps/http_check/template_text.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "schema/json.h"

namespace lifeboat::steps {
namespace {

constexpr std::string_view opening = "{{";
constexpr std::string_view closing = "}}";

std::string trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(' ');
  if (begin == std::string_view::npos) return "";
  return std::string(text.substr(begin, text.find_last_not_of(' ') - begin + 1));
}

Result<Value> saved_value(const std::string& name, const Value& saved) {
  if (saved.has(name)) return saved.at(name);
  return fail(Error::Kind::invalid, "nothing was saved as '" + printable(name) + "'",
              "a request before this one must have it in `save`");
}

Error not_a_path(const std::string& path) {
  return {Error::Kind::invalid,
          "'" + printable(path) + "' is not a path into JSON",
          "write it like order.items[0].id",
          {}};
}

// "[12]" at the start of `rest`: takes it away and answers the number.
Result<std::size_t> take_index(std::string_view& rest, const std::string& path) {
  const std::size_t end = rest.find(']');
  std::size_t index = 0;
  const char* last = rest.data() + (end == std::string_view::npos ? 0 : end);
  const auto [stop, error] = std::from_chars(rest.data() + 1, last, index);
  if (end == std::string_view::npos || error != std::errc() || stop != last) {
    return fail(not_a_path(path));
  }
  rest.remove_prefix(end + 1);
  return index;
}

}  // namespace

Result<Value> filled_text(const std::string& text, const Value& saved) {
  std::string out;
  bool secret = false;
  std::string_view rest = text;
  for (;;) {
    const std::size_t begin = rest.find(opening);
    const std::size_t end = begin == std::string_view::npos ? begin : rest.find(closing, begin);
    if (end == std::string_view::npos) break;
    out += rest.substr(0, begin);
    const std::string name = trimmed(rest.substr(begin + 2, end - begin - 2));
    TRY(const Value value, saved_value(name, saved));
    if (value.is(Value::Type::list) || value.is(Value::Type::map)) {
      return fail(Error::Kind::invalid, "'" + name + "' is " +
                                            std::string(type_name(value.type())) +
                                            ": it cannot stand within a text");
    }
    secret = secret || value.tainted();
    out += value.is(Value::Type::string) ? value.string() : to_json(value, Secrets::reveal);
    rest.remove_prefix(end + closing.size());
  }
  Value result(out + std::string(rest));
  if (secret) result.taint();
  return result;
}

Result<Value> filled(const Value& tree, const Value& saved) {
  Value result = tree;
  if (tree.is(Value::Type::string)) {
    const std::string& text = tree.string();
    const bool alone = text.starts_with(opening) && text.find(closing) == text.size() - 2;
    if (alone && text.size() >= 4) {
      return saved_value(trimmed(std::string_view(text).substr(2, text.size() - 4)), saved);
    }
    TRY(result, filled_text(text, saved));
  } else if (tree.is(Value::Type::list)) {
    for (Value& each : result.list()) {
      TRY(each, filled(Value(each), saved));
    }
  } else if (tree.is(Value::Type::map)) {
    for (auto& [name, each] : result.map()) {
      TRY(each, filled(Value(each), saved));
    }
  }
  if (tree.own_taint()) result.taint();
  return result;
}

Result<Value> at_path(const Value& tree, const std::string& path) {
  Value here = tree;
  std::string_view rest = path;
  while (!rest.empty()) {
    if (rest.front() == '[') {
      TRY(const std::size_t index, take_index(rest, path));
      const bool there = here.is(Value::Type::list) && index < here.list().size();
      here = there ? Value(here.list()[index]) : Value();
    } else {
      const std::size_t end = std::min(rest.find_first_of(".["), rest.size());
      if (end == 0) return fail(not_a_path(path));
      here = Value(here.at(rest.substr(0, end)));
      rest.remove_prefix(end);
    }
    if (rest.starts_with('.')) {
      rest.remove_prefix(1);
      if (rest.empty()) return fail(not_a_path(path));
    }
  }
  return here;
}

}  // namespace lifeboat::steps
