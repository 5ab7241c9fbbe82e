// Freezes that end: by our word, by the limit, by the death of whoever asked, or of the watchdog.
#include "client/process/watchdog.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <sstream>
#include <thread>

#include "base/temporary_folder.h"
#include "client/process/process_tree.h"
#include "test_places.h"

namespace lifeboat {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::Not;

class WatchdogTest : public testing::Test {
 protected:
  // What the hooks wrote, one word each: "froze thawed ".
  std::string log() const {
    std::ifstream file(place_ + "/log");
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
  }
  Command shell(const std::string& script) const {
    Command command;
    command.argv = {"sh", "-c", script};
    command.env["LOG"] = place_ + "/log";
    command.env["PLACE"] = place_;
    return command;
  }
  HoldOrder order(const std::string& before = "printf 'froze ' >>$LOG",
                  const std::string& after = "printf 'thawed ' >>$LOG") const {
    return {.name = "source orders",
            .before = shell(before),
            .after = shell(after),
            .limit = hours(1),
            .timeout = hours(1),
            .retry_for = hours(1)};
  }
  Result<std::unique_ptr<Watchdog>> freeze_it(const HoldOrder& how) {
    return freeze(op_, *launcher_, LIFEBOAT_SUPERVISOR_PATH, how);
  }
  std::unique_ptr<Watchdog> frozen(const HoldOrder& how) {
    auto made = freeze_it(how);
    if (made) return *std::move(made);
    ADD_FAILURE() << made.error().what;
    return nullptr;
  }
  // Waits for what another process is about to do; bounded, and never the thing that is tested.
  bool eventually(const std::function<bool()>& fact) {
    const Operation patient = op_.within(std::chrono::seconds(60));
    while (!fact()) {
      if (!patient.pause(milliseconds(5))) return false;
    }
    return true;
  }
  static std::vector<int> watchdogs_of(int parent) {
    std::vector<int> found;
    for (const auto& [pid, entry] : process::all_processes()) {
      if (entry.parent != parent || entry.state == 'Z') continue;
      if (process::command_line(pid).ends_with(" watchdog")) found.push_back(pid);
    }
    return found;
  }
  // An engine of its own that freezes and then does nothing; it is the caller's to end.
  int start_engine(const HoldOrder& how) {
    const int pid = fork();
    if (pid != 0) return pid;
    const auto launcher = make_launcher(clock_, "", LIFEBOAT_SUPERVISOR_PATH);
    const auto held = freeze(op_, *launcher, LIFEBOAT_SUPERVISOR_PATH, how);
    while (held) pause();
    _exit(1);
  }
  static void end_engine(int pid) {
    kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }

  SystemClock clock_;
  Operation op_{&clock_};
  std::unique_ptr<Launcher> launcher_ = make_launcher(clock_, "", LIFEBOAT_SUPERVISOR_PATH);
  TemporaryFolder folder_ = *TemporaryFolder::make("watchdog", TemporaryFolder::Place::disk);
  const std::string place_ = folder_.path();
};

TEST_F(WatchdogTest, FreezesAndThawsOnce) {
  const auto held = frozen(order());
  ASSERT_TRUE(held);
  EXPECT_EQ(log(), "froze ");
  EXPECT_TRUE(held->holding());
  const Thaw thaw = held->thaw();
  EXPECT_TRUE(thaw.done) << thaw.said;
  EXPECT_FALSE(thaw.early);
  EXPECT_EQ(thaw.tries, 1U);
  EXPECT_EQ(log(), "froze thawed ");
  EXPECT_FALSE(held->holding());
  EXPECT_TRUE(held->thaw().done);
  EXPECT_EQ(log(), "froze thawed ");
  EXPECT_TRUE(watchdogs_of(getpid()).empty());
}

TEST_F(WatchdogTest, WithoutAWordItThawsWhenItIsDropped) {
  frozen(order());
  EXPECT_EQ(log(), "froze thawed ");
}

TEST_F(WatchdogTest, AHookMayHaveNothingToRunBefore) {
  HoldOrder how = order();
  how.before.argv.clear();
  const auto held = frozen(how);
  ASSERT_TRUE(held);
  EXPECT_EQ(log(), "");
  EXPECT_TRUE(held->thaw().done);
  EXPECT_EQ(log(), "thawed ");
}

TEST_F(WatchdogTest, AfterRunsAlsoWhenBeforeFailed) {
  const auto failed = freeze_it(order("printf 'half ' >>$LOG; echo no such volume >&2; exit 3"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Error::Kind::unavailable);
  EXPECT_EQ(failed.error().what, "hook `before` of source orders failed: status 3: no such volume");
  EXPECT_EQ(log(), "half thawed ");
}

TEST_F(WatchdogTest, WhatFailsOnBothSidesIsSaidOfBoth) {
  HoldOrder how = order("exit 3", "echo stuck >&2; exit 4");
  how.retry_for = milliseconds(1);
  const auto failed = freeze_it(how);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().what,
              HasSubstr("status 3; and hook `after` failed as well (tries: 1)"));
  EXPECT_THAT(failed.error().what, HasSubstr("status 4: stuck"));
  EXPECT_THAT(failed.error().hint, HasSubstr("still be frozen"));
}

TEST_F(WatchdogTest, NothingIsFrozenThatCouldNotBeThawed) {
  HoldOrder how = order();
  how.after.argv = {place_ + "/not-there"};
  const auto refused = freeze_it(how);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Error::Kind::not_found);
  EXPECT_THAT(refused.error().what, HasSubstr("source orders"));
  EXPECT_EQ(log(), "");
}

