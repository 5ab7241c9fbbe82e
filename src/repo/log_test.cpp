#include "repo/log.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include "repo/envelope.h"
#include "repo/opened.h"
#include "repo/test_world.h"

namespace lifeboat::repo {
namespace {

namespace fs = std::filesystem;

// A folder that goes with the test.
struct Folder {
  fs::path path;
  Folder() {
    std::string name = (fs::temp_directory_path() / "lifeboat-log-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder");
    path = name;
  }
  ~Folder() { fs::remove_all(path); }
};

std::string run_name(int writer, int number) {
  return "run-" + std::to_string(writer) + "-" + std::to_string(number);
}

const Core& core_of(const Repository& repository) {
  return *dynamic_cast<const OpenedRepository&>(repository).core();
}

// The same repository in another process: own log state, own memory.
std::unique_ptr<Repository> another(World& world, const Repository& repository) {
  const Core& core = core_of(repository);
  return std::make_unique<OpenedRepository>(
      std::make_shared<Core>(world.store, world.environment, core.config, core.keys), crypt::Key());
}

TEST(Log, WritersThatRaceGetEverySlotOnceAndTheChainHolds) {
  store::MemoryStore store;
  World world(store);
  const auto repository = value(world.create());
  constexpr int writers = 6, runs = 15;
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < writers; ++i) {
      threads.emplace_back([&, i] {
        const auto own = another(world, *repository);
        const auto session = value(own->open_session(world.op));
        for (int k = 0; k < runs; ++k) {
          works(session->announce_run(world.op, run_name(i, k), "plan"));
        }
        works(session->close(world.op));
      });
    }
  }
  const Head head = value(repository->refresh(world.op));
  EXPECT_EQ(head.records, static_cast<std::uint64_t>(writers * (runs + 2)));
  std::set<std::string> names;
  for (const RunRecord& run : repository->runs()) names.insert(run.run);
  EXPECT_EQ(names.size(), static_cast<std::size_t>(writers * runs));
}

TEST(Log, AHeadThatIsLowerThanRememberedIsARollback) {
  store::MemoryStore store;
  const Folder memory;
  World world(store);
  const auto repository = value(world.create());
  {
    const auto session = value(repository->open_session(world.op));
    works(session->announce_run(world.op, "one", "plan"));
    works(session->announce_run(world.op, "two", "plan"));
  }
  world.environment.memory = memory.path;
  EXPECT_FALSE(value(another(world, *repository)->refresh(world.op)).remembered);
  EXPECT_TRUE(value(another(world, *repository)->refresh(world.op)).remembered);
  store.erase_object(log_path(2));
  const auto refused = another(world, *repository)->refresh(world.op);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().effective_code(), Error::Code::integrity);
  EXPECT_NE(refused.error().what.find("rollback detected"), std::string::npos);
  EXPECT_FALSE(refused.error().hint.empty());
  const auto mode = fs::status(fs::directory_iterator(memory.path)->path()).permissions();
  EXPECT_EQ(mode, fs::perms::owner_read | fs::perms::owner_write);
}

TEST(Log, WhereNothingCanBeRememberedTheLogIsReadAllTheSame) {
  store::MemoryStore store;
  const Folder folder;
  World world(store);
  const auto repository = value(world.create());
  works(value(repository->open_session(world.op))->announce_run(world.op, "one", "plan"));
  // A file stands where the folder would have to be made: as on a full or read-only disk.
  std::ofstream(folder.path / "taken") << "a file";
  world.environment.memory = folder.path / "taken" / "state";
  const auto reader = another(world, *repository);
  const auto head = reader->refresh(world.op);
  ASSERT_TRUE(head.has_value()) << head.error().what;
  EXPECT_FALSE(head->remembered);
  EXPECT_EQ(reader->runs().size(), 1u);
  works(reader->open_session(world.op));  // and it can be written too
  EXPECT_FALSE(value(reader->refresh(world.op)).remembered);
}

