// Sources that stand still while they are captured, and groups: what is frozen when, how far apart
// their moments lie, and that everything is thawed.
#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "backup/backup.h"
#include "base/mutex.h"
#include "repo/test_world.h"
#include "source/memory/memory_source.h"

namespace lifeboat::backup {
namespace {

using source::MemorySource;
using source::MemorySystem;
using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// What happened, in its order, told by several threads.
class Events {
 public:
  void add(const std::string& event) {
    MutexLock lock(mutex_);
    events_.push_back(event);
  }
  std::vector<std::string> all() {
    MutexLock lock(mutex_);
    return events_;
  }
  std::size_t place(const std::string& event) {
    const auto list = all();
    return static_cast<std::size_t>(std::ranges::find(list, event) - list.begin());
  }
  std::size_t count(const std::string& event) {
    const auto list = all();
    return static_cast<std::size_t>(std::ranges::count(list, event));
  }

 private:
  Mutex mutex_;
  std::vector<std::string> events_ GUARDED_BY(mutex_);
};

class FakeFreeze final : public Freeze {
 public:
  FakeFreeze(Events& events, std::string name) : events_(events), name_(std::move(name)) {}
  ~FakeFreeze() override { thaw(); }
  bool holding() override { return holding_ && !early; }
  std::optional<std::string> thaw() override {
    if (holding_.exchange(false)) events_.add("thaw " + name_);
    return failure;
  }
  std::atomic<bool> early = false;
  std::optional<std::string> failure;

 private:
  Events& events_;
  const std::string name_;
  std::atomic<bool> holding_ = true;
};

// Tells when it is read, and at which moment it was.
class TimedSource final : public MemorySource {
 public:
  struct Script {
    Events* events;
    std::string name;
    std::vector<std::int64_t> at_ns;        // consistent-at of each capture; the last one stays
    std::function<void()> while_read = {};  // after the first item
    bool fails = false;
  };
  TimedSource(MemorySystem& system, const Clock& clock, Script script)
      : MemorySource(system, clock), script_(std::move(script)) {}
  Result<void> capture(const Operation& op, capture::Sink& sink) override {
    script_.events->add("read " + script_.name);
    if (script_.fails) return fail(Error::Kind::unavailable, "no answer");
    capture::Item item;
    item.name = "one";
    TRY_DO(sink.begin(op, item));
    if (script_.while_read) script_.while_read();
    TRY_DO(sink.finish(op, item));
    script_.events->add("end " + script_.name);
    capture::Moments moments;
    const std::size_t last = script_.at_ns.size() - 1;
    moments.begin = moments.end = moments.consistent_at =
        WallTime{start_ns + script_.at_ns[std::min(count_++, last)]};
    return sink.commit(op, moments);
  }
  static constexpr std::int64_t start_ns = 1'790'000'000'000'000'000;

