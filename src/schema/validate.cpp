// validate(): one walk over a tree and its table. Scalars of files arrive as plain text and leave
// as what the table says they are; everything that does not fit becomes a Finding.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/bytes.h"
#include "base/clock.h"
#include "schema/fields.h"

namespace lifeboat {
namespace {

// How a value is shown in an error: short, printable, and never when it is a secret.
std::string shown(const Value& value) {
  if (value.tainted()) return "a secret";
  if (!value.is(Value::Type::string)) return std::string(type_name(value.type()));
  std::string text = printable(value.string());
  if (text.size() > 40) text = text.substr(0, 37) + "...";
  return "'" + text + "'";
}

// JSON's grammar for numbers: what YAML readers, JSON readers and we agree on. "007", "0x1f", "1_0"
// and "1." are read differently by different readers, and refused here.
bool number_grammar(std::string_view text, bool whole) {
  if (text.starts_with('-')) text.remove_prefix(1);
  const auto digits = [&text] {
    const auto end = text.find_first_not_of("0123456789");
    const std::size_t count = std::min(end, text.size());
    text.remove_prefix(count);
    return count;
  };
  if (text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9') return false;
  if (digits() == 0) return false;
  if (whole) return text.empty();
  if (text.starts_with('.')) {
    text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  if (text.starts_with('e') || text.starts_with('E')) {
    text.remove_prefix(1);
    if (text.starts_with('+') || text.starts_with('-')) text.remove_prefix(1);
    if (digits() == 0) return false;
  }
  return text.empty();
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), out);
  return problem == std::errc() && end == text.data() + text.size();
}

// What YAML's core schema (the one of JSON) makes of plain text; for shapes that take any value.
Value core_typed(const std::string& text) {
  if (text.empty() || text == "~" || text == "null") return {};
  if (text == "true" || text == "false") return Value(text == "true");
  std::int64_t whole = 0;
  if (number_grammar(text, true) && read_number(text, whole)) return Value(whole);
  double number = 0;
  if (number_grammar(text, false) && read_number(text, number) && std::isfinite(number)) {
    return Value(number);
  }
  return Value(text);
}

bool empty_plain(const Value& value) {
  return value.is_null() ||
         (value.is(Value::Type::string) && value.plain() && core_typed(value.string()).is_null());
}

bool scalar(const Value& value) {
  return !value.is(Value::Type::list) && !value.is(Value::Type::map);
}

class Validator {
 public:
  Validator(const ValidateOptions& options, std::vector<Finding>& findings)
      : options_(options), findings_(findings) {}

  void record(Value& value, const Record& record, const std::string& path);
  void shape(Value& value, const Shape& shape, const std::string& path);

 private:
  void add(const Value& value, const std::string& path, std::string message,
           std::string hint = {}) {
    findings_.push_back({value.mark(), path, std::move(message), std::move(hint)});
  }
  void wrong_type(const Value& value, const Shape& shape, const std::string& path) {
    add(value, path, "expected " + shape_name(shape) + ", found " + shown(value));
  }
  bool takes_short_form(const Value& value, const Record& record) const;
  void unknown_key(const Value& value, const Record& record, const std::string& key,
                   const std::string& path);
  void string(Value& value, const Shape& shape, const std::string& path);
  void boolean(Value& value, const Shape& shape, const std::string& path);
  void integer(Value& value, const Shape& shape, const std::string& path);
  void number(Value& value, const Shape& shape, const std::string& path);
  void parsed_text(Value& value, const Shape& shape, const std::string& path);
  void choice(Value& value, const Shape& shape, const std::string& path);
  void secret(Value& value, const std::string& path);
  void list(Value& value, const Shape& shape, const std::string& path);
  void map(Value& value, const Shape& shape, const std::string& path);
  void any(Value& value);

