// The dns-check step against name servers on loopback. Real ones: dns_check_step_e2e.cpp.
#include "steps/dns_check/dns_check_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fake_clock.h"
#include "base/mutex.h"
#include "client/dns/test_name_server.h"
#include "plan/step_contract.h"
#include "schema/json.h"
#include "steps/failed_checks.h"

namespace lifeboat::steps {
namespace {

using plan::FakeContext;
using plan::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// One zone of one name, whose records a test changes.
class Zone {
 public:
  explicit Zone(std::vector<std::string> records) { set(std::move(records)); }
  void set(std::vector<std::string> records) {
    MutexLock lock(mutex_);
    records_ = std::move(records);
  }
  NameReply reply(const std::string& name, const std::string& type) {
    MutexLock lock(mutex_);
    NameReply reply;
    for (const std::string& record : records_) {
      if (record.find(" " + type + " ") != std::string::npos) {
        reply.answer.push_back(name + " " + record);
      }
    }
    if (reply.answer.empty()) reply.authority = {"acme.example. 600 IN SOA ns h 1 2 3 4 120"};
    return reply;
  }

 private:
  Mutex mutex_;
  std::vector<std::string> records_ GUARDED_BY(mutex_);
};

class DnsCheckWorld final : public plan::StepWorld {
 public:
  const plan::StepType& type() override { return type_; }
  Value config() override {
    Value config;
    config.set("name", "www.acme.example").set("expect", Value(Value::List{"192.0.2.1"}));
    config.set("servers", Value(Value::List{server_.address()})).set("ttl", "1m");
    return config;
  }
  FakeContext& context() override { return context_; }
  std::string digest() override { return ""; }
  void alter() override { zone_.set({"60 IN A 192.0.2.2"}); }
  bool make_foreign() override { return false; }

