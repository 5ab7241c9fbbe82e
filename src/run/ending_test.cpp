// How a run ends to be seen from outside: whether the platform is back.
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
