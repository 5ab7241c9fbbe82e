// A put that dies: the process is killed at each of its system calls in turn, before and after the
// kernel has done it, and whoever comes next finds all of the object or nothing.
#include <gtest/gtest.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>

#include "base/fake_clock.h"
#include "store/directory.h"

namespace lifeboat::store {
namespace {

namespace fs = std::filesystem;

constexpr const char* name = "packs/aa/object";

class KilledDirectory : public testing::Test {
 protected:
  void SetUp() override { ASSERT_NE(::mkdtemp(root_.data()), nullptr); }
  void TearDown() override { fs::remove_all(root_); }

  // Another process puts the object and is killed at its stop number `stop` (a system call has two:
  // before it is done, and after).  Answers false when the put ended before that.
  bool put_killed_at(int stop) {
    const pid_t child = ::fork();
    if (child == 0) put_traced();
    int status = 0;
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSTOPPED(status)) << "tracing is not allowed here";
    for (int at = 0; at <= stop && WIFSTOPPED(status); ++at) {
      EXPECT_EQ(::ptrace(PTRACE_SYSCALL, child, nullptr, nullptr), 0);
      EXPECT_EQ(::waitpid(child, &status, 0), child);
    }
    if (WIFEXITED(status)) {
      EXPECT_EQ(WEXITSTATUS(status), 0);
      return false;
    }
    ::kill(child, SIGKILL);
    EXPECT_EQ(::waitpid(child, &status, 0), child);
    return true;
  }

  [[noreturn]] void put_traced() {
    auto store = open_directory(root_, false, clock_);
    if (!store || ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) std::_Exit(2);
    ::raise(SIGSTOP);
    const auto stored = (*store)->put(op_, name, content_);
    std::_Exit(stored && *stored == Put::created ? 0 : 1);
  }

  // True when the object is there, and whole.
  bool whole_or_absent(Store& store) {
    const auto stored = store.get(op_, name);
    if (!stored) {
      EXPECT_EQ(stored.error().kind, Error::Kind::not_found);
      return false;
    }
    EXPECT_EQ(*stored, content_);
    return true;
  }

  std::size_t temporaries() const {
    std::error_code none;
    const fs::directory_iterator entries(fs::path(root_) / "tmp", none);
    return static_cast<std::size_t>(std::distance(fs::begin(entries), fs::end(entries)));
  }

  std::string root_ = "/tmp/lifeboat-killed.XXXXXX";
  SystemClock clock_;
  Operation op_{.clock = &clock_};
  Bytes content_ = Bytes(3u << 20, std::uint8_t{7});
};

TEST_F(KilledDirectory, LeavesTheWholeObjectOrNothingWhereverItDies) {
  int stop = 0, absent = 0, whole = 0;
  for (bool killed = true; killed; ++stop) {
    killed = put_killed_at(stop);
    auto store = open_directory(root_, false, clock_);
    ASSERT_TRUE(store) << store.error().what;
    const bool there = whole_or_absent(**store);
    const auto listed = (*store)->list(op_, "");
    ASSERT_TRUE(listed);
    EXPECT_EQ(*listed, there ? std::vector<std::string>{name} : std::vector<std::string>{})
        << "killed at stop " << stop;
    EXPECT_EQ((*store)->put(op_, name, content_), Put::created) << "stop " << stop;
    EXPECT_TRUE(whole_or_absent(**store));
    if (killed) ++(there ? whole : absent);
    fs::remove_all(fs::path(root_) / "packs");
  }
  // At the least: make a temporary, write, sync, link, sync, remove the temporary.
  EXPECT_GE(absent, 8);
  EXPECT_GE(whole, 3);
}

TEST_F(KilledDirectory, WhatTheDeadLeaveBehindIsRemovedAfterADay) {
  int stop = 0;
  while (temporaries() == 0 && put_killed_at(stop)) ++stop;
  ASSERT_EQ(temporaries(), 1u);
  const auto today = open_directory(root_, false, clock_);
  ASSERT_TRUE(today);
  EXPECT_EQ(temporaries(), 1u) << "it may belong to a process that lives";
  const std::chrono::nanoseconds day = std::chrono::hours(25);
  const FakeClock tomorrow(FakeClock::Pauses::self_advancing, {clock_.wall().ns + day.count()});
  const auto later = open_directory(root_, false, tomorrow);
  ASSERT_TRUE(later);
  ASSERT_TRUE((*later)->put(op_, "log/0", content_));
  EXPECT_EQ(temporaries(), 0u);
}

}  // namespace
}  // namespace lifeboat::store
