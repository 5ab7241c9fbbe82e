// Against a real PostgreSQL 15 server:  testbed/with postgres -- steps_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <iostream>

#include "base/testbed_variable.h"
#include "client/postgres/passwords.h"
#include "client/process/launcher.h"
#include "plan/step_contract.h"
#include "steps/postgres_roles/postgres_roles_step.h"
#include "test_places.h"

namespace lifeboat::steps {
namespace {

using postgres::Connection;
using testing::HasSubstr;

constexpr char given_password[] = "given by the plan: 4711-geheim";

class RolesWorld final : public plan::StepWorld {
 public:
  RolesWorld() {
    for (const char* name : {"step_new", "step_given", "step_old", "step_group"}) {
      run("DROP ROLE IF EXISTS " + std::string(name));
    }
    run("CREATE ROLE step_group NOLOGIN");
    run("CREATE ROLE step_old LOGIN CREATEDB CONNECTION LIMIT 3 PASSWORD 'old-secret'");
  }

  const plan::StepType& type() override { return type_; }
  Value config() override {
    Value grouped, given, old;
    Value groups{Value::List{}};
    groups.push("step_group");
    grouped.set("member_of", std::move(groups));
    grouped.set("connection_limit", 5);
    given.set("password", Value(given_password).taint());
    old.set("createdb", false);
    Value roles;
    roles.set("step_new", std::move(grouped));
    roles.set("step_given", std::move(given));
    roles.set("step_old", std::move(old));
    Value config;
    config.set("url", testbed_variable("TESTBED_POSTGRES_URL"));
    config.set("password", Value(testbed_variable("TESTBED_POSTGRES_PASSWORD")).taint());
    config.set("roles", std::move(roles));
    return config;
  }
  plan::FakeContext& context() override { return context_; }
  std::string digest() override {
    const std::string roles =
        ask("SELECT string_agg(concat_ws('|', rolname, rolcanlogin, rolcreatedb, rolconnlimit, "
            "(SELECT string_agg(g.rolname, ',') FROM pg_auth_members m JOIN pg_roles g "
            "ON g.oid = m.roleid WHERE m.member = r.oid)), E'\\n' ORDER BY rolname) "
            "FROM pg_roles r WHERE rolname LIKE 'step\\_%'");
    return roles + "\nold " + accepts("step_old", "old-secret") + ", new " +
           accepts("step_new", kept("step_new")) + accepts("step_old", kept("step_old")) +
           ", given " + accepts("step_given", given_password);
  }
  void alter() override { run("ALTER ROLE step_new PASSWORD 'somebody elses'"); }
  bool make_foreign() override { return false; }  // a role that is there is one to be changed
  std::vector<std::string> secrets() override {
    std::vector<std::string> all = {given_password, testbed_variable("TESTBED_POSTGRES_PASSWORD")};
    for (const auto& [name, secret] : context_.vault()) all.emplace_back(secret.reveal());
    return all;
  }

  std::string ask(const std::string& statement) {
    const auto rows = connection().execute(op(), statement);
    if (!rows) {
      std::cerr << statement << ": " << rows.error().what << "\n";
      std::exit(1);
    }
    return rows->empty() ? "" : rows->text(0, 0);
  }
  void run(const std::string& statement) { ask(statement); }
  Operation op() const { return Operation{&clock_}; }
  std::string accepts(const std::string& role, const std::string& password) {
    auto address = postgres::parse_url(testbed_variable("TESTBED_POSTGRES_URL"), Secret(password));
    address->user = role;
    const auto login = postgres::try_login(op(), *address);
    return login && *login == postgres::Login::accepted ? "y" : "n";
  }
  std::string kept(const std::string& role) const {
    const auto found = context_.vault().find("password/" + role);
    return found == context_.vault().end() ? "none kept" : std::string(found->second.reveal());
  }

 private:
  Connection& connection() {
    if (!connection_) {
      const auto address =
          postgres::parse_url(testbed_variable("TESTBED_POSTGRES_URL"),
                              Secret(testbed_variable("TESTBED_POSTGRES_PASSWORD")));
      auto opened = Connection::open(op(), *address);
      if (!opened) {
        std::cerr << opened.error().what << "\n";
        std::exit(1);
      }
      connection_ = *std::move(opened);
    }
    return *connection_;
  }

