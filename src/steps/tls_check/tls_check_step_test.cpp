// The tls-check step against a real TLS server on loopback, with certificates made here.
#include "steps/tls_check/tls_check_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "base/fake_clock.h"
#include "base/temporary_folder.h"
#include "plan/step_contract.h"
#include "schema/json.h"
#include "steps/failed_checks.h"
#include "steps/page_server.h"
#include "steps/tls_server.h"

namespace lifeboat::steps {
namespace {

using plan::FakeContext;
using plan::State;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t day = 86'400'000'000'000;

WallTime days_from(WallTime now, int days) { return {now.ns + days * day}; }

// An authority, one between, and what it signs for www.acme.example.
class Authority {
 public:
  explicit Authority(WallTime now, int days_of_intermediate = 400)
      : now_(now),
        root_(Certificate::self_signed({.subject = "Acme Root",
                                        .not_before = days_from(now, -100),
                                        .not_after = days_from(now, 3000),
                                        .authority = true})),
        intermediate_(root_.sign({.subject = "Acme Intermediate",
                                  .not_before = days_from(now, -100),
                                  .not_after = days_from(now, days_of_intermediate),
                                  .authority = true})),
        folder_(*TemporaryFolder::make_only("tls")) {
    std::ofstream(ca_file()) << root_.pem();
  }
  Certificate leaf(int from_days, int to_days,
                   const std::vector<std::string>& names = {"www.acme.example",
                                                            "*.shop.acme.example"}) const {
    return intermediate_.sign({.subject = "www",
                               .names = names,
                               .not_before = days_from(now_, from_days),
                               .not_after = days_from(now_, to_days)});
  }
  std::string ca_file() const { return folder_.path() + "/ca.pem"; }

 private:
  const WallTime now_;
  const Certificate root_, intermediate_;
  const TemporaryFolder folder_;
};

std::string address_of(const TlsServer& server) {
  return "127.0.0.1:" + std::to_string(server.port());
}

class TlsCheckWorld final : public plan::StepWorld {
 public:
  const plan::StepType& type() override { return type_; }
  Value config() override {
    Value config;
    config.set("address", "www.acme.example:" + std::to_string(server_.port()));
    config.set("connect_to", "127.0.0.1");
    config.set("ca_file", authority_.ca_file());
    config.set("valid_for", "14d");
    return config;
  }
  FakeContext& context() override { return context_; }
  std::string digest() override { return ""; }
  void alter() override { server_.show(authority_.leaf(-10, 13)); }
  bool make_foreign() override { return false; }

 private:
  SystemClock clock_;
  Authority authority_{clock_.wall()};
  TlsServer server_{authority_.leaf(-10, 30)};
  const plan::StepType type_ = tls_check_step();
  FakeContext context_{{.clock = &clock_}};
};

LIFEBOAT_STEP_CONTRACT(TlsCheckContract, [] { return std::make_unique<TlsCheckWorld>(); });

class TlsCheckTest : public testing::Test {
 protected:
  std::unique_ptr<plan::Step> step(const std::string& json) {
    Value config = *parse_json(json);
    if (!config.has("address")) {
      config.set("address", "www.acme.example:" + std::to_string(server_.port()));
      config.set("connect_to", "127.0.0.1");
    }
    if (!config.has("ca_file")) config.set("ca_file", authority_.ca_file());
    return made(std::move(config));
  }
  std::unique_ptr<plan::Step> made(Value config) {
    std::vector<Finding> findings;
    const plan::StepType type = tls_check_step();
    validate(config, type.fields, {.path = "tls-check"}, findings);
    for (const Finding& finding : findings) ADD_FAILURE() << finding.text();
    auto result = type.make(config, context_);
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    return *std::move(result);
  }
  // "name: expected / actual" of the checks that failed.
  std::vector<std::string> failed(plan::Step& step) { return failed_checks(op_, step); }
  std::vector<std::string> failed(const std::string& json) { return failed(*step(json)); }

