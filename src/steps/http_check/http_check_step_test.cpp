// The http-check step against a real HTTP server on loopback.
#include "steps/http_check/http_check_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/fake_clock.h"
#include "base/temporary_folder.h"
#include "client/process/launcher.h"
#include "plan/step_contract.h"
#include "schema/json.h"
#include "steps/page_server.h"
#include "steps/tls_server.h"
#include "test_places.h"

namespace lifeboat::steps {
namespace {

using plan::FakeContext;
using plan::State;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

Value from_json(const std::string& text) {
  const auto value = parse_json(text);
  EXPECT_TRUE(value) << text;
  return *value;
}

Value secret(const std::string& text) {
  Value value(text);
  value.taint();
  return value;
}

class HttpCheckWorld final : public plan::StepWorld {
 public:
  const plan::StepType& type() override { return type_; }
  Value config() override {
    Value config = from_json(R"({
      "requests": [
        {"path": "/health", "expect": {"status": 200, "json": {"state": "ok"}},
         "save": {"version": "versions[1]", "key": "key"}},
        {"path": "/versions/{{version}}", "expect": {"body_contains": "seventeen"}}],
      "outputs": {"version": "integer", "key": "secret"}})");
    config.set("url", server_.url());
    return config;
  }
  FakeContext& context() override { return context_; }
  std::string digest() override { return ""; }
  void alter() override { broken_ = true; }
  bool make_foreign() override { return false; }
  std::vector<std::string> secrets() override { return {"of-the-page"}; }

 private:
  PageAnswer answer(const PageRequest& request) const {
    PageAnswer said;
    if (request.path == "/health") {
      said.body = std::string(R"({"state": ")") + (broken_ ? "broken" : "ok") +
                  R"(", "versions": [16, 17], "key": "of-the-page"})";
    } else if (request.path == "/versions/17") {
      said.body = "seventeen";
    } else {
      said.status = 404;
    }
    return said;
  }
  SystemClock clock_;
  std::atomic<bool> broken_ = false;
  PageServer server_{[this](const PageRequest& request) { return answer(request); }};
  std::unique_ptr<Launcher> launcher_ = make_launcher(clock_, "", LIFEBOAT_SUPERVISOR_PATH);
  plan::StepType type_ = http_check_step();
  FakeContext context_{{.clock = &clock_, .launcher = launcher_.get()}};
};

LIFEBOAT_STEP_CONTRACT(HttpCheckContract, [] { return std::make_unique<HttpCheckWorld>(); });

// A shop that takes orders: the second look at an order says `delivered`.
class Shop {
 public:
  PageAnswer answer(const PageRequest& request) {
    PageAnswer said;
    if (request.method == "POST") {
      const auto key = request.headers.find("idempotency-key");
      keys_.push_back(key == request.headers.end() ? "" : key->second);
      said.status = 201;
      said.body = R"({"order": {"id": 4711, "lines": [{"item": "chair"}]}})";
      said.headers["Location"] = "/orders/4711";
    } else {
      said.body = ++looks_ < 3 ? R"({"state": "queued"})" : R"({"state": "delivered"})";
    }
    return said;
  }
  const std::vector<std::string>& keys() const { return keys_; }

 private:
  std::vector<std::string> keys_;
  int looks_ = 0;
};

class HttpCheckTest : public testing::Test {
 protected:
  std::unique_ptr<plan::Step> step(Value config) {
    std::vector<Finding> findings;
    const plan::StepType type = http_check_step();
    validate(config, type.fields, {.path = "http-check"}, findings);
    for (const Finding& finding : findings) ADD_FAILURE() << finding.text();
    auto made = type.make(config, context_);
    EXPECT_TRUE(made) << (made ? "" : made.error().what);
    return *std::move(made);
  }
  Value config(const std::string& json) {
    Value config = from_json(json);
    config.set("url", server_.url());
    return config;
  }
  static std::vector<std::string> failed(const plan::Verification& proof) {
    std::vector<std::string> names;
    for (const plan::Check& check : proof.checks) {
      if (!check.ok) names.push_back(check.name + ": " + check.expected + " / " + check.actual);
    }
    return names;
  }

  FakeClock clock_;
  Operation op_{&clock_};
  Shop shop_;
  PageServer server_{[this](const PageRequest& request) { return shop_.answer(request); }};
  SystemClock real_clock_;
  std::unique_ptr<Launcher> launcher_ = make_launcher(real_clock_, "", LIFEBOAT_SUPERVISOR_PATH);
  FakeContext context_{{.clock = &clock_,
                        .launcher = launcher_.get(),
                        .bundle_directory = ".",
                        .run = "run-1",
                        .step = "works"}};
};

