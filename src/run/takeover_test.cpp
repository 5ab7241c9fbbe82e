#include "run/takeover.h"

#include <sys/wait.h>
#include <unistd.h>

namespace lifeboat::run {
namespace {

// The pid of a process that has ended.
int ended_process() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  int status = 0;
  waitpid(child, &status, 0);
  return child;
}

TEST(Takeover, OnlyWhatCertainlyEndedIsSurelyGone) {
  SystemRandom random;
  const journal::Driver ours = this_driver(random);
  EXPECT_EQ(ours.pid, getpid());
  EXPECT_FALSE(ours.host.empty());

  journal::Driver other = ours;
  other.pid = ended_process();
  EXPECT_TRUE(surely_gone(other, ours));
  other.pid = getppid();
  EXPECT_FALSE(surely_gone(other, ours));
  other.pid = getpid();  // an earlier run in this very process: heartbeats must tell
  EXPECT_FALSE(surely_gone(other, ours));

  other.pid = ended_process();
  other.host = "elsewhere";
  EXPECT_FALSE(surely_gone(other, ours));
  other.host = ours.host;
  other.boot = "another-boot-id pid:[1]";
  EXPECT_TRUE(surely_gone(other, ours));
  // Another pid namespace of this boot: its processes are not ours to see.
  other.boot = ours.boot.substr(0, ours.boot.find(' ')) + " pid:[1]";
  EXPECT_FALSE(surely_gone(other, ours));
  EXPECT_FALSE(surely_gone({}, ours));
}

TEST(Takeover, NoTwoDriversHaveOneName) {
  SystemRandom random;
  EXPECT_NE(this_driver(random).id, this_driver(random).id);
}

}  // namespace
}  // namespace lifeboat::run
