#include "run/state.h"

#include <sstream>

#include "run/events.h"
#include "run/fake_world.h"
#include "run/plan_codec.h"
#include "run/report.h"
#include "run/sealed_values.h"
#include "run/text.h"
#include "schema/json.h"

namespace lifeboat::run {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t second = 1'000'000'000;
constexpr std::int64_t t0 = 1'795'000'000 * second;

plan::Plan two_steps() {
  Value config;
  config.set("value", "${db.password}");
  auto plan = plan_of({effect_node("db", Value::Map{}), effect_node("app", config)});
  plan.steps[0].retry = {2, std::chrono::seconds(3)};
  plan.steps[0].timeout = std::chrono::minutes(2);
  plan.steps[1].on_failure = plan::OnFailure::go_on;
  plan.inputs.push_back({"who", shape::choice({"a", "b"}), "Who?", Value("a"), false});
  plan.inputs.push_back({"tree", shape::list(shape::map(shape::integer())), "", Value(), true});
  Record record{"pair", "two", {{"x", shape::string(), "x", true, Value()}}, "x", {"later"}};
  plan.steps[0].outputs.emplace("pair", shape::record(record));
  plan.heartbeat = "app.value";
  plan.files = {"recovery/x.py"};
  return plan;
}

// Events as a driver would write them, at a time in seconds after T0.
class Story {
 public:
  Story() {
    Pins pins;
    pins.run = "run-1";
    pins.plan = two_steps();
    pins.inputs = Value::Map{};
    pins.sources = Value::Map{};
    pins.origin = {{t0}, "killed by the test"};
    pins.point = {
        "0123456789abcdef", {t0 - 30 * second}, {t0 - 20 * second}, true, {{"orders", "aa"}}};
    pins.objectives.rto = std::chrono::minutes(1);
    pins.platform_name = "shop";
    at(1, event::run_begin(pins, {"a", "host", 1, "boot"}));
    at(1, event::driver_joined({"a", "host", 1, "boot"}, ""));
  }
  void at(std::int64_t seconds_after, journal::Event event) {
    event.time = {t0 + seconds_after * second};
    events.push_back(std::move(event));
  }
  void done(const std::string& step, std::int64_t from, std::int64_t to, bool ok = true) {
    at(from, event::started(step, 1));
    plan::Verification proof;
    proof.checks = {{"rows", "10", ok ? "10" : "9", ok}};
    proof.losses = {"3 rows of orders after the recovery point"};
    at(to, event::done(step, proof, Value::Map{}, std::chrono::seconds(to - from)));
  }
  RunState state() const { return *replay(events); }
  Report report() const { return make_report({state(), true, std::nullopt}); }

