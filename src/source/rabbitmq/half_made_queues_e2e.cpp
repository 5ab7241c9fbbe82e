// Queues whose maker was cut off: whole or not there; and those that do not work are told.
// testbed/with rabbitmq rabbitmq=TESTBED_RABBITMQ2_ -- source_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "capture/memory_capture.h"
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

std::shared_ptr<capture::Feed> captured_of(Bench& bench) {
  capture::MemoryCapture sink;
  const auto done = bench.open()->capture(op, sink);
  EXPECT_TRUE(done) << done.error().what;
  return sink.feed();
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
};

TEST_F(HalfMadeQueues, WhoeverDiesWhileMakingOneLeavesItWholeOrNotThere) {
  for (const std::string type : {"quorum", "stream", "classic"}) {
    for (int i = 0; i < deaths; ++i) {
      die_at(moment(i), [&](Broker& broker) {
        static_cast<void>(broker.put(op, key_of(type, i), queue_of(type)));
      });
    }
    for (int i = 0; i < deaths; ++i) {  // whoever goes on
      const auto made = target().broker().put(op, key_of(type, i), queue_of(type));
      EXPECT_TRUE(made) << made.error().what;
    }
  }
  EXPECT_EQ(red_ones(target().open()->verify(op, *captured_of(target()))), "");
}

// By the plain declaration, which is served by a process that ends with the connection.
TEST_F(HalfMadeQueues, OnesThatDoNotWorkAreTold) {
  Value body = queue_of("quorum");
  body.set("durable", true);
  bool silent = false;
  for (int i = 0; i < 10 * deaths && !silent; ++i) {
    const std::string name = "quorum" + std::to_string(i);
    die_at(moment(i % deaths), [&](Broker& broker) {
      static_cast<void>(broker.call(op, {"PUT", "/api/queues/shop/" + name, body}));
    });
    const auto serves = target().broker().serves(op, {"shop", name});
    silent = serves && *serves == false;
  }
  const std::string red = red_ones(target().open()->verify(op, *captured_of(target())));
  EXPECT_THAT(red, HasSubstr("silent: queue shop/quorum"));
}

}  // namespace
}  // namespace lifeboat::source
