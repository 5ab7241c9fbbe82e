// The journey step on a small site on loopback: a cookie, a login, a page behind it.
#include "steps/journey/journey_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

#include "base/fake_clock.h"
#include "client/process/test_launcher.h"
#include "plan/step_contract.h"
#include "schema/json.h"
#include "steps/failed_checks.h"
#include "steps/page_server.h"

namespace lifeboat::steps {
namespace {

using plan::FakeContext;
using plan::State;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr const char* password = "of-the-probe";
constexpr const char* csrf = "of-the-cookie";
constexpr const char* token = "of-the-token";

// Lets in who brings its cookie, its word against forgery and the password.
PageAnswer site(const PageRequest& request) {
  const auto header = [&](const std::string& name) {
    const auto found = request.headers.find(name);
    return found == request.headers.end() ? std::string() : found->second;
  };
  if (request.path == "/") {
    return {.headers = {{"Set-Cookie", std::string("csrf=") + csrf + "; Path=/; HttpOnly"}}};
  }
  if (request.path == "/login") {
    const bool right = header("cookie") == std::string("csrf=") + csrf &&
                       request.body.find(csrf) != std::string::npos &&
                       request.body.find(password) != std::string::npos;
    if (!right) return {.status = 403};
    return {.body = std::string(R"({"token": ")") + token + R"(", "visits": 17})",
            .headers = {{"X-Place", "/account/17"}}};
  }
  if (request.path == "/account/17" && header("authorization") == std::string("Bearer ") + token) {
    return {.body = R"({"user": "probe"})"};
  }
  return {.status = 404};
}

Value config_of(const std::string& url) {
  Value config = *parse_json(R"({
    "budget": "5s",
    "requests": [
      {"name": "home", "path": "/", "budget": "1s",
       "take": {"csrf": {"cookie": "csrf", "secret": true}}},
      {"name": "login", "method": "POST", "path": "/login", "safe": true,
       "json": {"user": "probe", "csrf": "{{csrf}}", "password": "{{password}}"},
       "take": {"token": {"json": "token", "secret": true}, "visits": "visits",
                "place": {"header": "X-Place"}}},
      {"name": "account", "path": "{{place}}", "headers": {"Authorization": "Bearer {{token}}"},
       "expect": {"json": {"user": "probe"}}}],
    "outputs": {"token": "secret", "visits": "integer"}})");
  config.set("url", url);
  Value secrets;
  secrets.set("password", Value(password).taint());
  config.set("secrets", secrets);
  return config;
}

class JourneyWorld final : public plan::StepWorld {
 public:
  const plan::StepType& type() override { return type_; }
  Value config() override { return config_of(server_.url()); }
  FakeContext& context() override { return context_; }
  std::string digest() override { return ""; }
  void alter() override { broken_ = true; }
  bool make_foreign() override { return false; }
  std::vector<std::string> secrets() override { return {password, csrf, token}; }

 private:
  SystemClock clock_;
  std::atomic<bool> broken_ = false;
  PageServer server_{[this](const PageRequest& request) {
    return broken_ && request.path == "/login" ? PageAnswer{.status = 500} : site(request);
  }};
  const plan::StepType type_ = journey_step();
  FakeContext context_{{.clock = &clock_, .launcher = &test_launcher()}};
};

LIFEBOAT_STEP_CONTRACT(JourneyContract, [] { return std::make_unique<JourneyWorld>(); });

class JourneyTest : public testing::Test {
 protected:
  std::unique_ptr<plan::Step> step(Value config) {
    std::vector<Finding> findings;
    validate(config, type_.fields, {.path = "journey"}, findings);
    for (const Finding& finding : findings) ADD_FAILURE() << finding.text();
    auto result = type_.make(config, context_);
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    return *std::move(result);
  }
  std::unique_ptr<plan::Step> step(const char* json) {
    Value config = *parse_json(json);
    config.set("url", server_.url());
    return step(std::move(config));
  }
  std::vector<std::string> failed(plan::Step& step) { return failed_checks(op_, step); }

