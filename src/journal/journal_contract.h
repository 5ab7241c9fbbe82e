// journal/journal_contract.h - What every journal keeps to, whatever repository is beneath it.
//
// A test makes a JournalWorld over its repository and one line:
//   INSTANTIATE_TEST_SUITE_P(Mine, JournalContract, testing::Values(my_world));
// and one more like it for FlippedBytes.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <thread>

#include "base/fake_clock.h"
#include "journal/journal.h"
#include "store/memory.h"

namespace lifeboat::journal {

// A repository over a memory store, as one machine sees it.
class JournalWorld {
 public:
  virtual ~JournalWorld() = default;
  virtual store::MemoryStore& store() = 0;
  virtual repo::Repository& repository() = 0;
  // The repository as another process sees it, from its first look on; `memory`: as
  // Environment::memory. Stays valid as long as the world.
  virtual repo::Repository& another(const std::filesystem::path& memory = {}) = 0;
  virtual FakeClock& clock() = 0;
};
using MakeJournalWorld = std::function<std::unique_ptr<JournalWorld>()>;

class JournalContract : public testing::TestWithParam<MakeJournalWorld> {
 protected:
  std::unique_ptr<JournalWorld> world_ = GetParam()();
  Operation op_{&world_->clock()};
  const Driver driver_{"driver-a", "host-a", 4711, "boot-a"};
  const Driver other_{"driver-b", "host-b", 4712, "boot-b"};

  static Event event(const std::string& kind, int value = 0) {
    Value facts;
    facts.set("value", value);
    return {kind, std::move(facts), {}, 0};
  }
  std::unique_ptr<Journal> begin(const std::string& run = "r-1") {
    auto journal = Journal::begin(op_, world_->repository(), run, driver_, {event("run.begin")});
    EXPECT_TRUE(journal) << journal.error().what;
    return journal ? *std::move(journal) : nullptr;
  }
  Result<std::unique_ptr<Journal>> open(const std::string& run = "r-1") {
    return Journal::open(op_, world_->another(), run, other_);
  }
  static std::vector<std::string> kinds(const Journal& journal) {
    std::vector<std::string> found;
    for (const Event& event : journal.events()) found.push_back(event.kind);
    return found;
  }
};

using Names = std::vector<std::string>;

TEST_P(JournalContract, AppendedEventsAreReadAgainInOrder) {
  auto journal = begin();
  ASSERT_TRUE(journal->append(op_, {event("a", 1), event("b", 2)}));
  ASSERT_TRUE(journal->append(op_, {event("c", 3)}));
  const auto reader = open();
  ASSERT_TRUE(reader) << reader.error().what;
  EXPECT_EQ(kinds(**reader), (Names{"run.begin", "a", "b", "c"}));
  EXPECT_EQ((*reader)->events()[3].facts, event("c", 3).facts);
  EXPECT_EQ((*reader)->events()[3].time, journal->events()[3].time);
  EXPECT_EQ((*reader)->events()[3].segment, 2U);
  EXPECT_EQ((*reader)->segments(), 3U);
  EXPECT_EQ(*count_segments(op_, world_->repository(), "r-1"), 3U);
}

TEST_P(JournalContract, NotesAreDurableWithTheNextAppendAndBeforeIt) {
  auto journal = begin();
  journal->note(event("note"));
  ASSERT_TRUE(journal->append(op_, {event("intent")}));
  EXPECT_EQ(kinds(**open()), (Names{"run.begin", "note", "intent"}));
}

TEST_P(JournalContract, NotesBecomeDurableOnTheirOwnWithinASecond) {
  std::atomic<int> written = 0;
  auto journal = begin();
  journal->on_written([&](const std::string&, const std::vector<Event>&) {
    ++written;
    written.notify_all();
  });
  journal->note(event("note"));
  written.wait(0);
  EXPECT_EQ(kinds(**open()), (Names{"run.begin", "note"}));
}

TEST_P(JournalContract, AFlushWithNothingNotedWritesNothing) {
  auto journal = begin();
  ASSERT_TRUE(journal->flush(op_));
  EXPECT_EQ(journal->segments(), 1U);
}

TEST_P(JournalContract, BeginningARunTwiceIsRefused) {
  auto journal = begin();
  const auto again = Journal::begin(op_, world_->another(), "r-1", other_, {event("run.begin")});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().kind, Error::Kind::conflict);
  EXPECT_THAT(again.error().what, testing::HasSubstr("r-1 exists already"));
}

