#include "run/rehearsal.h"

#include "run/fake_engine.h"
#include "run/report.h"
#include "schema/json.h"

namespace lifeboat::run {
namespace {

using testing::HasSubstr;
using testing::Not;

// The database server that `server` starts; `user` connects to it in preflight, by a literal URL.
class LiteralUrl : public testing::Test {
 protected:
  LiteralUrl() {
    engine_.world.set_hook("user", [this](const Operation&, const std::string& verb) {
      const bool connects = verb == "preflight" || verb == "observe";
      if (!connects || engine_.world.effect("server").done) return Result<void>();
      return Result<void>(fail(complaint_));
    });
  }
  plan::Plan plan(std::vector<std::string> after) {
    return plan_of({effect_node("server", effect_config("up")),
                    effect_node("user", effect_config("alice"), std::move(after))});
  }

  FakeEngine engine_{1};
  Error complaint_{Error::Kind::unavailable, "10.0.0.7:5432: connection refused", ""};
};

TEST_F(LiteralUrl, AServerThatAnEarlierStepStartsDoesNotRefuseTheRun) {
  for (const auto kind : {Error::Kind::unavailable, Error::Kind::not_found}) {
    complaint_.kind = kind;
    const auto dry = engine_.dry_run(plan({"server"}));
    ASSERT_TRUE(dry) << dry.error().what;
    EXPECT_TRUE(dry->ready());
    EXPECT_THAT(render_text(*dry, 200), HasSubstr("user    unknown       known once server is done "
                                                  "(now: 10.0.0.7:5432: connection refused)"));
  }
  const auto outcome = engine_.begin(plan({"server"}));
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_TRUE(make_report(*outcome).recovered);
}

TEST_F(LiteralUrl, NorDoesItRefuseTheResume) {
  engine_.world.set_hook("server", [](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "apply") return {};
    return fail(Error::Kind::denied, "no permission");
  });
  const auto first = engine_.begin(plan({"server"}));
  ASSERT_TRUE(first) << first.error().what;
  EXPECT_FALSE(make_report(*first).recovered);
  engine_.world.set_hook("server", {});
  const auto again = engine_.resume();
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_TRUE(make_report(*again).recovered);
}

TEST_F(LiteralUrl, AServerThatNobodyStartsDoes) {
  const auto outcome = engine_.begin(plan({}));
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Error::Code::not_ready);
  EXPECT_THAT(outcome.error().what, HasSubstr("user: 10.0.0.7:5432: connection refused"));
}

TEST_F(LiteralUrl, WhatNoEarlierStepCanMendIsAProblemWhateverComesBefore) {
  complaint_ = {Error::Kind::denied, "the password is wrong", ""};
  const auto outcome = engine_.begin(plan({"server"}));
  ASSERT_FALSE(outcome);
  EXPECT_THAT(outcome.error().what, HasSubstr("1 of 2 steps would not work"));
  EXPECT_THAT(outcome.error().what, HasSubstr("user: the password is wrong"));
}

// A step that was given a secret and puts it wherever it can.
TEST(Rehearsal, ASecretInputIsShownNowhereInADryRun) {
  FakeEngine engine(2);
  auto pins = engine.pins(plan_of({effect_node("quiet", effect_config("${inputs.password}")),
                                   effect_node("loud", effect_config("${inputs.password}")),
                                   effect_node("later", effect_config("x"), {"quiet"})}));
  pins.inputs.set("password", Value("planted-secret").taint());
  const auto complain = [](Error::Kind kind) {
    return [kind](const Operation&, const std::string& verb) -> Result<void> {
      if (verb != "preflight") return {};
      return fail(kind, "planted-secret is wrong", "try another than planted-secret");
    };
  };
  engine.world.set_hook("loud", complain(Error::Kind::denied));
  engine.world.set_hook("later", complain(Error::Kind::unavailable));
  const auto dry = engine.dry_run(pins);
  ASSERT_TRUE(dry) << dry.error().what;
  const std::string shown = render_text(*dry, 500) + to_json(to_value(*dry));
  EXPECT_THAT(shown, HasSubstr("fake:***"));
  EXPECT_THAT(shown, HasSubstr("*** is wrong -> try another than ***"));
  EXPECT_THAT(shown, HasSubstr("(now: *** is wrong)"));
  EXPECT_THAT(shown, Not(HasSubstr("planted-secret")));
}

