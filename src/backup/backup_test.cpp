// Backups of sources in memory into a repository in memory: what a point claims is there.
#include "backup/backup.h"

#include <gmock/gmock.h>

#include <atomic>

#include "base/mutex.h"
#include "repo/test_world.h"
#include "source/memory/memory_source.h"

namespace lifeboat::backup {
namespace {

using repo::Member;
using repo::Point;
using source::MemorySource;
using source::MemorySystem;
using testing::IsEmpty;
using testing::SizeIs;
using Fault = store::MemoryStore::Fault;
using Verb = store::MemoryStore::Verb;

class SilentSource final : public MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<void> capture(const Operation&, capture::Sink&) override {
    return fail(Error::Kind::unavailable, "broker at 10.0.0.9 does not answer");
  }
};

// Half of what it wrote is there when it fails.
class BreakingSource final : public MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<void> capture(const Operation& op, capture::Sink& sink) override {
    capture::Item item;
    item.name = "half";
    TRY_DO(sink.begin(op, item));
    TRY_DO(sink.write(op, as_bytes("ha")));
    return fail(Error::Kind::unavailable, "the connection broke");
  }
};

class PartialSource final : public MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<void> capture(const Operation& op, capture::Sink& sink) override {
    capture::Item item;
    item.name = "readable";
    TRY_DO(sink.begin(op, item));
    TRY_DO(sink.finish(op, item));
    capture::Moments moments;
    moments.begin = moments.consistent_at = moments.end = op.clock->wall();
    moments.partial = true;
    moments.remarks = {"private: cannot be read", "and one thing more"};
    return sink.commit(op, moments);
  }
};

// Something happens to the machine when its turn comes; then it is captured as usual.
class EventfulSource final : public MemorySource {
 public:
  EventfulSource(MemorySystem& system, const Clock& clock, std::function<void()> event)
      : MemorySource(system, clock), event_(std::move(event)) {}
  Result<void> capture(const Operation& op, capture::Sink& sink) override {
    event_();
    return MemorySource::capture(op, sink);
  }

 private:
  std::function<void()> event_;
};

