// source/rabbitmq/rabbitmq_bench.h - Two real brokers for tests: one filled, one to restore into.
//
// testbed/with rabbitmq rabbitmq=TESTBED_RABBITMQ2_ -- ...
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/testbed_variable.h"
#include "capture/memory_capture.h"
#include "schema/json.h"
#include "source/rabbitmq/rabbitmq_source.h"

namespace lifeboat::source::rabbitmq_bench {

using rabbitmq::Broker;
using rabbitmq::Kind;
using rabbitmq::ObjectKey;

inline const SystemClock the_clock;
inline const Operation op{.clock = &the_clock};

inline rabbitmq::Login login_of(const std::string& prefix) {
  return {.url = testbed_variable(prefix + "URL"),
          .user = testbed_variable(prefix + "USER"),
          .password = Secret(testbed_variable(prefix + "PASSWORD")),
          .ca_file = ""};
}

inline Value json(const char* text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : Value();
}

// A broker of the testbed, emptied and filled through its own API.
class Bench {
 public:
  explicit Bench(const std::string& prefix)
      : login_(login_of(prefix)),
        http_(make_http_client(the_clock)),
        broker_(*Broker::open(*http_, login_)) {}

  std::unique_ptr<Source> open() { return open_with(http_); }
  std::unique_ptr<Source> open_with(std::shared_ptr<HttpClient> http,
                                    std::vector<std::string> vhosts = {}) {
    auto source = make_rabbitmq_source(std::move(http), {login_, std::move(vhosts)});
    EXPECT_TRUE(source);
    return source ? *std::move(source) : nullptr;
  }
  // What a capture of it (of some virtual hosts) has.
  std::shared_ptr<capture::Feed> captured(std::vector<std::string> vhosts = {}) {
    capture::MemoryCapture sink;
    const auto done = open_with(http_, std::move(vhosts))->capture(op, sink);
    EXPECT_TRUE(done) << done.error().what;
    return sink.feed();
  }
  Broker& broker() { return broker_; }
  const rabbitmq::Login& login() const { return login_; }
  std::shared_ptr<HttpClient> http() { return http_; }

  rabbitmq::LiveBroker read() {
    auto live = broker_.read(op);
    EXPECT_TRUE(live) << live.error().what;
    return live ? *live : rabbitmq::LiveBroker{};
  }
  void put(const ObjectKey& key, const char* value) {
    const auto done = broker_.put(op, key, json(value));
    EXPECT_TRUE(done) << done.error().what;
  }
  void call(const std::string& method, const std::string& path, const char* body) {
    const auto done = broker_.call(op, {method, path, json(body)});
    EXPECT_TRUE(done) << done.error().what;
  }

  void wipe() {
    const auto live = read();
    for (auto each = live.topology.rbegin(); each != live.topology.rend(); ++each) {
      const ObjectKey& key = each->first;
      const bool own = key.name == login_.user || key.name.starts_with(login_.user + "/");
      if (own || (key.kind != Kind::vhost && key.kind != Kind::user && key.vhost != "/" &&
                  !key.vhost.empty())) {
        continue;  // goes with its virtual host
      }
      if (key.kind == Kind::vhost && key.vhost == "/") continue;
      EXPECT_TRUE(broker_.remove(op, key, each->second));
    }
    EXPECT_TRUE(broker_.remove(op, {Kind::global_parameter, "", "lifeboat-marker"}, {}));
    EXPECT_TRUE(broker_.remove(op, Broker::users_parameter("test"), {}));
    put({Kind::vhost, "/", ""}, R"({"description": "Default virtual host", "tags": []})");
  }

