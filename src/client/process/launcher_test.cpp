#include "client/process/launcher.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <set>
#include <thread>

#include "base/temporary_folder.h"
#include "client/process/lease.h"
#include "client/process/masker.h"
#include "client/process/process_tree.h"
#include "client/process/spec.h"
#include "test_places.h"

namespace lifeboat {
namespace {

using testing::HasSubstr;
using testing::Not;

class LauncherTest : public testing::Test {
 protected:
  SystemClock clock_;
  Operation op_{&clock_};
  std::string owner_ = "test-" + std::to_string(getpid());
  std::unique_ptr<Launcher> launcher_ = make_launcher(clock_, owner_, LIFEBOAT_SUPERVISOR_PATH);

  Command shell(const std::string& script) {
    Command command;
    command.argv = {"sh", "-c", script};
    return command;
  }

  // Waits for what another process is about to do; bounded, and never the thing that is tested.
  bool eventually(const std::function<bool()>& fact) {
    const Operation patient = op_.within(std::chrono::seconds(30));
    while (!fact()) {
      if (!patient.pause(std::chrono::milliseconds(5))) return false;
    }
    return true;
  }

  // Processes whose command line holds the word.
  static std::vector<int> with_word(const std::string& word) {
    std::vector<int> found;
    for (const auto& [pid, entry] : process::all_processes()) {
      if (entry.state == 'Z') continue;
      if (process::command_line(pid).find(word) != std::string::npos) found.push_back(pid);
    }
    return found;
  }
  // For failures: who is still there, and whose child it is.
  static std::string portraits(const std::vector<int>& pids) {
    std::string text;
    const auto all = process::all_processes();
    for (const int pid : pids) {
      const auto found = all.find(pid);
      const int parent = found == all.end() ? 0 : found->second.parent;
      const char state = found == all.end() ? '-' : found->second.state;
      text += std::to_string(pid) + " " + state + " " + process::command_line(pid) + ", child of " +
              std::to_string(parent) + " " + process::command_line(parent) + "\n";
    }
    return text;
  }
  // A sleep that only this test has: its duration is its name.
  std::string unique_sleep(int number) {
    return "sleep 3" + std::to_string(getpid()) + std::to_string(number);
  }
};

TEST_F(LauncherTest, AnswersStatusOutputAndErrors) {
  auto done = launcher_->run(op_, shell("cat; echo bad >&2; exit 7"), as_bytes("good"));
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->status, 7);
  EXPECT_EQ(done->output, "good");
  EXPECT_EQ(done->errors, "bad\n");
  EXPECT_TRUE(done->left.empty());
}

TEST_F(LauncherTest, ASignalIsAStatusOfItsOwn) {
  auto done = launcher_->run(op_, shell("kill -9 $$"));
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->status, 128 + SIGKILL);
}

TEST_F(LauncherTest, EnvironmentIsExactlyWhatWasAsked) {
  setenv("LIFEBOAT_TEST_FOREIGN", "1", 1);
  Command command;
  command.argv = {"env", "-0"};
  command.env = {{"A", "1 2"}, {"PATH", "/usr/bin:/bin"}};
  command.secret_env.emplace("TOKEN", Secret("very secret"));
  auto done = launcher_->run(op_, command);
  ASSERT_TRUE(done) << done.error().what;
  std::map<std::string, std::string> seen;
  for (std::size_t at = 0; at < done->output.size();) {
    const std::size_t end = done->output.find('\0', at);
    const std::string entry = done->output.substr(at, end - at);
    seen[entry.substr(0, entry.find('='))] = entry.substr(entry.find('=') + 1);
    at = end + 1;
  }
  const std::string home = seen["HOME"];
  seen.erase("HOME");
  const std::map<std::string, std::string> expected{{"A", "1 2"},
                                                    {"LANG", "C.UTF-8"},
                                                    {"LIFEBOAT_CHILD", owner_},
                                                    {"PATH", "/usr/bin:/bin"},
                                                    {"TOKEN", "very secret"},
                                                    {"TZ", "UTC"}};
  EXPECT_EQ(seen, expected);
  EXPECT_THAT(home, HasSubstr("/lifeboat.child."));
  EXPECT_FALSE(std::filesystem::exists(home)) << "the private HOME is gone afterwards";
}

