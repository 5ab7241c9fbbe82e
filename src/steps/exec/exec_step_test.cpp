// The exec step with real programs, through the real launcher and supervisor.
#include "steps/exec/exec_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/process/launcher.h"
#include "plan/step_contract.h"
#include "test_places.h"

namespace lifeboat::steps {
namespace {

using plan::FakeContext;
using plan::State;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

constexpr char password[] = "hunter2-and-longer";

class Scratch {
 public:
  Scratch() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "lifeboat-exec-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Scratch() { std::filesystem::remove_all(path_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string content(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Value shell(const std::string& script) {
  return Value(Value::List{Value("sh"), Value("-euc"), Value(script)});
}

Value secret(const std::string& text) {
  Value value(text);
  value.taint();
  return value;
}

// What every test of this step stands on.
struct Stage {
  Scratch scratch;
  SystemClock clock;
  Operation op{&clock};
  std::unique_ptr<Launcher> launcher =
      make_launcher(clock, "exec-test-" + std::to_string(getpid()), LIFEBOAT_SUPERVISOR_PATH);
  FakeContext context{{.clock = &clock,
                       .launcher = launcher.get(),
                       .bundle_directory = scratch.path(),
                       .run = "run-1",
                       .step = "contract/exec"}};

  std::unique_ptr<plan::Step> step(const Value& config) {
    auto made = exec_step().make(config, context);
    EXPECT_TRUE(made) << (made ? "" : made.error().what);
    return *std::move(made);
  }
  Value config(const std::string& run, const std::string& observe) {
    Value config;
    config.set("run", shell(run));
    config.set("observe", shell(observe));
    return config;
  }
};

class ExecWorld final : public plan::StepWorld {
 public:
  const plan::StepType& type() override { return type_; }
  Value config() override {
    Value config = stage_.config(
        "while read -r word; do echo \"$word\"; done <words >effect.next; mv effect.next effect",
        "cmp -s words effect || exit 1\n"
        "printf '{\"lines\":%s,\"key\":\"%s\"}' \"$(wc -l <effect)\" \"$KEY\" "
        ">\"$LIFEBOAT_OUTPUT\"");
    Value outputs;
    outputs.set("lines", "integer");
    outputs.set("key", "secret");
    config.set("outputs", outputs);
    Value environment;
    environment.set("KEY", secret(password));
    config.set("secret_env", environment);
    std::ofstream(stage_.scratch / "words") << "network\ndatabase\nbroker\n";
    return config;
  }
  FakeContext& context() override { return stage_.context; }
  std::string digest() override { return content(stage_.scratch / "effect"); }
  void alter() override { std::ofstream(stage_.scratch / "effect") << "altered\n"; }
  bool make_foreign() override { return false; }
  std::vector<std::string> secrets() override { return {password}; }

 private:
  Stage stage_;
  plan::StepType type_ = exec_step();
};

LIFEBOAT_STEP_CONTRACT(ExecContract, [] { return std::make_unique<ExecWorld>(); });

TEST(ExecStep, OutputsAreTypedAndUndeclaredOnesAreDropped) {
  Stage stage;
  Value config = stage.config(
      "true", "echo '{\"port\": 5432, \"host\": \"db\", \"extra\": 1}' >\"$LIFEBOAT_OUTPUT\"");
  Value outputs;
  outputs.set("port", "integer");
  outputs.set("host", "string");
  config.set("outputs", outputs);
  const auto seen = stage.step(config)->observe(stage.op);
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->state, State::ours_done);
  EXPECT_EQ(seen->outputs.at("port"), Value(5432));
  EXPECT_EQ(seen->outputs.map().size(), 2u);
}

TEST(ExecStep, AMissingOrMistypedOutputIsNamed) {
  Stage stage;
  Value outputs;
  outputs.set("port", "integer");
  const auto error_of = [&](const std::string& observe) {
    Value config = stage.config("true", observe);
    config.set("outputs", outputs);
    const auto seen = stage.step(config)->observe(stage.op);
    return seen ? "no error" : seen.error().what;
  };
  EXPECT_THAT(error_of("true"), HasSubstr("output 'port' was not written"));
  EXPECT_THAT(error_of("echo '{\"port\": \"5432\"}' >\"$LIFEBOAT_OUTPUT\""),
              HasSubstr("output 'port' is a string"));
  EXPECT_THAT(error_of("echo '{\"port\": [1]}' >\"$LIFEBOAT_OUTPUT\""), HasSubstr("a list"));
  EXPECT_THAT(error_of("echo 'port=5432' >\"$LIFEBOAT_OUTPUT\""), HasSubstr("not one JSON object"));
  EXPECT_THAT(error_of("rm \"$LIFEBOAT_OUTPUT\""), HasSubstr("gone"));
  EXPECT_THAT(error_of("rm \"$LIFEBOAT_OUTPUT\"; ln -s /etc/passwd \"$LIFEBOAT_OUTPUT\""),
              HasSubstr("gone or no file"));
}

TEST(ExecStep, TheOutputFileIsForItsOwnerOnlyAndGoneAfterwards) {
  Stage stage;
  Value config = stage.config("true",
                              "stat -c %a \"$LIFEBOAT_OUTPUT\"; stat -c %a "
                              "\"$(dirname \"$LIFEBOAT_OUTPUT\")\"; echo \"$LIFEBOAT_OUTPUT\"");
  ASSERT_TRUE(stage.step(config)->observe(stage.op));
  const auto lines = stage.context.lines();
  ASSERT_THAT(lines, SizeIs(3));
  EXPECT_EQ(lines[0], "600");
  EXPECT_EQ(lines[1], "700");
  EXPECT_FALSE(std::filesystem::exists(std::filesystem::path(lines[2]).parent_path()));
}

TEST(ExecStep, ASecretInAnArgumentIsRefused) {
  Stage stage;
  Value config = stage.config("true", "true");
  Value run(Value::List{Value("echo"), secret(password)});
  config.set("run", run);
  const auto applied = stage.step(config)->apply(stage.op);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().kind, Error::Kind::invalid);
  EXPECT_THAT(applied.error().what, HasSubstr("argument of `run` is a secret"));
  EXPECT_THAT(applied.error().what + applied.error().hint, Not(HasSubstr(password)));
}

