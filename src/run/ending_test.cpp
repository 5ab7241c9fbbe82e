// How a run begins and ends to be seen from outside: which one is the latest, and whether the
// platform is back.
#include "journal/segment.h"
#include "repo/session.h"
#include "run/fake_engine.h"
#include "run/report.h"

namespace lifeboat::run {
namespace {

using testing::HasSubstr;

Value config(const std::string& word) {
  Value config;
  config.set(word, true);
  return config;
}

bool vault_is_there(const FakeEngine& engine) {
  for (const auto& [name, bytes] : engine.store.objects()) {
    if (name.find("/vault/") != std::string::npos) return true;
  }
  return false;
}

// One run that went well, then one whose driver died after it was announced.
class NeverBegun : public testing::Test {
 protected:
  NeverBegun() {
    EXPECT_TRUE(begin("run-1"));
    engine_.reaper.kill_at(0, false);
    EXPECT_FALSE(begin("run-2"));
    engine_.reaper.revive();
    EXPECT_EQ(repository_->runs().back().run, "run-2");
  }
  Result<Outcome> begin(const std::string& name) {
    Pins pins = engine_.pins(plan_of({effect_node(name, Value::Map{})}));
    pins.run = name;
    return run::begin(engine_.op(), engine_.setup(*repository_), pins);
  }

  FakeEngine engine_{1};
  const std::unique_ptr<journal::FakeRepository> repository_ = engine_.repository();
};

TEST_F(NeverBegun, TheLatestRunIsTheNewestThatWasBegun) {
  EXPECT_EQ(*newest_run(engine_.op(), *repository_), "run-1");
  EXPECT_TRUE(*was_begun(engine_.op(), *repository_, "run-1"));
  EXPECT_FALSE(*was_begun(engine_.op(), *repository_, "run-2"));
}

TEST_F(NeverBegun, ItIsCalledThatByItsName) {
  const auto read = read_run(engine_.op(), *repository_, "run-2");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, Error::Kind::not_found);
  EXPECT_THAT(read.error().what, HasSubstr("run-2 was never begun"));
  const auto resumed = resume(engine_.op(), engine_.setup(*repository_), "run-2");
  ASSERT_FALSE(resumed);
  EXPECT_THAT(resumed.error().what, HasSubstr("run-2 was never begun"));
  EXPECT_THAT(read_run(engine_.op(), *repository_, "run-3").error().what,
              HasSubstr("there is no run run-3"));
}

TEST_F(NeverBegun, ARunWhoseFirstSegmentIsGoneOrBrokenIsNotPassedOver) {
  const std::string first = journal::segment_name("run-1", 0);
  engine_.store.set_object(first, Bytes(100));
  EXPECT_EQ(*newest_run(engine_.op(), *repository_), "run-1");
  engine_.store.erase_object(first);
  EXPECT_EQ(*newest_run(engine_.op(), *repository_), "run-1");
}

TEST(NewestRun, AStoreThatDoesNotAnswerIsNoAnswer) {
  FakeEngine engine(2);
  const auto repository = engine.repository();
  auto pins = engine.pins(plan_of({effect_node("a", Value::Map{})}));
  ASSERT_TRUE(run::begin(engine.op(), engine.setup(*repository), pins));
  engine.store.set_script([](std::uint64_t, store::MemoryStore::Verb, const std::string&) {
    return store::MemoryStore::Fault::unavailable;
  });
  EXPECT_FALSE(newest_run(engine.op(), *repository));
}

TEST(Ending, APlanThatProvesNothingIsRecoveredNowhere) {
  FakeEngine engine(3);
  Value quiet = config("secret");
  quiet.set("mute", true);
  const auto outcome = engine.begin(plan_of({effect_node("a", quiet)}));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_EQ(outcome->state.step("a").phase, plan::StepPhase::done);
  EXPECT_FALSE(outcome->state.recovered());
  EXPECT_EQ(outcome->state.end->outcome, "failed");
  EXPECT_EQ(last_line(make_report(*outcome)),
            "NOT RECOVERED: no step proved anything: the plan has no checks");
  EXPECT_TRUE(vault_is_there(engine));
}

TEST(Ending, ReportExitStatusAndVaultAgreeHoweverARunEnds) {
  for (const char* word : {"secret", "mute", "spoil"}) {
    for (const auto on_failure : {plan::OnFailure::pause, plan::OnFailure::go_on}) {
      SCOPED_TRACE(word);
      FakeEngine engine(4);
      auto plan = plan_of({effect_node("z", config("secret")), effect_node("a", config(word)),
                           effect_node("b", config("mute"), {"a"})});
      plan.steps[1].on_failure = on_failure;
      const auto outcome = engine.begin(plan);
      ASSERT_TRUE(outcome) << outcome.error().what;
      const bool recovered = outcome->state.recovered();
      EXPECT_EQ(recovered, std::string(word) != "spoil");
      EXPECT_EQ(make_report(*outcome).recovered, recovered);
      EXPECT_EQ(vault_is_there(engine), !recovered);
      EXPECT_EQ(outcome->state.proven(), recovered);
    }
  }
}

}  // namespace
}  // namespace lifeboat::run