TEST_F(LauncherTest, SecretFilesArePrivateAndGoneAfterwards) {
  Command command = shell("stat -c %a \"$PASS\"; cat \"$PASS\"; echo; echo \"$PASS\"");
  command.secret_files.emplace("PASS", Secret("file secret"));
  auto done = launcher_->run(op_, command);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_THAT(done->output, HasSubstr("600\nfile secret\n"));
  const std::string path = done->output.substr(done->output.find("\n/") + 1);
  EXPECT_FALSE(std::filesystem::exists(path.substr(0, path.size() - 1)));
}

TEST_F(LauncherTest, SecretsStandInNoArgumentAndNoEnvironmentOfTheSupervisor) {
  Command command = shell("read line; echo done");
  command.secret_env.emplace("TOKEN", Secret("needle-4711-env"));
  command.secret_files.emplace("PASS", Secret("needle-4711-file"));
  auto child = launcher_->start(op_, command);
  ASSERT_TRUE(child) << child.error().what;
  const auto supervisors = launcher_->living(owner_);
  ASSERT_EQ(supervisors.size(), 1u);
  for (const auto& [pid, entry] : process::all_processes()) {
    EXPECT_THAT(process::command_line(pid), Not(HasSubstr("needle-4711")));
  }
  std::ifstream in("/proc/" + std::to_string(supervisors.front()) + "/environ");
  const std::string environment{std::istreambuf_iterator<char>(in), {}};
  EXPECT_EQ(environment, "LIFEBOAT_SUPERVISOR=" + owner_ + '\0' +
                             "TMPDIR=" + TemporaryFolder::disk_folder() + '\0');
}

TEST_F(LauncherTest, LivingFindsASupervisorOnlyWhileItWorks) {
  auto child = launcher_->start(op_, shell("read line"));
  ASSERT_TRUE(child) << child.error().what;
  EXPECT_EQ(launcher_->living(owner_).size(), 1u);
  EXPECT_TRUE(launcher_->living(owner_ + "x").empty());
  ASSERT_TRUE((*child)->close_input());
  ASSERT_TRUE((*child)->wait(op_));
  EXPECT_TRUE(launcher_->living(owner_).empty());
}

TEST_F(LauncherTest, MuchInputAndOutputAtOnceDoesNotBlock) {
  const std::string big(8 << 20, 'x');
  auto done = launcher_->run(op_, shell("tee /dev/stderr"), as_bytes(big));
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->status, 0) << done->errors.substr(done->errors.find_last_not_of('x') + 1, 500);
  EXPECT_EQ(done->output.size(), big.size());
  EXPECT_EQ(done->errors.size(), big.size());
}

TEST_F(LauncherTest, AStreamGoesInAndOutOfARunningChild) {
  Command command;
  command.argv = {"cat"};
  auto child = launcher_->start(op_, command);
  ASSERT_TRUE(child) << child.error().what;
  const std::string big(3 << 20, 'y');
  std::string got;
  {
    const std::jthread writer([&] {
      EXPECT_TRUE((*child)->write(op_, as_bytes(big)));
      EXPECT_TRUE((*child)->close_input());
    });
    Bytes buffer(70000);
    while (true) {
      auto count = (*child)->read(op_, buffer);
      ASSERT_TRUE(count) << count.error().what;
      if (*count == 0) break;
      got += as_text(ByteView(buffer).first(*count));
    }
  }
  EXPECT_EQ(got, big);
  auto done = (*child)->wait(op_);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->status, 0);
}

TEST_F(LauncherTest, OutputBeyondTheLimitIsCutAndSaid) {
  Command command = shell("head -c 5000 /dev/zero; head -c 5000 /dev/zero >&2");
  command.output_limit_bytes = 1000;
  auto done = launcher_->run(op_, command);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->output.size(), 1000u);
  EXPECT_THAT(done->errors, HasSubstr("stdout was cut at 1000 bytes"));
  EXPECT_THAT(done->errors, HasSubstr("stderr was cut at 1000 bytes"));
}

TEST_F(LauncherTest, AProgramThatIsNotInstalledIsForAPersonToMend) {
  Command command;
  command.argv = {"no-such-program-4711"};
  auto done = launcher_->run(op_, command);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::invalid);
  EXPECT_THAT(done.error().what, HasSubstr("no-such-program-4711"));
  EXPECT_THAT(done.error().hint, HasSubstr("PATH"));
  command.argv = {"/no/such/program"};  // another program may be about to make that
  done = launcher_->run(op_, command);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::not_found);
}