 private:
  const Script script_;
  std::size_t count_ = 0;
};

constexpr std::int64_t second_ns = 1'000'000'000;

class GroupsTest : public testing::Test {
 protected:
  NamedSource named(const std::string& name, std::vector<std::int64_t> at_ns,
                    std::function<void()> while_read = {}) {
    return {name,
            "memory",
            std::make_unique<TimedSource>(
                system_, world_.clock,
                TimedSource::Script{&events_, name, std::move(at_ns), std::move(while_read)}),
            {}};
  }
  NamedSource failing(const std::string& name) {
    return {name,
            "memory",
            std::make_unique<TimedSource>(system_, world_.clock,
                                          TimedSource::Script{&events_, name, {0}, {}, true}),
            {}};
  }
  // Each freeze that it made is in freezes_ by its name, as long as it lives.
  Freezer freezer(const std::string& name, const std::optional<std::string>& failure = {}) {
    return [this, name, failure](const Operation&) -> Result<std::unique_ptr<Freeze>> {
      events_.add("freeze " + name);
      auto made = std::make_unique<FakeFreeze>(events_, name);
      made->failure = failure;
      MutexLock lock(mutex_);
      freezes_[name] = made.get();
      return std::unique_ptr<Freeze>(std::move(made));
    };
  }
  Freezer refusing(const std::string& name) {
    return [this, name](const Operation&) -> Result<std::unique_ptr<Freeze>> {
      events_.add("refuse " + name);
      return fail(Error::Kind::unavailable, "hook `before` of " + name + " failed: status 3");
    };
  }
  FakeFreeze& freeze_of(const std::string& name) {
    MutexLock lock(mutex_);
    return *freezes_.at(name);
  }
  template <class... Sources>
  BackupReport back_up(const BackupOptions& how, Sources... sources) {
    std::vector<NamedSource> list;
    (list.push_back(std::move(sources)), ...);
    return repo::value(backup::back_up(world_.op, *repository_, list, how));
  }
  static BackupOptions group(std::vector<std::string> sources, unsigned attempts = 2,
                             Freezer freezer = {}) {
    BackupOptions how;
    how.groups.push_back({"shop", std::move(sources), seconds(2), attempts, std::move(freezer)});
    return how;
  }
  // As another machine sees it.
  repo::Point stored() {
    const auto opened = repo::value(world_.open());
    repo::works(opened->refresh(world_.op));
    return opened->points().back();
  }