TEST_P(JournalContract, ARunThatIsNotThereIsNotFound) {
  const auto journal = open("r-9");
  ASSERT_FALSE(journal);
  EXPECT_EQ(journal.error().kind, Error::Kind::not_found);
  EXPECT_THAT(journal.error().what, testing::HasSubstr("r-9"));
  EXPECT_EQ(open("../keys").error().kind, Error::Kind::invalid);
}

TEST_P(JournalContract, TheLoserOfASegmentNeverWritesAgain) {
  auto first = begin();
  auto second = *open();
  ASSERT_TRUE(second->append(op_, {event("taken")}));
  const auto lost = first->append(op_, {event("intent")});
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().code, Error::Code::lease_held);
  EXPECT_EQ(exit_status(lost.error().effective_code()), 11);
  first->note(event("note"));
  EXPECT_EQ(first->flush(op_).error().code, Error::Code::lease_held);
  EXPECT_EQ(first->append(op_, {event("intent")}).error().code, Error::Code::lease_held);
  ASSERT_TRUE(second->append(op_, {event("goes on")}));
  EXPECT_EQ(kinds(**open()), (Names{"run.begin", "taken", "goes on"}));
}

TEST_P(JournalContract, AWaitingDriverLearnsThatItWasReplaced) {
  auto first = begin();
  EXPECT_TRUE(first->prove_lease(op_));
  ASSERT_TRUE((*open())->append(op_, {event("taken")}));
  EXPECT_EQ(first->prove_lease(op_).error().code, Error::Code::lease_held);
  EXPECT_EQ(first->append(op_, {event("intent")}).error().code, Error::Code::lease_held);
}

TEST_P(JournalContract, ALostAnswerIsSettledByWhatIsStored) {
  auto journal = begin();
  int lost = 0;
  world_->store().set_script([&](std::uint64_t, store::MemoryStore::Verb verb, const std::string&) {
    const bool now = verb == store::MemoryStore::Verb::put && lost++ == 0;
    return now ? store::MemoryStore::Fault::lost_reply : store::MemoryStore::Fault::none;
  });
  ASSERT_TRUE(journal->append(op_, {event("intent")}));
  world_->store().set_script({});
  ASSERT_TRUE(journal->append(op_, {event("next")}));
  EXPECT_EQ(kinds(**open()), (Names{"run.begin", "intent", "next"}));
}

TEST_P(JournalContract, WhatCouldNotBeWrittenComesFirstOnceTheStoreIsBack) {
  auto journal = begin();
  world_->store().set_script([](std::uint64_t, store::MemoryStore::Verb, const std::string&) {
    return store::MemoryStore::Fault::lost_reply;  // stored, and nobody hears of it
  });
  EXPECT_EQ(journal->append(op_, {event("a")}).error().kind, Error::Kind::unavailable);
  world_->store().set_script({});
  ASSERT_TRUE(journal->append(op_, {event("b")}));
  EXPECT_EQ(kinds(**open()), (Names{"run.begin", "a", "b"}));
}

TEST_P(JournalContract, KilledAfterAnyStoreChangeItOpensWithWhatWasAnswered) {
  for (std::uint64_t kill = 0; kill < 12; ++kill) {
    const std::string run = "r-" + std::to_string(kill);
    std::size_t answered = 0;
    {
      auto journal = begin(run);
      world_->store().die_after_changes(kill);
      for (int i = 0; i < 3; ++i) {
        journal->log("step", "line");
        const auto kept = journal->put_secret(op_, "s", Secret("x"));
        journal->note(event("note"));
        if (!journal->append(op_, {event("intent")}) || !kept) break;
        answered += 2;
      }
    }
    world_->store().revive();
    auto journal = open(run);
    ASSERT_TRUE(journal) << journal.error().what;
    EXPECT_GE((*journal)->events().size(), 1 + answered);
    ASSERT_TRUE((*journal)->append(op_, {event("goes on")}));
    ASSERT_TRUE((*journal)->put_secret(op_, "s", Secret("y")));
    EXPECT_EQ(kinds(**open(run)).back(), "goes on");
  }
}