const char* const order = R"({
  "requests": [
    {"method": "POST", "path": "/orders", "json": {"item": "chair", "count": 2},
     "expect": {"status": 201, "json": {"order.lines[0].item": "chair", "order.id": "4711"},
                "header": {"Location": "/orders/4711"}},
     "save": {"order": "order.id"}},
    {"path": "/orders/{{order}}", "within": "30s", "expect": {"json": {"state": "delivered"}}}],
  "outputs": {"order": "integer"}})";

TEST_F(HttpCheckTest, AnOrderIsPlacedOnceAndReadBackUntilItIsDelivered) {
  const auto check = step(config(order));
  const auto seen = check->observe(op_);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->state, State::absent);
  EXPECT_THAT(server_.requests(), IsEmpty()) << "observing sends nothing that changes something";
  ASSERT_THAT(seen->changes, SizeIs(1)) << "what a GET asks is no change";
  EXPECT_EQ(seen->changes.front().what, "POST " + server_.url() + "/orders");
  ASSERT_TRUE(check->apply(op_));
  const auto proof = check->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_THAT(failed(*proof), IsEmpty());
  EXPECT_EQ(proof->outputs.at("order"), Value(4711));
  EXPECT_THAT(shop_.keys(), testing::ElementsAre("\"run-1/works/0\""));
  const auto requests = server_.requests();
  ASSERT_THAT(requests, SizeIs(4));
  EXPECT_EQ(requests[0].body, R"({"count":2,"item":"chair"})");
  EXPECT_EQ(requests[0].headers.at("content-type"), "application/json");
  EXPECT_EQ(requests[3].path, "/orders/4711");
}

TEST_F(HttpCheckTest, AfterACrashTheSameKeyIsSentAgain) {
  ASSERT_TRUE(step(config(order))->apply(op_));
  context_.next_attempt();
  EXPECT_THAT(failed(*step(config(order))->verify(op_)), IsEmpty());
  ASSERT_THAT(shop_.keys(), SizeIs(2));
  EXPECT_EQ(shop_.keys()[0], shop_.keys()[1]);
}

TEST_F(HttpCheckTest, WhatDiffersIsNamedWithBothValuesAndEndsTheList) {
  const auto check = step(config(R"({"requests": [
      {"path": "/a", "expect": {"status": 204, "json": {"state": "delivered", "no.such[3]": 1},
                                "body_contains": "nowhere", "header": {"X-Shop": "open"}}},
      {"path": "/b"}]})"));
  ASSERT_TRUE(check->apply(op_));
  const auto names = failed(*check->verify(op_));
  const std::string get = "GET " + server_.url() + "/a: ";
  EXPECT_THAT(names, Contains(get + "status: 204 / 200"));
  EXPECT_THAT(names, Contains(get + "body: contains nowhere / does not contain it"));
  EXPECT_THAT(names, Contains(get + "header X-Shop: open / "));
  EXPECT_THAT(names, Contains(get + "no.such[3]: 1 / null"));
  for (const PageRequest& request : server_.requests()) EXPECT_EQ(request.path, "/a");
}

TEST_F(HttpCheckTest, ASecretIsSentAndShownNowhere) {
  Value with_secrets = config(R"({"expect": {}})");
  Value headers;
  headers.set("Authorization", secret("Bearer of-the-bearer"));
  with_secrets.set("secret_headers", headers);
  Value expected, json;
  json.set("state", secret("of-the-bearer"));
  expected.set("json", json);
  with_secrets.set("expect", expected);
  auto made = http_check_step().make(with_secrets, context_);
  ASSERT_TRUE(made);
  const auto proof = (*made)->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_EQ(server_.requests().front().headers.at("authorization"), "Bearer of-the-bearer");
  for (const plan::Check& check : proof->checks) {
    EXPECT_THAT(check.expected + check.actual, Not(HasSubstr("of-the-bearer")));
  }
  for (const std::string& line : context_.lines()) {
    EXPECT_THAT(line, Not(HasSubstr("of-the-bearer")));
  }
}

TEST_F(HttpCheckTest, NobodyThereIsAbsentUnavailableAndNotGreen) {
  const auto check = step(config(R"({"expect": 200})"));
  server_.stop();
  EXPECT_EQ(check->observe(op_)->state, State::absent);
  EXPECT_EQ(check->apply(op_).error().kind, Error::Kind::unavailable);
  EXPECT_THAT(failed(*check->verify(op_)), SizeIs(1));
}

