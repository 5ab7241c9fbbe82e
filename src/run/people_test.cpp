// What people ask of a run: approvals, pauses, skips, other inputs, the way back. Of group H of the
// fault catalogue: H8, H10, H15.
#include <mutex>
#include <thread>

#include "journal/segment.h"
#include "run/engine.h"
#include "run/fake_engine.h"
#include "run/report.h"

namespace lifeboat::run {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

plan::StepNode gated(plan::StepNode node, std::vector<std::string> by = {}, int count = 1) {
  node.approve = plan::ApprovalRule{std::move(by), count, std::chrono::hours(1), "shall we?"};
  return node;
}

// Of a driver that waits virtual time flies while somebody approves: not so fast as to expire it.
plan::Plan patient(plan::Plan plan) {
  for (plan::StepNode& node : plan.steps) {
    if (node.approve) node.approve->expires = std::chrono::hours(24 * 365);
  }
  return plan;
}

// net, then the gated dns.
plan::Plan gated_plan(std::vector<std::string> by = {}, int count = 1) {
  return plan_of({effect_node("net", effect_config("x")),
                  gated(effect_node("dns", effect_config("y"), {"net"}), std::move(by), count)});
}

plan::StepPhase phase(const Result<Outcome>& outcome, const std::string& step) {
  return outcome->state.step(step).phase;
}

std::string last_why(const Result<Outcome>& outcome) {
  return outcome->state.deeds.empty() ? "nothing was asked" : outcome->state.deeds.back().why;
}

// Does something the first time that the run waits for somebody.
class Acts final : public Observer {
 public:
  explicit Acts(std::function<void()> act) : act_(std::move(act)) {}
  void step_awaits(const std::string&, std::string_view, std::string_view) override {
    std::call_once(once_, act_);
  }

