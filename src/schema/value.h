// schema/value.h - A typed value: what platform files, plans, step outputs and reports are made of.
//
// A Value is a plain tree (null, boolean, integer, number, string, list, map) with two things that
// JSON has not: the Mark of where it was written (for errors), and a taint. A tainted value is a
// secret: whatever is built from one is one (`tainted()` looks at the whole tree), and every
// renderer masks it unless it is asked, by name, not to (schema/json.h).
//
// Value type; copy freely. Threads: as std::map.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lifeboat {

// A place in a file: 1-based line and column; line 0 = not from a file.
struct Mark {
  std::string file;
  int line = 0;
  int column = 0;
  std::string text() const;  // "lifeboat.yaml:12:7", "" when unknown
};

class Value {
 public:
  enum class Type { null, boolean, integer, number, string, list, map };
  using List = std::vector<Value>;
  using Map = std::map<std::string, Value, std::less<>>;

  Value() = default;
  Value(bool value) : data_(value) {}
  Value(std::int64_t value) : data_(value) {}
  Value(int value) : data_(std::int64_t{value}) {}
  Value(std::uint64_t value) : data_(static_cast<std::int64_t>(value)) {}
  Value(double value) : data_(value) {}
  Value(std::string value) : data_(std::move(value)) {}
  Value(std::string_view value) : data_(std::string(value)) {}
  Value(const char* value) : data_(std::string(value)) {}
  Value(List value) : data_(std::move(value)) {}
  Value(Map value) : data_(std::move(value)) {}

  Type type() const { return static_cast<Type>(data_.index()); }
  bool is(Type type) const { return this->type() == type; }
  bool is_null() const { return is(Type::null); }

  // Each requires is(that type); ASSERTs otherwise (number() also takes an integer).
  bool boolean() const;
  std::int64_t integer() const;
  double number() const;
  const std::string& string() const;
  const List& list() const;
  const Map& map() const;
  List& list();
  Map& map();

  // Member of a map; a null Value when absent or when this is no map.
  const Value& at(std::string_view key) const;
  bool has(std::string_view key) const;
  // Conveniences for members that were validated: the value, or the fallback when absent.
  std::string text(std::string_view key, std::string_view fallback = {}) const;
  std::int64_t integer(std::string_view key, std::int64_t fallback) const;
  bool boolean(std::string_view key, bool fallback) const;
  // Sets a member; turns null into a map first. Answers *this, for the next one.
  Value& set(std::string key, Value value);
  // Appends; turns null into a list first. Answers *this.
  Value& push(Value value);

  // True when this value or any part of it is a secret.
  bool tainted() const;
  Value& taint();  // marks this node; returns *this
  bool own_taint() const { return secret_; }

  // A scalar that stood in a file without quotes: text whose type the schema decides
  // (schema/fields.h). Quoted text is never read as a number.
  bool plain() const { return plain_; }
  Value& set_plain(bool plain = true);

  const Mark& mark() const { return mark_; }
  Value& at_mark(Mark mark);
  // Where the key stands whose value this is; mark() when that is not known. Members of a map are
  // sorted by key: their order in the file is the order of these marks.
  Mark key_mark() const;
  Value& at_key(int line, int column);
  // Takes both marks of `other`: for a value that replaces another one.
  Value& in_place_of(const Value& other);

  // Equality of content; marks and taints do not count. 1 == 1.0.
  bool operator==(const Value& other) const;

 private:
  std::variant<std::monostate, bool, std::int64_t, double, std::string, List, Map> data_;
  Mark mark_;
  bool secret_ = false;
  bool plain_ = false;
  int key_line_ = 0, key_column_ = 0;
};

std::string_view type_name(Value::Type type);  // "a list", "a string", ... for errors

}  // namespace lifeboat
