// The wait step against real sockets.  Waiting for a database is tested in wait_step_e2e.cpp.
#include "steps/wait/wait_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/fake_clock.h"
#include "plan/step_contract.h"
#include "steps/page_server.h"

namespace lifeboat::steps {
namespace {

using plan::FakeContext;
using plan::State;
using testing::HasSubstr;
using testing::SizeIs;

class WaitWorld final : public plan::StepWorld {
 public:
  explicit WaitWorld(std::string word) : word_(std::move(word)) {}
  const plan::StepType& type() override { return type_; }
  Value config() override {
    Value config;
    config.set(word_, word_ == "tcp" ? "127.0.0.1:" + std::to_string(server_.port())
                                     : server_.url() + "/health?token=of-the-page");
    return config;
  }
  FakeContext& context() override { return context_; }
  std::string digest() override { return ""; }
  void alter() override { server_.stop(); }
  bool make_foreign() override { return false; }
  std::vector<std::string> secrets() override { return {"of-the-page"}; }

 private:
  std::string word_;
  SystemClock clock_;
  PageServer server_{[](const PageRequest&) { return PageAnswer(); }};
  plan::StepType type_ = wait_step();
  FakeContext context_{{.clock = &clock_}};
};

LIFEBOAT_STEP_CONTRACT(WaitTcpContract, [] { return std::make_unique<WaitWorld>("tcp"); });
LIFEBOAT_STEP_CONTRACT(WaitHttpContract, [] { return std::make_unique<WaitWorld>("http"); });

// Waits pass at once: the clock moves on by what was asked for.
class WaitStepTest : public testing::Test {
 protected:
  std::unique_ptr<plan::Step> step(const Value& config) {
    auto made = wait_step().make(config, context_);
    EXPECT_TRUE(made) << (made ? "" : made.error().what);
    return *std::move(made);
  }
  static Value with(const std::string& word, const Value& value) {
    Value config;
    config.set(word, value);
    return config;
  }
  FakeClock clock_;
  Operation op_{&clock_};
  FakeContext context_{{.clock = &clock_}};
};

TEST_F(WaitStepTest, ItAsksUntilThePageSaysWhatIsWanted) {
  int asked = 0;
  const PageServer server([&](const PageRequest&) {
    PageAnswer answer;
    answer.status = ++asked < 4 ? 503 : 200;
    return answer;
  });
  const auto waiting = step(with("http", server.url()));
  ASSERT_TRUE(waiting->apply(op_));
  EXPECT_EQ(asked, 4);
  EXPECT_THAT(context_.lines(), SizeIs(1)) << "the same answer is logged once";
  EXPECT_TRUE(waiting->verify(op_)->checks.front().ok);
}

TEST_F(WaitStepTest, AStatusThatIsAskedForIsTheOnlyOneThatCounts) {
  const PageServer server([](const PageRequest&) {
    PageAnswer answer;
    answer.status = 404;
    return answer;
  });
  Value config = with("http", server.url());
  EXPECT_EQ(step(config)->observe(op_)->state, State::absent);
  config.set("status", 404);
  EXPECT_EQ(step(config)->observe(op_)->state, State::ours_done);
}

TEST_F(WaitStepTest, NobodyThereIsToldWithTheLastAnswerAfterTheTime) {
  PageServer gone([](const PageRequest&) { return PageAnswer(); });
  const int port = gone.port();
  gone.stop();
  Value config = with("tcp", "127.0.0.1:" + std::to_string(port));
  config.set("within", "1h");
  const auto began = clock_.boot();
  const auto waited = step(config)->apply(op_);
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, Error::Kind::unavailable);
  EXPECT_EQ(waited.error().effective_code(), Error::Code::timeout);
  EXPECT_THAT(waited.error().what, HasSubstr("Connection refused"));
  EXPECT_GE(clock_.boot() - began, std::chrono::minutes(59));
}

TEST_F(WaitStepTest, TheDeadlineOfTheStepEndsIt) {
  Value config = with("tcp", "127.0.0.1:1");
  const auto waited = step(config)->apply(op_.within(std::chrono::seconds(3)));
  ASSERT_FALSE(waited);
  EXPECT_EQ(waited.error().kind, Error::Kind::cancelled);
}

TEST_F(WaitStepTest, AnAddressThatCannotBeIsRefusedAtOnce) {
  for (const char* text : {"db", "db:", ":5432", "db:0", "db:65536", "db:54x", "db:5432:"}) {
    const auto refused = step(with("tcp", text))->preflight(op_);
    ASSERT_FALSE(refused) << text;
    EXPECT_EQ(refused.error().kind, Error::Kind::invalid);
    EXPECT_FALSE(step(with("tcp", text))->apply(op_)) << text;
  }
  EXPECT_TRUE(step(with("tcp", "[::1]:5432"))->preflight(op_));
  EXPECT_TRUE(step(with("tcp", Value()))->preflight(op_)) << "known only when a step has run";
}

TEST_F(WaitStepTest, ExactlyOneThingIsWaitedFor) {
  EXPECT_FALSE(wait_step().make(Value(Value::Map()), context_));
  Value both = with("tcp", "a:1");
  both.set("http", "http://a");
  EXPECT_FALSE(wait_step().make(both, context_));
}

TEST_F(WaitStepTest, ARelativeCaFileIsBelowTheBundle) {
  const PageServer server([](const PageRequest&) { return PageAnswer(); });
  FakeContext context({.clock = &clock_, .bundle_directory = "/the/bundle"});
  Value config = with("http", "https" + server.url().substr(4));
  config.set("ca_file", "certificates/ca.pem");
  const auto waiting = wait_step().make(config, context);
  ASSERT_TRUE(waiting);
  for (const Error& error :
       {(*waiting)->preflight(op_).error(), (*waiting)->observe(op_).error()}) {
    EXPECT_EQ(error.kind, Error::Kind::invalid);
    EXPECT_THAT(error.what, HasSubstr("/the/bundle/certificates/ca.pem"));
  }
}

TEST_F(WaitStepTest, AHostThatIsNotKnownIsNamed) {
  const auto seen = step(with("tcp", "no-such-host.invalid:80"))->observe(op_);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->state, State::absent);
  EXPECT_THAT(seen->summary, HasSubstr("no-such-host.invalid:80"));
}

}  // namespace
}  // namespace lifeboat::steps