 private:
  const std::function<void()> act_;
  std::once_flag once_;
};

TEST(Gate, H10HoldsTheStepUntilSomebodyApprovedAndTheReportSaysWho) {
  FakeEngine engine(1);
  engine.hire("alice");
  const auto waits = engine.begin(gated_plan());
  ASSERT_TRUE(waits) << waits.error().what;
  ASSERT_TRUE(waits->halted);
  EXPECT_EQ(exit_status(waits->halted->effective_code()), 5);
  EXPECT_THAT(waits->halted->what, HasSubstr("dns awaits 1 of the operators"));
  EXPECT_EQ(phase(waits, "net"), plan::StepPhase::done);
  EXPECT_TRUE(engine.world.effect("dns").run.empty());

  ASSERT_TRUE(engine.approve("dns", "alice"));
  const auto done = engine.resume();
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_TRUE(done->state.recovered()) << last_why(done);
  const auto& checks = done->state.step("dns").checks;
  const auto proof = std::ranges::find(checks, "approval", &plan::Check::name);
  ASSERT_NE(proof, checks.end());
  EXPECT_THAT(proof->actual, HasSubstr("alice at "));
  const auto report = make_report(*done);
  EXPECT_THAT(report.people, ElementsAre(HasSubstr("alice asked: approve dns (signed)")));
}

TEST(Gate, ADriverThatWaitsGoesOnWhenTheApprovalComes) {
  FakeEngine engine(2);
  engine.hire("alice");
  engine.heartbeat_period = unhurried;
  engine.waits_for_people = true;
  Acts approver([&] { ASSERT_TRUE(engine.approve("dns", "alice")); });
  engine.observer = &approver;
  const auto done = engine.begin(patient(gated_plan()));
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_TRUE(done->state.recovered()) << last_why(done);
  EXPECT_FALSE(done->state.step("dns").holds.empty());
  EXPECT_EQ(make_report(*done).awaited, done->state.step("dns").awaited);
}

TEST(Gate, AnApprovalThatComesWhileTheDriverSaysThatItWaitsIsNotMissed) {
  for (const bool waits : {true, false}) {
    FakeEngine engine(2);
    engine.hire("alice");
    engine.heartbeat_period = unhurried;
    engine.waits_for_people = waits;
    Acts approver([&] {
      ASSERT_TRUE(engine.approve("dns", "alice"));
      engine.await_taken(engine.op());
    });
    engine.observer = &approver;
    const auto done = engine.begin(patient(gated_plan()));
    ASSERT_TRUE(done) << done.error().what;
    EXPECT_TRUE(done->state.recovered()) << last_line(make_report(*done));
  }
}

TEST(Gate, H10TheSamePersonTwiceIsOnePerson) {
  FakeEngine engine(3);
  engine.hire("alice");
  engine.hire("bob");
  ASSERT_TRUE(engine.begin(gated_plan({"alice", "bob"}, 2))->halted);
  ASSERT_TRUE(engine.approve("dns", "alice"));
  ASSERT_TRUE(engine.approve("dns", "alice"));
  const auto waits = engine.resume();
  ASSERT_TRUE(waits->halted);
  EXPECT_THAT(waits->halted->what, HasSubstr("2 of alice, bob; so far alice at"));
  ASSERT_TRUE(engine.approve("dns", "bob"));
  EXPECT_TRUE(engine.resume()->state.recovered());
}

TEST(Gate, H10WhoMayNotApproveIsNotHeard) {
  FakeEngine engine(4);
  for (const char* name : {"alice", "mallory"}) engine.hire(name);
  ASSERT_TRUE(engine.begin(gated_plan({"alice"}))->halted);
  ASSERT_TRUE(engine.approve("dns", "mallory"));
  EXPECT_THAT(last_why(engine.resume()), HasSubstr("mallory may not approve it; alice may"));
  ASSERT_TRUE(engine.approve("dns", "somebody else"));  // not signed
  EXPECT_THAT(last_why(engine.resume()), HasSubstr("signed with the key of one"));
  engine.hire("alice");  // another key under her name: made after the run began
  ASSERT_TRUE(engine.approve("dns", "alice"));
  const auto waits = engine.resume();
  EXPECT_THAT(last_why(waits), HasSubstr("none of the platform's operators"));
  EXPECT_TRUE(waits->halted);
  EXPECT_TRUE(engine.world.effect("dns").run.empty());
}

TEST(Gate, AnApprovalIsForItsStepAndItsInputsOnly) {
  FakeEngine engine(5);
  engine.hire("alice");
  ASSERT_TRUE(engine.begin(gated_plan())->halted);
  auto other = request("approve", "dns", "alice");
  other.subject = std::string(64, '0');
  ASSERT_TRUE(engine.ask(other));
  EXPECT_THAT(last_why(engine.resume()), HasSubstr("not those that it was given for"));
  ASSERT_TRUE(engine.approve("net", "alice"));
  EXPECT_THAT(last_why(engine.resume()), HasSubstr("asks for no approval"));
}

TEST(Gate, AnAlteredOrRepeatedRequestDoesNotCount) {
  FakeEngine engine(6);
  engine.hire("alice");
  ASSERT_TRUE(engine.begin(gated_plan({}, 1))->halted);
  const auto seen = engine.repository();
  auto words = request("approve", "dns", "alice");
  words.run = "run-1";
  words.subject = subject_of(read_run(engine.op(), *seen, "run-1")->state, "dns");
  auto altered = written(words, engine.people.at("alice"), engine.clock.wall(), engine.random);
  altered.text.replace(altered.text.find("because"), 7, "BECAUSE");
  ASSERT_TRUE(journal::put_request(engine.op(), *seen, "run-1", altered));
  EXPECT_THAT(last_why(engine.resume()), HasSubstr("signed with the key of one"));
  const auto pause = [&] {
    auto asked = request("pause", "", "alice");
    asked.run = "run-1";
    return written(asked, engine.people.at("alice"), engine.clock.wall(), engine.random);
  }();
  ASSERT_TRUE(journal::put_request(engine.op(), *seen, "run-1", pause));
  ASSERT_TRUE(engine.ask(request("continue", "", "alice")));
  ASSERT_TRUE(journal::put_request(engine.op(), *seen, "run-1", pause));  // somebody copied it
  const auto waits = engine.resume();
  EXPECT_THAT(last_why(waits), HasSubstr("taken before"));
  EXPECT_FALSE(waits->state.paused);
  ASSERT_TRUE(engine.store.put(engine.op(), "runs/run-1/requests/" + journal::number_hex(4),
                               as_bytes("rubbish")));
  EXPECT_THAT(last_why(engine.resume()), HasSubstr("cannot be read"));
}

TEST(Gate, AnApprovalThatIsTooOldDoesNotCount) {
  FakeEngine engine(7);
  engine.hire("alice");
  // net fails: the gate is not reached.
  const auto plan = gated_plan();
  engine.world.set_hook("net", [](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "apply") return {};
    return fail(Error::Kind::denied, "not today");
  });
  ASSERT_TRUE(engine.begin(plan));
  ASSERT_TRUE(engine.approve("dns", "alice"));
  ASSERT_TRUE(engine.resume());
  engine.world.set_hook("net", {});
  engine.clock.advance(std::chrono::hours(2));
  const auto waits = engine.resume();
  ASSERT_TRUE(waits->halted);
  EXPECT_EQ(exit_status(waits->halted->effective_code()), 5);
  ASSERT_TRUE(engine.approve("dns", "alice"));
  EXPECT_TRUE(engine.resume()->state.recovered());
}

