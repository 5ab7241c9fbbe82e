#include "repo/repository.h"

#include <thread>

#include "crypt/age.h"
#include "repo/key_trial.h"
#include "repo/opened.h"
#include "repo/test_world.h"

namespace lifeboat::repo {
namespace {

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

TEST_F(RepositoryTest, TwoSessionsAtOnceBothComeBack) {
  World other(store_, 50);
  const auto repository = value(other.open());
  TestItems both[2] = {every_kind(), every_kind()};
  both[1].push_back({file_item("zz"), random_bytes(700'000, 70), {}});
  Id ids[2];
  {
    std::jthread one([&] { ids[0] = value(back_up(world_.op, *session_, both[0], "one")).id; });
    std::jthread two([&] {
      const auto session = value(repository->open_session(other.op));
      ids[1] = value(back_up(other.op, *session, both[1], "two")).id;
    });
  }
  works(repository_->refresh(world_.op));
  for (int i = 0; i < 2; ++i) {
    EXPECT_TRUE(same_content(value(read_back(world_.op, *repository_, ids[i])), both[i]));
  }
  EXPECT_TRUE(value(check(world_.op, *repository_, {true, {}})).broken.empty());
}

TEST_F(RepositoryTest, SinksOfOneSessionThatShareBlobsBothComeBack) {
  const TestItems items = every_kind();
  Id ids[4];
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&, i] {
        ids[i] = value(back_up(world_.op, *session_, items, "s" + std::to_string(i))).id;
      });
    }
  }
  World other(store_, 60);
  const auto repository = value(other.open());
  works(repository->refresh(other.op));
  for (const Id& id : ids) {
    EXPECT_TRUE(same_content(value(read_back(other.op, *repository, id)), items));
  }
}

TEST_F(RepositoryTest, ACaptureThatIsNotCommittedIsNotThere) {
  {
    const auto it = sink();
    works(write_item(world_.op, *it, {file_item("a"), random_bytes(2'000'000, 1), {}}));
  }
  works(session_->close(world_.op));
  World other(store_, 5);
  const auto repository = value(other.open());
  works(repository->refresh(other.op));
  EXPECT_TRUE(repository->snapshots().empty());
  EXPECT_TRUE(value(check(other.op, *repository, {true, {}})).broken.empty());
}

TEST_F(RepositoryTest, AStoppedOperationCommitsNothing) {
  std::stop_source stop;
  Operation op = world_.op;
  op.stop = stop.get_token();
  const auto it = sink();
  works(write_item(op, *it, {file_item("a"), random_bytes(100'000, 1), {}}));
  stop.request_stop();
  const auto refused = it->commit(op, {});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, Error::Kind::cancelled);
  works(repository_->refresh(world_.op));
  EXPECT_TRUE(repository_->snapshots().empty());
}

TEST_F(RepositoryTest, PointsTieSnapshotsTogetherWithTheirSkew) {
  PointDraft draft;
  draft.complete = true;
  std::int64_t times[2] = {0, 0};
  for (int i = 0; i < 2; ++i) {
    world_.clock.advance(std::chrono::minutes(3));
    const std::string source = "s" + std::to_string(i);
    const Snapshot it = value(back_up(world_.op, *session_, every_kind(), source));
    times[i] = it.moments.consistent_at.ns;
    draft.members.push_back({source, it.id, "", false});
  }
  using std::chrono::minutes;
  draft.groups = {{"far", {"s0", "s1"}, minutes(3), minutes(1), false, "skew 3 min"},
                  {"unknown", {"s0", "s2"}, std::nullopt, minutes(1), false, "s2 is missing"},
                  {"at-once", {"s0", "s1"}, minutes(0), minutes(1), true, ""}};
  const Point point = value(session_->commit_point(world_.op, draft));
  EXPECT_EQ(point.earliest.ns, times[0]);
  EXPECT_EQ(point.latest.ns, times[1]);
  EXPECT_TRUE(point.about.complete);

  draft.members.push_back({"s2", std::nullopt, "connection refused", false});
  EXPECT_FALSE(value(session_->commit_point(world_.op, draft)).about.complete);
  draft.members.back().snapshot = Id{};
  EXPECT_FALSE(session_->commit_point(world_.op, draft).has_value());

  World other(store_, 4);
  const auto repository = value(other.open());
  works(repository->refresh(other.op));
  ASSERT_EQ(repository->points().size(), 2u);
  EXPECT_EQ(repository->points()[1].about.members[2].reason, "connection refused");
  EXPECT_EQ(repository->points()[0].about.groups, draft.groups);
}

TEST_F(RepositoryTest, OnlyWhatWasKeptAsideCanBeForgotten) {
  const Snapshot source = value(back_up(world_.op, *session_, every_kind()));
  const auto refused = session_->forget_kept(world_.op, source.id);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().effective_code(), Error::Code::refused);
  SnapshotDraft draft;
  draft.kind = SnapshotKind::kept;
  draft.source = "orders";
  draft.run = "run-1";
  const auto it = value(session_->snapshot(world_.op, draft));
  works(it->commit(world_.op, {}));
  EXPECT_EQ(repository_->snapshots().size(), 2u);
  works(session_->forget_kept(world_.op, it->snapshot().id));
  EXPECT_EQ(repository_->snapshots().size(), 1u);
  EXPECT_FALSE(session_->forget_kept(world_.op, it->snapshot().id).has_value());
  EXPECT_FALSE(repository_->feed(world_.op, it->snapshot().id).has_value());
}

TEST_F(RepositoryTest, WhatItSignsIsVerifiedByTheRootsKeyAlone) {
  const Signer signer = repository_->signer();
  EXPECT_EQ(to_hex(signer.repository), repository_->id());
  const Bytes message = to_bytes("what somebody is shown");
  const auto signature = repository_->sign("lifeboat/v1/evidence", message);
  const Certificate certificate = value(decode_certificate(signer.certificate));
  works(verify(certificate, signer.root, signer.repository));
  EXPECT_EQ(certificate.verify_key, signer.writer);
  works(crypt::verify(signer.writer, "lifeboat/v1/evidence", message, signature));
  RepositoryId other = signer.repository;
  other[3] ^= 1;
  EXPECT_FALSE(verify(certificate, signer.root, other));
  EXPECT_FALSE(verify(certificate, signer.writer, signer.repository));
}

TEST_F(RepositoryTest, ItSignsNothingThatCouldPassForOneOfItsObjects) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(repository_->sign("lifeboat/v1/log", {}), "internal error");
}

TEST_F(RepositoryTest, AnAgeIdentityOpensAndRemovedKeysDoNot) {
  const auto pair = crypt::age::new_identity(world_.random);
  const KeyRecord added =
      value(repository_->add_key(world_.op, AgeRecipient{pair.recipient}, "safe in Zurich", {}));
  EXPECT_EQ(added.slot, 1u);
  const auto listed = value(repository_->keys(world_.op));
  ASSERT_EQ(listed.size(), 2u);
  for (const KeyRecord& record : {added, listed[1]}) {
    EXPECT_EQ(record.recipient, pair.recipient);
    EXPECT_EQ(record.label, "safe in Zurich");
  }
  EXPECT_EQ(listed[0].recipient, "");
  const Identity identity{pair.identity};
  EXPECT_EQ(value(Repository::open(world_.op, store_, identity, world_.environment))->id(),
            repository_->id());
  works(repository_->remove_key(world_.op, 0));
  const auto refused = world_.open();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().effective_code(), Error::Code::wrong_key);
  const auto last = repository_->remove_key(world_.op, 1);
  ASSERT_FALSE(last.has_value());
  EXPECT_EQ(last.error().effective_code(), Error::Code::refused);
  ASSERT_EQ(value(repository_->keys(world_.op)).size(), 1u);
}

TEST_F(RepositoryTest, WhichKeysOpenWithWhatIsKeptElsewhereIsToldBySlot) {
  const auto kept = crypt::age::new_identity(world_.random);
  const auto strange = crypt::age::new_identity(world_.random);
  value(repository_->add_key(world_.op, AgeRecipient{kept.recipient}, "safe", {}));
  const auto slots = [&](const Unlock& unlock) { return slots_opened(world_.op, store_, unlock); };
  EXPECT_EQ(value(slots(Passphrase{Secret("correct horse")})), std::vector<unsigned>{0});
  EXPECT_EQ(value(slots(Identity{kept.identity})), std::vector<unsigned>{1});
  for (const Unlock& wrong :
       {Unlock(Passphrase{Secret("incorrect horse")}), Unlock(Identity{strange.identity})}) {
    const auto opened = slots(wrong);
    ASSERT_FALSE(opened.has_value());
    EXPECT_EQ(opened.error().effective_code(), Error::Code::wrong_key);
  }
  store::MemoryStore empty;
  EXPECT_EQ(slots_opened(world_.op, empty, Identity{kept.identity}).error().effective_code(),
            Error::Code::repository_missing);
}

TEST_F(RepositoryTest, AStrangerIsToldThatNoKeyFits) {
  const auto wrong = world_.open("incorrect horse");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().kind, Error::Kind::denied);
  EXPECT_EQ(wrong.error().effective_code(), Error::Code::wrong_key);
  const auto pair = crypt::age::new_identity(world_.random);
  const auto other =
      Repository::open(world_.op, store_, Identity{pair.identity}, world_.environment);
  ASSERT_FALSE(other.has_value());
  EXPECT_EQ(other.error().effective_code(), Error::Code::wrong_key);
}

