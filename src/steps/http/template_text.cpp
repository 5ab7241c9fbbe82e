#include "steps/http/template_text.h"

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

}  // namespace lifeboat::steps