// Found by the simulator: seed 12728.
TEST(Gate, WhatHadBegunWhenSomebodyDeclinedWasApprovedAllTheSame) {
  FakeEngine engine(9);
  engine.hire("alice");
  engine.heartbeat_period = {};
  ASSERT_TRUE(engine.begin(gated_plan()));
  ASSERT_TRUE(engine.approve("dns", "alice"));
  engine.world.set_hook("dns", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb == "apply") engine.reaper.kill_at(0, false);
    return {};
  });
  ASSERT_TRUE(engine.resume()->halted);
  engine.world.set_hook("dns", {});
  engine.reaper.revive();
  const auto seen = engine.repository();
  auto no = request("decline", "dns", "alice");
  no.subject = subject_of(read_run(engine.op(), *seen, "run-1")->state, "dns");
  ASSERT_TRUE(engine.ask(no));
  EXPECT_EQ(phase(engine.resume(), "dns"), plan::StepPhase::failed);
  const auto end = engine.resume();
  ASSERT_TRUE(end) << end.error().what;
  EXPECT_TRUE(end->state.recovered()) << last_line(make_report(*end));
}

TEST(Gate, ADeclinedStepFailsWithThePersonsWords) {
  FakeEngine engine(8);
  engine.hire("alice");
  ASSERT_TRUE(engine.begin(gated_plan())->halted);
  const auto seen = engine.repository();
  auto no = request("decline", "dns", "alice");
  no.subject = subject_of(read_run(engine.op(), *seen, "run-1")->state, "dns");
  ASSERT_TRUE(engine.ask(no));
  const auto declined = engine.resume();
  EXPECT_FALSE(declined->halted);
  EXPECT_EQ(phase(declined, "dns"), plan::StepPhase::failed);
  EXPECT_THAT(last_line(make_report(*declined)), HasSubstr("alice declined: because"));
}

TEST(People, WhereNobodyIsNamedWhoeverOpensTheRepositoryCommands) {
  FakeEngine engine(9);
  engine.world.set_hook("b", [](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "apply") return {};
    return fail(Error::Kind::denied, "broken for good");
  });
  const auto plan =
      plan_of({effect_node("a", effect_config("1")), effect_node("b", effect_config("2"), {"a"}),
               effect_node("c", effect_config("uses ${b.value}")),
               effect_node("d", effect_config("4"), {"b"})});
  EXPECT_FALSE(engine.begin(plan)->state.recovered());
  ASSERT_TRUE(engine.ask(request("skip", "b", "carol@host")));
  const auto partly = engine.resume();
  ASSERT_TRUE(partly) << partly.error().what;
  EXPECT_EQ(phase(partly, "b"), plan::StepPhase::skipped);
  EXPECT_EQ(phase(partly, "c"), plan::StepPhase::skipped);  // cannot do without its output
  EXPECT_EQ(phase(partly, "d"), plan::StepPhase::done);
  EXPECT_FALSE(partly->state.recovered());
  EXPECT_EQ(last_line(make_report(*partly)),
            "PARTLY RECOVERED: skipped: b (carol@host: because), c");
  // Another driver does not take it up by itself; a person may.
  EXPECT_EQ(phase(engine.resume(), "b"), plan::StepPhase::skipped);
  engine.world.set_hook("b", {});
  ASSERT_TRUE(engine.ask(request("retry", "b", "carol@host")));
  EXPECT_TRUE(engine.resume()->state.recovered());
}

