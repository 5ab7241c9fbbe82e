// A changed plan for a run in its middle. Of group H of the fault catalogue: H6.
#include "run/replan.h"

#include "run/fake_engine.h"
#include "run/report.h"

namespace lifeboat::run {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

plan::Plan before() {
  return plan_of({effect_node("net", effect_config("x")), effect_node("db", effect_config("wrong")),
                  effect_node("app", effect_config("uses ${db.value}"))});
}

// `db` cannot work as it is planned.
void stuck(FakeEngine& engine, const plan::Plan& plan) {
  engine.world.set_hook("db", [](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "apply") return {};
    return fail(Error::Kind::denied, "no such size");
  });
  ASSERT_FALSE(engine.begin(plan)->state.recovered());
  engine.world.set_hook("db", {});
}

Result<Outcome> go_on(FakeEngine& engine, Replan replan) {
  replan.by = "carol@host";
  if (replan.inputs.is_null()) replan.inputs = Value::Map{};
  if (replan.sources.is_null()) replan.sources = Value::Map{};
  const auto seen = engine.repository();
  auto setup = engine.setup(*seen);
  setup.replan = &replan;
  return resume(engine.op(), setup, "run-1");
}

TEST(Replan, H6AChangedPlanIsTakenOnlyWhenAPersonSaysSo) {
  FakeEngine engine(1);
  stuck(engine, before());
  auto plan = before();
  plan.steps[1].config.set("value", "right");
  Replan replan;
  replan.plan = plan;
  const auto done = go_on(engine, replan);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_TRUE(done->state.recovered());
  EXPECT_EQ(engine.world.effect("app").value, "uses right");
  EXPECT_EQ(engine.world.effect("net").completed, 1U);
  EXPECT_THAT(make_report(*done).people, ElementsAre(HasSubstr("carol@host asked: replan")));
  // Whoever reads it later finds the same plan.
  const auto seen = engine.repository();
  EXPECT_EQ(read_run(engine.op(), *seen, "run-1")->state.pins.plan.find("db")->config.text("value"),
            "right");
}

TEST(Replan, EveryStepIsTold) {
  FakeEngine engine(2);
  stuck(engine, before());
  const auto seen = engine.repository();
  const auto state = read_run(engine.op(), *seen, "run-1")->state;
  Replan replan;
  replan.plan = plan_of({effect_node("net", effect_config("y")),
                         effect_node("database", effect_config("wrong")),
                         effect_node("mail", effect_config("m"))});
  replan.renames["db"] = "database";
  const auto fates = map_steps(state, replan);
  ASSERT_TRUE(fates) << fates.error().what;
  std::vector<std::string> told;
  for (const StepFate& fate : *fates) {
    told.push_back(fate.before + ">" + fate.after + ": " + std::string(fate_text(fate.kind)));
  }
  EXPECT_THAT(told, ElementsAre("net>net: done before, as it was planned then", "db>database: kept",
                                ">mail: new", "app>: removed"));
}

TEST(Replan, ARenamedStepKeepsWhatIsKnownOfIt) {
  FakeEngine engine(3);
  stuck(engine, before());
  Replan replan;
  replan.plan =
      plan_of({effect_node("net", effect_config("x")), effect_node("base", effect_config("right")),
               effect_node("app", effect_config("uses ${base.value}"))});
  replan.renames["db"] = "base";
  const auto done = go_on(engine, replan);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_TRUE(done->state.recovered());
  EXPECT_EQ(done->state.step("base").attempts, 2U);
}

TEST(Replan, ARenameThatFitsNothingIsRefusedAndChangesNothing) {
  FakeEngine engine(4);
  stuck(engine, before());
  const auto changes = engine.reaper.changes();
  Replan replan;
  replan.plan = before();
  replan.renames["bd"] = "db";
  const auto refused = go_on(engine, replan);
  ASSERT_FALSE(refused);
  EXPECT_EQ(exit_status(refused.error().effective_code()), 2);
  EXPECT_THAT(refused.error().what, HasSubstr("the old plan has no step 'bd'"));
  EXPECT_EQ(engine.reaper.changes(), changes);
}

}  // namespace
}  // namespace lifeboat::run
