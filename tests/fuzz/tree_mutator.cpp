#include "tests/fuzz/tree_mutator.h"

#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "schema/json.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size,
                                        std::size_t size_max);

namespace lifeboat::fuzz {
namespace {

using Dice = std::mt19937;

std::size_t below(Dice& dice, std::size_t bound) { return dice() % bound; }

void collect(Value& value, std::vector<Value*>& nodes) {
  nodes.push_back(&value);
  if (value.is(Value::Type::list)) {
    for (Value& item : value.list()) collect(item, nodes);
  } else if (value.is(Value::Type::map)) {
    for (auto& [key, member] : value.map()) collect(member, nodes);
  }
}

Value some_scalar(Dice& dice) {
  const std::vector<Value> scalars{Value(),
                                   Value(true),
                                   Value(false),
                                   Value(0),
                                   Value(1),
                                   Value(-1),
                                   Value(std::numeric_limits<std::int64_t>::max()),
                                   Value(std::numeric_limits<std::int64_t>::min()),
                                   Value(0.5),
                                   Value(-1e308),
                                   Value(""),
                                   Value("\x1b[31m\xc3\xa9"),
                                   Value(Value::List{}),
                                   Value(Value::Map{})};
  return scalars[below(dice, scalars.size())];
}

Value mutated_text(const std::string& text) {
  std::vector<std::uint8_t> bytes(text.begin(), text.end());
  const std::size_t size = bytes.size();
  bytes.resize(size + 17);
  bytes.resize(LLVMFuzzerMutate(bytes.data(), size, size + 16));
  return Value(std::string(bytes.begin(), bytes.end()));
}

void drop_or_double(Value& value, std::size_t at, Dice& dice) {
  if (value.is(Value::Type::list)) {
    auto& items = value.list();
    const auto place = items.begin() + static_cast<std::ptrdiff_t>(at);
    if (below(dice, 3) == 0) {
      items.erase(place);
    } else {
      const Value copy = *place;
      items.insert(place, 1 + below(dice, 3), copy);
    }
    return;
  }
  auto& members = value.map();
  const auto member = std::next(members.begin(), static_cast<std::ptrdiff_t>(at));
  if (below(dice, 2) == 0) {
    members.erase(member);
  } else {
    const Value copy = member->second;
    value.set("k" + std::to_string(below(dice, 8)), copy);
  }
}

std::size_t children(const Value& value) {
  if (value.is(Value::Type::list)) return value.list().size();
  return value.is(Value::Type::map) ? value.map().size() : 0;
}

// Any item of a list or member of a map, wherever it is, with the same chance.
void drop_or_double_one(const std::vector<Value*>& nodes, Dice& dice) {
  std::size_t all = 0;
  for (const Value* node : nodes) all += children(*node);
  if (all == 0) return;
  std::size_t at = below(dice, all);
  for (Value* node : nodes) {
    const std::size_t own = children(*node);
    if (at < own) return drop_or_double(*node, at, dice);
    at -= own;
  }
}

void change(Value& root, Dice& dice) {
  std::vector<Value*> nodes;
  collect(root, nodes);
  if (below(dice, 2) == 0) return drop_or_double_one(nodes, dice);
  Value& node = *nodes[below(dice, nodes.size())];
  switch (below(dice, 3)) {
    case 0:
      node = some_scalar(dice);
      return;
    case 1: {
      const Value other = *nodes[below(dice, nodes.size())];
      node = other;
      return;
    }
    default:
      if (node.is(Value::Type::string)) node = mutated_text(node.string());
  }
}

}  // namespace

std::size_t mutate_json(std::uint8_t* bytes, std::size_t size, std::size_t size_max,
                        unsigned seed) {
  Dice dice(seed);
  const std::string_view text(reinterpret_cast<const char*>(bytes), size);
  auto tree = below(dice, 4) == 0 ? Result<Value>(fail(Error::Kind::invalid, "plain"))
                                  : parse_json(text, {.depth = 256});
  if (!tree) return LLVMFuzzerMutate(bytes, size, size_max);
  do {
    change(*tree, dice);
  } while (below(dice, 3) == 0);
  const std::string mutated = to_json(*tree, Secrets::reveal);
  if (mutated.size() > size_max) return LLVMFuzzerMutate(bytes, size, size_max);
  std::memcpy(bytes, mutated.data(), mutated.size());
  return mutated.size();
}

}  // namespace lifeboat::fuzz