TEST_P(JournalContract, AMissingSegmentInTheMiddleRefusesTheRunAndNamesIt) {
  auto journal = begin();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(journal->append(op_, {event("e", i)}));
  for (const int missing : {0, 2, 4}) {
    const std::string name = "runs/r-1/000000000000000" + std::to_string(missing);
    const Bytes bytes = world_->store().objects().at(name);
    world_->store().erase_object(name);
    const auto opened = open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, Error::Kind::corrupt);
    EXPECT_EQ(exit_status(opened.error().effective_code()), 13);
    EXPECT_THAT(opened.error().what,
                testing::HasSubstr("run r-1: segment " + std::to_string(missing) + " is missing"));
    EXPECT_THAT(opened.error().hint, testing::HasSubstr("nothing was changed"));
    world_->store().set_object(name, bytes);
    EXPECT_TRUE(open());
  }
}

TEST_P(JournalContract, ACutOrAlteredSegmentRefusesTheRunAndNamesIt) {
  auto journal = begin();
  ASSERT_TRUE(journal->append(op_, {event("a")}));
  ASSERT_TRUE(journal->append(op_, {event("b")}));
  for (int number = 0; number < 3; ++number) {
    const std::string name = "runs/r-1/000000000000000" + std::to_string(number);
    const Bytes whole = world_->store().objects().at(name);
    Bytes altered = whole;
    altered[altered.size() / 2] ^= 1;
    const Bytes cut(whole.begin(), whole.end() - 1);
    for (const Bytes& bytes : {altered, cut, Bytes{}}) {
      world_->store().set_object(name, bytes);
      const auto opened = open();
      ASSERT_FALSE(opened);
      EXPECT_EQ(opened.error().kind, Error::Kind::corrupt);
      EXPECT_THAT(opened.error().what, testing::HasSubstr("segment " + std::to_string(number)));
    }
    world_->store().set_object(name, whole);
  }
  EXPECT_TRUE(open());
}

TEST_P(JournalContract, SegmentsInEachOthersPlaceAreRefused) {
  auto journal = begin();
  ASSERT_TRUE(journal->append(op_, {event("a")}));
  ASSERT_TRUE(journal->append(op_, {event("b")}));
  const auto objects = world_->store().objects();
  world_->store().set_object("runs/r-1/0000000000000001", objects.at("runs/r-1/0000000000000002"));
  EXPECT_EQ(open().error().kind, Error::Kind::corrupt);
}

TEST_P(JournalContract, AMissingLastSegmentIsNoticedWhereItWasSeen) {
  const std::filesystem::path memory =
      std::filesystem::path(testing::TempDir()) / ("journal-memory-" + std::to_string(getpid()));
  std::filesystem::remove_all(memory);
  auto& seen = world_->another(memory);
  {
    auto journal = *Journal::begin(op_, seen, "r-1", driver_, {event("run.begin")});
    ASSERT_TRUE(journal->append(op_, {event("a")}));
    EXPECT_TRUE(journal->freshness_proven());
  }
  EXPECT_TRUE((*Journal::open(op_, seen, "r-1", driver_))->freshness_proven());
  world_->store().erase_object("runs/r-1/0000000000000001");
  const auto here = Journal::open(op_, seen, "r-1", driver_);
  ASSERT_FALSE(here);
  EXPECT_EQ(here.error().kind, Error::Kind::corrupt);
  EXPECT_THAT(here.error().what, testing::HasSubstr("segment 1 is missing"));
  // Elsewhere nobody can know: the run opens, and says so.
  const auto elsewhere = open();
  ASSERT_TRUE(elsewhere);
  EXPECT_FALSE((*elsewhere)->freshness_proven());
  std::filesystem::remove_all(memory);
}

