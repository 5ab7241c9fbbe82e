#include "schema/value.h"

#include <cmath>

#include "base/guard.h"

namespace lifeboat {
namespace {

// Exact: an integer equals a number only when the number is that integer, not when both round to
// the same double.
bool same_number(std::int64_t whole, double number) {
  const bool in_range = number >= -9223372036854775808.0 && number < 9223372036854775808.0;
  return in_range && std::trunc(number) == number && static_cast<std::int64_t>(number) == whole;
}

}  // namespace

std::string Mark::text() const {
  if (line <= 0) return file;
  return file + ":" + std::to_string(line) + ":" + std::to_string(column);
}

bool Value::boolean() const {
  ASSERT(is(Type::boolean));
  return std::get<bool>(data_);
}

std::int64_t Value::integer() const {
  ASSERT(is(Type::integer));
  return std::get<std::int64_t>(data_);
}

double Value::number() const {
  if (is(Type::integer)) return static_cast<double>(std::get<std::int64_t>(data_));
  ASSERT(is(Type::number));
  return std::get<double>(data_);
}

const std::string& Value::string() const {
  ASSERT(is(Type::string));
  return std::get<std::string>(data_);
}

const Value::List& Value::list() const {
  ASSERT(is(Type::list));
  return std::get<List>(data_);
}

const Value::Map& Value::map() const {
  ASSERT(is(Type::map));
  return std::get<Map>(data_);
}

Value::List& Value::list() {
  ASSERT(is(Type::list));
  return std::get<List>(data_);
}

Value::Map& Value::map() {
  ASSERT(is(Type::map));
  return std::get<Map>(data_);
}

const Value& Value::at(std::string_view key) const {
  static const Value null;
  if (!is(Type::map)) return null;
  const auto& members = std::get<Map>(data_);
  const auto found = members.find(key);
  return found == members.end() ? null : found->second;
}

bool Value::has(std::string_view key) const {
  return is(Type::map) && std::get<Map>(data_).contains(key);
}

std::string Value::text(std::string_view key, std::string_view fallback) const {
  const Value& member = at(key);
  return member.is(Type::string) ? member.string() : std::string(fallback);
}

std::int64_t Value::integer(std::string_view key, std::int64_t fallback) const {
  const Value& member = at(key);
  return member.is(Type::integer) ? member.integer() : fallback;
}

bool Value::boolean(std::string_view key, bool fallback) const {
  const Value& member = at(key);
  return member.is(Type::boolean) ? member.boolean() : fallback;
}

Value& Value::set(std::string key, Value value) {
  if (is_null()) data_ = Map{};
  ASSERT(is(Type::map));
  std::get<Map>(data_).insert_or_assign(std::move(key), std::move(value));
  return *this;
}

Value& Value::push(Value value) {
  if (is_null()) data_ = List{};
  ASSERT(is(Type::list));
  std::get<List>(data_).push_back(std::move(value));
  return *this;
}

bool Value::tainted() const {
  if (secret_) return true;
  if (is(Type::list)) {
    for (const Value& item : std::get<List>(data_)) {
      if (item.tainted()) return true;
    }
  }
  if (is(Type::map)) {
    for (const auto& [key, member] : std::get<Map>(data_)) {
      if (member.tainted()) return true;
    }
  }
  return false;
}

Value& Value::taint() {
  secret_ = true;
  return *this;
}

Value& Value::set_plain(bool plain) {
  plain_ = plain;
  return *this;
}

Value& Value::at_mark(Mark mark) {
  mark_ = std::move(mark);
  return *this;
}

Mark Value::key_mark() const {
  return key_line_ > 0 ? Mark{mark_.file, key_line_, key_column_} : mark_;
}

Value& Value::at_key(int line, int column) {
  key_line_ = line;
  key_column_ = column;
  return *this;
}

Value& Value::in_place_of(const Value& other) {
  mark_ = other.mark_;
  return at_key(other.key_line_, other.key_column_);
}

bool Value::operator==(const Value& other) const {
  if (is(Type::integer) && other.is(Type::number)) {
    return same_number(integer(), std::get<double>(other.data_));
  }
  if (is(Type::number) && other.is(Type::integer)) return other == *this;
  return data_ == other.data_;
}

std::string_view type_name(Value::Type type) {
  switch (type) {
    case Value::Type::null:
      return "nothing";
    case Value::Type::boolean:
      return "a boolean";
    case Value::Type::integer:
      return "an integer";
    case Value::Type::number:
      return "a number";
    case Value::Type::string:
      return "a string";
    case Value::Type::list:
      return "a list";
    case Value::Type::map:
      return "a map";
  }
  return "nothing";
}

}  // namespace lifeboat
