// A process that dies after the Nth change of the store, for every N of a small backup: what it
// reported as done is there, all of it, and nothing that is there is broken.
#include <atomic>

#include "repo/test_world.h"

namespace lifeboat::repo {
namespace {

using Fault = store::MemoryStore::Fault;
using Verb = store::MemoryStore::Verb;

TestItems small_tree(std::uint64_t seed) {
  TestItems items;
  for (int i = 0; i < 8; ++i) {
    const std::string name = "f" + std::to_string(i);
    items.push_back({file_item(name), random_bytes(40'000, seed * 100 + std::uint64_t(i)), {}});
  }
  items.push_back({file_item("large"), random_bytes(1'500'000, seed), {}});
  return items;
}

// Two backups, a point, a run; what was reported as done before something failed.
struct Reported {
  bool created = false;
  std::vector<std::pair<Id, TestItems>> snapshots;
  std::optional<Id> point;
  bool run = false;
};

Result<void> use(World& world, Reported& reported) {
  TRY(const auto repository, world.create());
  reported.created = true;
  TRY(const auto session, repository->open_session(world.op));
  PointDraft draft;
  for (std::uint64_t i = 1; i <= 2; ++i) {
    const TestItems items = small_tree(i);
    const std::string source = "s" + std::to_string(i);
    TRY(const Snapshot snapshot, back_up(world.op, *session, items, source));
    reported.snapshots.emplace_back(snapshot.id, items);
    draft.members.push_back({source, snapshot.id, "", false});
  }
  draft.complete = true;
  TRY(const Point point, session->commit_point(world.op, draft));
  reported.point = point.id;
  TRY_DO(session->announce_run(world.op, "run-1", "rebuild"));
  reported.run = true;
  return session->close(world.op);
}

void expect_all_that_was_reported(World& world, const Reported& reported) {
  const auto repository = world.open();
  if (!reported.created && !repository) {
    EXPECT_EQ(repository.error().kind, Error::Kind::not_found);
    EXPECT_TRUE(world.create().has_value());  // and init may be tried again
    return;
  }
  ASSERT_TRUE(repository.has_value()) << repository.error().what;
  Repository& opened = **repository;
  works(opened.refresh(world.op));
  EXPECT_GE(opened.snapshots().size(), reported.snapshots.size());
  for (const Snapshot& snapshot : opened.snapshots()) {
    const TestItems back = value(read_back(world.op, opened, snapshot.id));
    EXPECT_EQ(back.size(), 9u);
  }
  for (const auto& [id, items] : reported.snapshots) {
    EXPECT_TRUE(same_content(value(read_back(world.op, opened, id)), items));
  }
  if (reported.point) {
    ASSERT_EQ(opened.points().size(), 1u);
    EXPECT_EQ(opened.points().front().id, *reported.point);
  }
  EXPECT_GE(opened.runs().size(), reported.run ? 1u : 0u);
  const CheckReport report = value(check(world.op, opened, {true, {}}));
  EXPECT_TRUE(report.broken.empty()) << report.broken.front().object << report.broken.front().what;
  // And it goes on: the next backup works, and checks clean.
  const auto session = value(opened.open_session(world.op));
  const TestItems items = small_tree(1);
  const Snapshot next = value(back_up(world.op, *session, items, "s1"));
  EXPECT_TRUE(same_content(value(read_back(world.op, opened, next.id)), items));
  EXPECT_TRUE(value(check(world.op, opened, {true, {}})).broken.empty());
}

std::uint64_t changes_of_a_whole_use() {
  store::MemoryStore store;
  World world(store);
  Reported reported;
  works(use(world, reported));
  return store.changes();
}

TEST(Crash, AfterEveryNumberOfChangesWhatWasReportedIsThere) {
  const std::uint64_t all = changes_of_a_whole_use();
  ASSERT_GT(all, 10u);
  for (std::uint64_t n = 0; n <= all; ++n) {
    SCOPED_TRACE("dead after " + std::to_string(n) + " changes");
    store::MemoryStore store;
    store.die_after_changes(n);
    Reported reported;
    {
      World world(store);
      EXPECT_EQ(use(world, reported).has_value(), n >= all);
    }
    store.revive();
    World another(store, 1000 + n);  // another process: other random bytes
    expect_all_that_was_reported(another, reported);
  }
}

TEST(Crash, WhenTheReplyOfAnyChangeIsLostNothingIsLost) {
  const std::uint64_t all = changes_of_a_whole_use();
  for (std::uint64_t n = 0; n < all; ++n) {
    SCOPED_TRACE("reply to change " + std::to_string(n) + " lost");
    store::MemoryStore store;
    std::atomic<std::uint64_t> puts = 0;  // asked by several threads
    store.set_script([&](std::uint64_t, Verb verb, const std::string&) {
      return verb == Verb::put && puts++ == n ? Fault::lost_reply : Fault::none;
    });
    Reported reported;
    {
      World world(store);
      (void)use(world, reported).has_value();  // may or may not notice
    }
    store.set_script({});
    World another(store, 1000 + n);
    expect_all_that_was_reported(another, reported);
  }
}

TEST(Crash, AFullStoreIsToldAndNothingHalfIsVisible) {
  const std::uint64_t all = changes_of_a_whole_use();
  for (std::uint64_t n = 2; n < all; ++n) {
    SCOPED_TRACE("full from put " + std::to_string(n));
    store::MemoryStore store;
    std::atomic<std::uint64_t> puts = 0;  // asked by several threads
    store.set_script([&](std::uint64_t, Verb verb, const std::string&) {
      return verb == Verb::put && puts++ >= n ? Fault::no_space : Fault::none;
    });
    Reported reported;
    {
      World world(store);
      const auto result = use(world, reported);
      ASSERT_FALSE(result.has_value());
      EXPECT_EQ(result.error().code, Error::Code::no_space) << result.error().what;
    }
    store.set_script({});
    World another(store, 1000 + n);
    expect_all_that_was_reported(another, reported);
  }
}

}  // namespace
}  // namespace lifeboat::repo