  const ValidateOptions& options_;
  std::vector<Finding>& findings_;
};

std::string below(const std::string& path, const std::string& key) {
  const std::string name = printable(key);
  return path.empty() ? name : path + "." + name;
}

void replace(Value& value, Value typed) {
  typed.in_place_of(value);
  if (value.own_taint()) typed.taint();
  value = std::move(typed);
}

bool Validator::takes_short_form(const Value& value, const Record& record) const {
  if (record.short_form.empty() || value.is(Value::Type::map)) return false;
  if (empty_plain(value)) return false;
  if (scalar(value)) return true;
  const Field* field = record.find(record.short_form);
  return field != nullptr && field->shape.kind == Shape::Kind::list;
}

void Validator::unknown_key(const Value& value, const Record& record, const std::string& key,
                            const std::string& path) {
  const std::string name = printable(key);
  if (std::find(record.reserved.begin(), record.reserved.end(), key) != record.reserved.end()) {
    findings_.push_back({value.key_mark(), path, "'" + name + "' is not in this version",
                         "the word is kept for a later version of Lifeboat; remove it"});
    return;
  }
  std::vector<std::string> known;
  for (const Field& field : record.fields) known.push_back(field.name);
  const std::string hint =
      known.empty() ? "nothing can be set here" : suggestion(key, known, "known here: ");
  findings_.push_back({value.key_mark(), path, "unknown key '" + name + "'", hint});
}

void Validator::record(Value& value, const Record& record, const std::string& path) {
  if (takes_short_form(value, record)) {
    Value wrapped;
    wrapped.in_place_of(value);
    wrapped.set(record.short_form, std::move(value));
    value = std::move(wrapped);
  } else if (empty_plain(value)) {
    replace(value, Value(Value::Map{}));  // "name:" with nothing below it: all fallbacks
  }
  if (!value.is(Value::Type::map)) {
    add(value, path, "expected a map, found " + shown(value));
    return;
  }
  for (auto& [key, member] : value.map()) {
    const Field* field = record.find(key);
    if (field == nullptr) {
      unknown_key(member, record, key, path);
    } else {
      shape(member, field->shape, below(path, key));
    }
  }
  for (const Field& field : record.fields) {
    if (value.has(field.name)) continue;
    if (field.required) {
      add(value, path, "'" + field.name + "' is missing", field.help);
    } else if (!field.fallback.is_null()) {
      Value fallback = field.fallback;
      fallback.at_mark(value.mark());
      value.set(field.name, std::move(fallback));
    }
  }
}

void Validator::shape(Value& value, const Shape& shape, const std::string& path) {
  const bool text = value.is(Value::Type::string);
  const bool wraps = shape.kind == Shape::Kind::record && !shape.record->short_form.empty();
  if (text && options_.references_allowed && has_reference(value.string()) && !wraps) {
    value.set_plain(false);
    return;
  }
  if (empty_plain(value) && shape.kind != Shape::Kind::any && shape.kind != Shape::Kind::record) {
    add(value, path, "has no value; expected " + shape_name(shape));
    return;
  }
  switch (shape.kind) {
    case Shape::Kind::string:
      return string(value, shape, path);
    case Shape::Kind::boolean:
      return boolean(value, shape, path);
    case Shape::Kind::integer:
      return integer(value, shape, path);
    case Shape::Kind::number:
      return number(value, shape, path);
    case Shape::Kind::duration:
    case Shape::Kind::time:
      return parsed_text(value, shape, path);
    case Shape::Kind::secret:
      return secret(value, path);
    case Shape::Kind::choice:
      return choice(value, shape, path);
    case Shape::Kind::list:
      return list(value, shape, path);
    case Shape::Kind::map:
      return map(value, shape, path);
    case Shape::Kind::record:
      return record(value, *shape.record, path);
    case Shape::Kind::any:
      return any(value);
  }
}

void Validator::string(Value& value, const Shape& shape, const std::string& path) {
  if (options_.scalars_as_text && scalar(value) && !value.is_null()) {
    replace(value, Value(scalar_text(value)));
  }
  if (!value.is(Value::Type::string)) return wrong_type(value, shape, path);
  value.set_plain(false);
}

void Validator::boolean(Value& value, const Shape& shape, const std::string& path) {
  if (value.is(Value::Type::boolean)) return;
  if (value.is(Value::Type::string) && value.plain()) {
    const std::string& text = value.string();
    if (text == "true" || text == "false") return replace(value, Value(text == "true"));
  }
  add(value, path, "expected " + shape_name(shape) + ", found " + shown(value),
      value.is(Value::Type::string) && !value.plain() ? "write it without quotes" : "");
}

void Validator::integer(Value& value, const Shape& shape, const std::string& path) {
  if (value.is(Value::Type::integer)) return;
  if (value.is(Value::Type::string) && value.plain()) {
    std::int64_t whole = 0;
    if (number_grammar(value.string(), true) && read_number(value.string(), whole)) {
      return replace(value, Value(whole));
    }
  }
  const bool quoted =
      value.is(Value::Type::string) && !value.plain() && number_grammar(value.string(), true);
  add(value, path, "expected " + shape_name(shape) + ", found " + shown(value),
      quoted ? "write it without quotes" : "");
}

void Validator::number(Value& value, const Shape& shape, const std::string& path) {
  if (value.is(Value::Type::integer) || value.is(Value::Type::number)) return;
  if (value.is(Value::Type::string) && value.plain()) {
    const Value typed = core_typed(value.string());
    if (typed.is(Value::Type::integer) || typed.is(Value::Type::number)) {
      return replace(value, typed);
    }
  }
  wrong_type(value, shape, path);
}

void Validator::parsed_text(Value& value, const Shape& shape, const std::string& path) {
  const bool duration = shape.kind == Shape::Kind::duration;
  const bool right =
      value.is(Value::Type::string) && (duration ? parse_duration(value.string()).has_value()
                                                 : parse_rfc3339(value.string()).has_value());
  if (right) {
    value.set_plain(false);
    return;
  }
  add(value, path, "expected " + shape_name(shape) + ", found " + shown(value),
      duration ? "like 90s, 15m, 1h30m or 7d" : "like 2026-11-21T04:00:00Z");
}

void Validator::choice(Value& value, const Shape& shape, const std::string& path) {
  if (!value.is(Value::Type::string)) return wrong_type(value, shape, path);
  const auto& choices = shape.choices;
  if (std::find(choices.begin(), choices.end(), value.string()) != choices.end()) {
    value.set_plain(false);
    return;
  }
  const std::string right = nearest(value.string(), choices);
  add(value, path, "expected " + shape_name(shape) + ", found " + shown(value),
      right.empty() ? "" : "did you mean '" + right + "'?");
}

// {env: NAME} | {file: PATH} | {exec: [...]}; a literal would stand in Git and in every bundle.
// A tainted string is a secret that was resolved already.
void Validator::secret(Value& value, const std::string& path) {
  if (value.is(Value::Type::string) && value.tainted()) return;
  static const char* const hint =
      "write {env: NAME}, {file: PATH}, {exec: [PROGRAM, ...]} or a ${reference}";
  if (!value.is(Value::Type::map)) {
    // The text may be the secret itself: it is not shown.
    add(value, path, "a secret may not be written into the file", hint);
    return;
  }
  if (value.map().size() != 1) {
    add(value, path, "a secret comes from exactly one place", hint);
    return;
  }
  auto& [word, from] = *value.map().begin();
  if (word == "env" || word == "file") return shape(from, shape::string(), below(path, word));
  if (word == "exec") {
    shape(from, shape::string_or_list(), below(path, word));
    if (from.is(Value::Type::list) && from.list().empty()) {
      add(from, below(path, word), "names no program");
    }
    return;
  }
  if (word == "sops" || word == "aws-secrets") {
    add(from, path, "'" + word + "' is not in this version", hint);
    return;
  }
  add(from, path, "unknown kind of secret '" + printable(word) + "'", hint);
}

void Validator::list(Value& value, const Shape& shape, const std::string& path) {
  if (shape.scalar_is_list && scalar(value)) {
    Value list;
    list.in_place_of(value);
    list.push(std::move(value));
    value = std::move(list);
  }
  if (!value.is(Value::Type::list)) return wrong_type(value, shape, path);
  std::size_t place = 0;
  for (Value& item : value.list()) {
    this->shape(item, *shape.inner, path + "[" + std::to_string(place++) + "]");
  }
}

void Validator::map(Value& value, const Shape& shape, const std::string& path) {
  if (!value.is(Value::Type::map)) return wrong_type(value, shape, path);
  for (auto& [key, member] : value.map()) this->shape(member, *shape.inner, below(path, key));
}

void Validator::any(Value& value) {
  if (value.is(Value::Type::string) && value.plain()) replace(value, core_typed(value.string()));
  if (value.is(Value::Type::list)) {
    for (Value& item : value.list()) any(item);
  }
  if (value.is(Value::Type::map)) {
    for (auto& [key, member] : value.map()) any(member);
  }
}

}  // namespace

void validate(Value& value, const Record& record, const ValidateOptions& options,
              std::vector<Finding>& findings) {
  Validator(options, findings).record(value, record, options.path);
}

void validate(Value& value, const Shape& shape, const ValidateOptions& options,
              std::vector<Finding>& findings) {
  Validator(options, findings).shape(value, shape, options.path);
}

}  // namespace lifeboat