TEST(ExecStep, SecretsGoByEnvironmentAndFileAndAreMaskedInTheLog) {
  Stage stage;
  Value config = stage.config(
      "test \"$(cat \"$KEY_FILE\")\" = \"$KEY\"; stat -c %a \"$KEY_FILE\"; echo \"key: $KEY\"; "
      "echo \"from env: $PLAIN $PORT $TAINTED\"; env | grep -c . >count",
      "false");
  Value key, files, plain;
  key.set("KEY", secret(password));
  files.set("KEY_FILE", secret(password));
  plain.set("PLAIN", "text");
  plain.set("PORT", 5432);
  plain.set("TAINTED", secret("tainted-by-reference"));
  config.set("secret_env", key);
  config.set("files", files);
  config.set("env", plain);
  const auto applied = stage.step(config)->apply(stage.op);
  ASSERT_TRUE(applied) << applied.error().what;
  const auto lines = stage.context.lines();
  EXPECT_THAT(lines, Contains("600"));
  EXPECT_THAT(lines, Contains(HasSubstr("from env: text 5432 ")));
  for (const std::string& line : lines) {
    EXPECT_THAT(line, Not(HasSubstr(password)));
    EXPECT_THAT(line, Not(HasSubstr("tainted-by-reference")));
  }
}

TEST(ExecStep, ProgramsKnowWhereTheyAreAndOfNothingElse) {
  Stage stage;
  setenv("LIFEBOAT_TEST_LEAK", "from the engine's own environment", 1);
  Value config = stage.config("true",
                              "test -z \"${LIFEBOAT_TEST_LEAK-}\"\n"
                              "echo \"$LIFEBOAT_RUN $LIFEBOAT_STEP $LIFEBOAT_GENERATION "
                              "$LIFEBOAT_VERB\"; pwd");
  ASSERT_EQ(stage.step(config)->observe(stage.op)->state, State::ours_done);
  EXPECT_THAT(stage.context.lines(),
              ElementsAre("run-1 contract/exec 1 observe",
                          std::filesystem::canonical(stage.scratch.path()).string()));
  unsetenv("LIFEBOAT_TEST_LEAK");
}

TEST(ExecStep, ExitOneIsAbsentAndAnyOtherAnErrorWithWhatWasSaid) {
  Stage stage;
  const auto absent = stage.step(stage.config("true", "exit 1"))->observe(stage.op);
  ASSERT_TRUE(absent);
  EXPECT_EQ(absent->state, State::absent);
  EXPECT_EQ(absent->changes.size(), 1U);
  const auto broken = [&](const std::string& script) {
    return stage.step(stage.config("true", script))->observe(stage.op).error();
  };
  const Error said = broken("echo first >&2; echo 'the password is refused' >&2; exit 3");
  EXPECT_THAT(said.what, HasSubstr("ended with status 3: the password is refused"));
  EXPECT_EQ(said.kind, Error::Kind::unavailable);
  EXPECT_EQ(said.hint, "its output: lifeboat runs show run-1 --log contract/exec");
  EXPECT_EQ(broken("exit 77").kind, Error::Kind::denied);
  EXPECT_EQ(broken("exit 78").kind, Error::Kind::invalid);
  EXPECT_THAT(broken("kill -9 $$").what, HasSubstr("signal 9"));
}

