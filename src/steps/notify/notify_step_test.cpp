// The notify step against a page and a mail server on loopback.
#include "steps/notify/notify_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <set>

#include "base/fake_clock.h"
#include "base/temporary_folder.h"
#include "plan/step_contract.h"
#include "schema/json.h"
#include "steps/mail_server.h"
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

// A receiver that takes the same message once.
class NotifyWorld final : public plan::StepWorld {
 public:
  const plan::StepType& type() override { return type_; }
  Value config() override {
    Value webhook;
    webhook.set("secret_url", Value(server_.url() + "/hook/of-the-hook").taint());
    Value config;
    config.set("message", "The shop is back").set("webhook", webhook);
    return config;
  }
  FakeContext& context() override { return context_; }
  std::string digest() override {
    std::set<std::string> once;
    for (const PageRequest& request : server_.requests()) {
      once.insert(request.headers.at("idempotency-key") + request.body);
    }
    std::string all;
    for (const std::string& each : once) all += each + "\n";
    return all;
  }
  void alter() override {}
  bool make_foreign() override { return false; }
  std::vector<std::string> secrets() override { return {"of-the-hook"}; }

 private:
  SystemClock clock_;
  PageServer server_{[](const PageRequest&) { return PageAnswer(); }};
  const plan::StepType type_ = notify_step();
  FakeContext context_{{.clock = &clock_}};
};

// Two checks ask for what a message cannot have: that it can be seen to have been told, and that
// somebody can undo that. All others hold.
class NotifyContract : public testing::TestWithParam<plan::StepContractCheck> {};
TEST_P(NotifyContract, Holds) {
  EXPECT_THAT(GetParam().violations([] { return std::make_unique<NotifyWorld>(); }), IsEmpty());
}
std::vector<plan::StepContractCheck> checks_that_can_hold() {
  std::vector<plan::StepContractCheck> checks = plan::step_contract();
  std::erase_if(checks, [](const plan::StepContractCheck& check) {
    return check.name == "ApplyingIsProvenAndSeenAsDone" || check.name == "AnAlterationIsSeen";
  });
  return checks;
}
INSTANTIATE_TEST_SUITE_P(Step, NotifyContract, testing::ValuesIn(checks_that_can_hold()),
                         [](const auto& parameter) { return parameter.param.name; });

class NotifyTest : public testing::Test {
 protected:
  std::unique_ptr<plan::Step> step(Value config) {
    if (!config.has("message")) config.set("message", "The shop is back");
    if (!config.has("plan")) config.set("plan", "shop-lost");
    std::vector<Finding> findings;
    validate(config, type_.fields, {.path = "notify", .references_allowed = true}, findings);
    for (const Finding& finding : findings) ADD_FAILURE() << finding.text();
    auto result = type_.make(config, context_);
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    return *std::move(result);
  }
  // With `words` of the webhook.
  std::unique_ptr<plan::Step> hook(const std::string& words = "{}") {
    Value webhook = *parse_json(words);
    if (!webhook.has("url")) webhook.set("url", page_.url() + "/hook?token=of-the-query");
    Value config;
    config.set("webhook", webhook);
    return step(std::move(config));
  }
  std::unique_ptr<plan::Step> mail(const MailServer& server, const std::string& words = "{}") {
    Value smtp = *parse_json(words);
    smtp.set("url", server.url()).set("from", "ops@acme.example");
    if (!smtp.has("to")) smtp.set("to", Value(Value::List{"ann@acme.example", "bob@acme.example"}));
    Value config;
    config.set("smtp", smtp);
    return step(std::move(config));
  }

  FakeClock clock_;
  Operation op_{&clock_};
  std::atomic<int> status_ = 202;
  PageServer page_{[this](const PageRequest&) { return PageAnswer{.status = status_}; }};
  const plan::StepType type_ = notify_step();
  FakeContext context_{{.clock = &clock_, .run = "run-1", .step = "told"}};
};

