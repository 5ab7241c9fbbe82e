#include <atomic>
#include <latch>
#include <thread>

#include "crypt/age.h"
#include "crypt/crypt.h"
#include "journal/fake_repository.h"
#include "journal/heartbeat.h"
#include "journal/journal_contract.h"
#include "journal/objects.h"
#include "journal/segment.h"
#include "journal/side_stream.h"

namespace lifeboat::journal {
namespace {

class FakeWorld final : public JournalWorld {
 public:
  store::MemoryStore& store() override { return store_; }
  repo::Repository& repository() override { return first_; }
  repo::Repository& another(const std::filesystem::path& memory) override {
    repo::Environment environment = environment_;
    environment.memory = memory;
    return *others_.emplace_back(std::make_unique<FakeRepository>(store_, environment));
  }
  FakeClock& clock() override { return clock_; }

 private:
  FakeClock clock_;
  SeededRandom random_{7};
  store::MemoryStore store_;
  repo::Environment environment_{&clock_, &random_, "host-a", {}, {}, 1, 1u << 20};
  FakeRepository first_{store_, environment_};
  std::vector<std::unique_ptr<FakeRepository>> others_;
};

const auto over_the_fake_repository =
    testing::Values(MakeJournalWorld([] { return std::make_unique<FakeWorld>(); }));
INSTANTIATE_TEST_SUITE_P(OverTheFakeRepository, JournalContract, over_the_fake_repository);
INSTANTIATE_TEST_SUITE_P(OverTheFakeRepository, FlippedBytes, over_the_fake_repository);

class RealWorld final : public JournalWorld {
 public:
  RealWorld() {
    auto made = repo::Repository::create(Operation{&clock_}, store_,
                                         {repo::AgeRecipient{key_.recipient}}, environment_);
    EXPECT_TRUE(made) << made.error().what;
    if (made) first_ = *std::move(made);
  }
  store::MemoryStore& store() override { return store_; }
  repo::Repository& repository() override { return *first_; }
  repo::Repository& another(const std::filesystem::path& memory) override {
    repo::Environment environment = environment_;
    environment.memory = memory;
    auto opened = repo::Repository::open(Operation{&clock_}, store_, repo::Identity{key_.identity},
                                         environment);
    EXPECT_TRUE(opened) << opened.error().what;
    return *others_.emplace_back(*std::move(opened));
  }
  FakeClock& clock() override { return clock_; }