  std::vector<journal::Event> events;
};

TEST(PlanCodec, APlanComesBackAsItWas) {
  const plan::Plan plan = two_steps();
  const Value value = to_value(plan);
  const auto back = plan_from(*parse_json(to_json(value)));
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(to_json(to_value(*back)), to_json(value));
  EXPECT_EQ(back->steps[0].timeout, plan.steps[0].timeout);
  EXPECT_EQ(back->steps[1].on_failure, plan::OnFailure::go_on);
  EXPECT_EQ(back->steps[1].needs, plan.steps[1].needs);
  EXPECT_EQ(back->steps[0].outputs.at("pair").record->fields[0].name, "x");
}

TEST(PlanCodec, WhatIsNoPlanIsCorrupt) {
  Value value = to_value(two_steps());
  value.set("steps", "none");
  EXPECT_EQ(plan_from(value).error().kind, Error::Kind::corrupt);
  EXPECT_EQ(plan_from(Value()).error().kind, Error::Kind::corrupt);
}

TEST(SealedValues, SecretsBecomeHandlesAndComeBackTainted) {
  std::map<std::string, std::string> vault;
  const PutSecret put = [&](const std::string&, const Secret& secret) -> Result<std::string> {
    const std::string handle = "vault/" + std::to_string(vault.size());
    vault[handle] = secret.reveal();
    return handle;
  };
  const GetSecret get = [&](const std::string& handle) -> Result<Secret> {
    return Secret(vault.at(handle));
  };
  Value value;
  value.set("plain", 1);
  value.set("password", Value("x").taint());
  value.set("raw", Value(std::string("\xff\x00\xfe", 3)).taint());
  value.set("list", Value::List{Value("a"), Value(7).taint()});
  value.set("$vault", "from outside");
  const auto sealed = to_handles(value, "test", put);
  ASSERT_TRUE(sealed);
  EXPECT_FALSE(sealed->tainted());
  EXPECT_EQ(vault.size(), 3U);
  const auto back = from_handles(*parse_json(to_json(*sealed)), get);
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(*back, value);
  EXPECT_TRUE(back->at("password").own_taint());
  EXPECT_TRUE(back->at("list").list()[1].own_taint());
  EXPECT_FALSE(back->at("plain").tainted());
}

TEST(State, APhaseIsNeverRunningAfterReplay) {
  Story story;
  story.at(2, event::started("db", 1));
  story.at(2, event::intent("db", 1));
  const auto state = story.state();
  EXPECT_EQ(state.step("db").phase, plan::StepPhase::waiting);
  EXPECT_TRUE(state.step("db").intent_open);
  EXPECT_EQ(state.step("db").attempts, 1U);
}

TEST(State, ANewDriverTriesAgainWhatFailed) {
  Story story;
  story.at(2, event::started("db", 1));
  story.at(3, event::failed("db", {Error::Kind::denied, "no", "ask", Error::Code::denied}, {}, {}));
  story.at(3, event::skipped("app", "db"));
  story.at(3, event::run_end({"failed", {}, std::nullopt}));
  EXPECT_EQ(story.state().step("db").error->hint, "ask");
  EXPECT_EQ(story.state().step("db").error->code, Error::Code::denied);
  story.at(9, event::driver_joined({"b", "other", 2, "boot"}, "gone"));
  const auto state = story.state();
  EXPECT_EQ(state.step("db").phase, plan::StepPhase::waiting);
  EXPECT_EQ(state.step("app").phase, plan::StepPhase::waiting);
  EXPECT_FALSE(state.end);
  EXPECT_EQ(state.drivers.size(), 2U);
}

TEST(State, TimesThatNoClockMeasuredDoNotOverflow) {
  Story story;
  const auto longest = std::chrono::nanoseconds::max();
  story.at(2, event::stopped("db", longest));
  story.at(3, event::stopped("db", longest));
  EXPECT_EQ(story.state().step("db").took, longest);
  story.at(4, event::stopped("app", std::chrono::nanoseconds::min()));
  story.at(5, event::stopped("app", std::chrono::nanoseconds::min()));
  EXPECT_EQ(story.state().step("app").took, std::chrono::nanoseconds::min());
}

TEST(State, UnknownEventsAreSkipped) {
  Story story;
  story.at(2, {"of a later version", Value(), {}, 0});
  EXPECT_TRUE(replay(story.events));
}

TEST(Report, MeasuresRtoRpoAndTheCriticalPath) {
  Story story;
  story.done("db", 2, 22);
  story.done("app", 22, 42);
  story.at(43, event::run_end({"done", {}, WallTime{t0 - 4 * second}}));
  const Report report = story.report();
  EXPECT_TRUE(report.recovered);
  EXPECT_EQ(last_line(report), "RECOVERED rto=42.0 rpo=4.0 checks=2/2");
  EXPECT_THAT(report.critical_path, ElementsAre("db", "app"));
  EXPECT_EQ(report.critical_time, std::chrono::seconds(40));
  EXPECT_EQ(*report.rpo_bound, std::chrono::seconds(30));
  const std::string text = render_text(report);
  EXPECT_TRUE(text.ends_with("\nRECOVERED rto=42.0 rpo=4.0 checks=2/2\n"));
  EXPECT_THAT(text, HasSubstr("objective 1 min 00 s: met"));
  EXPECT_THAT(text, HasSubstr("db: 3 rows of orders after the recovery point"));
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100U) << line;
  EXPECT_THAT(render_markdown(report), HasSubstr("| **db** | effect | done | 2.0 | 22.0 | 20.0 |"));
  EXPECT_EQ(to_value(report).at("rto_s").number(), 42.0);
}

TEST(Report, WithoutAHeartbeatThePointBoundsTheRpo) {
  Story story;
  story.done("db", 2, 22);
  story.done("app", 22, 42);
  story.at(43, event::run_end({"done", {}, std::nullopt}));
  EXPECT_EQ(last_line(story.report()), "RECOVERED rto=42.0 rpo=30.0 checks=2/2");
}

TEST(Report, OnlyARecoveryHasAnRto) {
  Story failed;
  failed.done("db", 2, 22);
  failed.at(23, event::started("app", 1));
  failed.at(25, event::failed("app", {Error::Kind::denied, "no", "", {}}, {}, {}));
  failed.at(26, event::run_end({"failed", {}, std::nullopt}));
  const Report report = failed.report();
  EXPECT_FALSE(report.rto);
  EXPECT_EQ(report.so_far, std::chrono::seconds(26));
  EXPECT_THAT(render_text(report), HasSubstr("\nRTO           not reached; 26.0 s so far\n"));
  EXPECT_THAT(render_text(report), testing::Not(HasSubstr("objective 1 min")));
  EXPECT_THAT(render_markdown(report), HasSubstr("| RTO, s | not reached |"));
  EXPECT_EQ(to_value(report).at("rto_s"), Value());
  EXPECT_EQ(to_value(report).at("so_far_s").number(), 26.0);

  Story red;
  red.done("db", 2, 22);
  red.done("app", 22, 42, false);
  red.at(43, event::run_end({"done", {}, std::nullopt}));
  EXPECT_EQ(to_value(red.report()).at("rto_s"), Value());

  Story halted;  // it stands where its driver died
  halted.done("db", 2, 22);
  halted.at(30, event::started("app", 1));
  EXPECT_THAT(render_text(halted.report()), HasSubstr("not reached; 30.0 s so far"));
  EXPECT_THAT(render_text(Story().report()), HasSubstr("\nRTO           not reached\n"));
}