TEST(People, ASkipNeedsAReasonAndAStepThatIsNotDone) {
  FakeEngine engine(10);
  engine.hire("alice");
  ASSERT_TRUE(engine.begin(gated_plan())->halted);
  auto silent = request("skip", "dns", "alice");
  silent.reason.clear();
  ASSERT_TRUE(engine.ask(silent));
  EXPECT_EQ(last_why(engine.resume()), "it gives no reason");
  ASSERT_TRUE(engine.ask(request("skip", "net", "alice")));
  EXPECT_EQ(last_why(engine.resume()), "the step is done");
  ASSERT_TRUE(engine.ask(request("skip", "dsn", "alice")));
  EXPECT_EQ(last_why(engine.resume()), "the plan has no step 'dsn'");
  ASSERT_TRUE(engine.ask(request("explode", "", "alice")));
  EXPECT_THAT(last_why(engine.resume()), HasSubstr("does not know what is asked"));
}

TEST(People, APausedRunStartsNothingUntilItIsLetGoOn) {
  FakeEngine engine(11);
  engine.heartbeat_period = unhurried;
  engine.world.set_hook("net", [&](const Operation& op, const std::string& verb) -> Result<void> {
    if (verb != "apply") return {};
    EXPECT_TRUE(engine.ask(request("pause", "", "carol@host")));
    engine.await_taken(op);
    return op.proceed();
  });
  const auto plan = plan_of(
      {effect_node("net", effect_config("x")), effect_node("dns", effect_config("y"), {"net"})});
  const auto paused = engine.begin(plan);
  ASSERT_TRUE(paused->halted) << "it does not wait for people here";
  EXPECT_EQ(exit_status(paused->halted->effective_code()), 5);
  EXPECT_EQ(phase(paused, "net"), plan::StepPhase::done);  // what was at work went on
  EXPECT_EQ(phase(paused, "dns"), plan::StepPhase::waiting);
  EXPECT_THAT(paused->halted->what, HasSubstr("paused by carol@host"));
  ASSERT_TRUE(engine.ask(request("continue", "", "carol@host")));
  const auto done = engine.resume();
  EXPECT_TRUE(done->state.recovered());
  EXPECT_FALSE(done->state.holds.empty());
}

TEST(People, HoweverMuchWasAskedWhileNobodyWasAtWorkItCountsBeforeAnythingStarts) {
  FakeEngine engine(14);
  engine.reaper.kill_at(6, false);
  ASSERT_TRUE(engine.begin(shop())->halted);
  engine.reaper.revive();
  for (int asked = 0; asked < 250; ++asked) {
    ASSERT_TRUE(engine.ask(request("skip", "dsn", "carol@host")));
  }
  ASSERT_TRUE(engine.ask(request("pause", "", "carol@host")));
  const auto before = engine.world.effects();
  const auto paused = engine.resume();
  ASSERT_TRUE(paused->halted);
  EXPECT_THAT(paused->halted->what, HasSubstr("paused by carol@host"));
  EXPECT_EQ(engine.world.effects().size(), before.size());
}

TEST(People, CancelStopsWhatIsAtWorkAndEndsTheRun) {
  FakeEngine engine(12, FakeClock::Pauses::self_advancing);
  engine.heartbeat_period = unhurried;
  engine.world.set_hook("net", [&](const Operation& op, const std::string& verb) -> Result<void> {
    if (verb != "apply") return {};
    EXPECT_TRUE(engine.ask(request("cancel", "", "carol@host")));
    while (op.proceed()) std::this_thread::yield();
    return op.proceed();
  });
  const auto plan = plan_of(
      {effect_node("net", effect_config("x")), effect_node("dns", effect_config("y"), {"net"})});
  const auto ended = engine.begin(plan);
  ASSERT_TRUE(ended) << ended.error().what;
  EXPECT_FALSE(ended->halted);
  EXPECT_EQ(ended->state.end->outcome, "cancelled");
  EXPECT_EQ(last_line(make_report(*ended)), "NOT RECOVERED: cancelled by carol@host: because");
  // A person who resumes it means it.
  engine.world.set_hook("net", {});
  EXPECT_TRUE(engine.resume()->state.recovered());
}