TEST_F(WatchdogTest, BeyondItsLimitItThawsByItself) {
  HoldOrder how = order();
  how.limit = std::chrono::seconds(2);
  const auto held = frozen(how);
  ASSERT_TRUE(held);
  EXPECT_TRUE(eventually([&] { return !held->holding(); }));
  EXPECT_TRUE(eventually([&] { return log() == "froze thawed "; })) << log();
  const Thaw thaw = held->thaw();
  EXPECT_TRUE(thaw.done);
  EXPECT_TRUE(thaw.early);
  EXPECT_EQ(log(), "froze thawed ");
}

TEST_F(WatchdogTest, ABeforeThatGoesBeyondTheLimitIsEndedAndThawed) {
  HoldOrder how = order("printf 'begun ' >>$LOG; sleep 1000; printf 'never ' >>$LOG");
  how.limit = std::chrono::seconds(1);
  const auto failed = freeze_it(how);
  ASSERT_FALSE(failed);
  EXPECT_THAT(failed.error().what, HasSubstr("the limit was over"));
  EXPECT_EQ(log(), "begun thawed ");
}

TEST_F(WatchdogTest, AStopEndsBeforeAndThaws) {
  std::stop_source stop;
  const Operation op{.clock = &clock_, .stop = stop.get_token()};
  std::jthread stopper([&] {
    EXPECT_TRUE(eventually([&] { return log() == "begun "; }));
    stop.request_stop();
  });
  const auto failed = freeze(op, *launcher_, LIFEBOAT_SUPERVISOR_PATH,
                             order("printf 'begun ' >>$LOG; sleep 1000; printf 'never ' >>$LOG"));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Error::Kind::cancelled);
  EXPECT_EQ(log(), "begun thawed ");
}

TEST_F(WatchdogTest, AnAfterThatFailsIsTriedAgain) {
  const auto held = frozen(
      order("true", "printf 'try ' >>$LOG; [ $(wc -w <$LOG) = 3 ] || { echo busy >&2; exit 9; }"));
  ASSERT_TRUE(held);
  const Thaw thaw = held->thaw();
  EXPECT_TRUE(thaw.done);
  EXPECT_EQ(thaw.tries, 3U);
  EXPECT_EQ(thaw.said, "status 9: busy");
  EXPECT_EQ(log(), "try try try ");
}

TEST_F(WatchdogTest, AnAfterThatNeverWorksIsGivenUpAndSaid) {
  HoldOrder how = order("true", "echo stuck >&2; exit 9");
  how.retry_for = std::chrono::seconds(2);
  const auto held = frozen(how);
  ASSERT_TRUE(held);
  const Thaw thaw = held->thaw();
  EXPECT_FALSE(thaw.done);
  EXPECT_GE(thaw.tries, 2U);
  EXPECT_EQ(thaw.said, "status 9: stuck");
}