TEST_F(LauncherTest, ARelativeProgramIsTheOneBelowItsWorkingFolder) {
  auto folder = TemporaryFolder::make("test");
  ASSERT_TRUE(folder);
  std::filesystem::create_directory(folder->path() + "/bin");
  std::filesystem::create_symlink("/bin/pwd", folder->path() + "/bin/where");
  Command command;
  command.argv = {"bin/where"};
  command.directory = folder->path();
  const auto done = launcher_->run(op_, command);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->output, folder->path() + "\n");
  command.argv = {"../bin/where"};
  EXPECT_EQ(launcher_->run(op_, command).error().kind, Error::Kind::not_found);
}

TEST_F(LauncherTest, AMissingWorkingFolderIsNamed) {
  Command command = shell("true");
  command.directory = "/no/such/folder";
  auto done = launcher_->run(op_, command);
  ASSERT_FALSE(done);
  EXPECT_THAT(done.error().what, HasSubstr("/no/such/folder"));
}

TEST_F(LauncherTest, ADeadlineEndsTheWholeTreeEvenWhatLeftBySetsid) {
  const std::string sleeper = unique_sleep(1);
  const std::string script = "setsid sh -c '" + sleeper + " & " + sleeper + "' & trap '' TERM; " +
                             sleeper + " & " + sleeper;
  auto child = launcher_->start(op_, shell(script));
  ASSERT_TRUE(child) << child.error().what;
  ASSERT_TRUE(eventually([&] { return with_word(sleeper).size() >= 4; }));
  auto done = (*child)->wait(op_.within(std::chrono::milliseconds(1)));
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().effective_code(), Error::Code::timeout);
  EXPECT_TRUE(with_word(sleeper).empty());
  EXPECT_TRUE(launcher_->living(owner_).empty());
}

TEST_F(LauncherTest, WhatAProgramLeavesInTheBackgroundEndsWithIt) {
  const std::string sleeper = unique_sleep(2);
  auto done = launcher_->run(op_, shell("setsid " + sleeper + " & " + sleeper + " & exit 3"));
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->status, 3);
  EXPECT_TRUE(with_word(sleeper).empty());
}

TEST_F(LauncherTest, ADaemonMayStayWhenAllowedAndIsNamed) {
  const std::string sleeper = unique_sleep(3);
  Command command = shell("setsid " + sleeper + " & sleep 0.3; " + sleeper + "9 & echo up");
  command.may_leave_daemons = true;
  auto done = launcher_->run(op_, command);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_EQ(done->output, "up\n");
  ASSERT_EQ(done->left.size(), 1u);
  EXPECT_EQ(done->left.front().command, sleeper);
  EXPECT_EQ(with_word(sleeper), std::vector<int>{done->left.front().pid});
  kill(done->left.front().pid, SIGKILL);
}

// The engine, killed: no destructor runs, no signal is handled. A process of its own plays it.
TEST_F(LauncherTest, KillingTheEngineLeavesNoDescendant) {
  const std::string sleeper = unique_sleep(4);
  const pid_t engine = fork();
  if (engine == 0) {
    const std::string script = "(setsid sh -c '(" + sleeper + " &) ; trap \"\" TERM; " + sleeper +
                               "; true' &) ; " + sleeper;
    const auto done = launcher_->run(op_, shell(script));
    _exit(done ? 0 : 1);
  }
  const bool up = eventually([&] { return with_word(sleeper).size() >= 5; });
  kill(engine, SIGKILL);
  waitpid(engine, nullptr, 0);
  ASSERT_TRUE(up);
  EXPECT_TRUE(eventually([&] { return launcher_->living(owner_).empty(); }));
  const auto left = with_word(sleeper);
  EXPECT_TRUE(left.empty()) << portraits(left);
}

// A laptop that sleeps, a process that was stopped: its successor must not meet its programs.
TEST_F(LauncherTest, WhatAStoppedEngineStartedEndsWhenItsLeaseIsOver) {
  const std::string sleeper = unique_sleep(6);
  const pid_t engine = fork();
  if (engine == 0) {
    launcher_->may_work_until(clock_.boot() + std::chrono::seconds(3));
    const auto done = launcher_->run(op_, shell("(" + sleeper + " &) ; " + sleeper));
    _exit(done ? 0 : 1);
  }
  const bool up = eventually([&] { return with_word(sleeper).size() >= 2; });
  kill(engine, SIGSTOP);
  EXPECT_TRUE(up);
  EXPECT_TRUE(eventually([&] { return launcher_->living(owner_).empty(); }));
  const auto left = with_word(sleeper);
  EXPECT_EQ(left.size(), 0U) << portraits(left);
  kill(engine, SIGKILL);
  waitpid(engine, nullptr, 0);
}