TEST(Log, AnotherHistoryOfTheSameLengthIsARollbackToo) {
  store::MemoryStore store, forked;
  const Folder memory;
  World world(store);
  const auto repository = value(world.create());
  works(repository->open_session(world.op));
  for (const auto& [name, bytes] : store.objects()) forked.set_object(name, bytes);
  World other(forked, 77);
  works(value(another(world, *repository)->open_session(world.op))
            ->announce_run(world.op, "mine", "plan"));
  works(value(another(other, *repository)->open_session(other.op))
            ->announce_run(other.op, "theirs", "plan"));

  world.environment.memory = memory.path;
  works(another(world, *repository)->refresh(world.op));
  other.environment.memory = memory.path;
  const auto refused = another(other, *repository)->refresh(other.op);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().what.find("rollback detected"), std::string::npos);
}

TEST(Log, AnOpenRepositoryNoticesThatWhatItKnewIsGone) {
  store::MemoryStore store;
  World world(store);
  const auto repository = value(world.create());
  works(repository->open_session(world.op));
  store.erase_object(log_path(0));
  const auto refused = repository->refresh(world.op);
  ASSERT_FALSE(refused.has_value());
  EXPECT_NE(refused.error().what.find("rollback detected"), std::string::npos);
}

TEST(Log, ARecordBelowWhichOneIsMissingIsNamed) {
  store::MemoryStore store;
  World world(store);
  const auto repository = value(world.create());
  const auto session = value(repository->open_session(world.op));
  for (int i = 0; i < 30; ++i) works(session->announce_run(world.op, run_name(0, i), "p"));
  store.erase_object(log_path(14));
  const auto late = another(world, *repository);
  const auto refused = late->refresh(world.op);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, Error::Kind::corrupt);
  EXPECT_NE(refused.error().what.find(log_path(14)), std::string::npos);
  EXPECT_EQ(late->runs().size(), 13u);  // what stands below is proven
}

// A record that somebody with the metadata key wrote, but no certified writer signed.
Bytes forged(World& world, const Core& core, std::uint64_t slot, const Id& previous) {
  KeyTree keys = core.keys;
  keys.writer = crypt::SigningKey::from(crypt::Key::random(world.random));
  keys.writer_id = crypt::sha256(keys.writer.verify_key);
  LogRecord record;
  record.slot = slot;
  record.previous = previous;
  record.writer = keys.writer_id;
  record.session = Id{world.random.array<32>()};
  record.attempt = world.random.array<16>();
  record.body = SessionOpen{keys.writer_id, "stranger", ""};
  return seal_envelope(keys, {keys.metadata, std::nullopt},
                       {ObjectType::log, "log", log_path(slot)}, encode(record), world.random);
}

TEST(Log, ARecordOfAWriterWithoutCertificateIsAVoidSlotAndTheLogGoesOn) {
  store::MemoryStore store;
  World world(store);
  const auto repository = value(world.create());
  const auto session = value(repository->open_session(world.op));
  store.set_object(log_path(1), forged(world, core_of(*repository), 1, repository->head().hash));
  works(session->announce_run(world.op, "after", "plan"));
  const auto late = another(world, *repository);
  EXPECT_EQ(value(late->refresh(world.op)).records, 3u);
  EXPECT_EQ(late->runs().size(), 1u);
  EXPECT_EQ(core_of(*late).log.state()->sessions().size(), 1u);
  EXPECT_EQ(core_of(*late).log.state()->voids(), 1u);
}

TEST(Log, ACommitAfterTheCloseOfItsSessionIsRefused) {
  store::MemoryStore store;
  World world(store);
  const auto repository = value(world.create());
  const auto taken_for_dead = value(repository->open_session(world.op));
  const auto other = another(world, *repository);
  works(other->open_session(world.op));
  Core& core = *dynamic_cast<OpenedRepository&>(*other).core();
  const auto sessions = core.log.state()->sessions();
  ASSERT_EQ(sessions.size(), 2u);
  for (const auto& [id, state] : sessions) {
    works(core.log.append(world.op, id, SessionClose{id}));
  }
  const auto refused = taken_for_dead->announce_run(world.op, "late", "plan");
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().kind, Error::Kind::conflict);
  EXPECT_FALSE(refused.error().hint.empty());
}

TEST(LogRecord, KindsThatALaterVersionMayWriteAreRefusedOrPassedOver) {
  LogRecord record;
  record.body = Optional{7};
  const auto refused = decode_log_record(encode(record));
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Error::Code::version_too_new);
  record.body = Optional{64};
  EXPECT_TRUE(decode_log_record(encode(record)).has_value());
}

}  // namespace
}  // namespace lifeboat::repo
