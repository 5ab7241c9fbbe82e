// A flipped byte, a missing or a shortened object of each kind: always noticed, always named, and
// never in the way of what it does not touch.
//
// With LIFEBOAT_LONG in the environment it is every byte, otherwise one of a few.
#include <algorithm>
#include <cstdlib>

#include "repo/opened.h"
#include "repo/test_world.h"

namespace lifeboat::repo {
namespace {

// How far apart the bytes are that are flipped in turn.
std::size_t stride(std::size_t usual) {
  return std::getenv("LIFEBOAT_LONG") != nullptr ? 1 : usual;
}

// One small repository, made once; tests work on copies of its objects.
class Corruption : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    original_ = std::make_unique<store::MemoryStore>();
    World world(*original_);
    const auto repository = value(world.create());
    const auto session = value(repository->open_session(world.op));
    one_ = value(back_up(world.op, *session, items(1), "one")).id;
    two_ = value(back_up(world.op, *session, items(2), "two")).id;
    PointDraft draft;
    draft.members = {{"one", one_, "", false}, {"two", two_, "", false}};
    draft.complete = true;
    works(session->commit_point(world.op, draft));
    works(session->close(world.op));
    sealed_ = value(repository->seal("segment", "runs/r/0", as_bytes("an event")));
    core_ = dynamic_cast<OpenedRepository&>(*repository).core();
  }
  static void TearDownTestSuite() {
    core_.reset();
    original_.reset();
  }

