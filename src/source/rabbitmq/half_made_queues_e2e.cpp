// Queues whose maker was cut off: whole or not there; and those that do not work are told.
// testbed/with rabbitmq rabbitmq=TESTBED_RABBITMQ2_ -- source_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <functional>

#include "source/rabbitmq/rabbitmq_bench.h"

namespace lifeboat::source {
namespace {

using namespace rabbitmq_bench;  // NOLINT: what these tests are about
using testing::HasSubstr;

// Kills whoever does it in a process of its own, so long after it began.
void die_at(std::chrono::microseconds moment, const std::function<void(Broker&)>& work) {
  const pid_t child = fork();
  if (child == 0) {
    const auto http = make_http_client(the_clock);  // and a connection, of its own
    auto broker = Broker::open(*http, target().login());
    work(*broker);
    _exit(0);
  }
  ASSERT_GT(child, 0);
  EXPECT_TRUE(op.pause(moment));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

Value queue_of(const std::string& type) {
  Value value = json(R"({"auto_delete": false})");
  Value arguments{Value::Map{}};
  arguments.set("x-queue-type", type);
  value.set("arguments", arguments);
  return value;
}

class HalfMadeQueues : public testing::Test {
 protected:
  static constexpr int deaths = 60;
  // Spread over all that a broker does for one queue, on a slow machine too.
  static std::chrono::microseconds moment(int i) {
    return std::chrono::microseconds(1000 + 400 * i);
  }
  static ObjectKey key_of(const std::string& type, int i) {
    return {Kind::queue, "shop", type + std::to_string(i)};
  }
  void SetUp() override {
    target().wipe();
    target().put({Kind::vhost, "shop", ""}, R"({"description": "", "tags": []})");
    target().put({Kind::permission, "shop", target().login().user},
                 R"({"configure": ".*", "write": ".*", "read": ".*"})");
  }
  void TearDown() override { target().wipe(); }
  // The broker goes on with what the dead asked for; while a stream comes to be, no listing works.
  static rabbitmq::LiveBroker settled() {
    auto live = target().broker().read(op);
    for (int i = 0; !live && i < 100; ++i) {
      EXPECT_TRUE(op.pause(std::chrono::milliseconds(100)));
      live = target().broker().read(op);
    }
    EXPECT_TRUE(live) << live.error().what;
    return live ? *live : rabbitmq::LiveBroker{};
  }
};

TEST_F(HalfMadeQueues, WhoeverDiesWhileMakingOneLeavesItWholeOrNotThere) {
  for (const std::string type : {"quorum", "stream", "classic"}) {
    for (int i = 0; i < deaths; ++i) {
      die_at(moment(i), [&](Broker& broker) {
        static_cast<void>(broker.put(op, key_of(type, i), queue_of(type)));
      });
    }
    const auto there = settled().topology;
    const auto made = std::count_if(there.begin(), there.end(), [&](const auto& each) {
      return each.first.kind == Kind::queue && each.first.name.starts_with(type);
    });
    EXPECT_GT(made, 0) << type;
    EXPECT_LT(made, deaths) << type << ": nobody died before it was made";
    for (int i = 0; i < deaths; ++i) {  // whoever goes on
      const auto done = target().broker().put(op, key_of(type, i), queue_of(type));
      EXPECT_TRUE(done) << done.error().what;
      if (type != "quorum") continue;
      const auto serves = target().broker().serves(op, {"shop", key_of(type, i).name});
      EXPECT_TRUE(serves && *serves) << i;
    }
  }
  EXPECT_EQ(target().read().ailing.size(), 0u);
}

// By the plain declaration, which is served by a process that ends with the connection.
class DeadQueues : public HalfMadeQueues {
 protected:
  // Until there is one, which shop/orders is then.
  template <class IsDead>
  void make_dead(IsDead is_dead) {
    const ObjectKey key{Kind::queue, "shop", "orders"};
    Value body = queue_of("quorum");
    body.set("durable", true);
    for (int i = 0; i < 20 * deaths; ++i) {
      die_at(moment(i % deaths), [&](Broker& broker) {
        static_cast<void>(broker.call(op, {"PUT", "/api/queues/shop/orders", body}));
      });
      if (!target().read().topology.contains(key)) continue;
      if (is_dead()) return;
      ASSERT_TRUE(target().broker().remove(op, key, body));
    }
    FAIL() << "none came to be";
  }
};

TEST_F(DeadQueues, OneThatACutOffRestoreLeftIsMadeAnew) {
  make_dead([] {
    const auto serves = target().broker().serves(op, {"shop", "orders"});
    return serves && !*serves;
  });
  const auto feed = original().captured();
  RestoreOptions options;
  options.marker = {.run = "run-1", .step = "broker", .generation = 1, .snapshot = "4f2a"};
  ASSERT_TRUE(target().broker().write_marker(op, {options.marker, {}}));
  const auto report = target().open()->restore(op, *feed, options);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_THAT(report->remarks, testing::Contains(HasSubstr("queue shop/orders served nobody")));
  target().put({Kind::permission, "shop", target().login().user},
               R"({"configure": ".*", "write": ".*", "read": ".*"})");
  const auto serves = target().broker().serves(op, {"shop", "orders"});
  EXPECT_TRUE(serves && *serves);
  EXPECT_EQ(red_ones(target().open()->verify(op, *feed)), "");
}

TEST_F(DeadQueues, OneThatTheBrokerCallsDownIsRed) {
  make_dead([] { return target().read().ailing.contains({"shop", "orders"}); });
  const std::string red = red_ones(target().open()->verify(op, *target().captured()));
  EXPECT_EQ(red, "queues that run: 0 run; down: queue shop/orders\n");
}

}  // namespace
}  // namespace lifeboat::source
