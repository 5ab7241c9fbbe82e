// Against two real brokers: testbed/with rabbitmq rabbitmq=TESTBED_RABBITMQ2_ -- source_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "capture/memory_capture.h"
#include "schema/json.h"
#include "source/rabbitmq/rabbitmq_bench.h"
#include "source/source_contract.h"

namespace lifeboat::source {
namespace {

using namespace rabbitmq_bench;  // NOLINT: what these tests are about
using testing::HasSubstr;

// Lets the Nth call and all later ones fail as if the network were gone, after it was served: the
// answer is lost, the change is made.
class BreakingClient final : public HttpClient {
 public:
  BreakingClient(std::shared_ptr<HttpClient> behind, int break_at)
      : behind_(std::move(behind)), break_at_(break_at) {}
  Result<HttpResponse> send(const Operation& each, const HttpRequest& request) override {
    if (request.method != "GET" && ++changes_ > break_at_) {
      if (changes_ == break_at_ + 1) (void)behind_->send(each, request);
      return fail(Error::Kind::unavailable, "the network is gone");
    }
    return behind_->send(each, request);
  }
  int changes() const { return changes_; }

 private:
  std::shared_ptr<HttpClient> behind_;
  const int break_at_;
  int changes_ = 0;
};

class BenchSystem final : public System {
 public:
  explicit BenchSystem(Bench& bench) : bench_(bench) {}
  std::unique_ptr<Source> open() override { return bench_.open(); }
  void alter() override { bench_.remove_first(Kind::binding); }

 private:
  Bench& bench_;
};

class RabbitmqWorld final : public World {
 public:
  const Clock& clock() override { return the_clock; }
  KeepsAside keeps_aside() const override { return KeepsAside::by_capture; }
  std::unique_ptr<System> filled() override { return std::make_unique<BenchSystem>(original()); }
  std::unique_ptr<System> empty() override {
    target().wipe();
    return std::make_unique<BenchSystem>(target());
  }
  std::unique_ptr<System> foreign() override {
    target().wipe();
    target().put({Kind::vhost, "theirs", ""}, R"({"description": "", "tags": []})");
    target().put({Kind::vhost, "shop", ""}, R"({"description": "another shop", "tags": []})");
    target().put({Kind::queue, "shop", "orders"}, R"({"auto_delete": false, "arguments": {}})");
    return std::make_unique<BenchSystem>(target());
  }
  std::unique_ptr<System> huge(std::uint64_t) override { return nullptr; }  // definitions are small
};

LIFEBOAT_SOURCE_CONTRACT(RabbitmqContract, [] { return std::make_unique<RabbitmqWorld>(); });

RestoreOptions first_run(Foreign foreign = Foreign::refuse) {
  RestoreOptions options;
  options.marker = {.run = "run-1", .step = "broker", .generation = 1, .snapshot = "4f2a"};
  options.foreign = foreign;
  return options;
}

class RabbitmqSourceTest : public testing::Test {
 protected:
  static std::shared_ptr<capture::Feed> captured(std::vector<std::string> vhosts = {}) {
    return original().captured(std::move(vhosts));
  }
  void SetUp() override { target().wipe(); }
};

TEST_F(RabbitmqSourceTest, EachKindOfAlterationIsNamed) {
  const auto feed = captured();
  ASSERT_TRUE(target().open()->restore(op, *feed, first_run()));
  ASSERT_EQ(red_ones(target().open()->verify(op, *feed)), "");
  const auto altered = [&](const ObjectKey& key, const char* value) {
    target().put(key, value);
    const std::string red = red_ones(target().open()->verify(op, *feed));
    EXPECT_THAT(red, HasSubstr("different: " + key.text()));
    EXPECT_TRUE(target().open()->restore(op, *feed, first_run()));
    EXPECT_EQ(red_ones(target().open()->verify(op, *feed)), "");
  };
  altered({Kind::user, "", "backend"},
          R"({"password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256",
              "tags": []})");
  altered({Kind::permission, "shop", "backend"}, R"({"configure": ".*", "write": "", "read": ""})");
  altered({Kind::vhost, "shop", ""}, R"({"description": "x", "tags": []})");
  altered({Kind::vhost_limit, "shop", "max-queues"}, "51");
  altered({Kind::global_parameter, "", "mqtt_default_vhosts"}, R"({"CN=shop": "/"})");
  altered({Kind::policy, "shop", "ttl"},
          R"({"pattern": "^mail$", "apply-to": "queues", "priority": 8,
              "definition": {"message-ttl": 60000}})");
  altered({Kind::topic_permission, "shop", "backend"},
          R"({"events": {"write": "^order\\.", "read": ".*"}, "dead": {"write": "", "read": ""}})");
}

