#include "repo/repository.h"

#include <mutex>

#include "repo/test_world.h"

namespace lifeboat::repo {
namespace {

TestItems every_kind() {
  using capture::ItemKind;
  TestItems items;
  items.push_back({file_item("a", ItemKind::directory), {}, {}});
  items.push_back({file_item("a/empty"), {}, {}});
  items.push_back({file_item("a/large"), random_bytes(9'000'000, 2), {}});
  items.push_back({file_item("a/link", ItemKind::symlink), {}, {}});
  items.back().item.file->link_target = "../b";
  items.push_back({file_item("a/medium"), random_bytes(100'000, 3), {}});
  items.push_back({file_item("a/\xff\xfe"), to_bytes("bytes, not text"), {}});
  items.push_back({file_item("a.b"), to_bytes("small"), {}});
  items.back().item.file->mtime = {-5'000'000'000, 999'999'999};
  items.back().item.file->xattrs = {{"user.x", std::string("\0v", 2)}, {"security.y", ""}};
  items.push_back({file_item("b", ItemKind::hard_link), {}, {}});
  items.back().item.file->link_target = "a/large";
  items.push_back({file_item("c", ItemKind::fifo), {}, {}});
  items.push_back({file_item("d", ItemKind::char_device), {}, {}});
  items.back().item.file->rdev = 0x1234567;
  items.push_back({file_item("image"), random_bytes(1'000'000, 4), capture::Cut::fixed});
  items.push_back({file_item("table", ItemKind::stream), to_bytes("1\t2\n"), {}});
  items.back().item.file.reset();
  items.back().item.facts = {{"rows", "1"}};
  items.back().item.changed_while_read = true;
  return items;
}

TEST(Repository, WhatWasBackedUpComesBackEqual) {
  store::MemoryStore store;
  World world(store);
  const auto repository = value(world.create());
  const auto session = value(repository->open_session(world.op));
  TestItems items = every_kind();
  const Snapshot snapshot = value(back_up(world.op, *session, items));
  works(session->close(world.op));

  const auto again = value(world.open());
  works(again->refresh(world.op));
  ASSERT_EQ(again->snapshots().size(), 1u);
  EXPECT_EQ(again->snapshots().front().id, snapshot.id);
  const TestItems back = value(read_back(world.op, *again, snapshot.id));
  ASSERT_EQ(back.size(), items.size());
  for (std::size_t i = 0; i < items.size(); ++i) {
    items[i].item.size_bytes = items[i].content.size();
    EXPECT_TRUE(back[i].item == items[i].item) << printable(items[i].item.name);
    EXPECT_TRUE(back[i].content == items[i].content) << printable(items[i].item.name);
  }
  const CheckReport report = value(check(world.op, *again, {true, {}}));
  EXPECT_TRUE(report.broken.empty()) << report.broken.front().object << report.broken.front().what;
  EXPECT_TRUE(report.warnings.empty());
  EXPECT_EQ(report.snapshots, 1u);
}

}  // namespace
}  // namespace lifeboat::repo