// Two systems, and a repository to back them up into.
class Shop {
 public:
  Shop() {
    orders_.rows = {{"1", "chairs"}, {"2", "tables"}};
    stock_.rows = {{"chairs", std::string(300'000, '7')}};
  }
  template <class T = MemorySource, class... More>
  NamedSource named(const std::string& name, MemorySystem& system, More... more) {
    return {name, "memory", std::make_unique<T>(system, world_.clock, std::move(more)...), {}};
  }
  template <class... Sources>
  static std::vector<NamedSource> all(Sources... sources) {
    std::vector<NamedSource> list;
    (list.push_back(std::move(sources)), ...);
    return list;
  }
  Result<BackupReport> back_up(std::vector<NamedSource> sources, const BackupOptions& how = {}) {
    return backup::back_up(world_.op, *repository_, sources, how);
  }
  // The points as another machine sees them.
  std::vector<Point> points() {
    const auto opened = repo::value(world_.open());
    repo::works(opened->refresh(world_.op));
    return opened->points();
  }
  std::optional<Point> newest_complete() {
    std::optional<Point> best;
    for (const Point& point : points()) {
      if (point.about.complete) best = point;
    }
    return best;
  }
  source::Rows rows_of(repo::Repository& repository, const Id& snapshot) {
    source::Rows rows;
    for (const auto& each : repo::value(repo::read_back(world_.op, repository, snapshot))) {
      rows[each.item.name] = std::string(as_text(each.content));
    }
    return rows;
  }
  static const Member& member(const Point& point, const std::string& source) {
    for (const Member& each : point.about.members) {
      if (each.source == source) return each;
    }
    throw std::runtime_error("the point does not name " + source);
  }
  store::MemoryStore store_;
  repo::World world_{store_};
  std::unique_ptr<repo::Repository> repository_ = repo::value(world_.create());
  MemorySystem orders_, stock_;
};

class BackupTest : public testing::Test, protected Shop {};

TEST_F(BackupTest, ACompletePointTiesEverySourceAndTheBundle) {
  const auto report =
      repo::value(back_up(all(named("orders", orders_), named("stock", stock_)), {}));
  EXPECT_TRUE(report.complete);
  ASSERT_THAT(report.sources, SizeIs(2));
  EXPECT_EQ(report.sources[0].name, "orders");
  EXPECT_EQ(report.sources[1].name, "stock");
  const auto seen = points();
  ASSERT_THAT(seen, SizeIs(1));
  EXPECT_EQ(seen.front().id, report.point->id);
  EXPECT_TRUE(seen.front().about.complete);
  EXPECT_TRUE(seen.front().about.bundle);
  EXPECT_LE(seen.front().earliest, seen.front().latest);
  ASSERT_THAT(seen.front().about.members, SizeIs(2));
  const auto opened = repo::value(world_.open());
  repo::works(opened->refresh(world_.op));
  EXPECT_EQ(rows_of(*opened, *member(seen.front(), "orders").snapshot), orders_.rows);
  EXPECT_EQ(rows_of(*opened, *member(seen.front(), "stock").snapshot), stock_.rows);
  EXPECT_THAT(repo::value(check(world_.op, *opened, {true, {}})).broken, IsEmpty());
}

TEST_F(BackupTest, ASourceThatFailsMakesThePointPartialAndNeverTheDefault) {
  const auto whole = repo::value(back_up(all(named("orders", orders_), named("stock", stock_))));
  for (const bool midway : {false, true}) {
    auto stock =
        midway ? named<BreakingSource>("stock", stock_) : named<SilentSource>("stock", stock_);
    const std::string why = midway ? "the connection broke" : "broker at 10.0.0.9 does not answer";
    const auto report = repo::value(back_up(all(named("orders", orders_), std::move(stock))));
    EXPECT_FALSE(report.complete);
    EXPECT_TRUE(report.sources[0].snapshot);
    EXPECT_FALSE(report.sources[1].snapshot);
    EXPECT_EQ(report.sources[1].error->what, why);
    const Point newest = points().back();
    EXPECT_EQ(newest.id, report.point->id);
    EXPECT_FALSE(newest.about.complete);
    EXPECT_FALSE(member(newest, "stock").snapshot);
    EXPECT_EQ(member(newest, "stock").reason, why);
    EXPECT_FALSE(member(newest, "orders").partial);
    EXPECT_EQ(newest_complete()->id, whole.point->id);
  }
}

TEST_F(BackupTest, ASourceThatCouldNotEvenBeMadeIsAMemberWithTheReason) {
  NamedSource unmade{"stock", "memory", nullptr,
                     Error{Error::Kind::not_found, "STOCK_PASSWORD is not set", "", {}}};
  const auto report = repo::value(back_up(all(named("orders", orders_), std::move(unmade))));
  EXPECT_FALSE(report.complete);
  EXPECT_EQ(member(points().back(), "stock").reason, "STOCK_PASSWORD is not set");
  EXPECT_FALSE(newest_complete());
}

TEST_F(BackupTest, APartialCaptureIsStoredAndMakesThePointPartial) {
  const auto report =
      repo::value(back_up(all(named("orders", orders_), named<PartialSource>("stock", stock_))));
  EXPECT_FALSE(report.complete);
  const Point newest = points().back();
  EXPECT_FALSE(newest.about.complete);
  EXPECT_TRUE(member(newest, "stock").snapshot);
  EXPECT_TRUE(member(newest, "stock").partial);
  EXPECT_EQ(member(newest, "stock").reason, "private: cannot be read");
  EXPECT_FALSE(newest_complete());
}

TEST_F(BackupTest, WhatWasLeftOutIsNamedAndThePointIsPartial) {
  BackupOptions how;
  how.left_out = {"stock", "broker"};
  const auto report = repo::value(back_up(all(named("orders", orders_)), how));
  EXPECT_FALSE(report.complete);
  const Point newest = points().back();
  EXPECT_THAT(newest.about.members, SizeIs(3));
  for (const char* name : {"stock", "broker"}) {
    EXPECT_FALSE(member(newest, name).snapshot);
    EXPECT_EQ(member(newest, name).reason, "not asked for");
  }
  EXPECT_FALSE(newest_complete());
}

TEST_F(BackupTest, WhenNothingCouldBeCapturedThereIsNoPoint) {
  const auto report = repo::value(
      back_up(all(named<SilentSource>("orders", orders_), named<SilentSource>("stock", stock_))));
  EXPECT_FALSE(report.point);
  EXPECT_FALSE(report.complete);
  EXPECT_THAT(report.sources, SizeIs(2));
  EXPECT_THAT(points(), IsEmpty());
}

TEST_F(BackupTest, WithoutSourcesThereIsNoPoint) {
  const auto report = repo::value(back_up({}));
  EXPECT_FALSE(report.point);
  EXPECT_FALSE(report.complete);
  EXPECT_THAT(points(), IsEmpty());
}

TEST_F(BackupTest, StoppedInTheMiddleThereIsNoPoint) {
  std::stop_source stop;
  auto sources = all(named("orders", orders_),
                     named<EventfulSource>("stock", stock_, [&] { stop.request_stop(); }));
  const Operation op{&world_.clock, stop.get_token()};
  const auto stopped = backup::back_up(op, *repository_, sources, {});
  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().kind, Error::Kind::cancelled);
  EXPECT_THAT(points(), IsEmpty());
  // The next one is complete.
  EXPECT_TRUE(repo::value(back_up(all(named("orders", orders_), named("stock", stock_)))).complete);
  EXPECT_THAT(points(), SizeIs(1));
}

TEST_F(BackupTest, AStoreThatFillsUpWhileSourcesAreCapturedIsAnErrorAndNothingIsClaimed) {
  auto fill = [this] {
    store_.set_script([](std::uint64_t, Verb verb, const std::string&) {
      return verb == Verb::put ? Fault::no_space : Fault::none;
    });
  };
  const auto full =
      back_up(all(named("orders", orders_), named<EventfulSource>("stock", stock_, fill)));
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().effective_code(), Error::Code::no_space) << full.error().what;
  store_.set_script({});
  EXPECT_THAT(points(), IsEmpty());
}

// A backup into a store that is full from its put number `first` on. False: there was room.
class FullShop : public Shop {
 public:
  bool expect_nothing_claimed_when_full_from(std::uint64_t first) {
    std::atomic<std::uint64_t> puts = 0;  // asked by several threads
    store_.set_script([&](std::uint64_t, Verb verb, const std::string&) {
      return verb == Verb::put && puts++ >= first ? Fault::no_space : Fault::none;
    });
    const auto full = back_up(all(named("orders", orders_), named("stock", stock_)));
    store_.set_script({});
    if (puts <= first) return false;
    EXPECT_FALSE(full);
    if (full) return true;
    EXPECT_EQ(full.error().effective_code(), Error::Code::no_space) << full.error().what;
    const auto opened = repo::value(world_.open());
    repo::works(opened->refresh(world_.op));
    for (const Point& point : opened->points()) {  // of such a session only the end is missing
      EXPECT_TRUE(point.about.complete);
      EXPECT_EQ(rows_of(*opened, *member(point, "orders").snapshot), orders_.rows);
      EXPECT_EQ(rows_of(*opened, *member(point, "stock").snapshot), stock_.rows);
    }
    EXPECT_THAT(repo::value(check(world_.op, *opened, {true, {}})).broken, IsEmpty());
    return true;
  }
};

TEST(FullStore, FromAnyPutOnItIsAnErrorAndNothingIsClaimed) {
  std::uint64_t first = 0;
  for (bool full = true; full && first < 100; ++first) {
    SCOPED_TRACE("full from put " + std::to_string(first));
    full = FullShop().expect_nothing_claimed_when_full_from(first);
  }
  EXPECT_GE(first, 8U) << "a backup has more puts than that";
  EXPECT_LT(first, 100U);
}

TEST_F(BackupTest, ProgressIsToldOfEachSourceUntilItsEnd) {
  Mutex mutex;
  std::map<std::string, std::uint64_t> items;  // of the last word, which comes once
  BackupOptions how;
  how.progress = [&](const SourceProgress& progress) {
    MutexLock lock(mutex);
    if (!progress.finished) return;
    EXPECT_FALSE(items.contains(progress.source));
    items[progress.source] = progress.done.items;
  };
  repo::value(back_up(all(named("orders", orders_), named("stock", stock_)), how));
  EXPECT_EQ(items, (std::map<std::string, std::uint64_t>{{"orders", 2}, {"stock", 1}}));
}

TEST_F(BackupTest, OneCaptureAloneIsASnapshotOfItsKindAndNoPoint) {
  MemorySource live(orders_, world_.clock);
  repo::SnapshotDraft draft;
  draft.kind = repo::SnapshotKind::kept;
  draft.source = "orders";
  draft.source_type = "memory";
  draft.run = "run-1";
  const auto kept = repo::value(capture_one(world_.op, *repository_, live, draft));
  const auto opened = repo::value(world_.open());
  repo::works(opened->refresh(world_.op));
  ASSERT_THAT(opened->snapshots(), SizeIs(1));
  EXPECT_EQ(opened->snapshots().front().id, kept.id);
  EXPECT_EQ(opened->snapshots().front().about.kind, repo::SnapshotKind::kept);
  EXPECT_EQ(rows_of(*opened, kept.id), orders_.rows);
  EXPECT_THAT(opened->points(), IsEmpty());
}

}  // namespace
}  // namespace lifeboat::backup