  SystemClock clock_;
  std::unique_ptr<Launcher> launcher_ =
      make_launcher(clock_, "roles-e2e", LIFEBOAT_SUPERVISOR_PATH);
  plan::FakeContext context_{{.clock = &clock_, .launcher = launcher_.get()}};
  const plan::StepType type_ = postgres_roles_step();
  std::unique_ptr<Connection> connection_;
};

LIFEBOAT_STEP_CONTRACT(PostgresRolesContract, [] { return std::make_unique<RolesWorld>(); });

TEST(PostgresRolesE2e, EachRoleLogsInWithItsPasswordAndTheServerKnowsOnlyVerifiers) {
  RolesWorld world;
  auto step = world.type().make(world.config(), world.context());
  ASSERT_TRUE(step) << step.error().what;
  ASSERT_TRUE((*step)->apply(world.op()));
  const auto proof = (*step)->verify(world.op());
  ASSERT_TRUE(proof) << proof.error().what;
  const Value& passwords = proof->outputs.at("passwords");
  EXPECT_TRUE(passwords.tainted());
  EXPECT_EQ(passwords.text("step_given"), given_password);
  EXPECT_EQ(passwords.text("step_new"), world.kept("step_new"));
  EXPECT_EQ(passwords.text("step_new").size(), 32u);
  EXPECT_EQ(world.accepts("step_new", passwords.text("step_new")), "y");
  EXPECT_EQ(world.accepts("step_old", "old-secret"), "n");
  EXPECT_EQ(world.ask("SELECT bool_and(rolpassword LIKE 'SCRAM-SHA-256$%') FROM pg_authid "
                      "WHERE rolname IN ('step_new', 'step_given', 'step_old')"),
            "t");
}

TEST(PostgresRolesE2e, ObserveSaysWhichRolesWouldBeMade) {
  RolesWorld world;
  auto step = world.type().make(world.config(), world.context());
  ASSERT_TRUE(step);
  const auto seen = (*step)->observe(world.op());
  ASSERT_TRUE(seen) << seen.error().what;
  std::string all;
  for (const plan::Change& change : seen->changes) all += change.what + "=" + change.to + "\n";
  EXPECT_THAT(all, HasSubstr("role step_new=made\n"));
  EXPECT_THAT(all, HasSubstr("role step_old: password=a new one\n"));
  EXPECT_THAT(all, testing::Not(HasSubstr("role step_old=made")));
  for (const std::string& secret : world.secrets()) {
    EXPECT_THAT(all, testing::Not(HasSubstr(secret)));
  }
}

TEST(PostgresRolesE2e, AnAttributeThatIsNotWrittenStays) {
  RolesWorld world;
  auto step = world.type().make(world.config(), world.context());
  ASSERT_TRUE(step);
  ASSERT_TRUE((*step)->apply(world.op()));
  EXPECT_EQ(world.ask("SELECT rolconnlimit || ' ' || rolcreatedb FROM pg_roles "
                      "WHERE rolname = 'step_old'"),
            "3 false");
}

TEST(PostgresRolesE2e, AnEngineThatWasReplacedIsRefused) {
  RolesWorld world;
  auto zombie = world.type().make(world.config(), world.context());
  ASSERT_TRUE(zombie);
  plan::FakeContext later(
      {.clock = &world.context().clock(), .launcher = &world.context().launcher()});
  later.next_attempt();
  auto successor = world.type().make(world.config(), later);
  ASSERT_TRUE(successor);
  ASSERT_TRUE((*successor)->apply(world.op()));
  const auto refused = (*zombie)->apply(world.op());
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().effective_code(), Error::Code::refused);
}

TEST(PostgresRolesE2e, AUserWhoMayNotMakeRolesIsToldSoBeforeTheRun) {
  RolesWorld world;
  Value config = world.config();
  std::string url = testbed_variable("TESTBED_POSTGRES_URL");
  config.set("url", "postgresql://step_old@" + url.substr(url.find('@') + 1));
  config.set("password", Value("old-secret").taint());
  auto step = world.type().make(config, world.context());
  ASSERT_TRUE(step);
  const auto done = (*step)->preflight(world.op());
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::denied);
  EXPECT_THAT(done.error().hint, HasSubstr("CREATEROLE"));
}

}  // namespace
}  // namespace lifeboat::steps