TEST_P(JournalContract, ThreadsThatAppendAtOnceLoseNothing) {
  auto journal = begin();
  {
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < 8; ++thread) {
      threads.emplace_back([&, thread] {
        for (int i = 0; i < 20; ++i) {
          journal->note(event("note", thread * 100 + i));
          journal->log("step", "line");
          if (i % 2 == 0) {
            EXPECT_TRUE(journal->append(op_, {event("append", thread * 100 + i)}));
          }
        }
      });
    }
  }
  ASSERT_TRUE(journal->flush(op_));
  std::map<std::int64_t, std::int64_t> last;  // by thread: what it wrote stays in its order
  std::size_t notes = 0, appends = 0;
  for (const Event& found : (*open())->events()) {
    const std::int64_t value = found.facts.integer("value", -1);
    notes += found.kind == "note";
    appends += found.kind == "append";
    if (found.kind != "note" && found.kind != "append") continue;
    EXPECT_GE(value, last[value / 100]);
    last[value / 100] = value;
  }
  EXPECT_EQ(notes, 160U);
  EXPECT_EQ(appends, 80U);
}

TEST_P(JournalContract, SecretsSurviveInTheVaultAndNowhereElse) {
  const std::string secret("correct \0 horse \xff battery", 26);
  std::string handle;
  {
    auto journal = begin();
    const auto kept = journal->put_secret(op_, "password", Secret(secret));
    ASSERT_TRUE(kept) << kept.error().what;
    handle = *kept;
    EXPECT_NE(handle, *journal->put_secret(op_, "password", Secret("other")));
  }
  auto other = *open();
  const auto read = other->get_secret(op_, handle);
  ASSERT_TRUE(read) << read.error().what;
  EXPECT_EQ(read->reveal(), secret);
  for (const auto& [name, bytes] : world_->store().objects()) {
    EXPECT_EQ(as_text(bytes).find("horse"), std::string_view::npos) << name;
  }
  EXPECT_EQ(other->get_secret(op_, "vault/00000000000000ff").error().kind, Error::Kind::not_found);
  EXPECT_EQ(other->get_secret(op_, "../../keys").error().kind, Error::Kind::invalid);
}

TEST_P(JournalContract, ADestroyedVaultOpensForNobody) {
  auto journal = begin();
  const std::string handle = *journal->put_secret(op_, "password", Secret("x"));
  const auto before = world_->store().objects();
  ASSERT_TRUE(journal->destroy_vault(op_));
  ASSERT_TRUE(journal->destroy_vault(op_));
  EXPECT_EQ((*open())->get_secret(op_, handle).error().kind, Error::Kind::not_found);
  // Even who kept a copy of the entry needs the key that is gone.
  world_->store().set_object("runs/r-1/" + handle, before.at("runs/r-1/" + handle));
  EXPECT_EQ((*open())->get_secret(op_, handle).error().kind, Error::Kind::not_found);
}

TEST_P(JournalContract, LinesAreReadAgainByStepAcrossDrivers) {
  {
    auto journal = begin();
    journal->log("orders", "restoring");
    journal->log("broker", "definitions");
    ASSERT_TRUE(journal->flush(op_));
  }
  auto other = *open();
  other->log("orders", "resumed");
  EXPECT_EQ(*other->read_log(op_, "orders"), (Names{"restoring", "resumed"}));
  ASSERT_TRUE(other->flush(op_));
  EXPECT_EQ(*(*open())->read_log(op_, "orders"), (Names{"restoring", "resumed"}));
  // The journal vouches for every line, in however many chunks its own thread put them.
  std::int64_t lines = 0;
  for (const Event& written : (*open())->events()) {
    if (written.kind == "log.chunk") lines += written.facts.integer("lines", 0);
  }
  EXPECT_EQ(lines, 3);
}