TEST_F(RepositoryTest, CheapPassphrasesAreForTestsOnly) {
  world_.environment.memory = "/nonexistent";
  const auto refused = world_.open();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, Error::Kind::invalid);
}

TEST_F(RepositoryTest, ASecondInitIsRefused) {
  const auto refused = world_.create();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, Error::Kind::conflict);
}

TEST(Repository, WhereThereIsNoneThatIsSaid) {
  store::MemoryStore store;
  World world(store);
  const auto refused = world.open();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().effective_code(), Error::Code::repository_missing);
  EXPECT_FALSE(refused.error().hint.empty());
}

TEST_F(RepositoryTest, ANewerFormatNamesTheVersionThatItNeeds) {
  const Core& core = *dynamic_cast<OpenedRepository&>(*repository_).core();
  for (const bool by_feature : {true, false}) {
    Config newer = core.config;
    newer.needs = "lifeboat 7.3";
    if (by_feature) {
      newer.required_features = 1;
    } else {
      newer.version = 2;
    }
    store_.set_object("config", encode_config(newer, core.keys.root));
    const auto refused = world_.open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().effective_code(), Error::Code::version_too_new);
    EXPECT_NE(refused.error().what.find("lifeboat 7.3"), std::string::npos);
  }
  Config same = core.config;
  same.optional_features = 0x80;
  store_.set_object("config", encode_config(same, core.keys.root));
  EXPECT_TRUE(world_.open().has_value());
}

TEST_F(RepositoryTest, AConfigThatAnotherRootSignedIsRefused) {
  store::MemoryStore other_store;
  World other(other_store, 12);
  works(other.create());
  store_.set_object("config", other_store.objects().at("config"));
  const auto refused = world_.open();
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, Error::Kind::corrupt);
}

TEST_F(RepositoryTest, RunNamesThatWouldLeaveTheirFolderAreRefused) {
  for (const char* name : {"", "a/b", "..", "Run 1"}) {
    EXPECT_FALSE(session_->announce_run(world_.op, name, "plan").has_value()) << name;
  }
}

}  // namespace
}  // namespace lifeboat::repo