TEST_F(RabbitmqSourceTest, AQueueWithOtherArgumentsIsMadeAnewWithItsBindings) {
  const auto feed = captured();
  target().put({Kind::vhost, "shop", ""}, R"({"description": "the shop", "tags": []})");
  target().put({Kind::queue, "shop", "mail"}, R"({"auto_delete": false, "arguments": {}})");
  target().put({Kind::exchange, "shop", "dead"},
               R"({"type": "fanout", "auto_delete": false, "internal": true, "arguments": {}})");
  target().bind("dead", "queue", "mail", "", "{}");
  target().call("POST", "/api/exchanges/shop/amq.default/publish",
                R"({"properties": {}, "routing_key": "mail", "payload": "x",
                    "payload_encoding": "string"})");
  const auto refused = target().open()->restore(op, *feed, first_run());
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("queue shop/mail"));
  const auto done = target().open()->restore(op, *feed, first_run(Foreign::keep_aside));
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(red_ones(target().open()->verify(op, *feed)), "");
}

TEST_F(RabbitmqSourceTest, ARestoreWhoseConnectionBreaksAfterAnyChangeIsCompletedByTheNext) {
  const auto feed = captured();
  const auto whole = std::make_shared<BreakingClient>(target().http(), 1'000'000);
  ASSERT_TRUE(target().open_with(whole)->restore(op, *feed, first_run()));
  ASSERT_GT(whole->changes(), 25);
  for (int at = 0; at < whole->changes(); at += 7) {
    target().wipe();
    const auto breaking = std::make_shared<BreakingClient>(target().http(), at);
    const auto broken = target().open_with(breaking)->restore(op, *feed, first_run());
    ASSERT_FALSE(broken) << at;
    EXPECT_EQ(broken.error().kind, Error::Kind::unavailable);
    const auto state = target().open()->target(op);
    ASSERT_TRUE(state);
    EXPECT_EQ(state->occupancy, Occupancy::ours) << at;
    const bool was_last = at + 1 == whole->changes();  // only its answer was lost
    EXPECT_EQ(state->marker->done, was_last) << at;
    auto options = first_run();
    options.marker.generation = 2;
    const auto again = target().open()->restore(op, *feed, options);
    ASSERT_TRUE(again) << again.error().what;
    EXPECT_EQ(red_ones(target().open()->verify(op, *feed)), "") << at;
  }
}

TEST_F(RabbitmqSourceTest, WhoRestoresHasTheRightsAfterwardsThatItHadBefore) {
  const auto feed = captured();
  const auto rights = [](const std::string& vhost) {
    const auto live = target().read();
    const auto found = live.topology.find({Kind::permission, vhost, target().login().user});
    return found == live.topology.end() ? "none" : to_json(found->second);
  };
  const char* few = R"({"configure": "", "write": "", "read": ".*"})";
  target().put({Kind::vhost, "shop", ""}, R"({"description": "the shop", "tags": ["prod", "eu"]})");
  target().put({Kind::permission, "shop", target().login().user}, few);
  ASSERT_TRUE(target().open()->restore(op, *feed, first_run()));
  EXPECT_EQ(rights("shop"), to_json(json(few)));
  const auto before = original().read().topology;
  const auto captured_right = before.find({Kind::permission, "odd/ü %", target().login().user});
  EXPECT_EQ(rights("odd/ü %"),
            captured_right == before.end() ? "none" : to_json(captured_right->second));
  EXPECT_EQ(red_ones(target().open()->verify(op, *feed)), "");
}

