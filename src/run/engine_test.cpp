#include "run/engine.h"

#include <unistd.h>

#include <fstream>
#include <latch>
#include <set>
#include <thread>

#include "journal/heartbeat.h"
#include "journal/segment.h"
#include "run/events.h"
#include "run/fake_engine.h"
#include "run/report.h"
#include "schema/json.h"

namespace lifeboat::run {
namespace {

using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

Result<void> no(Error::Kind kind, const std::string& what) { return fail(kind, what); }

plan::StepPhase phase(const Outcome& outcome, const std::string& step) {
  return outcome.state.step(step).phase;
}

TEST(Engine, APlanRunsToItsEndAndProvesIt) {
  FakeEngine engine(1);
  const auto outcome = engine.begin(shop());
  ASSERT_TRUE(outcome) << outcome.error().what;
  EXPECT_FALSE(outcome->halted);
  EXPECT_TRUE(outcome->state.recovered());
  for (const char* step : {"net", "db", "app", "dns"}) {
    EXPECT_EQ(phase(*outcome, step), plan::StepPhase::done) << step;
    EXPECT_EQ(engine.world.effect(step).completed, 1U) << step;
  }
  EXPECT_EQ(engine.world.effect("app").value,
            "uses " + engine.world.effect("db").value + " in 10.0.0.0/8");
  EXPECT_TRUE(make_report(*outcome).recovered);
  EXPECT_THAT(engine.world.violations(), IsEmpty());
}

TEST(Engine, ReplayingTheJournalGivesTheStateThatTheEngineHad) {
  FakeEngine engine(2);
  const auto outcome = engine.begin(shop());
  const auto seen = engine.repository();
  auto read = read_run(engine.op(), *seen, "run-1");
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_FALSE(read->freshness_proven);  // this reader has no memory of the run
  read->freshness_proven = true;
  const auto report = [](const Outcome& of) { return to_json(to_value(make_report(of))); };
  EXPECT_EQ(report(*read), report(*outcome));
  EXPECT_EQ(to_json(event::to_value(read->state.pins)),
            to_json(event::to_value(outcome->state.pins)));
}

TEST(Engine, EverythingThatWaitsForNothingRunsAtOnce) {
  FakeEngine engine(3);
  std::latch all(3);
  std::vector<plan::StepNode> steps;
  for (const char* name : {"a", "b", "c"}) {
    steps.push_back(effect_node(name, effect_config(name)));
    engine.world.set_hook(name, [&](const Operation&, const std::string& verb) -> Result<void> {
      if (verb == "apply") all.arrive_and_wait();  // nobody passes before all are here
      return {};
    });
  }
  EXPECT_TRUE(engine.begin(plan_of(std::move(steps)))->state.recovered());
}

TEST(Engine, IntentsThatAreReadyTogetherShareSegments) {
  FakeEngine engine(4);
  std::vector<plan::StepNode> steps;
  for (int i = 0; i < 12; ++i)
    steps.push_back(effect_node("s" + std::to_string(i), effect_config("x")));
  ASSERT_TRUE(engine.begin(plan_of(std::move(steps)))->state.recovered());
  std::set<std::uint64_t> intents;
  for (const auto& event : engine.events()) {
    if (event.kind == "step.intent") intents.insert(event.segment);
  }
  EXPECT_LE(intents.size(), 12U);
  EXPECT_GE(intents.size(), 1U);
}

TEST(Engine, NotMoreStepsRunAtOnceThanAllowed) {
  FakeEngine engine(5);
  engine.running_at_most = 2;
  std::atomic<int> inside = 0, most = 0;
  std::vector<plan::StepNode> steps;
  for (int i = 0; i < 8; ++i) {
    steps.push_back(effect_node("s" + std::to_string(i), effect_config("x")));
    engine.world.set_hook(steps.back().name,
                          [&](const Operation&, const std::string& verb) -> Result<void> {
                            if (verb == "apply") most = std::max(most.load(), ++inside);
                            if (verb == "verify") --inside;
                            return {};
                          });
  }
  ASSERT_TRUE(engine.begin(plan_of(std::move(steps)))->state.recovered());
  EXPECT_LE(most, 2);
}

TEST(Engine, AFailedStepHoldsBackItsDependantsOnly) {
  FakeEngine engine(6);
  engine.world.set_hook("net", [](const Operation&, const std::string& verb) {
    return verb == "apply" ? no(Error::Kind::denied, "no permission") : Result<void>();
  });
  const auto outcome = engine.begin(shop());
  ASSERT_TRUE(outcome);
  EXPECT_EQ(phase(*outcome, "net"), plan::StepPhase::failed);
  EXPECT_EQ(phase(*outcome, "db"), plan::StepPhase::waiting);
  EXPECT_EQ(phase(*outcome, "app"), plan::StepPhase::waiting);
  EXPECT_EQ(phase(*outcome, "dns"), plan::StepPhase::done);
  EXPECT_EQ(outcome->state.end->outcome, "failed");
  EXPECT_EQ(last_line(make_report(*outcome)), "NOT RECOVERED: net: no permission");
  // Only what is transient is tried again.
  EXPECT_EQ(outcome->state.step("net").attempts, 1U);

  engine.world.set_hook("net", {});
  const auto again = engine.resume();
  ASSERT_TRUE(again) << again.error().what;
  EXPECT_TRUE(make_report(*again).recovered);
  EXPECT_EQ(engine.world.effect("dns").completed, 1U);
}

TEST(Engine, OnFailureStopStartsNothingMoreAndContinueGoesOn) {
  FakeEngine engine(7);
  auto stop =
      plan_of({effect_node("a", effect_config("a")), effect_node("b", effect_config("b"), {"c"}),
               effect_node("c", effect_config("c"))});
  stop.steps[0].on_failure = plan::OnFailure::stop;
  engine.world.set_hook("a", [&](const Operation&, const std::string& verb) {
    return verb == "apply" ? no(Error::Kind::invalid, "cannot") : Result<void>();
  });
  engine.running_at_most = 1;
  auto outcome = engine.begin(stop);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(phase(*outcome, "c"), plan::StepPhase::waiting);
  EXPECT_EQ(phase(*outcome, "b"), plan::StepPhase::waiting);

  FakeEngine other(8);
  auto go_on =
      plan_of({effect_node("a", effect_config("a")), effect_node("b", effect_config("b"), {"a"}),
               effect_node("c", effect_config("${a.value}"))});
  go_on.steps[0].on_failure = plan::OnFailure::go_on;
  other.world.set_hook("a", [](const Operation&, const std::string& verb) {
    return verb == "apply" ? no(Error::Kind::invalid, "cannot") : Result<void>();
  });
  outcome = other.begin(go_on);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(phase(*outcome, "b"), plan::StepPhase::done);
  EXPECT_EQ(phase(*outcome, "c"), plan::StepPhase::skipped);
  EXPECT_FALSE(make_report(*outcome).recovered);
}

TEST(Engine, OnlyTransientErrorsAreTriedAgainAndEachTimeIsJournaled) {
  FakeEngine engine(9);
  auto plan = plan_of({effect_node("a", effect_config("a"))});
  plan.steps[0].retry = {3, std::chrono::seconds(2)};
  int calls = 0;
  engine.world.set_hook("a", [&](const Operation&, const std::string& verb) {
    const bool fails = verb == "apply" && ++calls <= 3;
    return fails ? no(Error::Kind::unavailable, "connection refused") : Result<void>();
  });
  const auto outcome = engine.begin(plan);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->state.recovered());
  EXPECT_EQ(outcome->state.step("a").attempts, 4U);
  EXPECT_EQ(outcome->state.step("a").retries.size(), 3U);
  std::vector<std::int64_t> generations;
  for (const auto& event : engine.events()) {
    if (event.kind == "step.intent") generations.push_back(event.facts.integer("generation", 0));
  }
  EXPECT_EQ(generations, (std::vector<std::int64_t>{1, 2, 3, 4}));
}

TEST(Engine, H9WhatWorkedThoughItsAnswerWasLostIsNotDoneAgain) {
  FakeEngine engine(32);
  auto plan = plan_of({effect_node("a", effect_config("a"))});
  plan.steps[0].retry = {3, std::chrono::seconds(2)};
  engine.world.set_hook("a", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "apply") return {};
    TRY_DO(engine.world.change("a", [](Effect& effect) { effect = {"run-1", 1, true, "a", 1}; }));
    return no(Error::Kind::unavailable, "the connection was reset");
  });
  const auto outcome = engine.begin(plan);
  ASSERT_TRUE(outcome);
  EXPECT_TRUE(outcome->state.recovered());
  EXPECT_EQ(outcome->state.step("a").attempts, 2U);
  EXPECT_EQ(engine.world.effect("a").completed, 1U);
}