// Below stand the descriptors that a supervisor is given: one of them would be taken for the lease.
TEST_F(LauncherTest, ALeaseIsNoneOfTheDescriptorsThatASupervisorIsGiven) {
  const auto lease = process::Lease::make();
  ASSERT_TRUE(lease) << lease.error().what;
  EXPECT_GT(lease->descriptor(), process::lease_descriptor);
  EXPECT_EQ(lease->until().count(), 0);
}

TEST_F(LauncherTest, TheLeaseThatCountsIsTheOneThatWasToldLast) {
  launcher_->may_work_until(clock_.boot() + std::chrono::hours(1));
  auto child = launcher_->start(op_, shell("echo up; " + unique_sleep(7)));
  ASSERT_TRUE(child) << child.error().what;
  std::array<std::uint8_t, 64> out{};
  const auto read = (*child)->read(op_, out);
  ASSERT_TRUE(read);
  EXPECT_EQ(as_text(ByteView(out).first(*read)), "up\n");
  launcher_->may_work_until(clock_.boot());
  EXPECT_EQ((*child)->wait(op_.within(std::chrono::minutes(1)))->status, 128 + SIGTERM);
}

// Supervisor and engine, both killed: nobody is left to end the tree, so it must be found.
TEST_F(LauncherTest, LivingFindsWhatOutlivedEngineAndSupervisor) {
  const std::string worker = unique_sleep(6), daemon = unique_sleep(7);
  for (const bool may_leave_daemons : {false, true}) {
    Command command =
        shell("setsid " + daemon + " & (" + worker + " & wait; true) & " + worker + "; true");
    command.may_leave_daemons = may_leave_daemons;
    const pid_t engine = fork();
    if (engine == 0) _exit(launcher_->run(op_, command) ? 0 : 1);
    const auto sleeping = [&](const std::string& word) {
      auto pids = with_word(word);
      std::erase_if(pids, [](int pid) { return !process::command_line(pid).starts_with("sleep"); });
      return pids;
    };
    const bool up =
        eventually([&] { return sleeping(worker).size() == 2 && sleeping(daemon).size() == 1; });
    const auto supervisors = launcher_->living(owner_);
    for (const int pid : supervisors) kill(pid, SIGKILL);
    kill(engine, SIGKILL);
    waitpid(engine, nullptr, 0);
    const auto works = [&] {
      const auto living = launcher_->living(owner_);
      return std::set<int>(living.begin(), living.end());
    };
    const auto gone = [&](int pid) { return !process::all_processes().contains(pid); };
    ASSERT_TRUE(up);
    ASSERT_EQ(supervisors.size(), 1u);
    EXPECT_TRUE(eventually([&] { return gone(supervisors.front()); }));
    for (const int pid : sleeping(worker)) EXPECT_TRUE(works().contains(pid)) << pid;
    for (const int pid : sleeping(daemon)) EXPECT_EQ(works().contains(pid), !may_leave_daemons);
    for (const int pid : works()) kill(pid, SIGKILL);
    for (const int pid : sleeping(daemon)) kill(pid, SIGKILL);
    EXPECT_TRUE(eventually([&] { return works().empty(); }));
  }
}

TEST_F(LauncherTest, DestroyingAChildEndsItsTree) {
  const std::string sleeper = unique_sleep(5);
  {
    auto child = launcher_->start(op_, shell(sleeper + " & " + sleeper));
    ASSERT_TRUE(child) << child.error().what;
  }
  EXPECT_TRUE(with_word(sleeper).empty());
}

TEST_F(LauncherTest, AThreadThatEndsDoesNotTakeItsChildAlong) {
  std::unique_ptr<Child> child;
  std::jthread([&] {
    auto started = launcher_->start(op_, shell("read line; echo alive"));
    if (started) child = std::move(*started);
  }).join();
  ASSERT_TRUE(child);
  ASSERT_TRUE(child->write(op_, as_bytes("go\n")));
  Bytes buffer(100);
  auto count = child->read(op_, buffer);
  ASSERT_TRUE(count) << count.error().what;
  EXPECT_EQ(as_text(ByteView(buffer).first(*count)), "alive\n");
}