  store::MemoryStore store_;
  repo::World world_{store_};
  std::unique_ptr<repo::Repository> repository_ = repo::value(world_.create());
  MemorySystem system_;
  Events events_;
  Mutex mutex_;
  std::map<std::string, FakeFreeze*> freezes_ GUARDED_BY(mutex_);
};

TEST_F(GroupsTest, ASourceStandsStillWhileItIsCaptured) {
  NamedSource orders = named("orders", {0});
  orders.freezer = freezer("orders");
  EXPECT_TRUE(back_up({}, std::move(orders)).complete);
  EXPECT_THAT(events_.all(),
              ElementsAre("freeze orders", "read orders", "end orders", "thaw orders"));
}

TEST_F(GroupsTest, ASourceThatHoldsItsMomentIsThawedOnceItDoes) {
  NamedSource orders = named("orders", {0}, [this] {
    while (events_.count("thaw orders") == 0) std::this_thread::yield();
  });
  orders.freezer = freezer("orders");
  orders.holds_its_moment = true;
  EXPECT_TRUE(back_up({}, std::move(orders)).complete);
  EXPECT_THAT(events_.all(),
              ElementsAre("freeze orders", "read orders", "thaw orders", "end orders"));
}

TEST_F(GroupsTest, ACaptureThatFailsIsThawedToo) {
  NamedSource orders = failing("orders");
  orders.freezer = freezer("orders");
  EXPECT_FALSE(back_up({}, std::move(orders)).point);
  EXPECT_THAT(events_.all(), ElementsAre("freeze orders", "read orders", "thaw orders"));
}

TEST_F(GroupsTest, WhatCouldNotBeFrozenIsNotCaptured) {
  NamedSource orders = named("orders", {0});
  orders.freezer = refusing("orders");
  const BackupReport report = back_up({}, std::move(orders), named("stock", {0}));
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(report.sources[0].error->what, "hook `before` of orders failed: status 3");
  EXPECT_TRUE(report.sources[1].snapshot);
  EXPECT_EQ(events_.count("read orders"), 0U);
}

TEST_F(GroupsTest, WhatWasThawedInTheMiddleIsPartialAndSaysSo) {
  NamedSource orders = named("orders", {0}, [this] { freeze_of("orders").early = true; });
  orders.freezer = freezer("orders");
  const BackupReport report = back_up({}, std::move(orders));
  EXPECT_FALSE(report.complete);
  EXPECT_TRUE(report.sources[0].thawed_early);
  EXPECT_THAT(stored().about.members.front().reason, HasSubstr("thawed before the capture"));
}

TEST_F(GroupsTest, WhatDoesNotThawIsToldAndThePointIsAsGoodAsEver) {
  NamedSource orders = named("orders", {0});
  orders.freezer = freezer("orders", "status 9: stuck");
  const BackupReport report = back_up({}, std::move(orders));
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.sources[0].still_frozen, "status 9: stuck");
}

TEST_F(GroupsTest, AGroupWithinItsSkewIsConsistentAndSaysHowFar) {
  const BackupReport report =
      back_up(group({"orders", "stock"}), named("orders", {0}), named("stock", {second_ns}));
  EXPECT_TRUE(report.complete);
  ASSERT_THAT(report.groups, SizeIs(1));
  EXPECT_EQ(report.groups[0].attempts, 1U);
  const repo::Point point = stored();
  EXPECT_TRUE(point.about.complete);
  EXPECT_THAT(point.about.groups,
              ElementsAre(repo::GroupMoment{
                  "shop", {"orders", "stock"}, seconds(1), seconds(2), true, ""}));
}

TEST_F(GroupsTest, AGroupThatIsTooFarApartIsCapturedAgain) {
  const BackupReport report = back_up(group({"orders", "stock"}), named("orders", {0, 0}),
                                      named("stock", {3 * second_ns, second_ns}));
  EXPECT_TRUE(report.complete);
  EXPECT_EQ(report.groups[0].attempts, 2U);
  EXPECT_EQ(events_.count("read orders"), 2U);
  EXPECT_EQ(events_.count("read stock"), 2U);
  EXPECT_EQ(stored().about.groups[0].skew, seconds(1));
}

TEST_F(GroupsTest, WhereItStaysTooFarApartThePointIsIncompleteAndSaysWhy) {
  const BackupReport report =
      back_up(group({"orders", "stock"}, 3), named("orders", {0}),
              named("stock", {4 * second_ns, 3 * second_ns, 5 * second_ns}), named("code", {0}));
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(report.groups[0].attempts, 3U);
  const repo::Point point = stored();
  EXPECT_FALSE(point.about.complete);
  EXPECT_FALSE(point.about.groups[0].consistent);
  EXPECT_EQ(point.about.groups[0].skew, seconds(3)) << "the nearest of the three";
  ASSERT_THAT(point.about.members, SizeIs(3));
  for (const repo::Member& member : point.about.members) {
    const bool in_group = member.source != "code";
    EXPECT_EQ(member.partial, in_group) << member.source;
    EXPECT_TRUE(member.snapshot);
    EXPECT_EQ(member.reason.starts_with("group shop: skew 3"), in_group) << member.reason;
  }
}

TEST_F(GroupsTest, AGroupThatLacksOneIsNotConsistentAndNotTriedAgain) {
  const BackupReport report =
      back_up(group({"orders", "stock"}), named("orders", {0}), failing("stock"));
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(report.groups[0].attempts, 1U);
  const repo::Point point = stored();
  EXPECT_FALSE(point.about.groups[0].skew);
  EXPECT_EQ(point.about.groups[0].reason, "stock could not be captured");
  for (const repo::Member& member : point.about.members) EXPECT_TRUE(member.partial);
}

TEST_F(GroupsTest, AGroupOfWhichOnlyAPartWasAskedForIsNotConsistent) {
  BackupOptions how = group({"orders", "stock"});
  how.left_out = {"stock"};
  EXPECT_FALSE(back_up(how, named("orders", {0})).complete);
  EXPECT_EQ(stored().about.groups[0].reason, "stock was not asked for");
}

TEST_F(GroupsTest, AllAreFrozenBeforeTheFirstIsReadAndUntilTheLastWas) {
  NamedSource stock = named("stock", {0});
  stock.freezer = freezer("stock");
  back_up(group({"orders", "stock"}, 2, freezer("shop")), named("orders", {0}), std::move(stock));
  ASSERT_THAT(events_.all(), SizeIs(8));
  for (const char* name : {"orders", "stock"}) {
    EXPECT_LT(events_.place("freeze shop"), events_.place(std::string("read ") + name));
    EXPECT_GT(events_.place("thaw shop"), events_.place(std::string("end ") + name));
  }
  EXPECT_LT(events_.place("freeze stock"), events_.place("freeze shop"));
}

TEST_F(GroupsTest, AGroupIsThawedOnceAllHoldTheirMoments) {
  const auto until_thawed = [this] {
    while (events_.count("thaw shop") == 0) std::this_thread::yield();
  };
  NamedSource orders = named("orders", {0}, until_thawed);
  NamedSource stock = named("stock", {0}, until_thawed);
  orders.holds_its_moment = stock.holds_its_moment = true;
  EXPECT_TRUE(
      back_up(group({"orders", "stock"}, 2, freezer("shop")), std::move(orders), std::move(stock))
          .complete);
}

TEST_F(GroupsTest, AGroupThatCouldNotBeFrozenIsNotCaptured) {
  const BackupReport report =
      back_up(group({"orders", "stock"}, 2, refusing("shop")), named("orders", {0}),
              named("stock", {0}), named("code", {0}));
  for (int i : {0, 1}) {
    const auto& result = report.sources[static_cast<std::size_t>(i)];
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->what, "hook `before` of shop failed: status 3");
  }
  EXPECT_TRUE(report.sources[2].snapshot);
  EXPECT_THAT(events_.all(), testing::UnorderedElementsAre("refuse shop", "read code", "end code"));
}

