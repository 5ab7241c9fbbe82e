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

void drop_or_double(Value& value, Dice& dice) {
  if (value.is(Value::Type::list) && !value.list().empty()) {
    auto& items = value.list();
    const auto at = static_cast<std::ptrdiff_t>(below(dice, items.size()));
    if (below(dice, 3) == 0) {
      items.erase(items.begin() + at);
    } else {
      const Value copy = items[static_cast<std::size_t>(at)];
      items.insert(items.begin() + static_cast<std::ptrdiff_t>(below(dice, items.size() + 1)),
                   copy);
    }
  } else if (value.is(Value::Type::map) && !value.map().empty()) {
    auto& members = value.map();
    auto member = members.begin();
    std::advance(member, static_cast<std::ptrdiff_t>(below(dice, members.size())));
    if (below(dice, 2) == 0) {
      members.erase(member);
    } else {
      const Value copy = member->second;
      value.set("k" + std::to_string(below(dice, 8)), copy);
    }
  }
}

void change(Value& root, Dice& dice) {
  std::vector<Value*> nodes;
  collect(root, nodes);
  if (below(dice, 2) == 0) {  // most nodes are scalars: the others are asked for
    std::erase_if(nodes, [](const Value* node) {
      return !node->is(Value::Type::list) && !node->is(Value::Type::map);
    });
    if (!nodes.empty()) drop_or_double(*nodes[below(dice, nodes.size())], dice);
    return;
  }
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
  for (std::size_t times = 1 + below(dice, 3); times > 0; --times) change(*tree, dice);
  const std::string mutated = to_json(*tree, Secrets::reveal);
  if (mutated.size() > size_max) return LLVMFuzzerMutate(bytes, size, size_max);
  std::memcpy(bytes, mutated.data(), mutated.size());
  return mutated.size();
}

}  // namespace lifeboat::fuzz