TEST(People, H8AStepThatHangsCanBeSkippedOrTriedAgain) {
  for (const std::string action : {"skip", "retry"}) {
    FakeEngine engine(13);
    engine.heartbeat_period = unhurried;
    std::atomic<int> hung = 0;
    engine.world.set_hook("net", [&](const Operation& op, const std::string& verb) -> Result<void> {
      if (verb != "apply" || hung++ > 0) return {};
      EXPECT_TRUE(engine.ask(request(action, "net", "carol@host")));
      while (op.proceed()) std::this_thread::yield();
      return op.proceed();
    });
    const auto plan = plan_of(
        {effect_node("net", effect_config("x")), effect_node("dns", effect_config("y"), {"net"})});
    const auto ended = engine.begin(plan);
    ASSERT_TRUE(ended) << ended.error().what;
    EXPECT_EQ(phase(ended, "net"),
              action == "skip" ? plan::StepPhase::skipped : plan::StepPhase::done);
    EXPECT_EQ(phase(ended, "dns"), plan::StepPhase::done);
    EXPECT_EQ(ended->state.recovered(), action == "retry");
    EXPECT_THAT(engine.world.violations(), IsEmpty());
  }
}

TEST(People, ADriverThatWaitsWhileItsJournalTakesNothingAnyMoreStopsAndSaysSo) {
  FakeEngine engine(17);
  // Each time that the journal tries again virtual time goes on by a second.
  engine.heartbeat_period = std::chrono::hours(24 * 365);
  engine.waits_for_people = true;
  Acts approver([&] {
    EXPECT_TRUE(engine.ask(request("pause", "", "carol@host")));
    engine.store.set_script([](std::uint64_t, store::MemoryStore::Verb, const std::string& name) {
      return name.starts_with("runs/") ? store::MemoryStore::Fault::no_space
                                       : store::MemoryStore::Fault::none;
    });
  });
  engine.observer = &approver;
  const auto outcome = engine.begin(patient(gated_plan()));
  ASSERT_TRUE(outcome) << outcome.error().what;
  ASSERT_TRUE(outcome->halted);
  EXPECT_EQ(outcome->halted->effective_code(), Error::Code::no_space) << outcome->halted->what;
}

plan::Plan plan_with_input() {
  auto plan = plan_of({effect_node("a", effect_config("in ${inputs.zone}")),
                       effect_node("b", effect_config("at ${inputs.host} by ${inputs.key}"))});
  plan.inputs = {{"zone", shape::string(), "", Value(), false},
                 {"host", shape::string(), "", Value(), false},
                 {"key", shape::secret(), "", Value(), true}};
  return plan;
}

TEST(People, OtherInputsForWhatIsNotDoneYet) {
  FakeEngine engine(14);
  engine.world.set_hook("b", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "apply" || engine.world.effect("b").parts < 0) return {};
    return fail(Error::Kind::denied, "no such host");
  });
  auto pins = engine.pins(plan_with_input());
  Value secret("k1");
  secret.taint();
  pins.inputs.set("zone", "eu").set("host", "old").set("key", secret);
  ASSERT_TRUE(engine.begin(engine.op(), pins));
  const auto retry = [&](const std::string& name, const Value& value) {
    auto asked = request("retry", "b", "carol@host");
    asked.inputs.set(name, value);
    return engine.ask(asked);
  };
  ASSERT_TRUE(retry("zone", "us"));
  EXPECT_THAT(last_why(engine.resume()), HasSubstr("a is done and was given the input 'zone'"));
  ASSERT_TRUE(retry("hots", "new"));
  EXPECT_THAT(last_why(engine.resume()), HasSubstr("the plan has no input 'hots'"));
  engine.world.set_hook("b", {});
  ASSERT_TRUE(retry("host", "new"));
  const auto done = engine.resume();
  EXPECT_TRUE(done->state.recovered()) << last_why(done);
  EXPECT_EQ(engine.world.effect("b").value, "at new by k1");
}