TEST(Rehearsal, ASecretInAHintIsNotInTheRefusal) {
  FakeEngine engine(3);
  auto pins = engine.pins(plan_of({effect_node("loud", effect_config("${inputs.password}"))}));
  pins.inputs.set("password", Value("planted-secret").taint());
  engine.world.set_hook("loud", [](const Operation&, const std::string&) -> Result<void> {
    return fail(Error::Kind::denied, "wrong", "try another than planted-secret");
  });
  const auto refused = engine.begin(engine.op(), pins);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("wrong -> try another than ***"));
}

TEST_F(LiteralUrl, AServerThatIsDoneAndDoesNotAnswerRefusesTheResume) {
  // Done, and gone again before the run goes on.
  engine_.world.set_hook("user", [](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "apply") return {};
    return fail(Error::Kind::denied, "no permission");
  });
  ASSERT_TRUE(engine_.begin(plan({"server"})));
  engine_.world.set_hook("user", [this](const Operation&, const std::string&) -> Result<void> {
    return fail(complaint_);
  });
  const auto again = engine_.resume();
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Error::Code::not_ready);
}

TEST(Rehearsal, WhatIsThereIsSaidAlsoOfAStepThatIsDone) {
  FakeEngine engine(1);
  const auto plan = plan_of({effect_node("server", effect_config("up"))});
  const auto shown = [&] {
    const auto dry = engine.dry_run(plan);
    return dry ? render_text(*dry) : dry.error().what;
  };
  EXPECT_THAT(shown(), HasSubstr("now: server: absent\n"));
  ASSERT_TRUE(engine.begin(plan));
  EXPECT_THAT(shown(), HasSubstr("nothing: verified only"));
  EXPECT_THAT(shown(), HasSubstr("now: server: made by run-1\n"));
}

// Observes many changes, one of them with a secret in it.
class ChangingStep final : public plan::Step {
 public:
  Result<void> preflight(const Operation&) override { return {}; }
  Result<plan::Observation> observe(const Operation&) override {
    plan::Observation seen;
    seen.summary = "100 rows beside planted-secret";
    seen.would = "change";
    seen.changes.push_back({"key planted-secret", "planted-secret", std::string(5000, 'x')});
    for (int i = 1; i < 100; ++i) seen.changes.push_back({"row " + std::to_string(i), "", "made"});
    return seen;
  }
  Result<void> apply(const Operation&) override { return {}; }
  Result<plan::Verification> verify(const Operation&) override { return plan::Verification(); }
  Result<void> undo(const Operation&, const Value&) override { return {}; }
};

TEST(DryRunChanges, AreMaskedCutAndCounted) {
  FakeEngine engine(1);
  plan::StepType type;
  type.name = "changing";
  type.make = [](const Value&, plan::StepContext&) {
    return Result<std::unique_ptr<plan::Step>>(std::make_unique<ChangingStep>());
  };
  engine.types.add(type);
  plan::Plan plan = plan_of({effect_node("a", Value(Value::Map{}))});
  plan.steps[0].type = "changing";
  plan.steps[0].config = Value(Value::Map{});
  Pins pins = engine.pins(plan);
  pins.inputs.set("password", Value("planted-secret").taint());
  const auto dry = engine.dry_run(pins);
  ASSERT_TRUE(dry) << dry.error().what;
  EXPECT_EQ(dry->steps[0].changes.size(), changes_shown);
  EXPECT_EQ(dry->steps[0].changes_in_all, 100U);
  const std::string text = render_text(*dry);
  EXPECT_THAT(text, HasSubstr("change\n" + std::string(20, ' ') + "now: 100 rows beside ***\n"));
  EXPECT_THAT(text, HasSubstr("* row 1: (nothing) -> made"));
  EXPECT_THAT(text, HasSubstr("* and 60 more"));
  const std::string document = to_json(to_value(*dry));
  for (const std::string& shown : {text, document}) {
    EXPECT_THAT(shown, Not(HasSubstr("planted-secret")));
    EXPECT_THAT(shown, Not(HasSubstr(std::string(300, 'x'))));
  }
  EXPECT_EQ(to_value(*dry).at("steps").list()[0].integer("changes_in_all", 0), 100);
}

}  // namespace
}  // namespace lifeboat::run