TEST_F(GroupsTest, AGroupThatWasThawedInTheMiddleIsNotConsistent) {
  const BackupReport report = back_up(
      group({"orders", "stock"}, 2, freezer("shop")),
      named("orders", {0}, [this] { freeze_of("shop").early = true; }), named("stock", {0}));
  EXPECT_FALSE(report.complete);
  EXPECT_THAT(stored().about.groups[0].reason, HasSubstr("was thawed before"));
}

TEST_F(GroupsTest, WhatDoesNotThawIsNotFrozenAgain) {
  const BackupReport report = back_up(group({"orders", "stock"}, 5, freezer("shop", "status 9")),
                                      named("orders", {0}), named("stock", {3 * second_ns}));
  EXPECT_EQ(report.groups[0].still_frozen, "status 9");
  EXPECT_EQ(events_.count("freeze shop"), 1U);
}

TEST_F(GroupsTest, AStopThawsEverything) {
  std::stop_source stop;
  std::vector<NamedSource> sources;
  sources.push_back(named("orders", {0}, [&] { stop.request_stop(); }));
  sources.push_back(named("stock", {0}));
  sources.back().freezer = freezer("stock");
  const Operation op{&world_.clock, stop.get_token()};
  const auto stopped =
      backup::back_up(op, *repository_, sources, group({"orders", "stock"}, 2, freezer("shop")));
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, Error::Kind::cancelled);
  EXPECT_EQ(events_.count("freeze shop"), events_.count("thaw shop"));
  EXPECT_EQ(events_.count("freeze stock"), events_.count("thaw stock"));
}

TEST_F(GroupsTest, ManyGroupsAndSourcesWaitForEachOthersTurnsOnly) {
  BackupOptions how;
  std::vector<NamedSource> sources;
  for (int g = 0; g < 4; ++g) {
    std::vector<std::string> names;
    for (int i = 0; i < 10; ++i) {
      names.push_back("g" + std::to_string(g) + "-" + std::to_string(i));
      sources.push_back(named(names.back(), {0}));
    }
    how.groups.push_back({"g" + std::to_string(g), names, seconds(1), 2, {}});
  }
  for (int i = 0; i < 20; ++i) sources.push_back(named("s" + std::to_string(i), {0}));
  const auto report = repo::value(backup::back_up(world_.op, *repository_, sources, how));
  EXPECT_TRUE(report.complete);
  EXPECT_THAT(report.sources, SizeIs(60));
  EXPECT_THAT(report.groups, SizeIs(4));
}

}  // namespace
}  // namespace lifeboat::backup