  void fill() {
    wipe();
    put({Kind::vhost, "shop", ""}, R"({"description": "the shop", "tags": ["prod", "eu"]})");
    put({Kind::vhost, "odd/ü %", ""}, R"({"description": "", "tags": [], "tracing": true})");
    put({Kind::user, "", "backend"},
        R"({"password_hash": "utWdkd2rQualTmCOyY2E++am6rBlAQnkJXMyWUE0SB3LooKX",
            "hashing_algorithm": "rabbit_password_hashing_sha256", "tags": []})");
    put({Kind::user, "", "o/b s:"},
        R"({"password_hash": "", "tags": ["management", "policymaker"]})");
    put({Kind::user_limit, "", "backend/max-channels"}, "100");
    put({Kind::permission, "shop", "backend"},
        R"({"configure": "^$", "write": "^events$", "read": ".*"})");
    put({Kind::permission, "odd/ü %", "o/b s:"},
        R"({"configure": ".*", "write": ".*", "read": ".*"})");
    fill_shop();
    put({Kind::queue, "odd/ü %", "q/ü"}, R"({"auto_delete": false, "arguments": {}})");
    put({Kind::global_parameter, "", "mqtt_default_vhosts"}, R"({"CN=shop": "shop"})");
  }

  void fill_shop() {
    put({Kind::exchange, "shop", "dead"},
        R"({"type": "fanout", "auto_delete": false, "internal": true, "arguments": {}})");
    put({Kind::exchange, "shop", "events"},
        R"({"type": "topic", "auto_delete": false, "internal": false,
            "arguments": {"alternate-exchange": "dead"}})");
    put({Kind::exchange, "shop", "by header"},
        R"({"type": "headers", "auto_delete": true, "internal": false, "arguments": {}})");
    put({Kind::queue, "shop", "orders"},
        R"({"auto_delete": false, "arguments": {"x-queue-type": "quorum"}})");
    put({Kind::queue, "shop", "mail"},
        R"({"auto_delete": false,
            "arguments": {"x-max-length": 10000, "x-dead-letter-exchange": "dead"}})");
    bind("events", "queue", "orders", "order.#", "{}");
    bind("events", "queue", "mail", "order.*.ü/%", "{}");
    bind("events", "exchange", "by header", "", "{}");
    bind("by header", "queue", "mail", "", R"({"x-match": "all", "kind": "invoice", "n": 1})");
    bind("dead", "queue", "mail", "", "{}");
    put({Kind::topic_permission, "shop", "backend"},
        R"({"events": {"write": "^order\\.", "read": ".*"}, "by header": {"write": "^$",
            "read": "x"}})");
    put({Kind::policy, "shop", "ttl"},
        R"({"pattern": "^mail$", "apply-to": "queues", "priority": 7,
            "definition": {"message-ttl": 60000}})");
    put({Kind::operator_policy, "shop", "cap"},
        R"({"pattern": ".*", "apply-to": "queues", "priority": 0,
            "definition": {"max-length": 100000}})");
    put({Kind::vhost_limit, "shop", "max-queues"}, "50");
    put({Kind::vhost_limit, "shop", "max-connections"}, "500");
  }

  void bind(const std::string& from, const std::string& type, const std::string& to,
            const std::string& routing, const char* arguments) {
    Value value = json("{}");
    value.set("source", from);
    value.set("destination", to);
    value.set("destination_type", type);
    value.set("routing_key", routing);
    value.set("arguments", json(arguments));
    EXPECT_TRUE(broker_.put(op, {Kind::binding, "shop", to_json(value)}, value));
  }

  void remove_first(Kind kind) {
    for (const auto& [key, value] : read().topology) {
      if (key.kind != kind) continue;
      const auto done = broker_.remove(op, key, value);
      EXPECT_TRUE(done) << done.error().what;
      return;
    }
    FAIL() << "nothing of this kind is there";
  }

 private:
  rabbitmq::Login login_;
  std::shared_ptr<HttpClient> http_;
  Broker broker_;
};

inline Bench& original() {
  static Bench bench = [] {
    Bench made("TESTBED_RABBITMQ_");
    made.fill();
    return made;
  }();
  return bench;
}
inline Bench& target() {
  static Bench bench("TESTBED_RABBITMQ2_");
  return bench;
}

// What a verification found, a line each; "" when all is well.
inline std::string red_ones(const Result<std::vector<Check>>& checks) {
  if (!checks) return checks.error().what;
  std::string text;
  for (const Check& check : *checks) {
    if (!check.ok) text += check.name + ": " + check.actual + "\n";
  }
  return text;
}

}  // namespace lifeboat::source::rabbitmq_bench