TEST_F(LauncherTest, LinesComeWholeAndMasked) {
  Mutex mutex;
  std::vector<std::string> lines;
  Command command =
      shell("printf 'key=hunter'; sleep 0.1; printf '22\\nplain\\n'; echo $TOKEN | base64 >&2");
  command.secret_env.emplace("TOKEN", Secret("hunter22"));
  command.on_line = [&](std::string_view line) {
    MutexLock lock(mutex);
    lines.emplace_back(line);
  };
  auto done = launcher_->run(op_, command);
  ASSERT_TRUE(done) << done.error().what;
  EXPECT_THAT(lines, testing::UnorderedElementsAre("key=***", "plain", HasSubstr("***")));
  EXPECT_THAT(done->errors, Not(HasSubstr("aHVudGVyMj")));
}

TEST(MaskerTest, KnowsEveryFormInWhichToolsPrintASecret) {
  process::Masker masker;
  const std::string secret = "p\"a/s+s w0rd\xc3\xa9";
  masker.add(Secret(secret));
  for (const std::string prefix : {"", "u", "us", "use"}) {
    const std::string encoded = to_base64(as_bytes(prefix + ":" + secret + ":tail"));
    EXPECT_THAT(masker.masked(encoded), HasSubstr("***")) << encoded;
  }
  EXPECT_EQ(masker.masked("a " + secret + " b"), "a *** b");
  EXPECT_EQ(masker.masked("p%22a%2Fs%2Bs%20w0rd%C3%A9"), "***");
  EXPECT_EQ(masker.masked("{\"x\":\"p\\\"a/s+s w0rd\xc3\xa9\"}"), "{\"x\":\"***\"}");
  EXPECT_EQ(masker.masked(to_hex(as_bytes(secret))), "***");
  EXPECT_EQ(masker.masked("nothing here"), "nothing here");
}

TEST(MaskerTest, KnowsJsonThatIsAsciiOnly) {
  process::Masker masker;
  masker.add(Secret("gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x94\x91\x01\"x"));
  // As Python's json.dumps() and as PHP's json_encode() with upper-case digits print it.
  EXPECT_EQ(masker.masked(R"({"p": "gr\u00fc\u00df\u20ac\ud83d\udd11\u0001\"x"})"),
            R"({"p": "***"})");
  EXPECT_EQ(masker.masked(R"(gr\u00FC\u00DF\u20AC\uD83D\uDD11\u0001\"x)"), "***");
  EXPECT_EQ(masker.masked("gr\xc3\xbc\xc3\x9f\xe2\x82\xac\xf0\x9f\x94\x91\\u0001\\\"x"), "***");
  masker.add(Secret("a/b\xc3\xbc+c=="));
  EXPECT_EQ(masker.masked(R"(a\/b\u00fc+c==, a/b\u00fc+c==, a\/bü+c==)"), "***, ***, ***");
  masker.add(Secret("no text \xff\xfe"));
  EXPECT_EQ(masker.masked("it is no text \xff\xfe."), "it is ***.");
}

TEST(MaskerTest, ASecretOfSeveralLinesIsMaskedLineByLine) {
  process::Masker masker;
  masker.add(Secret("-----BEGIN-----\nMIIEvQIBADANBg\n-----END-----\n"));
  EXPECT_EQ(masker.masked("got MIIEvQIBADANBg"), "got ***");
}

TEST(MaskerTest, ALineWithoutEndIsCutBesideASecretNeverThroughIt) {
  process::Masker masker;
  const std::string secret = "0123456789abcdef";
  masker.add(Secret(secret));
  std::string shown;
  process::LineSplitter lines(masker, [&](std::string_view line) { shown += line; });
  std::string text;
  for (int i = 0; i < 20000; ++i) text += (i % 7 == 0) ? secret : "..........";
  for (std::size_t at = 0; at < text.size(); at += 37) lines.feed(text.substr(at, 37));
  lines.finish();
  EXPECT_EQ(shown.find("0123456789"), std::string::npos);
  EXPECT_EQ(std::count(shown.begin(), shown.end(), '*'), 3 * 2858);
}

}  // namespace
}  // namespace lifeboat
