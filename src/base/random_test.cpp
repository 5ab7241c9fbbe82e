#include "base/random.h"

#include <gtest/gtest.h>

#include <set>

#include "base/secret.h"

namespace lifeboat {
namespace {

TEST(SeededRandom, GivesTheSameStreamForTheSameSeed) {
  SeededRandom first(7), second(7), other(8);
  const auto a = first.array<64>();
  EXPECT_EQ(a, second.array<64>());
  EXPECT_NE(a, other.array<64>());
  EXPECT_NE(a, first.array<64>()) << "the stream goes on";
}

TEST(SystemRandom, NeverRepeats) {
  SystemRandom random;
  std::set<std::array<std::uint8_t, 32>> seen;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(seen.insert(random.array<32>()).second);
}

TEST(Random, BelowReachesEveryValueAndNoOther) {
  SeededRandom random(1);
  std::array<int, 7> hits{};
  for (int i = 0; i < 7000; ++i) {
    const auto value = random.below(7);
    ASSERT_LT(value, 7u);
    ++hits[value];
  }
  for (const int count : hits) EXPECT_GT(count, 800);
  EXPECT_EQ(random.below(1), 0u);
}

TEST(Secret, IsCopiedAndMovedWithoutALeftover) {
  Secret first(std::string("a passphrase that is longer than any short string"));
  const Secret copy = first;
  const Secret moved = std::move(first);
  EXPECT_EQ(copy.reveal(), moved.reveal());
  EXPECT_TRUE(first.empty());  // NOLINT(bugprone-use-after-move): the promise under test
  Secret assigned(std::string("old"));
  assigned = copy;
  EXPECT_EQ(assigned.reveal(), copy.reveal());
}

}  // namespace
}  // namespace lifeboat
