// The meaning of answers; against real brokers: rabbitmq_source_e2e.cpp.
#include "source/rabbitmq/broker.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "base/fake_clock.h"
#include "source/rabbitmq/rabbitmq_source.h"
#include "source/rabbitmq/working_queues.h"

namespace lifeboat::source::rabbitmq {
namespace {

using testing::HasSubstr;
using K = Error::Kind;

class ScriptedClient final : public HttpClient {
 public:
  std::function<Result<HttpResponse>(const HttpRequest&)> answer;
  std::vector<HttpRequest> seen;
  Result<HttpResponse> send(const Operation&, const HttpRequest& request) override {
    seen.push_back(request);
    return answer(request);
  }
};

HttpResponse response(int status, std::string body) {
  HttpResponse made;
  made.status = status;
  made.body = std::move(body);
  return made;
}

class BrokerTest : public testing::Test {
 protected:
  SystemClock clock;
  Operation op{.clock = &clock};
  ScriptedClient http;
  Broker broker = *Broker::open(http, {.url = "http://mq.example:15672/",
                                       .user = "ann",
                                       .password = Secret("s3cret"),
                                       .ca_file = ""});

  Error error_of(int status, const std::string& body) {
    http.answer = [=](const HttpRequest&) { return response(status, body); };
    const auto answer = broker.call(op, {"PUT", "/api/queues/v/q", Value()});
    EXPECT_FALSE(answer);
    return answer ? Error{} : answer.error();
  }
};

TEST_F(BrokerTest, EachStatusHasItsKind) {
  EXPECT_EQ(error_of(401, R"({"error":"not_authorized","reason":"Login failed"})").what,
            "http://mq.example:15672 refuses the login of user 'ann'");
  EXPECT_EQ(error_of(401, "").kind, K::denied);
  EXPECT_THAT(error_of(401, R"({"reason":"ACCESS_REFUSED - access to queue"})").what,
              HasSubstr("ACCESS_REFUSED"));
  EXPECT_EQ(error_of(403, "{}").kind, K::denied);
  EXPECT_EQ(error_of(404, "{}").kind, K::not_found);
  EXPECT_EQ(error_of(400, R"({"reason":"inequivalent arg 'durable'"})").kind, K::invalid);
  EXPECT_EQ(error_of(500, "<html>").kind, K::unavailable);
  EXPECT_EQ(error_of(503, "").kind, K::unavailable);
  EXPECT_EQ(error_of(200, "<html>a proxy's page</html>").kind, K::invalid);
}

TEST_F(BrokerTest, AnAliveBrokerWithoutItsApiIsToldFromADeadOne) {
  bool amqp_answers = true;
  http.answer = [&](const HttpRequest& request) -> Result<HttpResponse> {
    const bool knock = request.url == "http://mq.example:5672/";
    if (knock && amqp_answers) {
      return fail(K::invalid, "http://mq.example:5672 does not speak HTTP: x");
    }
    return fail(K::unavailable, "http://mq.example:15672 does not answer (Connection refused)");
  };
  const auto off = broker.administrator(op);
  ASSERT_FALSE(off);
  EXPECT_EQ(off.error().kind, K::unavailable);
  EXPECT_THAT(off.error().what, HasSubstr("its management API is off"));
  EXPECT_THAT(off.error().hint, HasSubstr("rabbitmq-plugins enable rabbitmq_management"));
  for (const HttpRequest& request : http.seen) {
    if (request.url.find(":5672") != std::string::npos) {
      EXPECT_EQ(request.user, "");
    }
  }
  amqp_answers = false;
  const auto dead = broker.administrator(op);
  ASSERT_FALSE(dead);
  EXPECT_THAT(dead.error().what, testing::Not(HasSubstr("management API is off")));
  EXPECT_THAT(dead.error().hint, HasSubstr("is the broker up?"));
}

TEST_F(BrokerTest, AnotherServerBehindTheUrlIsNamed) {
  http.answer = [](const HttpRequest&) { return response(404, "no such page"); };
  for (const Error& error : {broker.administrator(op).error(), broker.read(op).error()}) {
    EXPECT_EQ(error.kind, K::invalid);
    EXPECT_THAT(error.what, HasSubstr("is no RabbitMQ management API"));
  }
}

TEST_F(BrokerTest, TagsOfOlderVersionsAreUnderstood) {
  http.answer = [](const HttpRequest&) {
    return response(200, R"({"name":"ann","tags":"monitoring,administrator"})");
  };
  EXPECT_EQ(*broker.administrator(op), "ann");
  http.answer = [](const HttpRequest&) {
    return response(200, R"({"name":"ann","tags":["monitoring"]})");
  };
  EXPECT_EQ(broker.administrator(op).error().kind, K::denied);
}

TEST_F(BrokerTest, TheLoginOfAUrlIsUsedWhenNoOtherIsGiven) {
  Broker other = *Broker::open(
      http,
      {.url = "https://bob:p%40ss@mq.example/prefix/", .user = "", .password = {}, .ca_file = ""});
  http.answer = [](const HttpRequest&) { return response(204, ""); };
  ASSERT_TRUE(other.call(op, {"GET", "/api/whoami", Value()}));
  EXPECT_EQ(http.seen.back().url, "https://mq.example/prefix/api/whoami");
  EXPECT_EQ(http.seen.back().user, "bob");
  EXPECT_EQ(http.seen.back().password.reveal(), "p@ss");
}

TEST(RabbitmqSourceType, RetargetReplacesUrlAndKeepsTheRest) {
  const SourceType type = rabbitmq_source();
  Value config{Value::Map{}}, with{Value::Map{}};
  config.set("url", "http://old:15672");
  config.set("user", "backup");
  config.set("password", "x");
  with.set("user", "admin");
  const auto moved = type.retarget(config, "http://new:15672", with);
  ASSERT_TRUE(moved);
  EXPECT_EQ(moved->text("url"), "http://new:15672");
  EXPECT_EQ(moved->text("user"), "admin");
  EXPECT_EQ(moved->text("password"), "x");
  const auto own_login = type.retarget(config, "http://root:pw@new:15672", Value());
  ASSERT_TRUE(own_login);
  EXPECT_FALSE(own_login->has("user"));
  EXPECT_FALSE(own_login->has("password"));
  Value wrong{Value::Map{}};
  wrong.set("usr", "x");
  EXPECT_EQ(type.retarget(config, "http://new", wrong).error().effective_code(),
            Error::Code::usage);
}

const ObjectKey a_queue{Kind::queue, "audit", "trail"};

TEST_F(BrokerTest, AVirtualHostThatIsJustStartingIsWaitedFor) {
  const FakeClock fake;
  int refused = 0;
  http.answer = [&](const HttpRequest&) {
    return ++refused < 4
               ? response(400, R"({"reason":"{vhost_supervisor_not_running,<<\"audit\">>}"})")
               : response(201, "");
  };
  EXPECT_TRUE(broker.put({.clock = &fake}, a_queue, Value(Value::Map{})));
  EXPECT_EQ(refused, 4);
}

TEST_F(BrokerTest, OneThatWasCutOffIsStarted) {
  const FakeClock fake;
  bool started = false;
  http.answer = [&](const HttpRequest& request) {
    if (request.method == "GET") return response(200, R"({"cluster_state":{"rabbit@mq":"down"}})");
    started = started || request.url.ends_with("/api/vhosts/audit/start/rabbit%40mq");
    return started ? response(204, "")
                   : response(400, R"({"reason":"{vhost_supervisor_not_running,<<\"audit\">>}"})");
  };
  EXPECT_TRUE(broker.put({.clock = &fake}, a_queue, Value(Value::Map{})));
  EXPECT_TRUE(started);
  // Where that does not help either, it may later.
  http.answer = [&](const HttpRequest& request) {
    return request.method == "PUT" || request.url.ends_with("/api/definitions")
               ? response(400, R"({"reason":"{vhost_supervisor_not_running,<<\"audit\">>}"})")
               : response(200, R"({"cluster_state":{"rabbit@mq":"down"}})");
  };
  const auto never = broker.put({.clock = &fake}, a_queue, Value(Value::Map{}));
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().kind, K::unavailable);
}

TEST_F(BrokerTest, OneThatWasCutOffIsStartedBeforeItIsEntered) {
  const FakeClock fake;
  bool started = false, helps = true;
  http.answer = [&](const HttpRequest& request) {
    started = started || request.url.ends_with("/api/vhosts/audit/start/rabbit%40mq");
    return response(200, started && helps ? R"({"cluster_state":{"rabbit@mq":"running"}})"
                                          : R"({"cluster_state":{"rabbit@mq":"stopped"}})");
  };
  EXPECT_TRUE(broker.run_vhost({.clock = &fake}, "audit"));
  EXPECT_TRUE(started);
  helps = false;
  const auto never = broker.run_vhost({.clock = &fake}, "audit");
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().kind, K::unavailable);
  EXPECT_THAT(never.error().what, testing::HasSubstr("virtual host audit does not start"));
  // An old version does not tell.
  http.answer = [](const HttpRequest&) { return response(200, R"({"name":"audit"})"); };
  EXPECT_TRUE(broker.run_vhost({.clock = &fake}, "audit"));
}