  FakeClock clock_;
  Operation op_{&clock_};
  const Authority authority_{clock_.wall()};
  TlsServer server_{authority_.leaf(-10, 30)};
  FakeContext context_{{.clock = &clock_}};
};

TEST_F(TlsCheckTest, AGoodCertificateIsProvenAndTold) {
  const auto check = step(R"({"valid_for": "14d", "issuer": "Acme Intermediate"})");
  const auto seen = check->observe(op_);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->state, State::ours_done) << seen->summary;
  const auto proof = check->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_THAT(failed(*check), IsEmpty());
  EXPECT_EQ(proof->outputs.text("not_after"), rfc3339(days_from(clock_.wall(), 30)));
  EXPECT_EQ(proof->outputs.text("issuer"), "CN=Acme Intermediate");
  EXPECT_THAT(proof->outputs.text("fingerprint"), SizeIs(64));
  EXPECT_EQ(server_.asked_name(), "www.acme.example") << "the name is asked for, not the address";
}

TEST_F(TlsCheckTest, AnExpiredCertificateIsRefusedWithItsDay) {
  server_.show(authority_.leaf(-30, -1));
  EXPECT_THAT(failed("{}"), ElementsAre("valid for: at least a moment / expired on " +
                                        rfc3339(days_from(clock_.wall(), -1))));
}

TEST_F(TlsCheckTest, ACertificateOfTomorrowIsRefused) {
  server_.show(authority_.leaf(1, 30));
  EXPECT_THAT(failed("{}"), ElementsAre(HasSubstr("not before: at most")));
}

TEST_F(TlsCheckTest, TooFewDaysLeftAreTold) {
  EXPECT_THAT(failed(R"({"valid_for": "31d"})"),
              ElementsAre(HasSubstr("valid for: at least 31d / 30 days, until ")));
  EXPECT_THAT(failed(R"({"valid_for": "30d"})"), IsEmpty());
}

TEST_F(TlsCheckTest, AnAuthorityInBetweenThatEndsEarlierCounts) {
  const Authority short_lived(clock_.wall(), 5);
  server_.show(short_lived.leaf(-10, 30));
  EXPECT_THAT(failed(R"({"valid_for": "14d", "ca_file": ")" + short_lived.ca_file() + "\"}"),
              ElementsAre(HasSubstr("at least 14d / CN=Acme Intermediate: 5 days")));
}

TEST_F(TlsCheckTest, AnotherNameIsRefusedAndTheRealOnesAreTold) {
  EXPECT_THAT(failed(R"({"server_name": "mail.acme.example"})"),
              ElementsAre("name: mail.acme.example / www.acme.example, *.shop.acme.example"));
  EXPECT_THAT(failed(R"({"server_name": "a.shop.acme.example"})"), IsEmpty());
  EXPECT_THAT(failed(R"({"server_name": "a.b.shop.acme.example"})"), SizeIs(1));
  EXPECT_THAT(failed(R"({"server_name": "www"})"), SizeIs(1)) << "the subject's name is no host";
}

TEST_F(TlsCheckTest, AnAddressIsANameToo) {
  EXPECT_THAT(failed(R"({"address": ")" + address_of(server_) + "\"}"),
              ElementsAre(HasSubstr("name: 127.0.0.1 / ")));
  server_.show(authority_.leaf(-1, 30, {"127.0.0.1", "::1"}));
  EXPECT_THAT(failed(R"({"address": ")" + address_of(server_) + "\"}"), IsEmpty());
  EXPECT_EQ(server_.asked_name(), "") << "an address is never asked for by SNI";
}

TEST_F(TlsCheckTest, AnUnknownAuthorityIsRefused) {
  const Authority other(clock_.wall());
  EXPECT_THAT(failed(R"({"ca_file": ")" + other.ca_file() + "\"}"),
              Contains(HasSubstr("chain: trusted / ")));
  EXPECT_THAT(failed(R"({"ca_file": ""})"), Contains(HasSubstr("chain: trusted / ")))
      << "the system does not know it";
}

TEST_F(TlsCheckTest, ACertificateThatSignedItselfIsRefused) {
  server_.show(Certificate::self_signed({.names = {"www.acme.example"},
                                         .not_before = days_from(clock_.wall(), -1),
                                         .not_after = days_from(clock_.wall(), 30)}));
  EXPECT_THAT(failed("{}"), ElementsAre(HasSubstr("chain: trusted / self")));
}

TEST_F(TlsCheckTest, FingerprintsAndIssuersAreCompared) {
  const std::string right = step("{}")->verify(op_)->outputs.text("fingerprint");
  EXPECT_THAT(failed(R"({"fingerprint": "sha256:)" + right + "\"}"), IsEmpty());
  const std::string other(64, '0');
  EXPECT_THAT(failed(R"({"fingerprint": ")" + other + R"(", "public_key": ")" + other +
                     R"(", "issuer": "Let's Encrypt"})"),
              ElementsAre("issuer: contains Let's Encrypt / CN=Acme Intermediate",
                          "fingerprint: " + other + " / " + right, HasSubstr("public_key: ")));
  const auto refused = step(R"({"fingerprint": "AB:CD"})")->preflight(op_);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("`fingerprint` is no SHA-256: AB:CD"));
}

