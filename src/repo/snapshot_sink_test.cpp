// What goes into a sink, and comes out of the feed of its snapshot.
#include "repo/snapshot_sink.h"

#include <mutex>

#include "repo/padme.h"
#include "repo/test_world.h"

namespace lifeboat::repo {
namespace {

using SnapshotSinkTest = RepositoryTest;

TEST_F(SnapshotSinkTest, ASecondEqualBackupStoresLessThanAHundredth) {
  TestItems items = every_kind();
  for (int i = 0; i < 300; ++i) {
    items.push_back({file_item("z" + std::to_string(1000 + i)),
                     random_bytes(20'000, 100 + std::uint64_t(i)),
                     {}});
  }
  const Snapshot first = value(back_up(world_.op, *session_, items));
  const std::uint64_t before = stored_bytes();
  const Snapshot second = value(back_up(world_.op, *session_, items));
  EXPECT_NE(first.id, second.id);
  EXPECT_LT(stored_bytes() - before, before / 100);
  EXPECT_LT(second.stored_bytes, first.stored_bytes / 100);
  EXPECT_TRUE(same_content(value(read_back(world_.op, *repository_, second.id)), items));
}

TEST_F(SnapshotSinkTest, AnotherProcessFindsTheSameBlobsAgain) {
  const TestItems items = every_kind();
  works(back_up(world_.op, *session_, items));
  World other(store_, 99);
  const auto repository = value(other.open());
  const auto session = value(repository->open_session(other.op));
  const Snapshot second = value(back_up(other.op, *session, items, "elsewhere"));
  EXPECT_LT(second.stored_bytes, 20'000u);
}

TEST_F(SnapshotSinkTest, UnchangedItemsAreNotReadAgainAndComeBackEqual) {
  const TestItems items = every_kind();
  works(back_up(world_.op, *session_, items));
  const auto again = sink();
  for (const TestItem& it : items) {
    const auto known = value(again->previous(world_.op, it.item.name));
    ASSERT_TRUE(known.has_value()) << printable(it.item.name);
    EXPECT_EQ(known->size_bytes, it.content.size());
    works(again->unchanged(world_.op, *known));
  }
  EXPECT_FALSE(value(again->previous(world_.op, "zzz")).has_value());
  works(again->commit(world_.op, {}));
  EXPECT_EQ(again->progress().bytes_read, 0u);
  EXPECT_EQ(again->progress().unchanged_items, items.size());
  EXPECT_TRUE(same_content(value(read_back(world_.op, *repository_, again->snapshot().id)), items));
  EXPECT_TRUE(again->snapshot().previous.has_value());
}

TEST_F(SnapshotSinkTest, PreviousIsMergedWithNewRemovedAndChangedItems) {
  TestItems items;
  for (const char* name : {"a", "c", "e", "g"})
    items.push_back({file_item(name), to_bytes(name), {}});
  works(back_up(world_.op, *session_, items));
  const auto again = sink();
  TestItems expected;
  for (const char* name : {"b", "c", "d", "g"}) {
    const auto known = value(again->previous(world_.op, name));
    const bool keep = std::string_view(name) == "c" || std::string_view(name) == "g";
    EXPECT_EQ(known.has_value(), keep) << name;
    expected.push_back({file_item(name), to_bytes(name), {}});
    if (keep) {
      works(again->unchanged(world_.op, *known));
    } else {
      works(write_item(world_.op, *again, expected.back()));
    }
  }
  works(again->commit(world_.op, {}));
  EXPECT_TRUE(
      same_content(value(read_back(world_.op, *repository_, again->snapshot().id)), expected));
}

TEST_F(SnapshotSinkTest, FetchedPiecesTogetherAreWhatReadersRead) {
  TestItems items = every_kind();
  for (int i = 0; i < 500; ++i) {
    items.push_back({file_item("zmany" + std::to_string(1000 + i)),
                     random_bytes(std::uint64_t(i) * 37, std::uint64_t(i)),
                     {}});
  }
  const Snapshot snapshot = value(back_up(world_.op, *session_, items));
  const auto feed = value(repository_->feed(world_.op, snapshot.id));
  std::vector<capture::Item> wanted;
  for (const TestItem& it : items) wanted.push_back(it.item);
  std::mutex mutex;
  std::vector<Bytes> contents(items.size());
  std::vector<std::uint64_t> delivered(items.size());
  for (std::size_t i = 0; i < items.size(); ++i) contents[i].resize(items[i].content.size());
  works(feed->fetch(world_.op, wanted, [&](const capture::Piece& piece) -> Result<void> {
    const std::lock_guard lock(mutex);
    std::copy(piece.bytes.begin(), piece.bytes.end(),
              contents[piece.item].begin() + static_cast<std::ptrdiff_t>(piece.offset_bytes));
    delivered[piece.item] += piece.bytes.size();
    return {};
  }));
  for (std::size_t i = 0; i < items.size(); ++i) {
    EXPECT_TRUE(contents[i] == items[i].content) << i;
    EXPECT_EQ(delivered[i], items[i].content.size());  // each exactly once
  }
}

TEST_F(SnapshotSinkTest, TheFirstErrorOfADeliveryEndsTheFetchAndIsReturned) {
  const Snapshot snapshot = value(back_up(world_.op, *session_, every_kind()));
  const auto feed = value(repository_->feed(world_.op, snapshot.id));
  const std::vector<capture::Item> wanted{value(feed->find(world_.op, "a/large"))};
  const auto refused = feed->fetch(world_.op, wanted, [](const capture::Piece&) -> Result<void> {
    return fail(Error::Kind::denied, "the target is read-only");
  });
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().what, "the target is read-only");
}

TEST_F(SnapshotSinkTest, HolesComeBackAsZerosAndTakeNoRoom) {
  const auto it = sink();
  capture::Item item = file_item("sparse");
  works(it->begin(world_.op, item));
  works(it->write(world_.op, to_bytes("head")));
  works(it->hole(world_.op, std::uint64_t{5} << 30));
  works(it->hole(world_.op, 10));
  works(it->write(world_.op, to_bytes("tail")));
  works(it->finish(world_.op, item));
  works(it->commit(world_.op, {}));
  const auto feed = value(repository_->feed(world_.op, it->snapshot().id));
  const capture::Item back = value(feed->find(world_.op, "sparse"));
  EXPECT_EQ(back.size_bytes, (std::uint64_t{5} << 30) + 18);
  std::uint64_t sum = 0;
  works(feed->fetch(world_.op, std::span(&back, 1), [&](const capture::Piece& piece) {
    sum += piece.bytes.size();
    return Result<void>();
  }));
  EXPECT_EQ(sum, 8u);  // holes are not delivered
  EXPECT_LT(stored_bytes(), 20'000u);
}

TEST_F(SnapshotSinkTest, AnItemOfThousandsOfPartsComesBackEqual) {
  const auto it = sink();
  capture::Item item = file_item("comb");
  Bytes expected;
  works(it->begin(world_.op, item));
  for (std::uint64_t i = 0; i < 4'500; ++i) {
    const Bytes tooth = random_bytes(20, i);
    works(it->write(world_.op, tooth));
    works(it->hole(world_.op, 30));
    append(expected, tooth);
    expected.resize(expected.size() + 30);
  }
  works(it->finish(world_.op, item));
  works(it->commit(world_.op, {}));
  const TestItems back = value(read_back(world_.op, *repository_, it->snapshot().id));
  ASSERT_EQ(back.size(), 1u);
  EXPECT_TRUE(back.front().content == expected);
  EXPECT_TRUE(value(check(world_.op, *repository_, {true, {}})).broken.empty());
}

TEST_F(SnapshotSinkTest, ASnapshotOfThousandsOfTreesIsWalkedAndSearched) {
  const auto it = sink();
  constexpr int count = 4'600;
  for (int i = 0; i < count; ++i) {
    capture::Item item;
    item.name = "t" + std::to_string(10'000 + i);
    item.facts = {{"wide", std::string(60'000, static_cast<char>('a' + i % 26))}};
    works(it->begin(world_.op, item));
    works(it->finish(world_.op, item));
  }
  works(it->commit(world_.op, {}));
  const auto feed = value(repository_->feed(world_.op, it->snapshot().id));
  const auto cursor = value(feed->items(world_.op));
  int seen = 0;
  while (value(cursor->next(world_.op))) ++seen;
  EXPECT_EQ(seen, count);
  for (const int i : {0, 1, 2'500, count - 1}) {
    const std::string name = "t" + std::to_string(10'000 + i);
    EXPECT_EQ(value(feed->find(world_.op, name)).name, name);
  }
  for (const char* name : {"a", "t10000x", "zzz"}) {
    const auto missing = feed->find(world_.op, name);
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().kind, Error::Kind::not_found);
  }
}

TEST_F(SnapshotSinkTest, NothingThatWentInStandsInTheStoreInTheClear) {
  const std::string planted = "planted-" + to_hex(random_bytes(32, 5));
  TestItems items{{file_item("name-" + planted), to_bytes(planted), {}}};
  items.front().item.facts = {{"fact", planted}};
  SnapshotDraft draft;
  draft.source = "source-" + planted;
  draft.facts = {{"fact", planted}};
  const auto it = value(session_->snapshot(world_.op, draft));
  works(write_item(world_.op, *it, items.front()));
  works(it->commit(world_.op, {}));
  works(session_->announce_run(world_.op, "run-1", planted));
  store_.set_object("runs/run-1/0",
                    value(repository_->seal("segment", "runs/run-1/0", to_bytes(planted))));
  for (const auto& [name, bytes] : store_.objects()) {
    EXPECT_EQ(as_text(bytes).find(planted), std::string_view::npos) << name;
    EXPECT_EQ(as_text(bytes).find("correct horse"), std::string_view::npos) << name;
  }
}

TEST_F(SnapshotSinkTest, SizesOfPacksAndRecordsStandOnTheLadder) {
  works(back_up(world_.op, *session_, every_kind()));
  for (const auto& [name, bytes] : store_.objects()) {
    if (!name.starts_with("packs/")) continue;
    EXPECT_EQ(padme(bytes.size()), bytes.size()) << name;
  }
}

TEST_F(SnapshotSinkTest, MisuseOfASinkIsRefusedAndLeavesItUsable) {
  const auto it = sink();
  const auto refused = [](const Result<void>& result) {
    return !result && result.error().kind == Error::Kind::invalid;
  };
  EXPECT_TRUE(refused(it->write(world_.op, to_bytes("x"))));
  EXPECT_TRUE(refused(it->finish(world_.op, file_item("a"))));
  EXPECT_TRUE(refused(it->unchanged(world_.op, file_item("a"))));
  EXPECT_TRUE(refused(it->begin(world_.op, file_item(""))));
  works(it->begin(world_.op, file_item("m")));
  EXPECT_TRUE(refused(it->begin(world_.op, file_item("n"))));
  EXPECT_TRUE(refused(it->finish(world_.op, file_item("other"))));
  EXPECT_TRUE(refused(it->commit(world_.op, {})));
  works(it->finish(world_.op, file_item("m")));
  EXPECT_TRUE(refused(it->begin(world_.op, file_item("a"))));
  EXPECT_TRUE(refused(it->begin(world_.op, file_item("m"))));
  works(it->begin(world_.op, file_item("n", capture::ItemKind::symlink)));
  EXPECT_TRUE(refused(it->write(world_.op, to_bytes("x"))));
  works(it->finish(world_.op, file_item("n", capture::ItemKind::symlink)));
  works(it->commit(world_.op, {}));
  EXPECT_TRUE(refused(it->commit(world_.op, {})));
  EXPECT_EQ(value(read_back(world_.op, *repository_, it->snapshot().id)).size(), 2u);
}

}  // namespace
}  // namespace lifeboat::repo
