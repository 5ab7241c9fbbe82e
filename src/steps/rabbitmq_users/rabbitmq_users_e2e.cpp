// Against a real broker: testbed/with rabbitmq -- steps_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/testbed_variable.h"
#include "client/amqp/amqp.h"
#include "client/process/test_launcher.h"
#include "plan/step_contract.h"
#include "schema/json.h"
#include "source/rabbitmq/broker.h"
#include "steps/rabbitmq_users/rabbitmq_users_step.h"
#include "test_places.h"

namespace lifeboat::steps {
namespace {

using source::rabbitmq::Broker;
using source::rabbitmq::Kind;
using testing::HasSubstr;

const SystemClock the_clock;
const Operation op{.clock = &the_clock};

Value json(const char* text) {
  auto value = parse_json(text);
  EXPECT_TRUE(value) << text;
  return value ? *value : Value();
}

constexpr const char* old_password = "old-s3cret";
constexpr const char* given_password = "given-s3cret";

// One broker for all tests; each world makes it new.
class UsersWorld final : public plan::StepWorld {
 public:
  UsersWorld() {
    for (const char* vhost : {"steps", "steps2"}) {
      put({Kind::vhost, vhost, ""}, R"({"description": "", "tags": []})");
    }
    for (const char* user : {"step-old", "step-new", "step-given"}) {
      EXPECT_TRUE(broker_.remove(op, {Kind::user, "", user}, Value()));
    }
    EXPECT_TRUE(broker_.remove(op, Broker::users_parameter("contract/step"), Value()));
    Value old = json(R"({"tags": ["monitoring"]})");
    old.set("password", old_password);
    EXPECT_TRUE(broker_.put(op, {Kind::user, "", "step-old"}, old));
    put({Kind::permission, "steps2", "step-old"},
        R"({"configure": ".*", "write": ".*", "read": ".*"})");
  }
  const plan::StepType& type() override { return type_; }
  Value config() override {
    Value config = json(R"({"users": {
        "step-old": {"generate": true, "permissions": {"steps": {"read": ".*"}}},
        "step-new": {"tags": ["policymaker", "management"], "permissions": {
            "steps": {"configure": "^a", "write": "^b", "read": ".*"}, "steps2": {}}},
        "step-given": {"tags": []}}})");
    Value password(given_password);
    password.taint();
    config.map().at("users").map().at("step-given").set("password", std::move(password));
    config.set("url", testbed_variable("TESTBED_RABBITMQ_URL"));
    config.set("user", testbed_variable("TESTBED_RABBITMQ_USER"));
    Value admin(testbed_variable("TESTBED_RABBITMQ_PASSWORD"));
    admin.taint();
    config.set("password", std::move(admin));
    return config;
  }
  plan::FakeContext& context() override { return context_; }
  // Tags and permissions of the three, and which passwords open the door; hashes are salted.
  std::string digest() override {
    const auto live = broker_.read(op);
    EXPECT_TRUE(live) << live.error().what;
    std::string text;
    for (const auto& [key, value] : live->topology) {
      if (!key.name.starts_with("step-")) continue;
      text += key.text() + " " + to_json(key.kind == Kind::user ? value.at("tags") : value) + "\n";
    }
    const auto made = context_.vault().find("password/step-old");
    const std::string kept =
        made == context_.vault().end() ? "-" : std::string(made->second.reveal());
    return text + "old " + accepts("step-old", old_password) + ", new " +
           accepts("step-old", kept) + ", given " + accepts("step-given", given_password);
  }
  void alter() override {
    Value other = json(R"({"tags": []})");
    other.set("password", "somebody else's");
    EXPECT_TRUE(broker_.put(op, {Kind::user, "", "step-given"}, other));
  }
  bool make_foreign() override { return false; }  // a user that is there is changed, not refused
  std::vector<std::string> secrets() override {
    std::vector<std::string> all = {given_password, testbed_variable("TESTBED_RABBITMQ_PASSWORD")};
    for (const auto& [name, secret] : context_.vault()) all.emplace_back(secret.reveal());
    return all;
  }

  static std::string accepts(const std::string& user, const std::string& password) {
    AmqpDoor door;
    door.host = "127.0.0.1";
    door.port = std::stoi(testbed_variable("TESTBED_RABBITMQ_AMQP_PORT"));
    door.vhost = "steps";
    door.user = user;
    door.password = Secret(password);
    const auto answer = try_amqp_login(op, door);
    EXPECT_TRUE(answer) << answer.error().what;
    return !answer                                ? "error"
           : *answer == AmqpAnswer::accepted      ? "in"
           : *answer == AmqpAnswer::vhost_refused ? "in, not here"
                                                  : "no";
  }
  Broker& broker() { return broker_; }