TEST(ExecStep, WhatItLeavesRunningIsNamed) {
  Stage stage;
  // It waits until the daemon has left the group: a program that ends sooner leaves nothing behind.
  Value config = stage.config(
      "setsid sh -c 'echo $$ >pid; exec sleep 2718' >/dev/null 2>&1 </dev/null & "
      "until [ -s pid ]; do :; done",
      "true");
  config.set("may_leave_daemons", true);
  const auto step = stage.step(config);
  ASSERT_TRUE(step->apply(stage.op));
  ASSERT_THAT(stage.context.left_running(), ElementsAre(HasSubstr("sleep 2718")));
  EXPECT_EQ(kill(std::stoi(stage.context.left_running().front()), SIGKILL), 0);
}

TEST(ExecStep, WhatAProgramThatFailsLeavesRunningIsNamedToo) {
  Stage stage;
  Value config = stage.config(
      "setsid sh -c 'echo $$ >pid; exec sleep 2717' >/dev/null 2>&1 </dev/null & "
      "until [ -s pid ]; do :; done; exit 3",
      "true");
  config.set("may_leave_daemons", true);
  EXPECT_FALSE(stage.step(config)->apply(stage.op));
  ASSERT_THAT(stage.context.left_running(), ElementsAre(HasSubstr("sleep 2717")));
  EXPECT_EQ(kill(std::stoi(stage.context.left_running().front()), SIGKILL), 0);
}

TEST(ExecStep, WhatObserveStartsIsEndedWithIt) {
  Stage stage;
  Value config = stage.config(
      "true",
      "rm -f pid; setsid sh -c 'echo $$ >pid; exec sleep 2719' >/dev/null 2>&1 </dev/null & "
      "until [ -s pid ]; do :; done");
  config.set("may_leave_daemons", true);
  const auto step = stage.step(config);
  const auto seen = step->observe(stage.op);
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_NE(kill(std::stoi(content(stage.scratch / "pid")), 0), 0);
  const auto proof = step->verify(stage.op);
  ASSERT_TRUE(proof) << proof.error().what;
  EXPECT_NE(kill(std::stoi(content(stage.scratch / "pid")), 0), 0);
  EXPECT_THAT(stage.context.left_running(), IsEmpty());
}

TEST(ExecStep, UndoIsAWordOfALaterVersion) {
  Stage stage;
  Value config = stage.config("true", "true");
  config.set("undo", shell("true"));
  std::vector<Finding> findings;
  validate(config, exec_step().fields, {.path = "exec"}, findings);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings[0].message, HasSubstr("'undo' is not in this version"));
}

TEST(ExecStep, ItIsIrreversible) {
  Stage stage;
  const auto undone = stage.step(stage.config("true", "true"))->undo(stage.op, Value());
  ASSERT_FALSE(undone);
  EXPECT_THAT(undone.error().what, HasSubstr("irreversible"));
}

TEST(ExecStep, PreflightNamesTheProgramThatIsMissing) {
  Stage stage;
  Value config = stage.config("true", "true");
  config.set("run", Value(Value::List{Value("recovery/not-there")}));
  const auto missing = stage.step(config)->preflight(stage.op);
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().what, HasSubstr(stage.scratch / "recovery/not-there"));
  EXPECT_EQ(missing.error().kind, Error::Kind::invalid);  // no other step can bring it
  config.set("run", Value(Value::List{Value("/srv/not-restored-yet/bin/start")}));
  EXPECT_EQ(stage.step(config)->preflight(stage.op).error().kind, Error::Kind::not_found);
  config.set("run", Value(Value::List{Value("no-such-program-anywhere")}));
  EXPECT_THAT(stage.step(config)->preflight(stage.op).error().what,
              HasSubstr("no-such-program-anywhere is not installed"));
  config.set("run", Value(Value::List{Value()}));  // comes from a step that has not run yet
  EXPECT_TRUE(stage.step(config)->preflight(stage.op));
}

TEST(ExecStep, ADeadlineEndsTheWholeTree) {
  Stage stage;
  const auto step = stage.step(stage.config("sleep 3141 & sleep 3141", "exit 1"));
  std::stop_source stop;
  const Operation op{&stage.clock, stop.get_token(),
                     stage.clock.boot() + std::chrono::milliseconds(200)};
  const auto applied = step->apply(op);
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().effective_code(), Error::Code::timeout);
  EXPECT_THAT(stage.launcher->living("exec-test-" + std::to_string(getpid())), IsEmpty());
}

}  // namespace
}  // namespace lifeboat::steps
