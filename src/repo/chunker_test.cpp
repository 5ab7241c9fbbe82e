#include "repo/chunker.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include <set>

#include "base/random.h"
#include "repo/snapshot_sink.h"

namespace lifeboat::repo {
namespace {

constexpr ChunkerParameters small{1024, 2560, 8192, 64u << 10, 512, 1024};

GearTable table(std::uint64_t seed = 1) {
  SeededRandom random(seed);
  return gear_table(crypt::Key::random(random));
}

Bytes random_input(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  SeededRandom(seed).fill(bytes);
  return bytes;
}

// Lengths of the chunks, with the input given in pieces of `piece` bytes.
std::vector<std::size_t> cut(const GearTable& gear, ByteView input, std::size_t piece) {
  Chunker chunker(gear, small);
  std::vector<std::size_t> lengths;
  std::size_t length = 0;
  while (!input.empty()) {
    ByteView some = input.first(std::min(piece, input.size()));
    input = input.subspan(some.size());
    while (!some.empty()) {
      const auto scan = chunker.scan(some);
      length += scan.taken;
      some = some.subspan(scan.taken);
      if (scan.cut) lengths.push_back(std::exchange(length, 0));
    }
  }
  if (length > 0) lengths.push_back(length);
  return lengths;
}

RC_GTEST_PROP(Chunker, TheSameCutsWhateverPiecesTheInputComesIn, (std::uint64_t seed)) {
  const Bytes input = random_input(*rc::gen::inRange<std::size_t>(0, 60'000), seed);
  const auto piece = *rc::gen::inRange<std::size_t>(1, 5'000);
  const GearTable gear = table();
  const auto whole = cut(gear, input, input.size() + 1);
  RC_ASSERT(cut(gear, input, piece) == whole);
  std::size_t sum = 0;
  for (const std::size_t length : whole) sum += length;
  RC_ASSERT(sum == input.size());
  for (std::size_t i = 0; i + 1 < whole.size(); ++i) {
    RC_ASSERT(whole[i] >= small.least);
    RC_ASSERT(whole[i] <= small.most);
  }
}

RC_GTEST_PROP(Chunker, AnInsertionMovesOnlyTheCutsNearIt, (std::uint64_t seed)) {
  const Bytes input = random_input(200'000, seed);
  const auto at = *rc::gen::inRange<std::size_t>(0, input.size());
  const auto size = *rc::gen::inRange<std::size_t>(1, 300);
  Bytes longer(input.begin(), input.begin() + static_cast<std::ptrdiff_t>(at));
  append(longer, random_input(size, seed + 1));
  longer.insert(longer.end(), input.begin() + static_cast<std::ptrdiff_t>(at), input.end());

  const GearTable gear = table();
  const auto chunks = [&](const Bytes& bytes) {
    std::multiset<Bytes> all;
    auto from = bytes.begin();
    for (const std::size_t length : cut(gear, bytes, bytes.size())) {
      all.emplace(from, from + static_cast<std::ptrdiff_t>(length));
      from += static_cast<std::ptrdiff_t>(length);
    }
    return all;
  };
  const auto before = chunks(input), after = chunks(longer);
  std::size_t fresh = 0;
  for (const Bytes& chunk : after) fresh += before.contains(chunk) ? 0 : 1;
  RC_ASSERT(fresh <= 24u);  // of about 80
}

TEST(Chunker, AnotherKeyCutsElsewhere) {
  const Bytes input = random_input(300'000, 7);
  const auto one = cut(table(1), input, input.size()), two = cut(table(2), input, input.size());
  EXPECT_NE(one, two);
}

TEST(Chunker, ChunksAreOfTheAverageThatWasAskedFor) {
  const Bytes input = random_input(4'000'000, 9);
  const auto lengths = cut(table(), input, input.size());
  const double average = 4'000'000.0 / static_cast<double>(lengths.size());
  EXPECT_GT(average, 1800);
  EXPECT_LT(average, 3600);
}

// What a cutter makes of an item: content put together again from its parts.
struct Parts {
  Bytes together;
  std::vector<std::pair<bool, std::uint64_t>> parts;  // a hole?, length

  ContentCutter::Out out() {
    return {[this](const Bytes& bytes) -> Result<void> {
              parts.emplace_back(false, bytes.size());
              append(together, bytes);
              return {};
            },
            [this](std::uint64_t length) -> Result<void> {
              parts.emplace_back(true, length);
              together.resize(together.size() + length);
              return {};
            }};
  }
};

RC_GTEST_PROP(ContentCutter, PartsTogetherAreTheContent, (bool fixed, std::uint64_t seed)) {
  Bytes input = random_input(*rc::gen::inRange<std::size_t>(0, 900'000), seed);
  const auto from = *rc::gen::inRange<std::size_t>(0, input.size() + 1);
  const auto zeros = *rc::gen::inRange<std::size_t>(0, input.size() - from + 1);
  std::fill_n(input.begin() + static_cast<std::ptrdiff_t>(from), zeros, std::uint8_t{0});

  const GearTable gear = table();
  const ChunkerParameters parameters;
  ContentCutter cutter(gear, parameters);
  cutter.begin(fixed ? capture::Cut::fixed : capture::Cut::by_content);
  Parts parts;
  const auto piece = *rc::gen::inRange<std::size_t>(1, 200'000);
  for (ByteView rest = input; !rest.empty();) {
    const ByteView some = rest.first(std::min(piece, rest.size()));
    RC_ASSERT(cutter.feed(some, parts.out()).has_value());
    rest = rest.subspan(some.size());
  }
  RC_ASSERT(cutter.end(parts.out(), 0).has_value());
  RC_ASSERT(parts.together == input);
}

TEST(ContentCutter, FixedCutsLeaveOutTheZerosThatFillAligned64KiB) {
  const GearTable gear = table();
  const ChunkerParameters parameters;
  ContentCutter cutter(gear, parameters);
  cutter.begin(capture::Cut::fixed);
  Bytes input = random_input(700u << 10, 3);
  std::fill_n(input.begin() + (64 << 10), 512 << 10, std::uint8_t{0});
  Parts parts;
  ASSERT_TRUE(cutter.feed(input, parts.out()).has_value());
  ASSERT_TRUE(cutter.end(parts.out(), 0).has_value());
  std::uint64_t holes = 0;
  for (const auto& [hole, length] : parts.parts) holes += hole ? length : 0;
  EXPECT_EQ(holes, 512u << 10);
  EXPECT_EQ(parts.together, input);
}

}  // namespace
}  // namespace lifeboat::repo