TEST_F(RabbitmqSourceTest, RightsTakenByARestoreThatWasKilledAreGivenBackByTheNext) {
  const auto feed = captured();
  const ObjectKey right{Kind::permission, "shop", target().login().user};
  target().put({Kind::vhost, "shop", ""}, R"({"description": "the shop", "tags": ["prod", "eu"]})");
  const char* few = R"({"configure": "", "write": "", "read": ".*"})";
  target().put(right, few);
  bool was_left = false;
  for (int change = 1;; ++change) {
    // Nothing that it does after the break is done: as if it were killed there.
    const auto client = std::make_shared<BreakingClient>(target().http(), change);
    if (target().open_with(client)->restore(op, *feed, first_run())) break;
    was_left = was_left || to_json(target().read().topology[right]) != to_json(json(few));
  }
  EXPECT_TRUE(was_left);
  EXPECT_EQ(to_json(target().read().topology[right]), to_json(json(few)));
}

TEST_F(RabbitmqSourceTest, WhatAnotherUserTookIsGivenBackToThatUser) {
  const char* few = R"({"configure": "", "write": "", "read": ".*"})";
  const char* all = R"({"configure": ".*", "write": ".*", "read": ".*"})";
  const ObjectKey right{Kind::permission, "shop", "ops"};
  original().put({Kind::user, "", "ops"}, R"({"password": "x", "tags": ["administrator"]})");
  original().put(right, few);
  const auto feed = captured();
  ASSERT_TRUE(original().broker().remove(op, {Kind::user, "", "ops"}, Value()));
  // What a restore by `ops` left behind when it was killed.
  target().put({Kind::user, "", "ops"}, R"({"password": "x", "tags": ["administrator"]})");
  target().put({Kind::vhost, "shop", ""}, R"({"description": "the shop", "tags": ["prod", "eu"]})");
  target().put(right, all);
  rabbitmq::BrokerMarker marker{first_run().marker, {}};
  marker.owed = json((R"({"ops": {"shop": )" + std::string(few) + "}}").c_str());
  ASSERT_TRUE(target().broker().write_marker(op, marker));
  const auto done = target().open()->restore(op, *feed, first_run());
  ASSERT_TRUE(done) << done.error().what;
  const auto live = target().read();
  EXPECT_TRUE(live.marker->owed.map().empty());
  EXPECT_EQ(to_json(live.topology.at(right)), to_json(json(few)));
}

// Taken at once: the management API has not heard of these messages yet.
TEST_F(RabbitmqSourceTest, MessagesAreCountedAsOfTheCaptureAndToldAsLost) {
  original().put(
      {Kind::queue, "shop", "trail"},
      R"({"durable": true, "auto_delete": false, "arguments": {"x-queue-type": "quorum"}})");
  const auto publish = [](const std::string& queue) {
    const std::string message = R"({"properties": {"delivery_mode": 2}, "payload": "x",
                                    "payload_encoding": "string", "routing_key": ")";
    original().call("POST", "/api/exchanges/shop/amq.default/publish",
                    (message + queue + "\"}").c_str());
  };
  for (const char* queue : {"orders", "trail", "trail"}) publish(queue);
  const auto feed = captured();
  const auto& facts = feed->moments().facts;
  ASSERT_TRUE(facts.contains("lost.queue shop/orders") && facts.contains("lost.queue shop/trail"));
  EXPECT_EQ(facts.at("lost.queue shop/orders"), "1 message, not captured");
  EXPECT_EQ(facts.at("lost.queue shop/trail"), "2 messages, not captured");
  EXPECT_EQ(facts.at("messages"), "3");
  for (const char* what : {"trail", "orders/contents"}) {
    ASSERT_TRUE(
        original().broker().call(op, {"DELETE", std::string("/api/queues/shop/") + what, {}}));
  }
}

TEST_F(RabbitmqSourceTest, AQueueThatIsGoneDoesNotKeepTheOthersFromAnswering) {
  auto door = original().broker().amqp_door(op, "");
  ASSERT_TRUE(door) << door.error().what;
  door->vhost = "shop";
  auto counted = count_ready_messages(op, *door, {"mail", "no such queue", "orders"});
  ASSERT_TRUE(counted) << counted.error().what;
  EXPECT_EQ(counted->ready, (std::map<std::string, std::uint64_t>{{"mail", 0}, {"orders", 0}}));
  door->vhost = "no such host";
  counted = count_ready_messages(op, *door, {"mail"});
  ASSERT_TRUE(counted) << counted.error().what;
  EXPECT_EQ(counted->answer, AmqpAnswer::vhost_refused);
  door->vhost = "shop";
  door->cluster = "another";
  const auto other = count_ready_messages(op, *door, {"mail"});
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().what, HasSubstr("is another broker"));
}

