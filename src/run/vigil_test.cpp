// A driver that is cut off from its store in the worst way: nothing is refused, all hangs.
#include "run/vigil.h"

#include <latch>

#include "run/events.h"
#include "run/fake_engine.h"

namespace lifeboat::run {
namespace {

// At least the look for the lease comes between.
constexpr int calls_since_the_beat = 1;

// Each call takes `delay`; once it is `black`, all the time that it is given.
class BlackHole final : public store::Store {
 public:
  explicit BlackHole(store::Store& behind) : behind_(behind) {}
  std::atomic<bool> black = false;
  std::chrono::nanoseconds delay{};

  Result<store::Put> put(const Operation& op, const std::string& name, ByteView bytes) override {
    TRY_DO(swallow(op));
    return behind_.put(op, name, bytes);
  }
  Result<Bytes> get(const Operation& op, const std::string& name,
                    std::optional<store::Range> range) override {
    TRY_DO(swallow(op));
    return behind_.get(op, name, range);
  }
  Result<std::uint64_t> size(const Operation& op, const std::string& name) override {
    TRY_DO(swallow(op));
    return behind_.size(op, name);
  }
  Result<void> remove(const Operation& op, const std::string& name) override {
    TRY_DO(swallow(op));
    return behind_.remove(op, name);
  }
  Result<std::vector<std::string>> list(const Operation& op, const std::string& prefix) override {
    TRY_DO(swallow(op));
    return behind_.list(op, prefix);
  }
  std::string describe() const override { return "black hole"; }

 private:
  Result<void> swallow(const Operation& op) const {
    if (!black) return op.pause(delay);
    TRY_DO(op.pause(std::min<std::chrono::nanoseconds>(op.remaining(), std::chrono::hours(1))));
    TRY_DO(op.proceed());
    return fail(Error::Kind::unavailable, "nothing comes back");
  }
  store::Store& behind_;
};

// `slow`: what each call takes before the store hangs.
void stops_in_time(std::chrono::nanoseconds slow) {
  FakeEngine engine(1);
  engine.heartbeat_period = std::chrono::seconds(5);
  BlackHole store(engine.store);
  store.delay = slow;
  journal::FakeRepository repository(
      store, repo::Environment{&engine.clock, &engine.random, "host", {}, {}, 1, 1u << 20});
  const auto setup = engine.setup(repository);
  const auto pins = engine.pins(plan_of({effect_node("net", effect_config("x"))}));
  const auto journal = journal::Journal::begin(engine.op(), repository, "run-1", setup.driver,
                                               {event::run_begin(pins, setup.driver)});
  ASSERT_TRUE(journal) << journal.error().what;
  std::latch halted(1);
  std::chrono::nanoseconds last_seen{}, stopped_at{};
  const auto read = [&](const Operation& op) -> Result<void> {
    // Others saw the heartbeat when its first call had come through.
    if (!store.black.exchange(true)) last_seen = engine.clock.boot() - slow * calls_since_the_beat;
    TRY_DO(store.size(op, "requests"));
    return {};
  };
  const auto halt = [&](const Error& error) {
    stopped_at = engine.clock.boot();
    EXPECT_EQ(error.kind, Error::Kind::unavailable) << error.what;
    halted.count_down();
  };
  {
    const Vigil vigil(setup, **journal, {halt, read});
    halted.wait();
  }
  EXPECT_LT(stopped_at - last_seen, engine.heartbeat_period * 3);
}

TEST(Vigil, H4ADriverWhoseStoreHangsStopsBeforeOthersTakeItForDead) {
  stops_in_time({});
  stops_in_time(std::chrono::seconds(2));
}

}  // namespace
}  // namespace lifeboat::run