TEST_F(WatchdogTest, TheDeathOfWhoAskedThaws) {
  const int engine = start_engine(order());
  EXPECT_TRUE(eventually([&] { return log() == "froze "; }));
  end_engine(engine);
  EXPECT_TRUE(eventually([&] { return log() == "froze thawed "; })) << log();
}

TEST_F(WatchdogTest, ADeathInTheMiddleOfBeforeEndsItFirst) {
  // It does not listen to the first word, and writes its last when it is ended for good.
  const int engine = start_engine(
      order("trap '' TERM; printf 'begun ' >>$LOG; while :; do sleep 0.1; : >$PLACE/alive; done",
            "rm -f $PLACE/alive; sleep 0.5; [ -e $PLACE/alive ] && printf 'both ' >>$LOG; "
            "printf 'thawed ' >>$LOG"));
  EXPECT_TRUE(eventually([&] { return log() == "begun "; }));
  end_engine(engine);
  EXPECT_TRUE(eventually([&] { return log() != "begun "; }));
  EXPECT_EQ(log(), "begun thawed ");
}

TEST_F(WatchdogTest, AStoppedEngineKeepsNothingFrozenBeyondTheLimit) {
  HoldOrder how = order();
  how.limit = std::chrono::seconds(2);
  const int engine = start_engine(how);
  EXPECT_TRUE(eventually([&] { return log() == "froze "; }));
  kill(engine, SIGSTOP);
  EXPECT_TRUE(eventually([&] { return log() == "froze thawed "; })) << log();
  end_engine(engine);
  EXPECT_EQ(log(), "froze thawed ");
}

TEST_F(WatchdogTest, AWatchdogThatIsKilledIsReplacedByUs) {
  const auto held = frozen(order());
  ASSERT_TRUE(held);
  const std::vector<int> found = watchdogs_of(getpid());
  ASSERT_EQ(found.size(), 1U);
  kill(found.front(), SIGTERM);  // it is deaf to what a service manager or a terminal sends first
  kill(found.front(), SIGINT);
  kill(found.front(), SIGHUP);
  EXPECT_TRUE(held->holding());
  kill(found.front(), SIGKILL);
  EXPECT_TRUE(eventually([&] { return !held->holding(); }));
  const Thaw thaw = held->thaw();
  EXPECT_TRUE(thaw.done) << thaw.said;
  EXPECT_TRUE(thaw.early);
  EXPECT_EQ(log(), "froze thawed ");
}

TEST_F(WatchdogTest, AWatchdogThatHangsIsReplacedByUs) {
  HoldOrder how = order();
  how.timeout = std::chrono::seconds(1);
  how.retry_for = std::chrono::seconds(0);
  const auto held = frozen(how);
  ASSERT_TRUE(held);
  const std::vector<int> found = watchdogs_of(getpid());
  ASSERT_EQ(found.size(), 1U);
  kill(found.front(), SIGSTOP);
  const Thaw thaw = held->thaw();
  EXPECT_TRUE(thaw.done) << thaw.said;
  EXPECT_EQ(log(), "froze thawed ");
}

TEST_F(WatchdogTest, SecretsReachTheProgramsAndNothingElse) {
  HoldOrder how =
      order("printf \"$PW\" >$PLACE/before", "printf \"$PW\" >$PLACE/after; echo $PW >&2; exit 1");
  how.before.secret_env["PW"] = Secret("correct-horse");
  how.after.secret_env["PW"] = Secret("correct-horse");
  how.retry_for = milliseconds(1);
  const auto held = frozen(how);
  ASSERT_TRUE(held);
  for (const int pid : watchdogs_of(getpid())) {
    EXPECT_THAT(process::command_line(pid), Not(HasSubstr("horse")));
    std::ifstream environment("/proc/" + std::to_string(pid) + "/environ");
    std::ostringstream text;
    text << environment.rdbuf();
    EXPECT_THAT(text.str(), Not(HasSubstr("horse")));
  }
  const Thaw thaw = held->thaw();
  EXPECT_THAT(thaw.said, Not(HasSubstr("horse")));
  for (const char* name : {"/before", "/after"}) {
    std::ifstream file(place_ + name);
    std::string seen;
    file >> seen;
    EXPECT_EQ(seen, "correct-horse");
  }
}

}  // namespace
}  // namespace lifeboat