  static TestItems items(std::uint64_t seed) {
    TestItems items;
    items.push_back({file_item("big"), random_bytes(70'000, seed), {}});
    items.push_back({file_item("small"), random_bytes(600, seed + 10), {}});
    return items;
  }

  static void copy_to(store::MemoryStore& store) {
    for (const auto& [name, bytes] : original_->objects()) store.set_object(name, bytes);
  }

  // The repository, opened anew on another store, without the price of its passphrase.
  static std::unique_ptr<OpenedRepository> opened(World& world) {
    auto core = std::make_shared<Core>(world.store, world.environment, core_->config, core_->keys);
    return std::make_unique<OpenedRepository>(std::move(core), crypt::Key());
  }

  static std::vector<std::string> names(const std::string& prefix) {
    std::vector<std::string> found;
    for (const auto& [name, bytes] : original_->objects()) {
      if (name.starts_with(prefix)) found.push_back(name);
    }
    return found;
  }

  static bool names_it(const CheckReport& report, const std::string& name) {
    return std::any_of(report.broken.begin(), report.broken.end(),
                       [&](const Hit& hit) { return hit.object == name; });
  }

  // Checks a copy in which `name` is `bytes` (nullopt: gone); true when the report names it.
  static bool noticed(const std::string& name, const std::optional<Bytes>& bytes) {
    store::MemoryStore store;
    copy_to(store);
    if (bytes) {
      store.set_object(name, *bytes);
    } else {
      store.erase_object(name);
    }
    World world(store);
    return names_it(value(check(world.op, *opened(world), {true, {}})), name);
  }

  static void expect_every_flip_noticed(const std::string& prefix, std::size_t step) {
    for (const std::string& name : names(prefix)) {
      const Bytes bytes = original_->objects().at(name);
      for (std::size_t at = 0; at < bytes.size(); at += step) {
        Bytes flipped = bytes;
        flipped[at] ^= static_cast<std::uint8_t>(1u << (at % 8));
        EXPECT_TRUE(noticed(name, flipped)) << name << " byte " << at << " of " << bytes.size();
      }
    }
  }

  // The same for packs, by one repository that has read log and index before: packs are long.
  static void expect_flips_of_packs_noticed(std::size_t step) {
    store::MemoryStore store;
    copy_to(store);
    World world(store);
    const auto repository = opened(world);
    for (const std::string& name : names("packs/")) {
      const Bytes bytes = original_->objects().at(name);
      Bytes flipped = bytes;
      for (std::size_t at = 0; at < bytes.size(); at += step) {
        flipped[at] ^= static_cast<std::uint8_t>(1u << (at % 8));
        store.set_object(name, flipped);
        EXPECT_TRUE(names_it(value(check(world.op, *repository, {true, {}})), name))
            << name << " byte " << at << " of " << bytes.size();
        flipped[at] = bytes[at];
      }
      store.set_object(name, bytes);
    }
    EXPECT_TRUE(value(check(world.op, *repository, {true, {}})).broken.empty());
  }

  static inline std::unique_ptr<store::MemoryStore> original_;
  static inline std::shared_ptr<Core> core_;
  static inline Id one_, two_;
  static inline Bytes sealed_;
};

TEST_F(Corruption, TheUntouchedRepositoryChecksClean) {
  store::MemoryStore store;
  copy_to(store);
  World world(store);
  const CheckReport report = value(check(world.op, *opened(world), {true, {}}));
  EXPECT_TRUE(report.broken.empty());
  EXPECT_TRUE(report.warnings.empty());
  EXPECT_GT(report.blobs, 4u);
  EXPECT_GT(report.bytes_read, 100'000u);
}

TEST_F(Corruption, EveryFlippedByteOfConfigIsNoticed) { expect_every_flip_noticed("config", 1); }
TEST_F(Corruption, EveryFlippedByteOfKeysIsNoticed) { expect_every_flip_noticed("keys/", 1); }
TEST_F(Corruption, FlippedBytesOfTheLogAreNoticed) { expect_every_flip_noticed("log/", stride(5)); }
TEST_F(Corruption, FlippedBytesOfTheIndexAreNoticed) {
  expect_every_flip_noticed("index/", stride(3));
}
TEST_F(Corruption, FlippedBytesOfPacksAreNoticed) { expect_flips_of_packs_noticed(stride(331)); }

TEST_F(Corruption, TheEndOfAPackIsGuardedByteByByte) {
  const std::string name = names("packs/").front();
  const Bytes bytes = original_->objects().at(name);
  for (std::size_t back = 1; back <= footer_bytes + 64; ++back) {
    Bytes flipped = bytes;
    flipped[bytes.size() - back] ^= 0x40;
    EXPECT_TRUE(noticed(name, flipped)) << "byte " << back << " from the end";
  }
}

TEST_F(Corruption, AFlippedByteInConfigOrKeyIsCorruptionAndNotAWrongKey) {
  for (const std::string& name : {std::string("config"), std::string("keys/00")}) {
    const Bytes bytes = original_->objects().at(name);
    for (std::size_t at = 0; at < bytes.size(); at += stride(3)) {
      store::MemoryStore store;
      copy_to(store);
      Bytes flipped = bytes;
      flipped[at] ^= 0x10;
      store.set_object(name, flipped);
      World world(store);
      const auto refused = world.open();
      ASSERT_FALSE(refused.has_value());
      EXPECT_EQ(refused.error().kind, Error::Kind::corrupt) << name << " byte " << at;
      EXPECT_EQ(refused.error().effective_code(), Error::Code::integrity);
      EXPECT_NE(refused.error().what.find(name), std::string::npos) << refused.error().what;
    }
  }
}

TEST_F(Corruption, ShortenedObjectsOfEachKindAreNoticed) {
  for (const auto& [name, bytes] : original_->objects()) {
    for (const std::size_t size :
         {std::size_t{0}, std::size_t{7}, bytes.size() / 2, bytes.size() - 1}) {
      const Bytes shorter(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
      EXPECT_TRUE(noticed(name, shorter)) << name << " cut to " << size;
    }
  }
}

TEST_F(Corruption, MissingObjectsAreNoticed) {
  for (const std::string prefix : {"config", "index/", "packs/"}) {
    for (const std::string& name : names(prefix)) {
      EXPECT_TRUE(noticed(name, std::nullopt)) << name;
    }
  }
  // A hole in the log; that its last record is gone only a memory of it can tell.
  for (const std::string& name : names("log/")) {
    if (name == names("log/").back()) continue;
    EXPECT_TRUE(noticed(name, std::nullopt)) << name;
  }
}

TEST_F(Corruption, SwappedObjectsOfOneKindAreNoticed) {
  for (const std::string prefix : {"log/", "packs/", "index/"}) {
    const auto all = names(prefix);
    ASSERT_GE(all.size(), 2u);
    EXPECT_TRUE(noticed(all[0], original_->objects().at(all[1]))) << prefix;
  }
}

TEST_F(Corruption, OneBrokenPackCostsOnlyWhatIsInIt) {
  // Snapshots one and two have packs of their own; each is broken in turn.
  int lost_one = 0, lost_two = 0;
  for (const std::string& name : names("packs/")) {
    store::MemoryStore store;
    copy_to(store);
    store.erase_object(name);
    World world(store);
    const auto repository = opened(world);
    const CheckReport report = value(check(world.op, *repository, {}));
    const bool one = read_back(world.op, *repository, one_).has_value();
    const bool two = read_back(world.op, *repository, two_).has_value();
    EXPECT_NE(one, two) << "exactly one of them needs " << name;
    lost_one += one ? 0 : 1;
    lost_two += two ? 0 : 1;
    ASSERT_EQ(report.broken.size(), 1u);
    EXPECT_EQ(report.broken.front().object, name);
    ASSERT_FALSE(report.broken.front().lost.empty());
    const std::string& lost = report.broken.front().lost.front();
    EXPECT_NE(lost.find(one ? "source two" : "source one"), std::string::npos) << lost;
    EXPECT_NE(lost.find(one ? two_.brief() : one_.brief()), std::string::npos) << lost;
  }
  EXPECT_GT(lost_one, 0);
  EXPECT_GT(lost_two, 0);
}

TEST_F(Corruption, AReaderNamesTheItemAndHandsOutNothingOfIt) {
  for (const std::string& name : names("packs/")) {
    store::MemoryStore store;
    copy_to(store);
    Bytes bytes = original_->objects().at(name);
    bytes[20] ^= 1;  // in the first blob
    store.set_object(name, bytes);
    World world(store);
    const auto repository = opened(world);
    works(repository->refresh(world.op));
    for (const Id& id : {one_, two_}) {
      const auto feed = repository->feed(world.op, id);
      if (!feed) continue;  // its root was hit
      const auto item = (*feed)->find(world.op, "big");
      if (!item) continue;
      const auto reader = value((*feed)->open(world.op, *item));
      Bytes out(100'000);
      const auto read = reader->read(world.op, out);
      if (read) continue;  // the other snapshot
      EXPECT_EQ(read.error().kind, Error::Kind::corrupt);
      EXPECT_NE(read.error().what.find("item \"big\""), std::string::npos) << read.error().what;
      std::vector<capture::Item> items{*item};
      const auto fetched =
          (*feed)->fetch(world.op, items, [](const capture::Piece&) { return Result<void>(); });
      ASSERT_FALSE(fetched.has_value());
      EXPECT_NE(fetched.error().what.find("item \"big\""), std::string::npos);
    }
  }
}

TEST_F(Corruption, SealedRecordsAreBoundToEveryByteTheirKindAndTheirName) {
  store::MemoryStore store;
  copy_to(store);
  World world(store);
  const auto repository = opened(world);
  EXPECT_EQ(value(repository->unseal("segment", "runs/r/0", sealed_)), to_bytes("an event"));
  EXPECT_FALSE(repository->unseal("segment", "runs/r/1", sealed_).has_value());
  EXPECT_FALSE(repository->unseal("vault", "runs/r/0", sealed_).has_value());
  for (std::size_t at = 0; at < sealed_.size(); ++at) {
    Bytes flipped = sealed_;
    flipped[at] ^= 4;
    const auto refused = repository->unseal("segment", "runs/r/0", flipped);
    ASSERT_FALSE(refused.has_value()) << at;
    EXPECT_EQ(refused.error().kind, Error::Kind::corrupt);
    EXPECT_NE(refused.error().what.find("runs/r/0"), std::string::npos);
  }
  EXPECT_FALSE(repository->unseal("segment", "runs/r/0", ByteView(sealed_).first(90)).has_value());
}

TEST_F(Corruption, ABrokenIndexSegmentCostsItsBlobsAndTheNextBackupHealsThem) {
  store::MemoryStore store;
  copy_to(store);
  store.erase_object(names("index/").front());
  World world(store);
  const auto repository = opened(world);
  works(repository->refresh(world.op));
  const auto session = value(repository->open_session(world.op));
  const Snapshot again = value(back_up(world.op, *session, items(1), "one"));
  EXPECT_GT(again.stored_bytes, 0u);
  EXPECT_TRUE(same_content(value(read_back(world.op, *repository, again.id)), items(1)));
}

}  // namespace
}  // namespace lifeboat::repo