TEST(Engine, TriesEndWithTheBudget) {
  FakeEngine engine(10);
  auto plan = plan_of({effect_node("a", effect_config("a"))});
  plan.steps[0].retry.times = 2;
  engine.world.set_hook("a", [](const Operation&, const std::string& verb) {
    return verb == "observe" ? no(Error::Kind::unavailable, "refused") : Result<void>();
  });
  const auto outcome = engine.begin(plan);
  ASSERT_TRUE(outcome);
  EXPECT_EQ(phase(*outcome, "a"), plan::StepPhase::failed);
  EXPECT_EQ(outcome->state.step("a").attempts, 3U);
}

TEST(Engine, AStepThatHangsIsEndedByItsTimeoutAndNotTriedAgain) {
  FakeEngine engine(11);
  auto plan = plan_of({effect_node("a", effect_config("a"))});
  plan.steps[0].timeout = std::chrono::minutes(5);
  plan.steps[0].retry.times = 2;
  engine.world.set_hook("a", [](const Operation& op, const std::string& verb) -> Result<void> {
    while (verb == "apply") TRY_DO(op.pause(std::chrono::seconds(10)));
    return {};
  });
  const auto outcome = engine.begin(plan);
  ASSERT_TRUE(outcome);
  const auto& step = outcome->state.step("a");
  EXPECT_EQ(step.phase, plan::StepPhase::failed);
  EXPECT_EQ(step.attempts, 1U);
  EXPECT_EQ(step.error->code, Error::Code::timeout);
  EXPECT_THAT(step.error->what, HasSubstr("not done within 5 min"));
}