const std::string as_made = R"({"arguments": {}, "auto_delete": false, "durable": true})";

Value plain_queue() {
  Value value{Value::Map{}};
  value.set("auto_delete", false);
  value.set("arguments", Value(Value::Map{}));
  return value;
}

TEST_F(BrokerTest, AQueueIsImportedForThatOutlivesUs) {
  http.answer = [](const HttpRequest& request) {
    return request.method == "GET" ? response(200, as_made) : response(204, "");
  };
  EXPECT_TRUE(broker.put(op, a_queue, plain_queue()));
  ASSERT_EQ(http.seen.size(), 2u);
  EXPECT_EQ(http.seen[0].url, "http://mq.example:15672/api/definitions");
  EXPECT_THAT(http.seen[0].body, HasSubstr(R"("name":"trail","vhost":"audit")"));
  EXPECT_EQ(http.seen[1].method, "GET");
}

TEST_F(BrokerTest, WhyAnImportMadeNoQueueThePlainDeclarationTells) {
  for (const auto& [there, status] : std::map<std::string, int>{
           {"{}", 404}, {R"({"arguments": {"x-max-length": 1}, "durable": true})", 200}}) {
    http.answer = [&](const HttpRequest& request) {
      if (request.method == "GET") return response(status, there);
      return request.method == "PUT" ? response(400, R"({"reason":"inequivalent arg"})")
                                     : response(204, "");
    };
    const auto refused = broker.put(op, a_queue, plain_queue());
    ASSERT_FALSE(refused) << status;
    EXPECT_THAT(refused.error().what, HasSubstr("inequivalent arg"));
  }
}