TEST_F(RabbitmqSourceTest, WhereTheUserIsNotLetInTheRemarkSaysHowToCountExactly) {
  const ObjectKey right{Kind::permission, "shop", original().login().user};
  ASSERT_TRUE(original().broker().remove(op, right, Value()));
  const auto feed = captured();
  EXPECT_THAT(feed->moments().remarks,
              testing::Contains(testing::HasSubstr("rabbitmqctl set_permissions -p VHOST")));
  original().put(right, R"({"configure": ".*", "write": ".*", "read": ".*"})");
}

TEST_F(RabbitmqSourceTest, OnePartIsRestoredAndComparedAsAPart) {
  target().put({Kind::vhost, "theirs", ""}, R"({"description": "", "tags": []})");
  const auto feed = captured();
  auto options = first_run();
  options.only = {"vhosts/shop", "broker/users.json"};
  const auto done = target().open()->restore(op, *feed, options);
  ASSERT_TRUE(done) << done.error().what;
  const auto checks = target().open()->verify(op, *feed);
  EXPECT_EQ(red_ones(checks), "");
  const auto live = target().read().topology;
  EXPECT_TRUE(live.contains({Kind::queue, "shop", "orders"}));
  EXPECT_TRUE(live.contains({Kind::vhost, "theirs", ""}));
  EXPECT_FALSE(live.contains({Kind::vhost, "odd/ü %", ""}));
}

TEST_F(RabbitmqSourceTest, ACaptureOfSomeVirtualHostsSpeaksOfThoseOnly) {
  target().put({Kind::vhost, "theirs", ""}, R"({"description": "", "tags": []})");
  const auto feed = captured({"shop"});
  const auto done = target().open()->restore(op, *feed, first_run());
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(red_ones(target().open()->verify(op, *feed)), "");
  const auto live = target().read().topology;
  EXPECT_TRUE(live.contains({Kind::vhost, "theirs", ""}));
  EXPECT_FALSE(live.contains({Kind::vhost, "odd/ü %", ""}));
  const auto missing = original().open_with(original().http(), {"nowhere"})->preflight(op);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().kind, Error::Kind::not_found);
}

TEST_F(RabbitmqSourceTest, TheDefaultUserOfANewBrokerGoesWhenTheCaptureHasNone) {
  target().put({Kind::user, "", "guest"}, R"({"password_hash": "", "tags": ["administrator"]})");
  target().put({Kind::permission, "/", "guest"},
               R"({"configure": ".*", "write": ".*", "read": ".*"})");
  EXPECT_EQ(target().open()->target(op)->occupancy, Occupancy::empty);
  const auto feed = captured();
  const auto report = target().open()->restore(op, *feed, first_run());
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_THAT(report->remarks, testing::Contains(HasSubstr("user guest of the new broker")));
  EXPECT_EQ(red_ones(target().open()->verify(op, *feed)), "");
}

TEST_F(RabbitmqSourceTest, UsersThatAStepHasMadeKeepTheirNewPasswords) {
  target().put({Kind::user, "", "backend"}, R"({"password_hash": "", "tags": ["management"]})");
  target().put(Broker::users_parameter("test"),
               R"({"run": "run-1", "step": "users", "users": ["backend"]})");
  const auto feed = captured();
  ASSERT_TRUE(target().open()->restore(op, *feed, first_run()));
  const auto user = target().read().topology.at({Kind::user, "", "backend"});
  EXPECT_EQ(user.text("password_hash"), "");
  const auto checks = target().open()->verify(op, *feed);
  EXPECT_EQ(red_ones(checks), "");
  EXPECT_THAT(*checks, testing::Contains(testing::Field(
                           &Check::name, HasSubstr("backend, made by run-1/users"))));
}