TEST(Undo, TheWholePlanGoesBackInReverse) {
  FakeEngine engine(15);
  auto plan = shop();
  plan.steps.back().config.set("spoil", true);  // dns fails: the run does not end
  plan.steps.back().after = {"app"};
  ASSERT_FALSE(engine.begin(plan)->state.recovered());
  ASSERT_TRUE(engine.ask(request("go-back", "", "carol@host")));
  const auto back = engine.resume();
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->state.end->outcome, "undone") << last_line(make_report(*back));
  EXPECT_THAT(engine.world.removed(), ElementsAre("dns", "app", "db", "net"));
  EXPECT_TRUE(engine.world.effects().empty());
  EXPECT_EQ(last_line(make_report(*back)), "NOT RECOVERED: undone by carol@host: because");
  // Going on with it starts nothing, whatever is asked.
  ASSERT_TRUE(engine.ask(request("retry", "net", "carol@host")));
  EXPECT_EQ(last_why(engine.resume()), "the run is sent back: all of it is undone");
  EXPECT_EQ(engine.resume()->state.end->outcome, "undone");
  EXPECT_TRUE(engine.world.effects().empty());
}

TEST(Undo, OneStepIsUndoneOnceNothingThatCameAfterItStands) {
  FakeEngine engine(16);
  auto plan = shop();
  plan.steps.push_back(effect_node("bad", effect_config("z")));
  plan.steps.back().config.set("spoil", true);
  ASSERT_FALSE(engine.begin(plan)->state.recovered());
  ASSERT_TRUE(engine.ask(request("undo", "net", "carol@host")));
  EXPECT_EQ(last_why(engine.resume()), "db came after it: undo that one first");
  ASSERT_TRUE(engine.ask(request("undo", "app", "carol@host")));
  const auto undone = engine.resume();
  EXPECT_EQ(phase(undone, "app"), plan::StepPhase::undone);
  EXPECT_THAT(engine.world.removed(), ElementsAre("app"));
  EXPECT_EQ(phase(engine.resume(), "app"), plan::StepPhase::undone);  // not again by itself
  ASSERT_TRUE(engine.ask(request("retry", "app", "carol@host")));
  EXPECT_EQ(phase(engine.resume(), "app"), plan::StepPhase::done);
  EXPECT_TRUE(engine.world.effect("app").done);
}

TEST(Undo, H15AnUndoThatFailsStopsThereAndIsNotRepeated) {
  FakeEngine engine(17);
  std::atomic<int> tried = 0;
  engine.world.set_hook("db", [&](const Operation&, const std::string& verb) -> Result<void> {
    if (verb != "undo") return {};
    ++tried;
    return fail(Error::Kind::unavailable, "the target does not answer");
  });
  auto plan = shop();
  plan.steps.back().config.set("spoil", true);
  ASSERT_FALSE(engine.begin(plan)->state.recovered());
  ASSERT_TRUE(engine.ask(request("go-back", "", "carol@host")));
  const auto stuck = engine.resume();
  ASSERT_TRUE(stuck) << stuck.error().what;
  EXPECT_EQ(tried, 1);
  EXPECT_EQ(stuck->state.end->outcome, "failed");
  EXPECT_EQ(phase(stuck, "db"), plan::StepPhase::failed);
  EXPECT_TRUE(engine.world.effect("net").done) << "undone before what came after it";
  EXPECT_THAT(last_line(make_report(*stuck)), HasSubstr("undo: the target does not answer"));
}

TEST(Undo, KilledOnTheWayBackItIsGoneOnWith) {
  for (std::uint64_t change = 0; change < 40; ++change) {
    FakeEngine engine(18);
    auto plan = shop();
    plan.steps.back().config.set("spoil", true);
    ASSERT_FALSE(engine.begin(plan)->state.recovered());
    ASSERT_TRUE(engine.ask(request("go-back", "", "carol@host")));
    engine.reaper.kill_at(change, change % 2 == 0);
    const auto first = engine.resume();
    const bool killed = engine.reaper.dead();
    engine.reaper.revive();
    const auto second = engine.resume();
    ASSERT_TRUE(second) << second.error().what;
    EXPECT_EQ(second->state.end->outcome, "undone") << last_line(make_report(*second));
    EXPECT_TRUE(engine.world.effects().empty()) << "killed at " << change;
    if (!killed) return;
  }
  FAIL() << "it never came to its end";
}

}  // namespace
}  // namespace lifeboat::run
