// A real S3 server (versitygw) behind a proxy that lets things go wrong (testbed/fault_proxy.py).
// C1 and so on: numbers of the fault catalogue.
#include <gmock/gmock.h>

#include <atomic>
#include <sstream>
#include <utility>

#include "store/s3_bench.h"

namespace lifeboat::store {
namespace {

using testing::HasSubstr;

const Operation op{.clock = &the_clock};

Bytes noise(std::size_t size) {
  Bytes bytes(size);
  SeededRandom(size).fill(bytes);
  return bytes;
}

class S3Faults : public testing::Test {
 protected:
  S3Faults() : bench("TESTBED_S3_", "FAULTY_URL") {
    bench.setup.first_pause = std::chrono::milliseconds(1);
    bench.setup.stall = std::chrono::seconds(1);
    prefix = "faults-" + std::to_string(getpid()) + "-" +
             testing::UnitTest::GetInstance()->current_test_info()->name() + "/";
    for (char& c : prefix) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    script("[]");
  }
  ~S3Faults() override { script("[]"); }

  S3Store store() { return {bench.setup, prefix}; }
  // What the proxy is to do; see there.
  void script(const std::string& rules) {
    HttpRequest request;
    request.method = "PUT";
    request.url = bench.setup.address.endpoint + "/.script";
    request.body = rules;
    const auto done = bench.http->send(op, request);
    ASSERT_TRUE(done && done->ok()) << (done ? done->body : done.error().what);
  }
  // How many requests the first rule has matched, and how many it has struck.
  std::pair<int, int> counts() {
    HttpRequest request;
    request.url = bench.setup.address.endpoint + "/.script";
    const auto answer = bench.http->send(op, request);
    std::pair<int, int> told{-1, -1};
    std::istringstream(answer ? answer->body : "") >> told.first >> told.second;
    return told;
  }
  int matched() { return counts().first; }
  int struck() { return counts().second; }
  void stored(const std::string& name, const Bytes& bytes) {
    const auto done = store().put(op, name, bytes);
    ASSERT_TRUE(done) << done.error().what;
    EXPECT_EQ(*done, Put::created);
    Bench plain("TESTBED_S3_");
    EXPECT_EQ(S3Store(plain.setup, prefix).get(op, name).value_or(Bytes()), bytes);
  }

  Bench bench;
  std::string prefix;
  const Bytes small = noise(1000), large = noise((11u << 20) + 5);
};

TEST_F(S3Faults, C1BurstsOfServerErrorsPass) {
  script(R"([{"fault": "status", "status": 503, "times": 3,
              "body": "<Error><Code>SlowDown</Code></Error>"}])");
  stored("config", small);
  EXPECT_EQ(struck(), 3);
}

TEST_F(S3Faults, C2AnAnswerThatBreaksOffIsReadAgain) {
  stored("packs/a", small);
  for (const char* bytes : {"0", "1", "500", "999"}) {
    script(std::string(R"([{"method": "GET", "fault": "reset", "bytes": )") + bytes + "}]");
    const auto got = store().get(op, "packs/a");
    ASSERT_TRUE(got) << bytes << ": " << got.error().what;
    EXPECT_EQ(*got, small);
    EXPECT_EQ(struck(), 1);
  }
}

TEST_F(S3Faults, C2AnUploadThatBreaksOffIsSentAgain) {
  int round = 0;
  for (const char* bytes : {"0", "1", "500", "999"}) {
    script(std::string(R"([{"method": "PUT", "fault": "cut_upload", "bytes": )") + bytes + "}]");
    stored("packs/" + std::to_string(++round), small);
    EXPECT_EQ(struck(), 1) << bytes;
  }
  script(R"([{"method": "PUT", "path": "partNumber=2", "fault": "cut_upload", "bytes": 3000000}])");
  stored("packs/large", large);
  EXPECT_EQ(struck(), 1);
}

TEST_F(S3Faults, C3ACompletionThatTellsAnErrorWith200IsTriedAgain) {
  script(R"([{"method": "POST", "path": "uploadId=", "fault": "status", "status": 200,
              "body": "<Error><Code>InternalError</Code><Message>again</Message></Error>"}])");
  stored("packs/large", large);
  EXPECT_EQ(struck(), 1);
}

TEST_F(S3Faults, C4AWriteWhoseAnswerIsLostIsOurs) {
  script(R"([{"method": "PUT", "fault": "lost_reply"}])");
  stored("config", small);
  EXPECT_EQ(struck(), 1);
  script(R"([{"method": "POST", "path": "uploadId=", "fault": "lost_reply"}])");
  stored("packs/large", large);
  EXPECT_EQ(struck(), 1);
  script(R"([{"method": "PUT", "path": "partNumber=2", "fault": "lost_reply"}])");
  stored("packs/parts", large);
  EXPECT_EQ(struck(), 1);
}

TEST_F(S3Faults, C5AConflictIsAskedAgainAndATakenNameIsNot) {
  script(R"([{"method": "PUT", "fault": "status", "status": 409, "times": 2,
              "body": "<Error><Code>ConditionalRequestConflict</Code></Error>"}])");
  stored("config", small);
  EXPECT_EQ(struck(), 2);
  script("[]");
  EXPECT_EQ(store().put(op, "config", noise(7)).value_or(Put::created), Put::exists);
}