 private:
  void put(const source::rabbitmq::ObjectKey& key, const char* value) {
    const auto done = broker_.put(op, key, json(value));
    EXPECT_TRUE(done) << done.error().what;
  }
  const plan::StepType type_ = rabbitmq_users_step();
  plan::FakeContext context_{{.clock = &the_clock, .launcher = &test_launcher()}};
  std::unique_ptr<HttpClient> http_ = make_http_client(the_clock);
  Broker broker_ =
      *Broker::open(*http_, {.url = testbed_variable("TESTBED_RABBITMQ_URL"),
                             .user = testbed_variable("TESTBED_RABBITMQ_USER"),
                             .password = Secret(testbed_variable("TESTBED_RABBITMQ_PASSWORD")),
                             .ca_file = ""});
};

LIFEBOAT_STEP_CONTRACT(RabbitmqUsersContract, [] { return std::make_unique<UsersWorld>(); });

std::unique_ptr<plan::Step> step_of(UsersWorld& world, const Value& config) {
  auto made = world.type().make(config, world.context());
  EXPECT_TRUE(made) << made.error().what;
  return made ? *std::move(made) : nullptr;
}

TEST(RabbitmqUsers, EachLogsInWithItsNewPasswordAndTheOldOneIsDead) {
  UsersWorld world;
  EXPECT_EQ(UsersWorld::accepts("step-old", old_password), "in, not here");
  const auto step = step_of(world, world.config());
  ASSERT_TRUE(step->apply(op));
  const auto proof = step->verify(op);
  ASSERT_TRUE(proof) << proof.error().what;
  for (const plan::Check& check : proof->checks) {
    EXPECT_TRUE(check.ok) << check.name << ": " << check.actual;
  }
  const Value& passwords = proof->outputs.at("passwords");
  EXPECT_EQ(passwords.text("step-new").size(), 32u);
  EXPECT_TRUE(passwords.at("step-new").tainted());
  EXPECT_EQ(UsersWorld::accepts("step-new", passwords.text("step-new")), "in");
  EXPECT_EQ(UsersWorld::accepts("step-old", passwords.text("step-old")), "in");
  EXPECT_EQ(UsersWorld::accepts("step-old", old_password), "no");
  EXPECT_EQ(UsersWorld::accepts("step-given", given_password), "in, not here");
}

TEST(RabbitmqUsers, WhatIsNotWrittenStays) {
  UsersWorld world;
  ASSERT_TRUE(step_of(world, world.config())->apply(op));
  const auto live = world.broker().read(op);
  EXPECT_EQ(to_json(live->topology.at({Kind::user, "", "step-old"}).at("tags")),
            R"(["monitoring"])");
  EXPECT_FALSE(live->topology.contains({Kind::permission, "steps2", "step-old"}));
  EXPECT_EQ(live->step_users.at("step-old"), "run-1/contract/step");
}

TEST(RabbitmqUsers, AMissingVirtualHostIsSaidBeforeAnythingChanges) {
  UsersWorld world;
  const std::string before = world.digest();
  Value config = world.config();
  config.map()
      .at("users")
      .map()
      .at("step-new")
      .map()
      .at("permissions")
      .set("nowhere", Value(Value::Map{}));
  const auto done = step_of(world, config)->apply(op);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::not_found);
  EXPECT_THAT(done.error().hint, HasSubstr("after the one that restores the broker"));
  EXPECT_EQ(UsersWorld::accepts("step-old", old_password), "in, not here");
}

TEST(RabbitmqUsers, ChangedTagsOfADoneStepAreDrift) {
  UsersWorld world;
  const auto step = step_of(world, world.config());
  const auto before = step->observe(op);
  ASSERT_TRUE(before) << before.error().what;
  std::string changes;
  for (const plan::Change& change : before->changes) {
    changes += change.what + "=" + change.to + "\n";
  }
  EXPECT_THAT(changes, HasSubstr("user step-new=made\n"));
  EXPECT_THAT(changes, HasSubstr("user step-old: password=a new one\n"));
  ASSERT_TRUE(step->apply(op));
  ASSERT_EQ(step->observe(op)->state, plan::State::ours_done);
  world.alter();
  EXPECT_EQ(step->observe(op)->state, plan::State::drifted);
}

TEST(RabbitmqUsers, ConfigurationsThatCannotWorkAreRefused) {
  UsersWorld world;
  Value both = world.config();
  both.map().at("users").map().at("step-given").set("generate", true);
  EXPECT_THAT(world.type().make(both, world.context()).error().what,
              HasSubstr("both password and generate"));
  Value self = world.config();
  self.map().at("users").set(testbed_variable("TESTBED_RABBITMQ_USER"), Value(Value::Map{}));
  EXPECT_THAT(world.type().make(self, world.context()).error().what, HasSubstr("logs in as"));
}

}  // namespace
}  // namespace lifeboat::steps