TEST_F(BrokerTest, OnlyAnAnswerOfItsLeaderMeansThatAQueueServes) {
  const QueueName queue{"audit", "trail"};
  const auto answers = [&](int status, const char* reason) {
    http.answer = [=](const HttpRequest&) {
      return response(status, fmt::format(R"({{"reason":"{}"}})", reason));
    };
    const FakeClock fake;
    return *broker.serves({.clock = &fake}, queue);
  };
  EXPECT_TRUE(answers(200, ""));
  EXPECT_TRUE(answers(404, "gone meanwhile"));
  EXPECT_TRUE(answers(400, "405 RESOURCE_LOCKED - not supported with single active consumer"));
  EXPECT_FALSE(answers(400, "541 Cannot get a message from queue: noproc"));
  http.answer = [](const HttpRequest&) { return response(401, R"({"reason":"not permitted"})"); };
  EXPECT_EQ(broker.serves(op, queue).error().kind, K::denied);
}

// Whoever died had asked for it, and the broker goes on with that.
TEST_F(BrokerTest, AQueueThatIsBeingMadeIsWaitedFor) {
  const FakeClock fake;
  int asked = 0;
  http.answer = [&](const HttpRequest&) {
    return ++asked < 4 ? response(asked % 2 ? 500 : 400, "{}") : response(200, "[]");
  };
  EXPECT_TRUE(*broker.serves({.clock = &fake}, {"audit", "trail"}));
  EXPECT_EQ(asked, 4);
  http.answer = [&](const HttpRequest&) { return response(500, "{}"); };
  EXPECT_EQ(broker.serves({.clock = &fake}, {"audit", "trail"}).error().kind, K::unavailable);
}

TEST_F(BrokerTest, TheSilenceOfAQueueIsToldFromThatOfTheBroker) {
  bool whoami_answers = true;
  http.answer = [&](const HttpRequest& request) -> Result<HttpResponse> {
    if (whoami_answers && request.url.ends_with("/whoami")) return response(200, "{}");
    return fail(K::unavailable, "no answer within 10 s", "", Error::Code::timeout);
  };
  EXPECT_EQ(*broker.serves(op, {"audit", "trail"}), false);
  whoami_answers = false;
  EXPECT_EQ(broker.serves(op, {"audit", "trail"}).error().kind, K::unavailable);
}

