#include "source/rabbitmq/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schema/json.h"

namespace lifeboat::source::rabbitmq {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Value json(const char* text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : Value();
}

constexpr const char* definitions = R"({
  "users": [{"name": "ann", "password_hash": "aGFzaA==", "hashing_algorithm": "sha256",
             "tags": ["policymaker", "management"], "limits": {"max-channels": 5}}],
  "permissions": [{"user": "ann", "vhost": "shop", "configure": "", "write": ".*", "read": ".*"}],
  "topic_permissions": [{"user": "ann", "vhost": "shop", "exchange": "events", "write": "^a",
                         "read": ".*"}],
  "parameters": [{"value": {"max-queues": 50, "max-connections": 9}, "vhost": "shop",
                  "component": "vhost-limits", "name": "limits"},
                 {"value": {"pattern": "^q", "definition": {"max-length": 10}, "priority": 1,
                            "apply-to": "queues"},
                  "vhost": "shop", "component": "operator_policy", "name": "cap"},
                 {"value": {"src": "x"}, "vhost": "shop", "component": "shovel", "name": "s"}],
  "global_parameters": [{"name": "internal_cluster_id", "value": "id-1"},
                        {"name": "cluster_name", "value": "prod"},
                        {"name": "lifeboat-marker", "value": {"marker": "m"}},
                        {"name": "mqtt_default_vhosts", "value": {"CN=a": "shop"}}],
  "policies": [{"vhost": "shop", "name": "ttl", "pattern": ".*", "apply-to": "all",
                "definition": {"message-ttl": 5}, "priority": 0}],
  "queues": [{"name": "orders", "vhost": "shop", "durable": true, "auto_delete": false,
              "arguments": {"x-queue-type": "quorum"}},
             {"name": "tmp", "vhost": "shop", "durable": false, "auto_delete": true,
              "arguments": {}},
             {"name": "amq.gen-x1", "vhost": "shop", "durable": true, "auto_delete": false,
              "arguments": {}}],
  "exchanges": [{"name": "events", "vhost": "shop", "type": "topic", "durable": true,
                 "auto_delete": false, "internal": false, "arguments": {}}],
  "bindings": [{"source": "events", "vhost": "shop", "destination": "orders",
                "destination_type": "queue", "routing_key": "order.#", "arguments": {}},
               {"source": "events", "vhost": "shop", "destination": "tmp",
                "destination_type": "queue", "routing_key": "#", "arguments": {}}]
})";
constexpr const char* vhosts =
    R"([{"name": "shop", "metadata": {"description": "d", "tags": ["b", "a"]}, "tracing": false,
         "default_queue_type": "undefined"}])";

Reading sample() {
  auto reading = read_topology(json(definitions), json(vhosts));
  EXPECT_TRUE(reading) << reading.error().what;
  return reading ? *reading : Reading{};
}

TEST(Topology, HoldsEveryLastingObjectOnce) {
  const Reading reading = sample();
  std::vector<std::string> texts;
  for (const auto& [key, value] : reading.topology) texts.push_back(key.text());
  EXPECT_THAT(
      texts,
      ElementsAre("virtual host shop", "user ann", "permission ann on shop",
                  "topic permission ann on shop", "policy shop/ttl", "operator policy shop/cap",
                  "exchange shop/events", "queue shop/orders",
                  "binding shop: events -> queue orders (order.#)", "limit max-connections on shop",
                  "limit max-queues on shop", "user limit ann/max-channels",
                  "parameter shop/shovel/s", "global parameter mqtt_default_vhosts"));
  EXPECT_THAT(reading.skipped, ElementsAre("queue shop/tmp: transient, skipped",
                                           "queue shop/amq.gen-x1: a connection's own, skipped"));
}

TEST(Topology, TagsOfAllVersionsAreOneForm) {
  const Value list = sample().topology.at({Kind::user, "", "ann"}).at("tags");
  Value older = json(definitions);
  older.map().at("users").list()[0].set("tags", "policymaker,management");
  const auto reading = read_topology(older, json(vhosts));
  ASSERT_TRUE(reading);
  EXPECT_EQ(reading->topology.at({Kind::user, "", "ann"}).at("tags"), list);
  EXPECT_EQ(to_json(list), R"(["management","policymaker"])");
}