TEST(Engine, WhatIsForeignOrDriftedIsRefusedAndNotTouched) {
  FakeEngine engine(12);
  ASSERT_TRUE(engine.world.change("a", [](Effect& effect) { effect.run = "somebody"; }));
  const auto outcome = engine.begin(plan_of({effect_node("a", effect_config("a"))}));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(phase(*outcome, "a"), plan::StepPhase::failed);
  EXPECT_EQ(outcome->state.step("a").error->code, Error::Code::refused);
  EXPECT_EQ(engine.world.effect("a").parts, 0);
  EXPECT_EQ(engine.world.effect("a").run, "somebody");
}

TEST(Engine, WhatIsThereAlreadyIsVerifiedOnly) {
  FakeEngine engine(13);
  ASSERT_TRUE(
      engine.world.change("a", [](Effect& effect) { effect = {"run-1", 1, true, "a", 1}; }));
  const auto outcome = engine.begin(plan_of({effect_node("a", effect_config("a"))}));
  EXPECT_TRUE(outcome->state.recovered());
  EXPECT_EQ(engine.world.effect("a").completed, 1U);
  EXPECT_FALSE(outcome->state.step("a").applied);
}

TEST(Engine, AnUnequalCheckIsAFailedStep) {
  FakeEngine engine(14);
  Value spoiled = effect_config("a");
  spoiled.set("spoil", true);
  const auto outcome =
      engine.begin(plan_of({effect_node("a", spoiled), effect_node("b", effect_config("b"))}));
  ASSERT_TRUE(outcome);
  EXPECT_EQ(phase(*outcome, "a"), plan::StepPhase::failed);
  const auto report = make_report(*outcome);
  EXPECT_FALSE(report.recovered);
  EXPECT_EQ(report.failed_checks.size(), 1U);
  EXPECT_THAT(last_line(report), HasSubstr("NOT RECOVERED: a: 1 of 2 checks failed; value: "));
}