 private:
  FakeClock clock_;
  SeededRandom random_{11};
  const crypt::age::NewIdentity key_ = crypt::age::new_identity(random_);
  store::MemoryStore store_;
  repo::Environment environment_{&clock_, &random_, "host-a", {}, {}, 1, 1u << 20};
  std::unique_ptr<repo::Repository> first_;
  std::vector<std::unique_ptr<repo::Repository>> others_;
};

const auto over_the_repository =
    testing::Values(MakeJournalWorld([] { return std::make_unique<RealWorld>(); }));
INSTANTIATE_TEST_SUITE_P(OverTheRepository, JournalContract, over_the_repository);
INSTANTIATE_TEST_SUITE_P(OverTheRepository, FlippedBytes, over_the_repository);

TEST(SideStream, EndlessEmptyLinesAreDroppedBeyondABoundAndCounted) {
  FakeWorld world;
  const Operation op{&world.clock()};
  SideStream stream(world.repository(), "r-1", "driver");
  constexpr std::size_t lines = 100'000;
  for (std::size_t i = 0; i < lines; ++i) stream.add("step", "");
  std::size_t kept = 0;
  while (!stream.empty()) {
    const auto chunk = stream.write(op);
    ASSERT_TRUE(chunk && *chunk);
    kept += (*chunk)->lines;
  }
  --kept;  // one says how many are missing
  EXPECT_LT(kept, lines / 2);
  EXPECT_GT(kept, 10'000U);
  EXPECT_THAT(*stream.read(op, ""),
              testing::ElementsAre(std::to_string(lines - kept) + " lines dropped: they came too "
                                                                  "fast"));
  stream.add("step", "there is room again");
  EXPECT_EQ((*stream.write(op))->lines, 1U);
}

// Time stands still: nothing is written but by the test itself.
class Flush : public testing::Test {
 protected:
  using Verb = store::MemoryStore::Verb;
  using Fault = store::MemoryStore::Fault;

  FakeClock clock_{FakeClock::Pauses::wait_for_advance};
  SeededRandom random_{7};
  store::MemoryStore store_;
  FakeRepository repository_{store_, {&clock_, &random_, "host-a", {}, {}, 1, 1u << 20}};
  const Operation op_{&clock_};
  std::unique_ptr<Journal> journal_ = *Journal::begin(
      op_, repository_, "r-1", {"a", "host", 1, "boot"}, {{"run.begin", {}, {}, 0}});

  std::size_t chunks() const {
    std::size_t count = 0;
    for (const auto& [name, bytes] : store_.objects()) count += name.starts_with("runs/r-1/log/");
    return count;
  }
};

TEST_F(Flush, LinesThatComeAsFastAsTheyAreWrittenDoNotHoldItUp) {
  journal_->on_written([&](const std::string& object, const std::vector<Event>&) {
    if (object.starts_with("runs/r-1/log/") && chunks() < 1000) journal_->log("loud", "again");
  });
  journal_->log("loud", "first");
  journal_->note({"step.done", {}, {}, 0});
  ASSERT_TRUE(journal_->flush(op_));
  EXPECT_LE(chunks(), 10U);
  EXPECT_GE(journal_->segments(), 2U);
}

// One thread has put a chunk and not yet noted it: a flush that finds no line waits for that note.
TEST_F(Flush, AChunkThatAnotherThreadHasJustPutIsInTheJournalToo) {
  std::latch put(1), go_on(1);
  journal_->on_written([&](const std::string& object, const std::vector<Event>&) {
    if (!object.starts_with("runs/r-1/log/")) return;
    put.count_down();
    go_on.wait();
  });
  journal_->log("loud", "line");
  std::jthread other([&] { EXPECT_TRUE(journal_->flush(op_)); });
  put.wait();
  std::atomic<bool> flushed = false;
  std::jthread late([&] {
    EXPECT_TRUE(journal_->flush(op_));
    flushed = true;
    const auto reader = Journal::open(op_, repository_, "r-1", {});
    EXPECT_EQ((*reader)->events().back().kind, "log.chunk");
  });
  for (int i = 0; i < 1000 && !flushed; ++i) std::this_thread::yield();
  go_on.count_down();
}

TEST_F(Flush, WhatWasNotedIsWrittenAlsoWhereLinesCannotBe) {
  store_.set_script([](std::uint64_t, Verb verb, const std::string& name) {
    const bool line = verb == Verb::put && name.starts_with("runs/r-1/log/");
    return line ? Fault::no_space : Fault::none;
  });
  journal_->log("loud", "line");
  journal_->note({"step.done", {}, {}, 0});
  EXPECT_FALSE(journal_->flush(op_));
  const auto reader = Journal::open(op_, repository_, "r-1", {});
  ASSERT_TRUE(reader) << reader.error().what;
  ASSERT_EQ((*reader)->events().size(), 2U);
  EXPECT_EQ((*reader)->events()[1].kind, "step.done");
}

TEST(Objects, TheFirstAbsentNumberIsFoundAtEveryLength) {
  FakeClock clock;
  const Operation op{&clock};
  store::MemoryStore store;
  for (std::uint64_t count = 0; count < 70; ++count) {
    EXPECT_EQ(*first_absent(op, store, "runs/x/"), count);
    ASSERT_TRUE(store.put(op, "runs/x/" + number_hex(count), as_bytes("x")));
  }
}

TEST(Segment, DecodesWhatItEncoded) {
  Value facts;
  facts.set("text", "\xE2\x82\xAC");
  facts.set("list", Value::List{1, 2.5, true, Value()});
  const Segment segment{"r-1",
                        7,
                        crypt::sha256(as_bytes("x")),
                        {"d", "h", 1, "b"},
                        {{"step.intent", facts, {123}, 7}}};
  const auto back = decode(encode(segment));
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back->run, "r-1");
  EXPECT_EQ(back->number, 7U);
  EXPECT_EQ(back->previous, segment.previous);
  EXPECT_EQ(back->driver.host, "h");
  EXPECT_EQ(back->events.at(0).facts, facts);
  EXPECT_EQ(back->events.at(0).segment, 7U);
}

TEST(Segment, WhatIsNoSegmentIsCorruptAndALaterVersionIsNamed) {
  for (const char* bad :
       {"", "[]", "{}", R"({"version":1})", R"({"version":"1"})",
        R"({"version":1,"run":"r","number":0,"previous":"zz","driver":{},"events":[]})",
        R"({"version":1,"run":"r","number":0,"previous":"","driver":{},"events":[1]})",
        R"({"version":1,"run":"r","number":0,"previous":"","driver":{},"events":{}})"}) {
    const auto decoded = decode(as_bytes(std::string_view(bad)));
    ASSERT_FALSE(decoded) << bad;
    EXPECT_EQ(decoded.error().kind, Error::Kind::corrupt) << bad;
  }
  const auto later = decode(as_bytes(std::string_view(R"({"version":2})")));
  EXPECT_EQ(later.error().code, Error::Code::version_too_new);
  EXPECT_THAT(later.error().what, testing::HasSubstr("version 2, this program reads 1"));
}

TEST(Heartbeat, TheNewestBeatIsFoundAndTheOlderAreRemoved) {
  FakeWorld world;
  const Operation op{&world.clock()};
  EXPECT_FALSE(*last_beat(op, world.repository(), "r-1"));
  Heart heart(world.repository(), "r-1", {"a", "host", 1, "boot"});
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(heart.beat(op));
  EXPECT_EQ((*last_beat(op, world.repository(), "r-1"))->number, 2U);
  Heart next(world.repository(), "r-1", {"b", "host", 1, "boot"});
  ASSERT_TRUE(next.beat(op));
  const auto beat = *last_beat(op, world.another({}), "r-1");
  EXPECT_EQ(beat->number, 3U);
  EXPECT_EQ(beat->driver.id, "b");
  EXPECT_EQ(world.store().objects().size(), 1U);
  ASSERT_TRUE(next.stop(op));
  EXPECT_TRUE(world.store().objects().empty());
}

TEST(Heartbeat, OneThatCannotBeReadCountsByItsNumber) {
  FakeWorld world;
  const Operation op{&world.clock()};
  const auto put = [&](std::uint64_t number, ByteView content) {
    return world.store().put(op, "heartbeats/r-1/" + number_hex(number), content).has_value();
  };
  ASSERT_TRUE(put(6, as_bytes("damaged")));
  auto beat = last_beat(op, world.repository(), "r-1");
  ASSERT_TRUE(beat) << beat.error().what;
  ASSERT_TRUE(*beat);
  EXPECT_EQ((*beat)->number, 6U);
  EXPECT_EQ((*beat)->driver.id, "");
  const std::string name = "heartbeats/r-1/" + number_hex(7);
  const auto sealed = world.repository().seal(heartbeat_kind, name, as_bytes("no JSON"));
  ASSERT_TRUE(sealed);
  ASSERT_TRUE(put(7, *sealed));
  beat = last_beat(op, world.repository(), "r-1");
  ASSERT_TRUE(beat) << beat.error().what;
  EXPECT_EQ((*beat)->number, 7U);
  // The next driver beats on after it.
  ASSERT_TRUE(Heart(world.repository(), "r-1", {"a", "host", 1, "boot"}).beat(op));
  EXPECT_EQ((*last_beat(op, world.repository(), "r-1"))->number, 8U);
}

}  // namespace
}  // namespace lifeboat::journal
