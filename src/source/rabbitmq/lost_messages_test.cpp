#include "source/rabbitmq/lost_messages.h"

#include <gtest/gtest.h>

namespace lifeboat::source::rabbitmq {
namespace {

TEST(LostMessages, AreToldByQueue) {
  std::map<std::string, std::string> facts;
  const QueueDepths all = {
      {{"shop", "orders"}, {2, 1}}, {{"shop2", "mail"}, {4}}, {{"shop", "a"}, {}}};
  EXPECT_EQ(tell_lost(depths_of(all, {"shop"}), facts), 3u);
  EXPECT_EQ(facts,
            (std::map<std::string, std::string>{
                {"lost.queue shop/orders", "about 3 messages, not captured"}, {"messages", "3"}}));
}

TEST(LostMessages, WhereNothingAnswersTheCountsStayAndThatIsSaid) {
  const SystemClock clock;
  AmqpDoor door;
  door.host = "127.0.0.1";
  door.port = 1;
  QueueDepths depths = {{{"shop", "orders"}, {2, 1}}};
  const auto remarks = ask_queues({.clock = &clock}, door, depths);
  ASSERT_EQ(remarks.size(), 1u);
  EXPECT_EQ(remarks[0].find("messages of virtual host shop: counted as the queues last told (amqp"),
            0u);
  EXPECT_EQ((depths[{"shop", "orders"}].messages()), 3u);
}

TEST(LostMessages, OfManyQueuesTheDeepestAreNamedAndTheRestIsSummed) {
  QueueDepths depths;
  for (std::uint64_t depth = 1; depth <= 100'000; ++depth) {
    depths[{"shop", "q" + std::to_string(depth)}].ready = depth;
  }
  std::map<std::string, std::string> facts;
  EXPECT_EQ(tell_lost(depths, facts), 5'000'050'000u);
  EXPECT_EQ(facts.size(), 22u);
  EXPECT_EQ(facts.at("lost.queue shop/q100000"), "100000 messages, not captured");
  EXPECT_EQ(facts.at("lost.queue shop/q99981"), "99981 messages, not captured");
  EXPECT_EQ(facts.at("lost.other queues"),
            "4998050190 messages in 99980 more queues, not captured");
}

}  // namespace
}  // namespace lifeboat::source::rabbitmq