TEST_F(BrokerTest, AQuorumQueueThatServesNobodyIsMadeOnceMore) {
  const FakeClock fake;
  int made = 0;
  int silent = 1;
  Value wanted = plain_queue();
  wanted.map()["arguments"].set("x-queue-type", "quorum");
  http.answer = [&](const HttpRequest& request) {
    if (request.url.ends_with("/get")) {
      if (silent > 0) return response(400, R"({"reason":"541 noproc"})");
      return response(200, "[]");
    }
    made += request.url.ends_with("/api/definitions");
    silent -= request.method == "DELETE";
    return request.method == "GET"
               ? response(200, R"({"arguments": {"x-queue-type": "quorum"}, "durable": true})")
               : response(204, "");
  };
  EXPECT_TRUE(make_queue({.clock = &fake}, broker, a_queue, wanted));
  EXPECT_EQ(made, 2);
  silent = 2;
  const auto never = make_queue({.clock = &fake}, broker, a_queue, wanted);
  ASSERT_FALSE(never);
  EXPECT_EQ(never.error().kind, K::unavailable);
  EXPECT_THAT(never.error().what,
              HasSubstr("queue audit/trail: it is declared, and serves nobody"));
}

TEST(WorkingQueues, ThoseThatDoNotRunAreNamed) {
  Topology wanted{{a_queue, {}}, {{Kind::queue, "audit", "gone"}, {}}};
  LiveBroker live;
  EXPECT_EQ(check_that_queues_run({}, live), std::nullopt);
  live.topology = {{a_queue, {}}};
  live.ailing[{"other", "one"}] = "down";
  EXPECT_TRUE(check_that_queues_run(wanted, live)->ok);
  live.ailing[{"audit", "trail"}] = "minority";
  const auto red = check_that_queues_run(wanted, live);
  EXPECT_FALSE(red->ok);
  EXPECT_EQ(red->actual, "0 run; minority: queue audit/trail");
}

TEST_F(BrokerTest, ItsDoorForApplicationsIsTheOneThatItTells) {
  http.answer = [](const HttpRequest&) {
    return response(200, R"({"cluster_name": "rabbit@mq", "listeners": [
        {"protocol": "amqp", "port": 5680}, {"protocol": "amqp/ssl", "port": 5681}]})");
  };
  auto door = broker.amqp_door(op, "");
  ASSERT_TRUE(door) << door.error().what;
  EXPECT_EQ(door->host, "mq.example");
  EXPECT_EQ(door->port, 5680);
  EXPECT_EQ(door->cluster, "rabbit@mq");
  door = broker.amqp_door(op, "amqps://[::1]");
  ASSERT_TRUE(door) << door.error().what;
  EXPECT_EQ(door->host, "::1");
  EXPECT_EQ(door->port, 5671);
  EXPECT_TRUE(door->tls);
  for (const char* wrong : {"http://mq.example:15672", "amqp://ann:s3cret@mq.example"}) {
    const auto refused = broker.amqp_door(op, wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().what.find("s3cret"), std::string::npos);
  }
}

// The password that goes encrypted to the API must not go in plain text to another port.
TEST_F(BrokerTest, BehindAnEncryptedApiOnlyAnEncryptedDoorIsTaken) {
  Broker encrypted = *Broker::open(http, {.url = "https://mq.example:15671",
                                          .user = "ann",
                                          .password = Secret("s3cret"),
                                          .ca_file = "ca.pem"});
  std::string listeners = R"({"protocol": "amqp", "port": 5672})";
  http.answer = [&](const HttpRequest&) {
    return response(200, R"({"listeners": [)" + listeners + "]}");
  };
  EXPECT_FALSE(encrypted.amqp_door(op, ""));
  listeners += R"(, {"protocol": "amqp/ssl", "port": 5671})";
  const auto door = encrypted.amqp_door(op, "");
  ASSERT_TRUE(door) << door.error().what;
  EXPECT_TRUE(door->tls);
  EXPECT_EQ(door->port, 5671);
  EXPECT_EQ(door->ca_file, "ca.pem");
}

}  // namespace
}  // namespace lifeboat::source::rabbitmq