TEST(Engine, AnOutputThatIsDeclaredAndNotGivenFailsTheStep) {
  FakeEngine engine(15);
  auto plan = plan_of({effect_node("a", effect_config("a"))});
  plan.steps[0].outputs.emplace("endpoint", shape::string());
  const auto outcome = engine.begin(plan);
  ASSERT_TRUE(outcome);
  EXPECT_THAT(outcome->state.step("a").error->what, HasSubstr("no output 'endpoint'"));
}

TEST(Engine, PreflightOfAllStepsRefusesTheRunBeforeItExists) {
  FakeEngine engine(16);
  for (const char* step : {"net", "dns"}) {
    engine.world.set_hook(step, [step](const Operation&, const std::string& verb) {
      return verb == "preflight" ? no(Error::Kind::denied, std::string("no key for ") + step)
                                 : Result<void>();
    });
  }
  // Its configuration needs what is not known yet: its complaint waits.
  engine.world.set_hook("app", [](const Operation&, const std::string& verb) {
    return verb == "preflight" ? no(Error::Kind::invalid, "no address") : Result<void>();
  });
  const auto outcome = engine.begin(shop());
  ASSERT_FALSE(outcome);
  EXPECT_EQ(outcome.error().code, Error::Code::not_ready);
  EXPECT_THAT(outcome.error().what, HasSubstr("2 of 4 steps would not work"));
  EXPECT_THAT(outcome.error().what, HasSubstr("net: no key for net"));
  EXPECT_THAT(outcome.error().what, HasSubstr("dns: no key for dns"));
  EXPECT_TRUE(engine.store.objects().empty());
  EXPECT_TRUE(engine.world.effects().empty());
}

TEST(Engine, ADryRunLooksAtEverythingAndWritesNothing) {
  FakeEngine engine(17);
  ASSERT_TRUE(engine.world.change("dns", [](Effect& effect) { effect.run = "somebody"; }));
  const auto before = engine.reaper.changes();
  const auto dry = engine.dry_run(shop());
  ASSERT_TRUE(dry) << dry.error().what;
  EXPECT_EQ(engine.reaper.changes(), before);
  EXPECT_TRUE(engine.store.objects().empty());
  const std::string text = render_text(*dry);
  EXPECT_THAT(text, HasSubstr("net   absent        make net of 2 parts"));
  EXPECT_THAT(text, HasSubstr("app   unknown       known once db, net is done"));
  EXPECT_THAT(text, HasSubstr("dns   PROBLEM"));
  EXPECT_FALSE(dry->ready());
  EXPECT_FALSE(to_value(*dry).boolean("ready", true));
}

TEST(Engine, SecretsAreInTheVaultAndInNoEventLogOrError) {
  FakeEngine engine(24);
  engine.keep_vault = true;
  auto pins = engine.pins(shop());
  pins.plan.steps.push_back(effect_node("user", effect_config("${inputs.password}!")));
  pins.inputs.set("password", Value("planted-secret").taint());
  engine.world.set_hook("dns", [&](const Operation&, const std::string& verb) {
    return verb == "apply" ? no(Error::Kind::invalid, "refused planted-secret") : Result<void>();
  });
  ASSERT_TRUE(engine.begin(engine.op(), pins));
  const std::string made = engine.world.effect("db").value;
  ASSERT_THAT(made, HasSubstr("hush-"));
  EXPECT_EQ(engine.world.effect("user").value, "planted-secret!");
  const auto seen = engine.repository();
  std::size_t looked = 0;
  for (const auto& [name, bytes] : engine.store.objects()) {
    for (const auto kind : {journal::segment_kind, journal::log_kind, journal::vault_kind}) {
      const auto plain = seen->unseal(kind, name, bytes);
      if (!plain) continue;
      ++looked;
      EXPECT_EQ(as_text(*plain).find("planted-secret"), std::string_view::npos) << name;
      EXPECT_EQ(as_text(*plain).find(made), std::string_view::npos) << name;
    }
  }
  EXPECT_GE(looked, 6U);
  // Another machine still has them.
  engine.world.set_hook("dns", {});
  EXPECT_TRUE(engine.resume()->state.recovered());
}

