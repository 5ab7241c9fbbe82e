#include "tests/fuzz/message_mutator.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <vector>

#include "repo/wire.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size,
                                        std::size_t size_max);

namespace lifeboat::fuzz {
namespace {

struct Part {
  std::uint32_t tag = 1;
  Bytes value;
};
using Parts = std::vector<Part>;

std::optional<Parts> parts_of(ByteView message) {
  Parts parts;
  while (!message.empty()) {
    const auto tag = repo::take_varint(message);
    const auto length = tag ? repo::take_varint(message) : std::nullopt;
    if (!length || *tag == 0 || *tag > UINT32_MAX || *length > message.size()) return std::nullopt;
    if (!parts.empty() && *tag < parts.back().tag) return std::nullopt;
    const ByteView value = message.first(static_cast<std::size_t>(*length));
    message = message.subspan(value.size());
    parts.push_back({static_cast<std::uint32_t>(*tag), {value.begin(), value.end()}});
  }
  return parts;
}

Bytes join(const Parts& parts) {
  Bytes message;
  for (const Part& part : parts) {
    repo::append_varint(message, part.tag);
    repo::append_varint(message, part.value.size());
    append(message, part.value);
  }
  return message;
}

std::size_t below(Dice& dice, std::size_t bound) { return dice() % bound; }

Bytes some_number(Dice& dice) {
  constexpr std::array<std::uint64_t, 12> numbers{
      0, 1, 2, 5, 63, 64, UINT32_MAX, 1ull << 32, 16ull << 20, INT64_MAX, 1ull << 63, UINT64_MAX};
  Bytes value;
  repo::append_varint(value, below(dice, 2) == 0 ? numbers[below(dice, numbers.size())] : dice());
  return value;
}

// Arrays of records of a fixed size stand in one field: one more of its last records, or one less.
void resize_array(Bytes& value, Dice& dice) {
  constexpr std::array<std::size_t, 4> strides{32, 42, 50, 1};
  const std::size_t stride = strides[below(dice, strides.size())];
  if (value.size() < stride) return;
  if (below(dice, 3) == 0) {
    value.resize(value.size() - stride);
    return;
  }
  const Bytes last(value.end() - static_cast<std::ptrdiff_t>(stride), value.end());
  append(value, last);
  // Entries ascend by an id in front: the copy is made a later one.
  for (std::size_t at = value.size() - stride; at < value.size(); ++at) {
    if (value[at] == 0xff) continue;
    ++value[at];
    break;
  }
}

void change(Bytes& value, std::size_t size_max, Dice& dice) {
  switch (below(dice, 5)) {
    case 0:
    case 1:
      value = mutate_bytes(value, std::min(size_max, value.size() + 64));
      return;
    case 2:
      value = some_number(dice);
      return;
    case 3:
      resize_array(value, dice);
      return;
    default:
      value = mutate_message(value, size_max, dice);
  }
}

std::uint32_t some_tag(Dice& dice) {
  return static_cast<std::uint32_t>(below(dice, 16) == 0 ? 64 + below(dice, 8)
                                                         : 1 + below(dice, 16));
}

void change(Parts& parts, ByteView whole, std::size_t size_max, Dice& dice) {
  const std::size_t at = parts.empty() ? 0 : below(dice, parts.size());
  const std::size_t act = parts.empty() ? 6 : below(dice, 8);
  const auto place = parts.begin() + static_cast<std::ptrdiff_t>(at);
  if (act == 3) {
    const Part copy = parts[at];
    parts.insert(place, copy);
  } else if (act == 4) {
    parts.erase(place);
  } else if (act == 5) {
    parts[at].value = parts[below(dice, parts.size())].value;
  } else if (act == 6) {
    parts.push_back({some_tag(dice), some_number(dice)});
  } else if (act == 7) {
    parts.push_back({some_tag(dice), {whole.begin(), whole.end()}});
  } else {
    change(parts[at].value, size_max, dice);
  }
  std::multimap<std::uint32_t, Bytes> in_order;
  for (Part& part : parts) in_order.emplace(part.tag, std::move(part.value));
  parts.clear();
  for (auto& [tag, value] : in_order) parts.push_back({tag, std::move(value)});
}

}  // namespace

Bytes mutate_bytes(ByteView bytes, std::size_t size_max) {
  Bytes mutated(std::max(size_max, bytes.size()) + 1);
  std::copy(bytes.begin(), bytes.end(), mutated.begin());
  mutated.resize(LLVMFuzzerMutate(mutated.data(), std::min(bytes.size(), size_max), size_max));
  return mutated;
}

Bytes mutate_message(ByteView message, std::size_t size_max, Dice& dice) {
  auto parts = below(dice, 4) == 0 ? std::nullopt : parts_of(message);
  if (!parts) return mutate_bytes(message, size_max);
  for (std::size_t times = 1 + below(dice, 3); times > 0; --times) {
    change(*parts, message, size_max, dice);
  }
  Bytes mutated = join(*parts);
  return mutated.size() <= size_max ? mutated : mutate_bytes(message, size_max);
}

bool may_hold_optional(ByteView message) {
  const auto parts = parts_of(message);
  if (!parts) return false;
  return std::any_of(parts->begin(), parts->end(), [](const Part& part) {
    return part.tag >= 64 || may_hold_optional(part.value);
  });
}

}  // namespace lifeboat::fuzz
