#include "steps/json_path.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/bytes.h"
#include "schema/json.h"

namespace lifeboat::steps {
namespace {

Error not_a_path(const std::string& path) {
  return {Error::Kind::invalid,
          "'" + printable(path) + "' is not a path into JSON",
          "write it like order.items[0].id, or /order/items/0/id",
          {}};
}

std::optional<std::size_t> number_of(std::string_view text) {
  std::size_t number = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || stop != text.data() + text.size()) return {};
  return number;
}

Value member(const Value& here, std::size_t index) {
  const bool there = here.is(Value::Type::list) && index < here.list().size();
  return there ? here.list()[index] : Value();
}

// "[12]" at the start of `rest`: takes it away and answers the number.
Result<std::size_t> take_index(std::string_view& rest, const std::string& path) {
  const std::size_t end = rest.find(']');
  const auto index =
      end == std::string_view::npos ? std::nullopt : number_of(rest.substr(1, end - 1));
  if (!index) return fail(not_a_path(path));
  rest.remove_prefix(end + 1);
  return *index;
}

// One part of a JSON pointer: "~1" is "/", "~0" is "~".
Result<std::string> unescaped(std::string_view part, const std::string& path) {
  std::string text;
  for (std::size_t i = 0; i < part.size(); ++i) {
    if (part[i] != '~') {
      text += part[i];
      continue;
    }
    const char next = i + 1 < part.size() ? part[++i] : '\0';
    if (next != '0' && next != '1') return fail(not_a_path(path));
    text += next == '0' ? '~' : '/';
  }
  return text;
}

Result<Value> at_pointer(const Value& tree, const std::string& path) {
  Value here = tree;
  std::string_view rest = path;
  while (!rest.empty()) {
    rest.remove_prefix(1);
    const std::size_t end = std::min(rest.find('/'), rest.size());
    TRY(const std::string part, unescaped(rest.substr(0, end), path));
    const auto index = number_of(part);
    here = here.is(Value::Type::list) ? (index ? member(here, *index) : Value())
                                      : Value(here.at(part));
    rest.remove_prefix(end);
  }
  return here;
}

}  // namespace

Result<Value> at_path(const Value& tree, const std::string& path) {
  if (path.starts_with('/')) return at_pointer(tree, path);
  Value here = tree;
  std::string_view rest = path;
  while (!rest.empty()) {
    if (rest.front() == '[') {
      TRY(const std::size_t index, take_index(rest, path));
      here = member(here, index);
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

bool equals_wanted(const Value& actual, const Value& wanted) {
  if (actual == wanted) return true;
  const bool text = wanted.is(Value::Type::string) && !actual.is(Value::Type::string);
  return text && !actual.is(Value::Type::list) && !actual.is(Value::Type::map) &&
         to_json(actual, Secrets::reveal) == wanted.string();
}

}  // namespace lifeboat::steps