TEST(Engine, TheVaultIsGoneOnceTheRunIsDone) {
  FakeEngine engine(25);
  ASSERT_TRUE(engine.begin(shop())->state.recovered());
  for (const auto& [name, bytes] : engine.store.objects()) {
    EXPECT_EQ(name.find("/vault/"), std::string::npos) << name;
  }
}

TEST(Engine, H12ARunOfALaterEngineIsRefusedByName) {
  FakeEngine engine(26);
  auto begin = event::run_begin(engine.pins(shop()), {});
  begin.facts.set("engine", engine_version + 1);
  const auto state = replay({begin});
  ASSERT_FALSE(state);
  EXPECT_EQ(exit_status(state.error().effective_code()), 17);
  EXPECT_THAT(state.error().what, HasSubstr("version 4, this program has 3"));
  EXPECT_EQ(replay({}).error().kind, Error::Kind::corrupt);
}

TEST(Engine, AnUnreachableStoreStopsTheRunAndSaysSo) {
  FakeEngine engine(27);
  std::atomic<bool> down = false, fails = true;
  engine.store.set_script([&](std::uint64_t, store::MemoryStore::Verb, const std::string&) {
    return down ? store::MemoryStore::Fault::unavailable : store::MemoryStore::Fault::none;
  });
  engine.world.set_hook("net", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb == "verify" && fails) down = true;
    return {};
  });
  const auto outcome = engine.begin(plan_of(
      {effect_node("net", effect_config("x")), effect_node("b", effect_config("b"), {"net"})}));
  ASSERT_TRUE(outcome) << outcome.error().what;
  ASSERT_TRUE(outcome->halted);
  EXPECT_EQ(outcome->halted->kind, Error::Kind::unavailable);
  EXPECT_TRUE(engine.world.effect("b").run.empty());
  down = fails = false;
  EXPECT_TRUE(engine.resume()->state.recovered());
  EXPECT_EQ(engine.world.effect("net").completed, 1U);
}

TEST(Engine, TheFaultPointsNameEveryJournalWriteAndKillAtTheChosenOne) {
  FakeEngine engine(29);
  const std::string trace = testing::TempDir() + "/trace-" + std::to_string(getpid());
  std::remove(trace.c_str());
  int kills = 0;
  engine.faults.trace = trace;
  engine.faults.kill_after_journal = 2;
  engine.faults.kill = [&] { ++kills; };
  ASSERT_TRUE(engine.begin(shop())->state.recovered());
  EXPECT_EQ(kills, 1);
  std::ifstream file(trace);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  EXPECT_THAT(text, StartsWith("journal 1 runs/run-1/"));
  EXPECT_THAT(text.substr(0, text.find('\n')), HasSubstr(" run.begin"));
  EXPECT_THAT(text, HasSubstr("step.intent:net"));
  EXPECT_THAT(text, HasSubstr("run.end"));
  std::remove(trace.c_str());
}

TEST(Engine, TheFaultSettingsComeFromTheEnvironment) {
  ASSERT_EQ(setenv("LIFEBOAT_FAULT", "kill-during-child:7", 1), 0);
  EXPECT_EQ(FaultPoints::from_environment().kill_during_child, 7U);
  EXPECT_EQ(FaultPoints::from_environment().kill_after_journal, 0U);
  ASSERT_EQ(setenv("LIFEBOAT_FAULT", "kill-after-journal:7x", 1), 0);
  EXPECT_EQ(FaultPoints::from_environment().kill_after_journal, 0U);
  ASSERT_EQ(setenv("LIFEBOAT_FAULT", "stop-before-verify:orders", 1), 0);
  EXPECT_EQ(FaultPoints::from_environment().stop_before_verify, "orders");
  ASSERT_EQ(unsetenv("LIFEBOAT_FAULT"), 0);
}

}  // namespace
}  // namespace lifeboat::run