TEST_F(TlsCheckTest, AnOldProtocolIsTold) {
  const TlsServer old(authority_.leaf(-1, 30), true);
  const std::string where = R"({"address": "www.acme.example:)" + std::to_string(old.port()) +
                            R"(", "connect_to": "127.0.0.1")";
  EXPECT_THAT(failed(where + "}"), IsEmpty());
  EXPECT_THAT(failed(where + R"(, "protocol": "TLSv1.3"})"),
              ElementsAre("protocol: TLSv1.3 or later / TLSv1.2"));
}

TEST_F(TlsCheckTest, ItAsksAgainUntilTheRightCertificateIsShown) {
  // The right one comes with the third pause.
  class Renewal final : public Clock {
   public:
    Renewal(FakeClock& inner, TlsServer& server, Certificate renewed)
        : inner_(inner), server_(server), renewed_(std::move(renewed)) {}
    WallTime wall() const override { return inner_.wall(); }
    std::chrono::nanoseconds boot() const override { return inner_.boot(); }
    void pause(std::chrono::nanoseconds time, bool (*stop)(const void*),
               const void* context) const override {
      if (++pauses_ == 3) server_.show(renewed_);
      inner_.pause(time, stop, context);
    }
    int pauses() const { return pauses_; }

   private:
    FakeClock& inner_;
    TlsServer& server_;
    const Certificate renewed_;
    mutable int pauses_ = 0;
  };
  const Renewal clock(clock_, server_, authority_.leaf(0, 90));
  server_.show(authority_.leaf(-10, 30, {"old.acme.example"}));
  const auto check = step(R"({"within": "10m"})");
  ASSERT_TRUE(check->apply(Operation{&clock}));
  EXPECT_EQ(clock.pauses(), 3);
  EXPECT_THAT(failed(*check), IsEmpty());
  EXPECT_THAT(context_.lines(), SizeIs(1)) << "the same complaint is logged once";
}

TEST_F(TlsCheckTest, WhenTheTimeIsOverVerifySaysWhatDiffers) {
  const auto check = step(R"({"valid_for": "60d", "within": "10m"})");
  const auto began = clock_.boot();
  EXPECT_TRUE(check->apply(op_));
  EXPECT_GE(clock_.boot() - began, std::chrono::minutes(9));
  EXPECT_THAT(failed(*check), SizeIs(1));
}

TEST_F(TlsCheckTest, NobodyThereAndNoTlsThereAreUnavailable) {
  PageServer plain([](const PageRequest&) { return PageAnswer(); });
  const std::string where = R"({"address": "127.0.0.1:)" + std::to_string(plain.port()) + "\"}";
  plain.stop();
  const auto check = step(where);
  EXPECT_EQ(check->observe(op_)->state, State::absent);
  EXPECT_EQ(check->apply(op_).error().kind, Error::Kind::unavailable);
  EXPECT_THAT(failed(*check), ElementsAre(HasSubstr("answers / 127.0.0.1:")));
}

TEST_F(TlsCheckTest, ACaFileThatIsNoneIsNamed) {
  FakeContext context({.clock = &clock_, .bundle_directory = "/the/bundle"});
  Value config;
  config.set("address", address_of(server_));
  config.set("ca_file", "certificates/ca.pem");
  const auto check = tls_check_step().make(config, context);
  ASSERT_TRUE(check);
  for (const Error& error : {(*check)->preflight(op_).error(), (*check)->observe(op_).error(),
                             (*check)->apply(op_).error()}) {
    EXPECT_EQ(error.kind, Error::Kind::invalid);
    EXPECT_THAT(error.what, HasSubstr("/the/bundle/certificates/ca.pem"));
  }
}

TEST_F(TlsCheckTest, WordsThatCannotBeAreRefusedAtOnce) {
  for (const char* json :
       {R"({"address": "www"})", R"({"address": "www:443", "connect_to": "a:b"})",
        R"({"address": "www:443", "server_name": ""})"}) {
    EXPECT_FALSE(step(json)->preflight(op_)) << json;
  }
  EXPECT_TRUE(step(R"({"address": "[::1]:443", "connect_to": "::1"})")->preflight(op_));
  Value unknown;
  unknown.set("address", Value());
  const auto check = tls_check_step().make(unknown, context_);
  EXPECT_TRUE((*check)->preflight(op_)) << "known only when a step has run";
}

}  // namespace
}  // namespace lifeboat::steps