// Before moto, which checks no signatures: the condition is a part of what is signed.
TEST_F(S3Faults, C6AServerThatKnowsNoConditionsIsRefused) {
  Bench moto("TESTBED_MOTO_", "FAULTY_URL");
  std::swap(bench.setup.address, moto.setup.address);
  script(R"([{"method": "PUT", "fault": "drop_condition", "times": -1}])");
  auto faulty = store();
  const auto proof = prove_put_if_absent(op, faulty, 8, "attempt");
  script("[]");
  ASSERT_FALSE(proof);
  EXPECT_THAT(proof.error().what, HasSubstr("put-if-absent does not hold"));
}

TEST_F(S3Faults, C6AServerThatRefusesConditionsIsRefused) {
  script(R"([{"method": "PUT", "fault": "status", "status": 501, "times": -1,
              "body": "<Error><Code>NotImplemented</Code></Error>"}])");
  auto faulty = store();
  const auto proof = prove_put_if_absent(op, faulty, 8, "attempt");
  script("[]");
  ASSERT_FALSE(proof);
  EXPECT_EQ(exit_status(proof.error().effective_code()), 6);
  EXPECT_THAT(proof.error().hint, HasSubstr("conditional writes"));
}

// The real server refuses what was signed at another time, and tells its own.
TEST_F(S3Faults, C9AClockThatIsOffIsCorrectedByTheServers) {
  class SkewedClock final : public Clock {
   public:
    WallTime wall() const override { return {the_clock.wall().ns - 3'600'000'000'000}; }
    std::chrono::nanoseconds boot() const override { return the_clock.boot(); }
    void pause(std::chrono::nanoseconds time, bool (*stop)(const void*),
               const void* context) const override {
      the_clock.pause(time, stop, context);
    }
  };
  const SkewedClock an_hour_behind;
  bench.setup.clock = &an_hour_behind;
  const auto attempts = std::exchange(bench.setup.attempts, 1U);
  EXPECT_FALSE(store().put(op, "config", small)) << "the server does not mind";
  bench.setup.attempts = attempts;
  stored("config", small);
  EXPECT_EQ(store().size(op, "config").value_or(0), small.size());
}

// Of a session that is over: the server knows nobody by them. Renewed, they are those of `next`.
class RenewedCredentials final : public aws::CredentialSource {
 public:
  explicit RenewedCredentials(aws::CredentialSource& next) : next_(next) {}
  Result<aws::Credentials> get(const Operation& operation) override {
    if (renewals == 0) return aws::Credentials{"OVER", Secret("s"), Secret("session")};
    return next_.get(operation);
  }
  void forget(const std::string& access_key) override {
    if (access_key == "OVER") ++renewals;
  }
  std::atomic<int> renewals = 0;

 private:
  aws::CredentialSource& next_;
};

TEST_F(S3Faults, C10AnExpiredSessionIsRenewed) {
  const auto over = R"([{"fault": "status", "status": 400,
                         "body": "<Error><Code>ExpiredToken</Code></Error>"}])";
  RenewedCredentials writing(bench.credentials), reading(bench.credentials);
  script(over);
  bench.setup.credentials = &writing;
  stored("config", small);
  EXPECT_EQ(struck(), 1);
  EXPECT_EQ(writing.renewals, 1);
  script(over);
  bench.setup.credentials = &reading;
  EXPECT_EQ(store().size(op, "config").value_or(0), small.size());
  EXPECT_EQ(struck(), 1);
  EXPECT_EQ(reading.renewals, 1);
}

TEST_F(S3Faults, C11ALostRightIsNamed) {
  script(R"([{"method": "PUT", "fault": "status", "status": 403, "times": -1,
              "body": "<Error><Code>AccessDenied</Code><Message>no</Message></Error>"}])");
  const auto refused = store().put(op, "config", small);
  ASSERT_FALSE(refused);
  EXPECT_EQ(exit_status(refused.error().effective_code()), 15);
  EXPECT_THAT(refused.error().hint, HasSubstr("s3:PutObject on arn:aws:s3:::testbed"));
  EXPECT_EQ(struck(), 1);
}

TEST_F(S3Faults, C18AnAnswerThatStallsIsAskedAgain) {
  stored("packs/a", small);
  script(R"([{"method": "GET", "fault": "hang", "pause": 4}])");
  const auto got = store().get(op, "packs/a");
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, small);
  EXPECT_EQ(struck(), 1);
  EXPECT_EQ(matched(), 2) << "it was not asked again";
}

TEST_F(S3Faults, C18AnAnswerThatTricklesIsAskedAgain) {
  stored("packs/a", small);
  script(R"([{"method": "GET", "fault": "slow", "pause": 0.1}])");
  const auto got = store().get(op, "packs/a");
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(*got, small);
  EXPECT_EQ(struck(), 1);
  EXPECT_EQ(matched(), 2) << "it was waited for to its end";
}

TEST_F(S3Faults, B5AShortListIsTakenForWhatItIs) {
  stored("snapshots/a", small);
  stored("snapshots/b", small);
  script(R"([{"method": "GET", "path": "list-type", "fault": "replace",
              "from": "<Contents>.*?</Contents>", "to": ""}])");
  const auto names = store().list(op, "snapshots/");
  ASSERT_TRUE(names) << names.error().what;
  EXPECT_LT(names->size(), 2U);
  EXPECT_TRUE(store().size(op, "snapshots/a"));  // what the format relies on is asked by name
}

TEST_F(S3Faults, AServerThatIsGoneIsUnavailableAndNamed) {
  bench.setup.attempts = 3;
  script(R"([{"fault": "refuse", "times": -1}])");
  const auto gone = store().get(op, "config");
  script("[]");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().kind, Error::Kind::unavailable);
}

}  // namespace
}  // namespace lifeboat::store