  FakeClock clock_;
  Operation op_{&clock_};
  // How long each answer takes, by path.
  std::map<std::string, std::chrono::milliseconds> slowness_;
  PageServer server_{[this](const PageRequest& request) {
    const auto found = slowness_.find(request.path);
    if (found != slowness_.end()) clock_.advance(found->second);
    return site(request);
  }};
  const plan::StepType type_ = journey_step();
  FakeContext context_{{.clock = &clock_, .launcher = &test_launcher(), .step = "shopping"}};
};

TEST_F(JourneyTest, CookiesAndTakenValuesAreCarriedOn) {
  const auto journey = step(config_of(server_.url()));
  EXPECT_EQ(journey->observe(op_)->state, State::ours_done) << "it is safe: observing may log in";
  const auto proof = journey->verify(op_);
  ASSERT_TRUE(proof) << proof.error().what;
  EXPECT_THAT(failed(*journey), IsEmpty());
  EXPECT_EQ(proof->outputs.text("token"), token);
  EXPECT_TRUE(proof->outputs.at("token").tainted());
  EXPECT_EQ(proof->outputs.at("visits"), Value(17));
  EXPECT_THAT(proof->outputs.at("latencies_ms").list(), SizeIs(3));
}

TEST_F(JourneyTest, EachVisitBeginsWithoutCookies) {
  const auto journey = step(config_of(server_.url()));
  ASSERT_TRUE(journey->verify(op_));
  ASSERT_TRUE(journey->verify(op_));
  const auto requests = server_.requests();
  ASSERT_THAT(requests, SizeIs(6));
  EXPECT_FALSE(requests[3].headers.contains("cookie"));
  EXPECT_TRUE(requests[4].headers.contains("cookie"));
}

TEST_F(JourneyTest, TheTimeOfEachAnswerAndOfAllIsMeasured) {
  slowness_ = {{"/", std::chrono::milliseconds(400)}, {"/login", std::chrono::milliseconds(1600)}};
  const auto proof = step(config_of(server_.url()))->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_EQ(proof->outputs.at("latencies_ms"), Value(Value::List{400, 1600, 0}));
  EXPECT_EQ(proof->outputs.at("total_ms"), Value(2000));
  EXPECT_THAT(context_.lines(), Contains("login: 200, 39 bytes, 1600 ms"));
}

TEST_F(JourneyTest, MoreThanTheBudgetIsACheckThatFailedWithBothFigures) {
  slowness_ = {{"/", std::chrono::milliseconds(1001)}};
  EXPECT_THAT(failed(*step(config_of(server_.url()))),
              ElementsAre("home: time: at most 1s / 1001 ms"));
  slowness_ = {{"/login", std::chrono::seconds(3)}, {"/account/17", std::chrono::seconds(4)}};
  EXPECT_THAT(failed(*step(config_of(server_.url()))),
              ElementsAre("all requests: time: at most 5s / 7000 ms"));
}

TEST_F(JourneyTest, WithinItIsAskedAgainUntilItIsFastEnough) {
  PageServer warming([this, asked = 0](const PageRequest& request) mutable {
    if (++asked < 3) clock_.advance(std::chrono::seconds(2));
    return site(request);
  });
  Value config = *parse_json(R"({"requests": [{"path": "/", "budget": "1s", "within": "1h"}]})");
  config.set("url", warming.url());
  EXPECT_TRUE(step(config)->apply(op_));
  EXPECT_THAT(warming.requests(), SizeIs(3));
}

TEST_F(JourneyTest, EveryRequestSaysWhoItIs) {
  ASSERT_TRUE(step(config_of(server_.url()))->verify(op_));
  EXPECT_EQ(server_.requests()[1].headers.at("x-request-id"), "run-1/shopping/1/1");
  EXPECT_FALSE(server_.requests()[1].headers.contains("idempotency-key")) << "it is safe";
  Value config = config_of(server_.url());
  config.set("request_id", "");
  ASSERT_TRUE(step(config)->verify(op_));
  EXPECT_FALSE(server_.requests()[4].headers.contains("x-request-id"));
}

TEST_F(JourneyTest, WhatIsNotThereToBeTakenIsNamed) {
  for (const auto& [take, said] : std::vector<std::pair<std::string, std::string>>{
           {R"({"json": "a.b"})", "saved value x: at a.b / the answer is not JSON"},
           {R"({"header": "X-None"})", "saved value x: header X-None / the answer has none"},
           {R"({"cookie": "none"})", "saved value x: cookie none / the answer has none"}}) {
    const std::string json = R"({"requests": [{"path": "/", "take": {"x": )" + take + "}}]}";
    EXPECT_THAT(failed(*step(json.c_str())), ElementsAre(said));
  }
}

TEST_F(JourneyTest, ASecretThatIsTakenIsShownNowhere) {
  const auto journey = step(R"({"requests": [
      {"path": "/", "take": {"csrf": {"cookie": "csrf", "secret": true}}},
      {"path": "/reset/{{csrf}}", "expect": {"status": 200, "header": {"X-Echo": "{{csrf}}"}}}]})");
  const auto proof = journey->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_EQ(server_.requests().back().path, std::string("/reset/") + csrf);
  for (const plan::Check& check : proof->checks) {
    EXPECT_THAT(check.name + check.expected + check.actual, Not(HasSubstr(csrf)));
  }
  EXPECT_THAT(proof->checks.back().name, HasSubstr("GET " + server_.url() + "/reset/{{csrf}}"));
  for (const std::string& line : context_.lines()) EXPECT_THAT(line, Not(HasSubstr(csrf)));
  EXPECT_EQ(test_launcher().masked(csrf), "***") << "whatever prints it later is masked";
}

TEST_F(JourneyTest, OneRequestThatChangesSomethingMakesItAnEffect) {
  Value config = config_of(server_.url());
  EXPECT_THAT(type_.effects(config), IsEmpty());
  config.map().at("requests").list()[1].set("safe", false);
  EXPECT_THAT(type_.effects(config), ElementsAre(server_.url()));
  const auto journey = step(config);
  EXPECT_EQ(journey->observe(op_)->state, State::absent);
  EXPECT_THAT(server_.requests(), IsEmpty());
  ASSERT_TRUE(journey->apply(op_));
  EXPECT_THAT(failed(*journey), IsEmpty());
  EXPECT_THAT(server_.requests(), SizeIs(3)) << "sent once, told afterwards";
  EXPECT_EQ(server_.requests()[1].headers.at("idempotency-key"), "\"run-1/shopping/1\"");
  EXPECT_FALSE(journey->undo(op_, Value()));
}

TEST_F(JourneyTest, WordsThatCannotBeAreRefused) {
  for (const char* json :
       {R"({"url": "http://a", "requests": []})", R"({"requests": [{"path": "/"}]})",
        R"({"url": "http://a", "requests": [{"take": {"x": {"json": "a", "cookie": "b"}}}]})",
        R"({"url": "http://a", "requests": [{"take": {"x": {"secret": true}}}]})"}) {
    const auto refused = type_.make(*parse_json(json), context_);
    ASSERT_FALSE(refused) << json;
    EXPECT_EQ(refused.error().effective_code(), Error::Code::usage);
  }
}

}  // namespace
}  // namespace lifeboat::steps