 private:
  SystemClock clock_;
  Zone zone_{{"60 IN A 192.0.2.1"}};
  NameServer server_{
      [this](const std::string& name, const std::string& type) { return zone_.reply(name, type); }};
  const plan::StepType type_ = dns_check_step();
  FakeContext context_{{.clock = &clock_}};
};

LIFEBOAT_STEP_CONTRACT(DnsCheckContract, [] { return std::make_unique<DnsCheckWorld>(); });

class DnsCheckTest : public testing::Test {
 protected:
  // With both servers, unless the words say otherwise.
  std::unique_ptr<plan::Step> step(const std::string& json) {
    Value config = *parse_json(json);
    if (!config.has("name")) config.set("name", "www.acme.example");
    if (!config.has("servers") && !config.has("parent")) {
      config.set("servers", Value(Value::List{first_.address(), second_.address()}));
    }
    std::vector<Finding> findings;
    validate(config, type_.fields, {.path = "dns-check"}, findings);
    for (const Finding& finding : findings) ADD_FAILURE() << finding.text();
    auto result = type_.make(config, context_);
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    return *std::move(result);
  }
  std::vector<std::string> failed(plan::Step& step) { return failed_checks(op_, step); }
  std::vector<std::string> failed(const std::string& json) { return failed(*step(json)); }
  std::string at_first() const { return "A of www.acme.example at " + first_.address() + ": "; }
  std::string until(int seconds) const {
    return rfc3339({clock_.wall().ns + seconds * std::int64_t{1'000'000'000}});
  }

  FakeClock clock_;
  Operation op_{&clock_};
  Zone zone_{{"60 IN A 192.0.2.1", "60 IN A 192.0.2.2", "60 IN TXT \"v=spf1 -all\""}};
  Zone other_zone_{{"60 IN A 192.0.2.2", "60 IN A 192.0.2.1", "60 IN TXT \"v=spf1 -all\""}};
  NameServer first_{
      [this](const std::string& name, const std::string& type) { return zone_.reply(name, type); }};
  NameServer second_{[this](const std::string& name, const std::string& type) {
    return other_zone_.reply(name, type);
  }};
  const plan::StepType type_ = dns_check_step();
  FakeContext context_{{.clock = &clock_}};
};

TEST_F(DnsCheckTest, TheSameSetAtAllServersIsProvenInWhateverOrder) {
  const auto check = step(R"({"expect": ["192.0.2.2", "192.0.2.1"], "authoritative": true})");
  EXPECT_EQ(check->observe(op_)->state, State::ours_done);
  const auto proof = check->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_THAT(failed(*check), IsEmpty());
  EXPECT_THAT(proof->checks, SizeIs(5)) << "records and authority of two, and their agreement";
  EXPECT_EQ(proof->outputs.at("records"), Value(Value::List{"192.0.2.1", "192.0.2.2"}));
  EXPECT_EQ(proof->outputs.text("settled"), rfc3339(clock_.wall()));
  EXPECT_THAT(proof->remarks, IsEmpty());
}

TEST_F(DnsCheckTest, AnotherSetIsToldWithTheServerAndHowLongItMayLiveOn) {
  zone_.set({"300 IN A 192.0.2.9"});
  EXPECT_THAT(failed(R"({"expect": ["192.0.2.1", "192.0.2.2"]})"),
              ElementsAre(at_first() + "192.0.2.1, 192.0.2.2 / 192.0.2.9 (ttl 300 s: may be " +
                              "remembered until " + until(300) + ")",
                          HasSubstr("agreement: the same at all servers that answer / ")));
}

TEST_F(DnsCheckTest, ThatThereIsNothingMayBeRememberedToo) {
  zone_.set({});
  EXPECT_THAT(failed(R"({"expect": ["192.0.2.1", "192.0.2.2"]})").front(),
              at_first() + "192.0.2.1, 192.0.2.2 / no record (ttl 120 s: may be remembered until " +
                  until(120) + ")");
  EXPECT_THAT(failed("{}").front(), HasSubstr("some record / no record"));
}

TEST_F(DnsCheckTest, NothingCanBeExpected) {
  EXPECT_THAT(failed(R"({"type": "AAAA", "expect": []})"), IsEmpty());
  EXPECT_THAT(failed(R"({"type": "A", "expect": []})"), SizeIs(2));
}

TEST_F(DnsCheckTest, APartIsEnoughWhereAPartIsAsked) {
  EXPECT_THAT(failed(R"({"contains": "192.0.2.2"})"), IsEmpty());
  EXPECT_THAT(failed(R"({"contains": ["192.0.2.3"]})").front(),
              HasSubstr("contains 192.0.2.3 / 192.0.2.1, 192.0.2.2"));
  EXPECT_THAT(failed(R"({"type": "TXT", "expect": "v=spf1 -all"})"), IsEmpty());
}

TEST_F(DnsCheckTest, ServersThatDisagreeAreTold) {
  other_zone_.set({"60 IN A 192.0.2.1"});
  EXPECT_THAT(failed(R"({"contains": ["192.0.2.1"]})"),
              ElementsAre("agreement: the same at all servers that answer / 192.0.2.1 at " +
                          second_.address() + "; 192.0.2.1, 192.0.2.2 at " + first_.address()));
}

TEST_F(DnsCheckTest, ATimeToLiveThatIsTooLongIsTold) {
  EXPECT_THAT(failed(R"({"ttl": "30s"})"),
              ElementsAre("time to live at " + first_.address() + ": at most 30s / 60 s",
                          "time to live at " + second_.address() + ": at most 30s / 60 s"));
}

TEST_F(DnsCheckTest, AnswersWithoutAuthorityAndRefusalsAreTold) {
  const NameServer resolver([](const std::string& name, const std::string&) {
    return NameReply{.authoritative = false, .answer = {name + " 60 IN A 192.0.2.1"}};
  });
  const std::string where = R"({"servers": [")" + resolver.address() + "\"]";
  EXPECT_THAT(failed(where + "}"), IsEmpty());
  EXPECT_THAT(failed(where + R"(, "authoritative": true})"),
              ElementsAre(HasSubstr("authoritative / not authoritative")));
  const NameServer refusing(
      [](const std::string&, const std::string&) { return NameReply{.code = LDNS_RCODE_REFUSED}; });
  EXPECT_THAT(failed(R"({"servers": [")" + refusing.address() + "\"]}"),
              ElementsAre(HasSubstr("some record / answers REFUSED")));
}

TEST_F(DnsCheckTest, AServerThatIsDownFailsItsCheckOnly) {
  int port = 0;
  {
    port = NameServer([](const std::string&, const std::string&) { return NameReply(); }).port();
  }
  const std::string gone = "127.0.0.1:" + std::to_string(port);
  EXPECT_THAT(failed(R"({"servers": [")" + first_.address() + "\", \"" + gone + "\"]}"),
              ElementsAre("A of www.acme.example at " + gone + ": some record / " + gone +
                          ": Connection refused"));
}

TEST_F(DnsCheckTest, ItAsksAgainUntilTheChangeIsEverywhereAndRemembersWhatItSaw) {
  int asked = 0;
  const NameServer slow([&](const std::string& name, const std::string&) {
    return NameReply{
        .answer = {name + (++asked < 4 ? " 300 IN A 192.0.2.9" : " 60 IN A 192.0.2.1")}};
  });
  const auto check =
      step(R"({"expect": "192.0.2.1", "within": "1h", "servers": [")" + slow.address() + "\"]}");
  ASSERT_TRUE(check->apply(op_));
  EXPECT_EQ(asked, 4);
  const auto proof = check->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_THAT(failed(*check), IsEmpty());
  // Asked after 0, 1 and 3 s: the last wrong answer was seen 4 s before the right one.
  EXPECT_EQ(proof->outputs.text("settled"), until(296));
  EXPECT_THAT(proof->remarks, ElementsAre(HasSubstr("may remember it until " + until(296))));
}

TEST_F(DnsCheckTest, HostileTextsAreShownHarmless) {
  const NameServer hostile([](const std::string& name, const std::string&) {
    return NameReply{.answer = {name + " 60 IN TXT \"\\027[2J" + std::string(200, 'x') + "\""}};
  });
  for (const std::string& text :
       failed(R"({"type": "TXT", "expect": "x", "servers": [")" + hostile.address() + "\"]}")) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_LT(text.size(), 600u);
  }
}

