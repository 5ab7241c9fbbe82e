#include "app/terminal.h"

#include <gmock/gmock.h>

#include "base/fake_clock.h"

namespace lifeboat::app {
namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class Progress : public testing::Test {
 protected:
  Progress() { terminal_.configure(Output::table, "never", false); }
  std::string told(std::uint64_t done, std::uint64_t total) {
    testing::internal::CaptureStderr();
    terminal_.progress("backing up uploads", done, total);
    return testing::internal::GetCapturedStderr();
  }

  FakeClock clock_;
  Terminal terminal_{clock_, {}};
};

TEST_F(Progress, TheTimeLeftFollowsFromTheTimeTaken) {
  EXPECT_EQ(told(0, 4096), "backing up uploads of 4.0 KiB (0%)\n");
  clock_.advance(30s);
  EXPECT_EQ(told(1024, 4096), "backing up uploads  1.0 KiB of 4.0 KiB (25%)  ETA 1 min 30 s\n");
}

TEST_F(Progress, WithoutATotalThereIsNoPromise) {
  EXPECT_EQ(told(0, 0), "backing up uploads\n");
  clock_.advance(30s);
  EXPECT_EQ(told(2048, 0), "backing up uploads  2.0 KiB\n");
}

TEST_F(Progress, WhereNothingRedrawsALineComesEveryTenSeconds) {
  EXPECT_THAT(told(1, 100), Not(testing::IsEmpty()));
  clock_.advance(9s);
  EXPECT_EQ(told(2, 100), "");
  clock_.advance(2s);
  EXPECT_THAT(told(3, 100), HasSubstr("3 B of 100 B (3%)"));
}

TEST_F(Progress, ForAScriptThatReadsJsonThereIsNone) {
  terminal_.configure(Output::json, "never", false);
  EXPECT_EQ(told(1, 100), "");
}

}  // namespace
}  // namespace lifeboat::app
