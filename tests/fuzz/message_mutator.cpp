#include "tests/fuzz/message_mutator.h"

#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "repo/wire.h"
#include "tests/fuzz/harness.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size,
                                        std::size_t size_max);

namespace lifeboat::fuzz {
namespace {

// A field, and the fields within it when its bytes can be read as a message.
struct Part {
  std::uint32_t tag = 1;
  Bytes value;  // empty when there are parts
  std::vector<Part> parts;
};
using Parts = std::vector<Part>;

constexpr int levels_most = 16;

std::optional<Parts> parts_of(ByteView message, int levels = levels_most) {
  Parts parts;
  while (!message.empty()) {
    const auto tag = repo::take_varint(message);
    const auto length = tag ? repo::take_varint(message) : std::nullopt;
    if (!length || *tag == 0 || *tag > UINT32_MAX || *length > message.size()) return std::nullopt;
    if (!parts.empty() && *tag < parts.back().tag) return std::nullopt;
    const ByteView value = message.first(static_cast<std::size_t>(*length));
    message = message.subspan(value.size());
    Part part{static_cast<std::uint32_t>(*tag), {}, {}};
    if (levels > 0 && !value.empty()) part.parts = parts_of(value, levels - 1).value_or(Parts{});
    if (part.parts.empty()) part.value.assign(value.begin(), value.end());
    parts.push_back(std::move(part));
  }
  return parts;
}

Bytes bytes_of(const Part& part);

Bytes join(const Parts& parts) {
  Bytes message;
  for (const Part& part : parts) {
    const Bytes value = bytes_of(part);
    repo::append_varint(message, part.tag);
    repo::append_varint(message, value.size());
    append(message, value);
  }
  return message;
}

Bytes bytes_of(const Part& part) { return part.parts.empty() ? part.value : join(part.parts); }

std::size_t below(Dice& dice, std::size_t bound) { return dice() % bound; }

Bytes some_number(Dice& dice) {
  constexpr std::array<std::uint64_t, 12> numbers{
      0, 1, 2, 5, 63, 64, UINT32_MAX, 1ull << 32, 16ull << 20, INT64_MAX, 1ull << 63, UINT64_MAX};
  Bytes value;
  repo::append_varint(value, below(dice, 2) == 0 ? numbers[below(dice, numbers.size())] : dice());
  return value;
}

std::uint32_t some_tag(Dice& dice) {
  return static_cast<std::uint32_t>(below(dice, 16) == 0 ? 64 + below(dice, 8)
                                                         : 1 + below(dice, 16));
}

// Ids, entries of a directory and of an index stand in one field, each kind of one size.
std::size_t record_bytes_in(const Bytes& value, Dice& dice) {
  std::vector<std::size_t> sizes;
  for (const std::size_t size : {32, 42, 50}) {
    if (!value.empty() && value.size() % size == 0) sizes.push_back(size);
  }
  return sizes.empty() ? 0 : sizes[below(dice, sizes.size())];
}

// A few records more, or one less.
void resize_array(Bytes& value, std::size_t record_bytes, Dice& dice) {
  const auto size = static_cast<std::ptrdiff_t>(record_bytes);
  const auto first = size * static_cast<std::ptrdiff_t>(below(dice, value.size() / record_bytes));
  if (below(dice, 3) == 0) {
    value.erase(value.begin() + first, value.begin() + first + size);
    return;
  }
  Bytes copy(value.begin() + first, value.begin() + first + size);
  for (std::size_t more = 1 + below(dice, 3); more > 0; --more) {
    --copy[31];  // records ascend by an id in front: what is put before one is an earlier one
    value.insert(value.begin() + first, copy.begin(), copy.end());
  }
}

void change_value(Part& part, std::size_t size_max, Dice& dice) {
  part.value = bytes_of(part);
  part.parts.clear();
  const std::size_t record_bytes = record_bytes_in(part.value, dice);
  if (record_bytes > 0 && below(dice, 2) == 0) {
    resize_array(part.value, record_bytes, dice);
  } else if (below(dice, 3) == 0) {
    part.value = some_number(dice);
  } else {
    part.value = mutate_bytes(part.value, std::min(size_max, part.value.size() + 64));
  }
}

// Names and keys ascend, and stand first in what has one: the copy gets a later one.
void make_later(Part& part) {
  if (!part.parts.empty()) {
    make_later(part.parts.front());
  } else {
    part.value.push_back('a');
  }
}

// Tags ascend.
void add(Parts& parts, Part part) {
  const auto place = std::ranges::upper_bound(parts, part.tag, {}, &Part::tag);
  parts.insert(place, std::move(part));
}

// One to three copies behind the original.
void double_few(Parts& parts, std::size_t at, Dice& dice) {
  const bool ascending = below(dice, 2) == 0;
  Part copy = parts[at];
  for (std::size_t more = 1 + below(dice, 3); more > 0; --more) {
    if (ascending) make_later(copy);
    parts.insert(parts.begin() + static_cast<std::ptrdiff_t>(++at), copy);
  }
}

struct Place {
  Parts* parts;
  std::size_t at;
};

void collect(Parts& parts, std::vector<Place>& places) {
  for (std::size_t at = 0; at < parts.size(); ++at) {
    places.push_back({&parts, at});
    collect(parts[at].parts, places);
  }
}

// One change at a field that is any of the tree's, so that what is deep within is changed as often
// as what is not.
void change(Parts& root, std::size_t size_max, Dice& dice) {
  std::vector<Place> places;
  collect(root, places);
  if (places.empty()) {
    root.push_back({some_tag(dice), some_number(dice), {}});
    return;
  }
  const auto [parts, at] = places[below(dice, places.size())];
  const Place other = places[below(dice, places.size())];
  switch (below(dice, 16)) {
    case 0:
      add(*parts, {some_tag(dice), {}, Parts(root)});
      break;
    case 1:
    case 2:
      add(*parts, {some_tag(dice), some_number(dice), {}});
      break;
    case 3:
    case 4: {
      Part copy = (*other.parts)[other.at];
      copy.tag = (*parts)[at].tag;
      (*parts)[at] = std::move(copy);
      break;
    }
    case 5:
    case 6:
      parts->erase(parts->begin() + static_cast<std::ptrdiff_t>(at));
      break;
    case 7:
    case 8:
    case 9:
    case 10:
      double_few(*parts, at, dice);
      break;
    default:
      change_value((*parts)[at], size_max, dice);
  }
}

bool holds_optional(const Parts& parts) {
  return std::ranges::any_of(
      parts, [](const Part& part) { return part.tag >= 64 || holds_optional(part.parts); });
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
  do {
    change(*parts, size_max, dice);
  } while (below(dice, 3) == 0);
  Bytes mutated = join(*parts);
  return mutated.size() <= size_max ? mutated : mutate_bytes(message, size_max);
}

bool may_hold_optional(ByteView message) {
  const auto parts = parts_of(message);
  return parts && holds_optional(*parts);
}

int kept(ByteView message) { return may_hold_optional(message) ? not_kept : 0; }

}  // namespace lifeboat::fuzz
