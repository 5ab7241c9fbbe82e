#include "base/mutex.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace lifeboat {
namespace {

TEST(BoundedQueue, GivesBackInOrder) {
  BoundedQueue<int> queue(3);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(queue.push(i));
  for (int i = 0; i < 3; ++i) EXPECT_EQ(queue.pop(), i);
}

TEST(BoundedQueue, AfterCloseItRefusesAndDrains) {
  BoundedQueue<int> queue(3);
  EXPECT_TRUE(queue.push(1));
  queue.close();
  EXPECT_FALSE(queue.push(2));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_EQ(queue.pop(), std::nullopt);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(BoundedQueue, CarriesWhatCanOnlyBeMoved) {
  BoundedQueue<std::unique_ptr<int>> queue(1);
  EXPECT_TRUE(queue.push(std::make_unique<int>(7)));
  EXPECT_EQ(**queue.pop(), 7);
}

TEST(BoundedQueue, NeverHoldsMoreThanItsLimit) {
  constexpr int limit = 4, items = 2000;
  BoundedQueue<int> queue(limit);
  std::atomic<int> pushed = 0, popped = 0;
  int most = 0;
  {
    const std::jthread producer([&] {
      for (int i = 0; i < items; ++i) {
        (void)queue.push(i);
        ++pushed;
      }
      queue.close();
    });
    while (queue.pop()) {
      most = std::max(most, pushed.load() - popped.load());
      ++popped;
    }
  }
  EXPECT_EQ(popped, items);
  // `pushed` and `popped` are counted beside the queue: one popped item may not be counted yet.
  EXPECT_LE(most, limit + 1);
}

TEST(BoundedQueue, CloseWakesAProducerThatWaitsAndAConsumerThatWaits) {
  BoundedQueue<int> full(1), empty(1);
  EXPECT_TRUE(full.push(1));
  bool pushed = true;
  std::optional<int> popped = 1;
  {
    const std::jthread producer([&] { pushed = full.push(2); });
    const std::jthread consumer([&] { popped = empty.pop(); });
    full.close();
    empty.close();
  }
  EXPECT_FALSE(pushed);
  EXPECT_EQ(popped, std::nullopt);
}

TEST(BoundedQueue, ManyProducersAndConsumersLoseNothing) {
  constexpr int producers = 4, each = 500;
  BoundedQueue<int> queue(8);
  std::vector<std::vector<int>> got(4);
  {
    std::vector<std::jthread> consumers;
    for (auto& mine : got) {
      consumers.emplace_back([&] {
        while (const auto item = queue.pop()) mine.push_back(*item);
      });
    }
    {
      std::vector<std::jthread> threads;
      for (int p = 0; p < producers; ++p) {
        threads.emplace_back([&, p] {
          for (int i = 0; i < each; ++i) (void)queue.push(p * each + i);
        });
      }
    }
    queue.close();
  }
  std::vector<int> all;
  for (const auto& mine : got) all.insert(all.end(), mine.begin(), mine.end());
  std::ranges::sort(all);
  ASSERT_EQ(all.size(), std::size_t{producers * each});
  for (int i = 0; i < producers * each; ++i) ASSERT_EQ(all[static_cast<std::size_t>(i)], i);
}

}  // namespace
}  // namespace lifeboat