TEST_F(NotifyTest, AWebhookIsToldRunStepPlanAndMessage) {
  const auto notice = hook();
  const auto seen = notice->observe(op_);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->state, State::absent);
  EXPECT_EQ(seen->would, "tell " + page_.url() + "/hook: The shop is back");
  EXPECT_THAT(page_.requests(), IsEmpty());
  ASSERT_TRUE(notice->apply(op_));
  const auto proof = notice->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_TRUE(proof->checks.front().ok);
  EXPECT_EQ(proof->outputs.at("status"), Value(202));
  ASSERT_THAT(page_.requests(), SizeIs(1)) << "told once";
  const PageRequest told = page_.requests().front();
  EXPECT_EQ(told.method, "POST");
  EXPECT_EQ(told.body,
            R"({"message":"The shop is back","plan":"shop-lost","run":"run-1","step":"told"})");
  EXPECT_EQ(told.headers.at("content-type"), "application/json");
  EXPECT_EQ(told.headers.at("idempotency-key"), "\"run-1/told\"");
}

TEST_F(NotifyTest, EveryAttemptIsTheSame) {
  ASSERT_TRUE(hook()->apply(op_));
  context_.next_attempt();
  ASSERT_TRUE(hook()->verify(op_));
  const auto told = page_.requests();
  ASSERT_THAT(told, SizeIs(2));
  EXPECT_EQ(told[0].headers, told[1].headers);
  EXPECT_EQ(told[0].body, told[1].body);
}

TEST_F(NotifyTest, BodyAndHeadersAreThoseOfThePlan) {
  Value headers;
  headers.set("Authorization", Value("Bearer of-the-header").taint());
  Value webhook = *parse_json(R"({"json": {"text": "back"}, "headers": {"X-Team": "ops"}})");
  webhook.set("url", page_.url()).set("secret_headers", headers);
  Value config;
  config.set("webhook", webhook).set("message", "m");
  const auto notice = type_.make(config, context_);
  ASSERT_TRUE((*notice)->apply(op_));
  EXPECT_EQ(page_.requests()[0].body, R"({"text":"back"})");
  EXPECT_EQ(page_.requests()[0].headers.at("x-team"), "ops");
  EXPECT_EQ(page_.requests()[0].headers.at("authorization"), "Bearer of-the-header");
  ASSERT_TRUE(hook(R"({"body": "back"})")->apply(op_));
  EXPECT_EQ(page_.requests()[1].body, "back");
  Value secrets;
  secrets.set("key", Value("of-the-body").taint());
  webhook.set("json", *parse_json(R"({"routing": "{{key}}"})")).set("secrets", secrets);
  config.set("webhook", webhook);
  ASSERT_TRUE((*type_.make(config, context_))->apply(op_));
  EXPECT_EQ(page_.requests()[2].body, R"({"routing":"of-the-body"})");
}

TEST_F(NotifyTest, WhatMayWorkLaterIsUnavailableAndTheRestIsNot) {
  for (const auto& [status, kind] :
       std::vector<std::pair<int, Error::Kind>>{{500, Error::Kind::unavailable},
                                                {429, Error::Kind::unavailable},
                                                {403, Error::Kind::denied},
                                                {404, Error::Kind::invalid},
                                                {302, Error::Kind::invalid}}) {
    status_ = status;
    const auto applied = hook()->apply(op_);
    ASSERT_FALSE(applied) << status;
    EXPECT_EQ(applied.error().kind, kind) << status;
    EXPECT_THAT(applied.error().what, HasSubstr("/hook answered " + std::to_string(status)));
    EXPECT_FALSE(hook()->verify(op_)->checks.front().ok);
  }
  page_.stop();
  EXPECT_EQ(hook()->apply(op_).error().kind, Error::Kind::unavailable);
}