TEST_F(RabbitmqSourceTest, AParameterWhosePluginIsMissingCostsNothingElseAndIsRed) {
  const auto feed = captured();
  capture::MemoryCapture sink;
  const auto cursor = feed->items(op);
  ASSERT_TRUE(cursor);
  const std::string shovel =
      R"([{"kind": "parameter", "name": "shovel/s", "value": {"src-uri": "amqp://"},)"
      R"( "vhost": "shop"}])";
  const auto write = [&](const capture::Item& item, std::string_view text) {
    ASSERT_TRUE(sink.begin(op, item));
    ASSERT_TRUE(sink.write(op, as_bytes(text)));
    ASSERT_TRUE(sink.finish(op, item));
  };
  bool written = false;
  for (auto item = (*cursor)->next(op); item && *item; item = (*cursor)->next(op)) {
    capture::Item mine;
    mine.name = "vhosts/shop/parameters.json";
    if (!written && capture::name_before(mine.name, (*item)->name)) {
      write(mine, shovel);
      written = true;
    }
    std::string text((*item)->size_bytes, '\0');
    ASSERT_TRUE((*feed->open(op, **item))
                    ->read(op, {reinterpret_cast<std::uint8_t*>(text.data()), text.size()}));
    capture::Item copy;
    copy.name = (*item)->name;
    write(copy, text);
  }
  ASSERT_TRUE(written);
  ASSERT_TRUE(sink.commit(op, {}));
  const auto report = target().open()->restore(op, *sink.feed(), first_run());
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_THAT(report->remarks,
              testing::Contains(HasSubstr("not put back: parameter shop/shovel/s")));
  EXPECT_THAT(red_ones(target().open()->verify(op, *sink.feed())),
              HasSubstr("missing: parameter shop/shovel/s"));
}

TEST(RabbitmqBadInput, AWrongPasswordIsDeniedWithoutTellingIt) {
  rabbitmq::Login login = login_of("TESTBED_RABBITMQ_");
  login.password = Secret("wr0ng-passw0rd");
  const auto source = make_rabbitmq_source(make_http_client(the_clock), {login, {}});
  const auto denied = (*source)->preflight(op);
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().kind, Error::Kind::denied);
  EXPECT_THAT(denied.error().what, HasSubstr("refuses the login of user 'admin'"));
  EXPECT_EQ((denied.error().what + denied.error().hint).find("wr0ng"), std::string::npos);
}

TEST(RabbitmqBadInput, AUserWithoutTheTagIsDeniedWithTheCommandThatHelps) {
  target().wipe();
  target().call("PUT", "/api/users/plain", R"({"password": "p1", "tags": "management"})");
  rabbitmq::Login login = target().login();
  login.user = "plain";
  login.password = Secret("p1");
  const auto source = make_rabbitmq_source(make_http_client(the_clock), {login, {}});
  const auto denied = (*source)->preflight(op);
  ASSERT_FALSE(denied);
  EXPECT_EQ(denied.error().kind, Error::Kind::denied);
  EXPECT_THAT(denied.error().hint, HasSubstr("set_user_tags plain administrator"));
}

TEST(RabbitmqBadInput, WithoutItsManagementApiTheHintSaysHowToSwitchItOn) {
  rabbitmq::Login login = login_of("TESTBED_RABBITMQ_");
  login.url = "http://127.0.0.1:" + testbed_variable("TESTBED_RABBITMQ_AMQP_PORT");
  const auto amqp =
      (*make_rabbitmq_source(make_http_client(the_clock), {login, {}}))->preflight(op);
  ASSERT_FALSE(amqp);
  EXPECT_THAT(amqp.error().what, HasSubstr("AMQP port"));
  EXPECT_THAT(amqp.error().hint, HasSubstr("rabbitmq-plugins enable rabbitmq_management"));
  login.url = "http://127.0.0.1:1";
  const auto off = (*make_rabbitmq_source(make_http_client(the_clock), {login, {}}))->preflight(op);
  ASSERT_FALSE(off);
  EXPECT_EQ(off.error().kind, Error::Kind::unavailable);
  EXPECT_THAT(off.error().hint, HasSubstr("rabbitmq-plugins enable rabbitmq_management"));
  login.url = "amqp://127.0.0.1";
  const auto scheme = make_rabbitmq_source(make_http_client(the_clock), {login, {}});
  ASSERT_FALSE(scheme);
  EXPECT_EQ(scheme.error().effective_code(), Error::Code::usage);
}

}  // namespace
}  // namespace lifeboat::source