// A vault with two entries and a side stream with two chunks; any one byte of them is flipped.
class FlippedBytes : public JournalContract {
 protected:
  FlippedBytes() {
    auto journal = begin();
    handles_ = {*journal->put_secret(op_, "password", Secret("horse")),
                *journal->put_secret(op_, "token", Secret("battery"))};
    for (const char* line : {"restoring", "done"}) {
      journal->log("orders", line);
      EXPECT_TRUE(journal->flush(op_));
    }
  }
  // The run as a new process finds it: nothing of it is remembered.
  std::unique_ptr<Journal> anew() {
    auto journal = Journal::open(op_, seen_, "r-1", other_);
    EXPECT_TRUE(journal) << journal.error().what;
    return journal ? *std::move(journal) : nullptr;
  }
  static void flip(Bytes& bytes, std::size_t at) {
    bytes[at] ^= static_cast<std::uint8_t>(1u << (at % 8));
  }
  template <class T>
  static void expect_named(const Result<T>& answer, const std::string& object, std::size_t at) {
    ASSERT_FALSE(answer) << object << " byte " << at;
    EXPECT_EQ(answer.error().kind, Error::Kind::corrupt) << answer.error().what;
    EXPECT_EQ(exit_status(answer.error().effective_code()), 13);
    EXPECT_THAT(answer.error().what, testing::HasSubstr(object)) << "byte " << at;
  }
  // Calls `look` with each byte of `object` flipped in turn; then all is as it was, and opens.
  void at_every_byte(const std::string& object, const std::function<void(std::size_t at)>& look) {
    const auto before = world_->store().objects();
    for (std::size_t at = 0; at < before.at(object).size(); ++at) {
      Bytes flipped = before.at(object);
      flip(flipped, at);
      world_->store().set_object(object, flipped);
      look(at);
      ASSERT_EQ(world_->store().objects().at(object), flipped) << "what is broken is left alone";
    }
    world_->store().set_object(object, before.at(object));
    EXPECT_EQ(world_->store().objects(), before);
    EXPECT_EQ(anew()->get_secret(op_, handles_[0])->reveal(), "horse");
    EXPECT_EQ(anew()->get_secret(op_, handles_[1])->reveal(), "battery");
    EXPECT_EQ(*anew()->read_log(op_, "orders"), (Names{"restoring", "done"}));
  }

  repo::Repository& seen_ = world_->another();
  std::vector<std::string> handles_;
};

TEST_P(FlippedBytes, OfAVaultEntryAreNamedAndCostThatEntryAlone) {
  const std::string object = "runs/r-1/" + handles_[0];
  at_every_byte(object, [&](std::size_t at) {
    const auto journal = anew();
    expect_named(journal->get_secret(op_, handles_[0]), object, at);
    EXPECT_EQ(journal->get_secret(op_, handles_[1])->reveal(), "battery");
    EXPECT_EQ(journal->read_log(op_, "orders")->size(), 2U);
  });
}

TEST_P(FlippedBytes, OfTheVaultKeyAreNamedAndNoOtherKeyTakesItsPlace) {
  const std::string object = "runs/r-1/vault/key";
  at_every_byte(object, [&](std::size_t at) {
    const auto journal = anew();
    for (const std::string& handle : handles_) {
      expect_named(journal->get_secret(op_, handle), object, at);
    }
    expect_named(journal->put_secret(op_, "another", Secret("x")), object, at);
    EXPECT_EQ(journal->read_log(op_, "orders")->size(), 2U);
  });
}

TEST_P(FlippedBytes, OfAChunkOfTheSideStreamAreNamedAndLaterLinesAreKept) {
  const std::string object = "runs/r-1/log/0000000000000000";
  at_every_byte(object, [&](std::size_t at) {
    const auto journal = anew();
    expect_named(journal->read_log(op_, "orders"), object, at);
    EXPECT_EQ(journal->get_secret(op_, handles_[0])->reveal(), "horse");
  });
  Bytes bytes = world_->store().objects().at(object);
  const Bytes whole = bytes;
  flip(bytes, bytes.size() / 2);
  world_->store().set_object(object, bytes);
  const auto journal = anew();
  journal->log("orders", "resumed");
  ASSERT_TRUE(journal->flush(op_));
  world_->store().set_object(object, whole);
  EXPECT_EQ(*anew()->read_log(op_, "orders"), (Names{"restoring", "done", "resumed"}));
}

TEST_P(JournalContract, AnEventWithASecretInItEndsTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_DEATH(
      {
        auto journal = begin();
        Event bad = event("step.done");
        bad.facts.set("password", Value("x").taint());
        journal->note(bad);
      },
      "internal error: !event.facts.tainted");
}

}  // namespace lifeboat::journal