TEST_F(NotifyTest, AUrlThatIsASecretIsShownNowhere) {
  Value webhook;
  webhook.set("secret_url", Value(page_.url() + "/of-the-url").taint());
  Value config;
  config.set("webhook", webhook).set("message", "m");
  const auto notice = type_.make(config, context_);
  ASSERT_TRUE(notice);
  const auto seen = (*notice)->observe(op_);
  ASSERT_TRUE((*notice)->apply(op_));
  EXPECT_EQ(page_.requests().front().path, "/of-the-url");
  const auto proof = (*notice)->verify(op_);
  status_ = 404;
  const auto refused = (*notice)->apply(op_);
  page_.stop();
  const auto gone = (*notice)->apply(op_);
  for (const std::string& text :
       {seen->summary, seen->would, proof->checks.front().name, refused.error().what,
        gone.error().what, context_.lines().front()}) {
    EXPECT_THAT(text, Not(HasSubstr("of-the-url")));
  }
  EXPECT_THAT(type_.effects(*parse_json(R"({"webhook": {"secret_url": {"env": "X"}}})")),
              ElementsAre("http:?"));
}

TEST_F(NotifyTest, AMailIsHandedOverWithSubjectDateAndAnIdOfItsOwn) {
  MailServer server({});
  const auto notice = mail(server, R"({"tls": "none"})");
  ASSERT_TRUE(notice->preflight(op_));
  const auto applied = notice->apply(op_);
  ASSERT_TRUE(applied) << applied.error().what;
  const auto proof = notice->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_EQ(proof->outputs.at("status"), Value(250));
  const auto taken = server.mails();
  ASSERT_THAT(taken, SizeIs(1));
  EXPECT_EQ(taken[0].from, "<ops@acme.example>");
  EXPECT_THAT(taken[0].to, ElementsAre("<ann@acme.example>", "<bob@acme.example>"));
  for (const std::string& line :
       {std::string("From: <ops@acme.example>\r\n"), std::string("Subject: The shop is back\r\n"),
        std::string("To: ann@acme.example,\r\n bob@acme.example\r\n"),
        std::string("Message-ID: <run-1.told@lifeboat>\r\n"), std::string(" +0000\r\n"),
        std::string("Content-Type: text/plain; charset=utf-8\r\n"),
        std::string("\r\nThe shop is back\r\n\r\nrun:  run-1\r\nplan: shop-lost\r\n")}) {
    EXPECT_THAT(taken[0].data, HasSubstr(line));
  }
}

TEST_F(NotifyTest, TextsOfAllLanguagesArrive) {
  MailServer server({});
  Value config = *parse_json(R"({"smtp": {"tls": "none", "from": "a@b", "to": ["c@d"]}})");
  config.map().at("smtp").set("url", server.url());
  config.set("message", "Der Laden l\u00e4uft wieder\n.\nganz");
  ASSERT_TRUE(step(config)->apply(op_));
  const std::string data = server.mails().at(0).data;
  EXPECT_THAT(data, HasSubstr("Subject: =?UTF-8?B?" +
                              to_base64(as_bytes("Der Laden l\u00e4uft wieder")) + "?=\r\n"));
  EXPECT_THAT(data, HasSubstr("Der Laden l=C3=A4uft wieder\r\n"));
  EXPECT_THAT(data, HasSubstr("\r\nganz\r\n")) << "a lone dot does not end the mail";
}

TEST_F(NotifyTest, WithALoginItGoesByTlsOnly) {
  const WallTime now = SystemClock().wall();
  constexpr std::int64_t day = 86'400'000'000'000;
  const Certificate root = Certificate::self_signed({.subject = "Root",
                                                     .not_before = {now.ns - day},
                                                     .not_after = {now.ns + 9 * day},
                                                     .authority = true});
  const Certificate own = root.sign(
      {.names = {"127.0.0.1"}, .not_before = {now.ns - day}, .not_after = {now.ns + 9 * day}});
  const TemporaryFolder folder = *TemporaryFolder::make_only("mail");
  std::ofstream(folder.path() + "/ca.pem") << root.pem();
  const std::string login = to_base64(as_bytes(std::string("\0ops\0of-the-mail", 16)));
  MailServer server({.certificate = own, .login = login});
  const auto notice = [&](const std::string& password, const std::string& ca) {
    Value smtp = *parse_json(R"({"user": "ops", "from": "a@b", "to": ["c@d"]})");
    smtp.set("url", server.url()).set("ca_file", ca).set("password", Value(password).taint());
    Value config;
    config.set("smtp", smtp).set("message", "m");
    return *type_.make(config, context_);
  };
  const auto right = notice("of-the-mail", folder.path() + "/ca.pem")->apply(op_);
  ASSERT_TRUE(right) << right.error().what;
  EXPECT_TRUE(server.mails().at(0).by_tls);
  const auto wrong = notice("wrong", folder.path() + "/ca.pem")->apply(op_);
  EXPECT_EQ(wrong.error().kind, Error::Kind::denied) << wrong.error().what;
  EXPECT_THAT(wrong.error().what, Not(HasSubstr("wrong")));
  EXPECT_EQ(notice("of-the-mail", "")->apply(op_).error().kind, Error::Kind::denied)
      << "an authority that the system does not know";
  MailServer without({});
  const auto refused = mail(without)->apply(op_);
  EXPECT_EQ(refused.error().kind, Error::Kind::invalid);
  EXPECT_THAT(refused.error().what, HasSubstr("offers no TLS"));
  EXPECT_THAT(without.mails(), IsEmpty());
}

