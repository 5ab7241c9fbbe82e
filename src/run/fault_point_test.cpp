#include "run/fault_point.h"

#include <latch>
#include <thread>

#include "run/fake_world.h"

namespace lifeboat::run {
namespace {

// A launcher whose child lives until the process dies.
class Undying final : public Launcher {
 public:
  explicit Undying(std::latch& killed) : killed_(killed) {}
  Result<Finished> run(const Operation&, const Command&, ByteView) override {
    ++runs;
    if (runs == dies) killed_.wait();
    return Finished{};
  }
  Result<std::unique_ptr<Child>> start(const Operation&, const Command&) override {
    ++runs;
    return std::unique_ptr<Child>();
  }
  void mask(const Secret&) override {}
  std::string masked(std::string_view text) const override { return std::string(text); }
  std::vector<int> living(const std::string&) const override { return {}; }

  int runs = 0, dies = 0;

 private:
  std::latch& killed_;
};

FaultPoints::Settings dies_during(std::uint64_t child, std::function<void()> kill) {
  FaultPoints::Settings settings;
  settings.kill_during_child = child;
  settings.kill = std::move(kill);
  return settings;
}

TEST(FaultPoint, TheProcessDiesWhileTheChosenChildRuns) {
  std::latch killed(1);
  int kills = 0;
  SystemClock clock;
  const Operation op{&clock};
  FaultPoints faults(dies_during(2, [&] {
    ++kills;
    killed.count_down();
  }));
  Undying children(killed);
  children.dies = 2;
  CountingLauncher launcher(children, faults, "orders", clock);
  launcher.verb("apply");
  Command command;
  command.argv = {"/usr/bin/pg_restore"};
  ASSERT_TRUE(launcher.run(op, command, {}));
  EXPECT_EQ(kills, 0);
  ASSERT_TRUE(launcher.run(op, command, {}));  // ends only because somebody was killed meanwhile
  EXPECT_EQ(kills, 1);
  ASSERT_TRUE(launcher.run(op, command, {}));
  EXPECT_EQ(kills, 1);
}

TEST(FaultPoint, AStreamingChildIsCountedAsWell) {
  std::latch killed(1);
  SystemClock clock;
  const Operation op{&clock};
  FaultPoints faults(dies_during(1, [&] { killed.count_down(); }));
  Undying children(killed);
  CountingLauncher launcher(children, faults, "orders", clock);
  ASSERT_TRUE(launcher.start(op, {}));
  EXPECT_TRUE(killed.try_wait());
}

TEST(FaultPoint, TheProcessStopsOnceAndOnlyBeforeTheChosenStepIsVerified) {
  int stops = 0;
  FaultPoints::Settings settings;
  settings.stop_before_verify = "orders";
  settings.stop = [&] { ++stops; };
  FaultPoints faults(settings);
  for (const char* verb : {"preflight", "observe", "apply"}) faults.verb_starts("orders", verb);
  faults.verb_starts("broker", "verify");
  EXPECT_EQ(stops, 0);
  faults.verb_starts("orders", "verify");
  EXPECT_EQ(stops, 1);
  faults.verb_starts("orders", "verify");
  EXPECT_EQ(stops, 1);
}

}  // namespace
}  // namespace lifeboat::run
