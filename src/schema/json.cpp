#include "schema/json.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/bytes.h"
#include "base/guard.h"

namespace lifeboat {
namespace {

using nlohmann::json;

json to_nlohmann(const Value& value, Secrets secrets) {
  if (secrets == Secrets::mask && value.own_taint()) return "***";
  switch (value.type()) {
    case Value::Type::null:
      return nullptr;
    case Value::Type::boolean:
      return value.boolean();
    case Value::Type::integer:
      return value.integer();
    case Value::Type::number:
      return value.number();
    case Value::Type::string:
      return value.string();
    case Value::Type::list: {
      json list = json::array();
      for (const Value& item : value.list()) list.push_back(to_nlohmann(item, secrets));
      return list;
    }
    case Value::Type::map: {
      json map = json::object();
      for (const auto& [key, member] : value.map()) map[key] = to_nlohmann(member, secrets);
      return map;
    }
  }
  return nullptr;
}

std::string dump(const Value& value, Secrets secrets, int indent) {
  return to_nlohmann(value, secrets).dump(indent, ' ', false, json::error_handler_t::replace);
}

// Builds the tree from nlohmann's events, so that depth and duplicate keys are found before they
// cost anything. The parser itself does not recurse. Its messages quote the input, which may hold
// secrets: only the position of an error is taken from it.
class Builder {
 public:
  explicit Builder(std::size_t depth) : depth_(depth) {}

  Value take() { return std::move(root_); }
  Error error() const {
    return {Error::Kind::invalid, problem_.value_or("JSON: not finished"), "",
            Error::Code::automatic};
  }

  bool null() { return scalar(Value()); }
  bool boolean(bool value) { return scalar(Value(value)); }
  bool number_integer(json::number_integer_t value) { return scalar(Value(std::int64_t{value})); }
  bool number_unsigned(json::number_unsigned_t value) {
    // Beyond 64 signed bits it is a number, as every other reader of JSON has it.
    if (value > static_cast<json::number_unsigned_t>(std::numeric_limits<std::int64_t>::max())) {
      return scalar(Value(static_cast<double>(value)));
    }
    return scalar(Value(static_cast<std::int64_t>(value)));
  }
  bool number_float(json::number_float_t value, const std::string&) {
    if (!std::isfinite(value)) return problem("JSON: a number that no double holds");
    return scalar(Value(value));
  }
  bool string(std::string& value) { return scalar(Value(std::move(value))); }
  bool binary(json::binary_t&) { return problem("JSON: binary data"); }

  bool start_object(std::size_t) { return open(Value(Value::Map{})); }
  bool start_array(std::size_t) { return open(Value(Value::List{})); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }
  bool key(std::string& name) {
    if (open_.back().value.has(name)) {
      return problem("JSON: the key '" + printable(name) + "' stands twice in one object");
    }
    open_.back().key = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception& cause) {
    // 406: a number out of range; nlohmann reports it without a useful place.
    if (cause.id == 406) return problem("JSON: a number that no double holds");
    return problem("JSON: not valid at byte " + std::to_string(position));
  }

 private:
  struct Level {
    Value value;
    std::string key;
  };

  bool problem(std::string text) {
    problem_ = std::move(text);
    return false;
  }
  bool open(Value value) {
    if (open_.size() >= depth_) {
      return problem("JSON: nested deeper than " + std::to_string(depth_) + " levels");
    }
    open_.push_back({std::move(value), {}});
    return true;
  }
  bool close() {
    Value done = std::move(open_.back().value);
    open_.pop_back();
    return scalar(std::move(done));
  }
  bool scalar(Value value) {
    if (open_.empty()) {
      root_ = std::move(value);
    } else if (Level& level = open_.back(); level.value.is(Value::Type::map)) {
      level.value.set(std::move(level.key), std::move(value));
    } else {
      level.value.push(std::move(value));
    }
    return true;
  }

  std::size_t depth_;
  std::vector<Level> open_;
  Value root_;
  std::optional<std::string> problem_;
};

}  // namespace

std::string to_json(const Value& value, Secrets secrets) { return dump(value, secrets, -1); }

std::string to_pretty_json(const Value& value, Secrets secrets) { return dump(value, secrets, 2); }

Result<Value> parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.size_bytes) {
    return fail(Error::Kind::invalid, "JSON: " + std::to_string(text.size()) +
                                          " bytes, more than the limit of " +
                                          std::to_string(limits.size_bytes));
  }
  // The library takes a zero byte for the end, and would not look at what follows.
  if (const auto zero = text.find('\0'); zero != std::string_view::npos) {
    return fail(Error::Kind::invalid, "JSON: not valid at byte " + std::to_string(zero + 1));
  }
  return guard(Error::Kind::invalid, "JSON", [&]() -> Result<Value> {
    Builder builder(limits.depth);
    if (!json::sax_parse(text.begin(), text.end(), &builder)) return fail(builder.error());
    return builder.take();
  });
}

void set_text_or_base64(Value& map, const std::string& key, std::string_view text) {
  if (is_utf8(text)) {
    map.set(key, text);
    return;
  }
  map.set(key, printable(text));
  map.set(key + "_bytes", to_base64(as_bytes(text)));
}

}  // namespace lifeboat