TEST_F(NotifyTest, WhatAMailServerRefusesIsTold) {
  MailServer later({.to_recipients = "451 later"}), never({.to_recipients = "550 nobody here"});
  EXPECT_EQ(mail(later, R"({"tls": "none"})")->apply(op_).error().kind, Error::Kind::unavailable);
  const auto refused = mail(never, R"({"tls": "none"})")->apply(op_);
  EXPECT_EQ(refused.error().kind, Error::Kind::invalid);
  EXPECT_THAT(refused.error().what, HasSubstr("refuses the mail: RCPT failed: 550"));
  EXPECT_THAT(never.mails(), IsEmpty());
}

TEST_F(NotifyTest, MailsThatCannotBeAreRefusedBeforehand) {
  MailServer server({});
  for (const char* words :
       {R"({"to": []})", R"({"to": ["ann"]})", R"({"to": ["a@b>,<c@d"]})",
        R"({"to": ["a@b\r\nRCPT TO:<c@d>"]})", R"({"subject": "a\r\nBcc: x@y"})"}) {
    EXPECT_FALSE(mail(server, words)->preflight(op_)) << words;
    EXPECT_EQ(mail(server, words)->apply(op_).error().kind, Error::Kind::invalid) << words;
  }
  EXPECT_THAT(server.mails(), IsEmpty());
  Value far = *parse_json(R"({"smtp": {"url": "smtp://mail.acme.example:25", "tls": "none",
                                       "user": "u", "from": "a@b", "to": ["c@d"]}})");
  EXPECT_THAT(step(far)->preflight(op_).error().what, HasSubstr("would travel without TLS"));
}

TEST_F(NotifyTest, NothingIsTakenBack) {
  const auto undone = hook()->undo(op_, Value());
  ASSERT_FALSE(undone);
  EXPECT_THAT(undone.error().what, HasSubstr("irreversible"));
}

TEST_F(NotifyTest, ACaFileThatCannotBeReadIsToldBeforehand) {
  const auto told = hook(R"({"ca_file": "no/ca.pem"})")->preflight(op_);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().kind, Error::Kind::invalid);
  EXPECT_THAT(told.error().what, HasSubstr("no/ca.pem"));
}

TEST_F(NotifyTest, WordsThatCannotBeAreRefused) {
  for (const char* json : {R"({})", R"({"webhook": {}, "smtp": {}})", R"({"webhook": {}})",
                           R"({"webhook": {"url": "http://a", "secret_url": "http://b"}})",
                           R"({"webhook": {"url": "http://a", "json": {}, "body": ""}})"}) {
    const auto refused = type_.make(*parse_json(json), context_);
    ASSERT_FALSE(refused) << json;
    EXPECT_EQ(refused.error().effective_code(), Error::Code::usage);
  }
  Value secret = *parse_json(R"({"webhook": {"url": "http://a"}})");
  secret.set("message", Value("the password is x").taint());
  EXPECT_THAT(type_.make(secret, context_).error().what, HasSubstr("built from a secret"));
}

}  // namespace
}  // namespace lifeboat::steps