TEST(Topology, AnswersOfAnotherShapeAreRefused) {
  for (const char* text : {"{}", "[]", "null", R"({"users": {}})"}) {
    const auto reading = read_topology(json(text), json("[]"));
    ASSERT_FALSE(reading) << text;
    EXPECT_EQ(reading.error().kind, Error::Kind::invalid);
  }
}

TEST(Topology, WhatItCutsIntoItemsItReadsBack) {
  const Reading reading = sample();
  Topology again;
  for (const auto& [name, text] : to_items(reading.topology)) {
    const auto read = from_item(name, text, again);
    ASSERT_TRUE(read) << read.error().what;
  }
  EXPECT_EQ(again, reading.topology);
}

TEST(Topology, ItemsOfOneVirtualHostAreInOneFolder) {
  EXPECT_EQ(item_name({Kind::queue, "a/b", "q"}), "vhosts/a%2Fb/queues.json");
  EXPECT_EQ(item_name({Kind::user, "", "ann"}), "broker/users.json");
}

TEST(Topology, AnItemOfUnknownKindIsOfALaterVersion) {
  Topology topology;
  const auto later = from_item("x", R"([{"kind": "stream", "value": {}}])", topology);
  ASSERT_FALSE(later);
  EXPECT_EQ(later.error().effective_code(), Error::Code::version_too_new);
  EXPECT_EQ(from_item("x", "{", topology).error().kind, Error::Kind::corrupt);
}

TEST(Topology, DifferencesAreNamedFromBothSides) {
  const Topology wanted = sample().topology;
  Topology live = wanted;
  live.erase({Kind::queue, "shop", "orders"});
  live[{Kind::user, "", "ann"}].set("password_hash", "b3RoZXI=");
  live[{Kind::queue, "shop", "new"}] = json("{}");
  const Difference found = difference(wanted, live);
  EXPECT_THAT(found.missing, ElementsAre(ObjectKey{Kind::queue, "shop", "orders"}));
  EXPECT_THAT(found.different, ElementsAre(ObjectKey{Kind::user, "", "ann"}));
  EXPECT_THAT(found.extra, ElementsAre(ObjectKey{Kind::queue, "shop", "new"}));
  EXPECT_TRUE(difference(wanted, wanted).empty());
}

TEST(Topology, AScopeHoldsVirtualHostsAndFolders) {
  const Scope shop{{"shop"}, {}};
  EXPECT_TRUE(shop.holds({Kind::queue, "shop", "q"}));
  EXPECT_FALSE(shop.holds({Kind::queue, "other", "q"}));
  EXPECT_TRUE(shop.holds({Kind::user, "", "ann"}));
  const Scope part{{}, {"vhosts/shop", "broker/users.json"}};
  EXPECT_TRUE(part.holds({Kind::queue, "shop", "q"}));
  EXPECT_FALSE(part.holds({Kind::queue, "shop2", "q"}));
  EXPECT_FALSE(part.holds({Kind::global_parameter, "", "x"}));
}

TEST(Topology, NamesAreEncodedInPaths) {
  const auto queue = calls_to_put({Kind::queue, "/", "a b/ü"}, json(R"({"arguments": {}})"));
  ASSERT_EQ(queue.size(), 1u);
  EXPECT_EQ(queue[0].path, "/api/queues/%2F/a%20b%2F%C3%BC");
  EXPECT_TRUE(queue[0].body.at("durable").boolean());
  EXPECT_EQ(call_to_remove({Kind::parameter, "v", "shovel/a/b"}).path,
            "/api/parameters/shovel/v/a%2Fb");
  EXPECT_EQ(call_to_remove({Kind::user_limit, "", "a/b/max-channels"}).path,
            "/api/user-limits/a%2Fb/max-channels");
}

TEST(Topology, HostileNamesDoNotSpeakToTheTerminal) {
  EXPECT_EQ(ObjectKey({Kind::queue, "v", "\x1b[2J"}).text(), "queue v/\\x1b[2J");
}

}  // namespace
}  // namespace lifeboat::source::rabbitmq