TEST_F(DnsCheckTest, TheDelegationIsFollowedAndAsksForAuthority) {
  const NameServer above([](const std::string&, const std::string&) {
    return NameReply{.authoritative = false,
                     .authority = {"acme.example. 60 IN NS ns1.acme.example."},
                     .additional = {"ns1.acme.example. 60 IN A 127.0.0.2"}};
  });
  const NameServer below(
      [this](const std::string& name, const std::string& type) { return zone_.reply(name, type); },
      "127.0.0.2", above.port());
  const auto check = step(R"({"expect": ["192.0.2.1", "192.0.2.2"], "parent": ")" +
                          above.address() + R"(", "port": )" + std::to_string(above.port()) + "}");
  const auto proof = check->verify(op_);
  ASSERT_TRUE(proof) << proof.error().what;
  ASSERT_THAT(proof->checks, SizeIs(2));
  EXPECT_THAT(proof->checks[1].name, HasSubstr("authority at ns1.acme.example (127.0.0.2:"));
  EXPECT_THAT(failed(*check), IsEmpty());
}

TEST_F(DnsCheckTest, WordsThatCannotBeAreRefused) {
  for (const char* json : {R"({"name": "a..b"})", R"({"expect": "192.0.2"})",
                           R"({"type": "MX", "contains": ["mail"]})", R"({"servers": ["a b"]})",
                           R"({"parent": "ns:x"})"}) {
    EXPECT_FALSE(step(json)->preflight(op_)) << json;
  }
  for (const char* json : {R"({"name": "a", "servers": ["b"], "parent": "c"})",
                           R"({"name": "a", "expect": ["192.0.2.1"], "contains": ["192.0.2.1"]})",
                           R"({"name": "a", "servers": []})", R"({"name": "a", "port": 0})"}) {
    const auto refused = type_.make(*parse_json(json), context_);
    ASSERT_FALSE(refused) << json;
    EXPECT_EQ(refused.error().effective_code(), Error::Code::usage);
  }
  const auto unknown = type_.make(*parse_json(R"({"name": null, "expect": [null]})"), context_);
  EXPECT_TRUE((*unknown)->preflight(op_)) << "known only when a step has run";
}

}  // namespace
}  // namespace lifeboat::steps
