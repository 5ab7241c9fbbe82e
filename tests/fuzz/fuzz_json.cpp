// JSON: what is read, written and read again is the same.
#include <algorithm>

#include "schema/json.h"
#include "tests/fuzz/harness.h"
#include "tests/fuzz/tree_mutator.h"

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  return lifeboat::fuzz::mutate_json(bytes, size, size_max, seed);
}

namespace lifeboat::fuzz {
namespace {

std::size_t depth_of(const Value& value) {
  std::size_t deepest = 0;
  if (value.is(Value::Type::list)) {
    for (const Value& item : value.list()) deepest = std::max(deepest, depth_of(item));
  } else if (value.is(Value::Type::map)) {
    for (const auto& [key, member] : value.map()) deepest = std::max(deepest, depth_of(member));
  }
  return deepest + 1;
}

bool doubled(const Value& value) {
  if (!value.is(Value::Type::list)) return false;
  return value.list().size() >= 5 && value.list()[0] == value.list()[1];
}

}  // namespace
}  // namespace lifeboat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const std::string_view text = as_text(fuzz::view(bytes, size));
  const auto value = parse_json(text);
  if (!value) {
    HOLDS(value.error().kind == Error::Kind::invalid && is_utf8(value.error().what));
    return 0;
  }
  HOLDS(is_utf8(text));
  HOLDS(fuzz::depth_of(*value) <= JsonLimits{}.depth + 1);
  const std::string written = to_json(*value);
  const auto again = parse_json(written);
  HOLDS(again && *again == *value && to_json(*again) == written);
  const auto pretty = parse_json(to_pretty_json(*value));
  HOLDS(pretty && *pretty == *value);
  // A secret of any shape is three stars, unless one asks.
  Value secret = *value;
  secret.taint();
  HOLDS(to_json(secret) == "\"***\"" && to_json(secret, Secrets::reveal) == written);
  // Seeds: no list of more than four, nothing deeper than five.
  fuzz::plant(fuzz::depth_of(*value) >= 7 || fuzz::doubled(*value));
  return 0;
}
