#include "source/rabbitmq/lost_messages.h"

#include <gtest/gtest.h>

namespace lifeboat::source::rabbitmq {
namespace {

TEST(LostMessages, AreToldByQueue) {
  std::map<std::string, std::string> facts;
  EXPECT_EQ(tell_lost({{"shop/orders", 3}, {"shop2/mail", 4}}, {"shop"}, facts), 3u);
  EXPECT_EQ(facts, (std::map<std::string, std::string>{
                       {"lost.queue shop/orders", "3 messages, not captured"}, {"messages", "3"}}));
}

TEST(LostMessages, OfManyQueuesTheDeepestAreNamedAndTheRestIsSummed) {
  Depths depths;
  for (std::uint64_t depth = 1; depth <= 100'000; ++depth) {
    depths["shop/q" + std::to_string(depth)] = depth;
  }
  std::map<std::string, std::string> facts;
  EXPECT_EQ(tell_lost(depths, {}, facts), 5'000'050'000u);
  EXPECT_EQ(facts.size(), 22u);
  EXPECT_EQ(facts.at("lost.queue shop/q100000"), "100000 messages, not captured");
  EXPECT_EQ(facts.at("lost.queue shop/q99981"), "99981 messages, not captured");
  EXPECT_EQ(facts.at("lost.other queues"),
            "4998050190 messages in 99980 more queues, not captured");
}

}  // namespace
}  // namespace lifeboat::source::rabbitmq