TEST_F(HttpCheckTest, WhatWasNeverSavedIsAnError) {
  const auto check = step(config(R"({"path": "/orders/{{nothing}}"})"));
  const auto applied = check->apply(op_);
  ASSERT_FALSE(applied);
  EXPECT_THAT(applied.error().what, HasSubstr("nothing was saved as 'nothing'"));
}

TEST_F(HttpCheckTest, AMissingOrMistypedOutputIsNamed) {
  Value missing = config(R"({"outputs": {"order": "integer"}})");
  EXPECT_THAT(step(missing)->verify(op_).error().what, HasSubstr("saved by no request"));
  Value mistyped = config(R"({"save": {"state": "state"}, "outputs": {"state": "integer"}})");
  EXPECT_THAT(step(mistyped)->verify(op_).error().what, HasSubstr("state"));
  Value nowhere = config(R"({"save": {"x": "no.such.place"}})");
  EXPECT_THAT(failed(*step(nowhere)->verify(op_)), Contains(HasSubstr("nothing is there")));
}

TEST_F(HttpCheckTest, ARelativeCaFileIsBelowTheBundle) {
  FakeContext context(
      {.clock = &clock_, .launcher = launcher_.get(), .bundle_directory = "/the/bundle"});
  Value config = from_json(R"({"path": "/health", "ca_file": "certificates/ca.pem"})");
  config.set("url", "https" + server_.url().substr(4));
  const auto check = http_check_step().make(config, context);
  ASSERT_TRUE(check);
  for (const Error& error : {(*check)->preflight(op_).error(), (*check)->observe(op_).error()}) {
    EXPECT_EQ(error.kind, Error::Kind::invalid);
    EXPECT_THAT(error.what, HasSubstr("/the/bundle/certificates/ca.pem"));
  }
}

TEST_F(HttpCheckTest, WhatOnlyAPersonCanMendIsAnErrorOfObserve) {
  const TemporaryFolder folder = *TemporaryFolder::make_only("http");
  const CertificateWish wish{.names = {"127.0.0.1"},
                             .not_before = {clock_.wall().ns - 86'400'000'000'000},
                             .not_after = {clock_.wall().ns + 86'400'000'000'000}};
  std::ofstream(folder.path() + "/ca.pem") << Certificate::self_signed(wish).pem();
  const TlsServer stranger(Certificate::self_signed(wish));
  Value words = from_json(R"({"path": "/"})");
  words.set("url", "https://127.0.0.1:" + std::to_string(stranger.port()));
  words.set("ca_file", folder.path() + "/ca.pem");
  const auto check = step(words);
  EXPECT_TRUE(check->preflight(op_));
  EXPECT_EQ(check->observe(op_).error().kind, Error::Kind::denied);
  EXPECT_FALSE(
      step(from_json(R"({"url": "http://a", "requests": [{"url": "b"}]})"))->preflight(op_));
}

// A step may write it; in the bundle nothing is ever written.
TEST_F(HttpCheckTest, AnAbsoluteCaFileThatIsNotThereMayStillCome) {
  const auto check = step(config(R"({"path": "/", "ca_file": "/no/such/ca.pem"})"));
  EXPECT_EQ(check->preflight(op_).error().kind, Error::Kind::not_found);
}

TEST_F(HttpCheckTest, OnlyRequestsThatChangeSomethingHaveEffects) {
  const plan::StepType type = http_check_step();
  EXPECT_THAT(type.effects(config(R"({"path": "/"})")), IsEmpty());
  EXPECT_THAT(type.effects(config(order)), testing::ElementsAre(server_.url()));
  EXPECT_FALSE(step(config(order))->undo(op_, Value()));
  EXPECT_TRUE(step(config(R"({"path": "/"})"))->undo(op_, Value()));
}

TEST_F(HttpCheckTest, WordsThatDoNotFitTogetherAreRefused) {
  const plan::StepType type = http_check_step();
  for (const char* json : {R"({})", R"({"requests": []})", R"({"requests": [{"path": "/"}]})",
                           R"({"url": "http://a", "requests": [{"path": "/"}], "json": {}})"}) {
    EXPECT_FALSE(type.make(from_json(json), context_)) << json;
  }
}

}  // namespace
}  // namespace lifeboat::steps
