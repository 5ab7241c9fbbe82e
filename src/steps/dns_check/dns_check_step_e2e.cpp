// Against Knot DNS, three servers of two zones:  testbed/with dns -- steps_e2e
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>

#include "base/fake_clock.h"
#include "base/testbed_variable.h"
#include "plan/step_contract.h"
#include "schema/json.h"
#include "steps/dns_check/dns_check_step.h"
#include "steps/failed_checks.h"

namespace lifeboat::steps {
namespace {

using plan::FakeContext;
using plan::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::string port() { return testbed_variable("TESTBED_DNS_PORT"); }

// Makes `record` the only one of name and type at one of the servers of acme.example.
void change(const std::string& address, const std::string& name, const std::string& record) {
  FILE* update = popen("knsupdate", "w");
  ASSERT_NE(update, nullptr);
  const std::string owner = name + ".acme.example.";
  std::fputs(("server " + address + " " + port() + "\nzone acme.example.\nupdate delete " + owner +
              " A\nupdate add " + owner + " " + record + "\nsend\n")
                 .c_str(),
             update);
  ASSERT_EQ(pclose(update), 0) << "knsupdate (package knot-dnsutils) could not change the zone";
}

void change_both(const std::string& name, const std::string& record) {
  change("127.0.0.2", name, record);
  change("127.0.0.3", name, record);
}

Value config_of(const std::string& json) {
  Value config = *parse_json(json);
  config.set("port", std::stoi(port()));
  if (!config.has("servers")) config.set("parent", testbed_variable("TESTBED_DNS_PARENT"));
  return config;
}

class DnsCheckWorld final : public plan::StepWorld {
 public:
  DnsCheckWorld() { change_both("contract", "5 A 192.0.2.7"); }
  const plan::StepType& type() override { return type_; }
  Value config() override {
    return config_of(R"({"name": "contract.acme.example", "expect": ["192.0.2.7"], "ttl": "5s"})");
  }
  FakeContext& context() override { return context_; }
  std::string digest() override { return ""; }
  void alter() override { change("127.0.0.3", "contract", "5 A 192.0.2.8"); }
  bool make_foreign() override { return false; }

 private:
  SystemClock clock_;
  const plan::StepType type_ = dns_check_step();
  FakeContext context_{{.clock = &clock_}};
};

LIFEBOAT_STEP_CONTRACT(KnotContract, [] { return std::make_unique<DnsCheckWorld>(); });

class DnsCheckOfKnot : public testing::Test {
 protected:
  std::unique_ptr<plan::Step> step(const std::string& json) {
    Value config = config_of(json);
    std::vector<Finding> findings;
    const plan::StepType type = dns_check_step();
    validate(config, type.fields, {.path = "dns-check"}, findings);
    for (const Finding& finding : findings) ADD_FAILURE() << finding.text();
    auto result = type.make(config, context_);
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    return *std::move(result);
  }
  std::vector<std::string> failed(plan::Step& step) { return failed_checks(op_, step); }
  std::vector<std::string> failed(const std::string& json) { return failed(*step(json)); }
  SystemClock clock_;
  Operation op_{&clock_};
  FakeContext context_{{.clock = &clock_}};
};

TEST_F(DnsCheckOfKnot, EveryTypeIsReadFromTheDelegatedServers) {
  for (const char* json :
       {R"({"name": "www.acme.example", "type": "AAAA", "expect": "2001:DB8::1"})",
        R"({"name": "acme.example", "type": "NS",
               "expect": ["ns1.acme.example", "ns2.acme.example"]})",
        R"({"name": "acme.example", "type": "MX", "expect": "10 mail.acme.example."})",
        R"({"name": "acme.example", "type": "TXT", "expect": "v=spf1 -all"})",
        R"({"name": "shop.acme.example", "type": "CNAME", "expect": "www.acme.example"})",
        R"({"name": "nothing.acme.example", "expect": []})",
        R"({"name": "acme.example", "type": "SOA"})"}) {
    EXPECT_THAT(failed(json), IsEmpty()) << json;
  }
}

TEST_F(DnsCheckOfKnot, ASwitchIsGreenWhenItIsAtAllServers) {
  change_both("switch", "300 A 192.0.2.1");
  const auto check = step(R"({"name": "switch.acme.example", "expect": "192.0.2.2"})");
  EXPECT_EQ(check->observe(op_)->state, State::absent);
  change("127.0.0.2", "switch", "5 A 192.0.2.2");
  EXPECT_THAT(failed(*check),
              ElementsAre(HasSubstr("A of switch.acme.example at ns2.acme.example (127.0.0.3:" +
                                    port() + "): 192.0.2.2 / 192.0.2.1 (ttl 300 s: may be "),
                          HasSubstr("agreement: ")));
  change("127.0.0.3", "switch", "5 A 192.0.2.2");
  const auto proof = check->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_THAT(failed(*check), IsEmpty());
  EXPECT_GT(proof->outputs.text("settled"), rfc3339({clock_.wall().ns + 200'000'000'000}))
      << "the old record, seen a moment ago, lives 300 s";
}

TEST_F(DnsCheckOfKnot, TheServerAboveHasNoAuthorityForTheZoneBelow) {
  const std::string servers =
      R"({"servers": [")" + testbed_variable("TESTBED_DNS_PARENT") + R"("], )";
  EXPECT_THAT(failed(servers + R"("name": "www.acme.example", "authoritative": true})"), SizeIs(2));
  EXPECT_THAT(failed(servers + R"("name": "ns.example", "expect": "127.0.0.1"})"), IsEmpty());
}

}  // namespace
}  // namespace lifeboat::steps