TEST(Report, WhereClocksDisagreeNothingWasMeasuredAndNoObjectiveIsMet) {
  Story story;
  story.done("db", -90, -80);  // this driver's clock stands far behind the one that told T0
  story.done("app", -80, -70);
  story.at(-69, event::run_end({"done", {}, WallTime{t0 + 4 * second}}));
  const Report report = story.report();
  EXPECT_EQ(last_line(report), "RECOVERED rto=unknown rpo=30.0 checks=2/2");
  EXPECT_THAT(report.remarks, testing::Contains(HasSubstr("the RTO came out as -70.0 s")));
  EXPECT_THAT(report.remarks, testing::Contains(HasSubstr("heartbeat came out as -4.0 s")));
  EXPECT_FALSE(report.rto);
  EXPECT_THAT(render_text(report), HasSubstr("\nRTO           not measured: clocks disagree\n"));
  EXPECT_THAT(render_text(report), testing::Not(HasSubstr("met")));
  EXPECT_THAT(render_markdown(report), HasSubstr("| RTO, s | not measured: clocks disagree |"));
  EXPECT_EQ(to_value(report).at("rto_s"), Value());
}

TEST(Report, APointOfAfterTheRunBeganProvesNothingAndOneOfAfterTheLossLosesNothing) {
  const auto of_point = [](std::int64_t seconds_after) {
    RunState state = Story().state();
    state.pins.point.earliest = {t0 + seconds_after * second};
    return make_report({state, true, std::nullopt});
  };
  EXPECT_EQ(of_point(1).rpo, std::chrono::seconds(0));  // T0 was an hour ago, say: it ran on
  const Report report = of_point(2);
  EXPECT_FALSE(report.rpo || report.rpo_bound);
  EXPECT_THAT(report.remarks, testing::Contains(HasSubstr("point came out as -2.0 s")));
  EXPECT_THAT(render_text(report), HasSubstr("\nRPO           not measured: clocks disagree\n"));
  EXPECT_THAT(render_markdown(report), HasSubstr("| RPO, s | not measured: clocks disagree |"));
}

TEST(Report, NothingLessThanAllStepsAndAllChecksIsRecovered) {
  Story no_end;
  no_end.done("db", 2, 3);
  no_end.done("app", 3, 4);
  EXPECT_EQ(last_line(no_end.report()), "NOT RECOVERED: the run has not ended");

  Story one_red;
  one_red.done("db", 2, 3);
  one_red.done("app", 3, 4, false);
  one_red.at(5, event::run_end({"done", {}, std::nullopt}));
  EXPECT_EQ(last_line(one_red.report()), "NOT RECOVERED: a check failed");

  Story one_missing;
  one_missing.done("db", 2, 3);
  one_missing.at(5, event::run_end({"done", {}, std::nullopt}));
  EXPECT_EQ(last_line(one_missing.report()), "NOT RECOVERED: 1 of 2 steps are not done");

  Story stopped;
  const Outcome halted{stopped.state(), true,
                       Error{Error::Kind::cancelled, "stopped by request", "", {}}};
  EXPECT_EQ(last_line(make_report(halted)), "NOT RECOVERED: stopped by request");
}

TEST(Report, ChecksThatProveNothingAreNotRecovered) {
  Story story;
  for (const char* step : {"db", "app"}) {
    story.at(2, event::started(step, 1));
    story.at(3, event::done(step, {}, Value::Map{}, {}));
  }
  story.at(4, event::run_end({"done", {}, std::nullopt}));
  EXPECT_THAT(last_line(story.report()), HasSubstr("no step proved anything"));
}

TEST(Report, NamesFromOutsideCannotSpeakToTheTerminalOrToMarkdown) {
  Story story;
  story.at(2, event::started("db", 1));
  const std::string hostile = "\x1b[31mred | <script>alert(1)</script> `code` **bold**";
  story.at(3, event::failed("db", {Error::Kind::denied, hostile, "", {}}, {}, {}));
  const Report report = story.report();
  EXPECT_EQ(render_text(report).find('\x1b'), std::string::npos);
  const std::string page = render_markdown(report);
  EXPECT_EQ(page.find('\x1b'), std::string::npos);
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("`code`"), std::string::npos);
  EXPECT_EQ(page.find("**bold**"), std::string::npos);
}

TEST(Text, WrapsBetweenWordsAndCutsBetweenCharacters) {
  EXPECT_EQ(wrapped("aa bb cc", 5, 2), "aa bb\n  cc");
  EXPECT_EQ(wrapped("", 5, 2), "");
  EXPECT_EQ(cut("short", 10), "short");
  EXPECT_EQ(cut("a long name", 8), "a lon...");
  EXPECT_EQ(cut("aaaa\xE2\x82\xAC"
                "bbbb",
                9),
            "aaaa...");
  EXPECT_EQ(seconds(std::chrono::milliseconds(1250)), "1.2");
}

}  // namespace
}  // namespace lifeboat::run
