#include "store/memory.h"

#include <gtest/gtest.h>

namespace lifeboat::store {
namespace {

using Verb = MemoryStore::Verb;
using Fault = MemoryStore::Fault;
using Death = MemoryStore::Death;

class Memory : public testing::Test {
 protected:
  Result<Put> put(const std::string& name, std::string_view text) {
    return store_.put(op_, name, as_bytes(text));
  }
  bool holds(const std::string& name, std::string_view text) {
    const auto bytes = store_.get(op_, name);
    return bytes && as_text(*bytes) == text;
  }
  void fault_on(Verb wanted, Fault fault) {
    store_.set_script([=](std::uint64_t, Verb verb, const std::string&) {
      return verb == wanted ? fault : Fault::none;
    });
  }

  SystemClock clock_;
  Operation op_{.clock = &clock_};
  MemoryStore store_;
};

TEST_F(Memory, ALostReplyIsSettledByPuttingAgain) {
  fault_on(Verb::put, Fault::lost_reply);
  const auto lost = put("log/0", "mine");
  ASSERT_FALSE(lost);
  EXPECT_EQ(lost.error().kind, Error::Kind::unavailable);
  store_.set_script({});
  EXPECT_TRUE(holds("log/0", "mine"));
  EXPECT_EQ(put("log/0", "mine"), Put::created);
  EXPECT_EQ(put("log/0", "theirs"), Put::exists);
}

TEST_F(Memory, ARefusedCallChangesNothing) {
  ASSERT_TRUE(put("log/0", "first"));
  for (const Verb verb : {Verb::put, Verb::get, Verb::size, Verb::remove, Verb::list}) {
    fault_on(verb, Fault::unavailable);
    EXPECT_EQ(put("log/1", "x").has_value(), verb != Verb::put);
    EXPECT_EQ(store_.get(op_, "log/0").has_value(), verb != Verb::get);
    EXPECT_EQ(store_.size(op_, "log/0").has_value(), verb != Verb::size);
    EXPECT_EQ(store_.remove(op_, "log/1").has_value(), verb != Verb::remove);
    EXPECT_EQ(store_.list(op_, "").has_value(), verb != Verb::list);
    store_.erase_object("log/1");
    EXPECT_EQ(store_.objects().size(), 1u);
  }
}

TEST_F(Memory, ALostReplyOfARemoveHasRemoved) {
  ASSERT_TRUE(put("log/0", "x"));
  fault_on(Verb::remove, Fault::lost_reply);
  EXPECT_FALSE(store_.remove(op_, "log/0"));
  EXPECT_TRUE(store_.objects().empty());
}

TEST_F(Memory, NoSpaceHasItsCodeAndStopsOnlyPuts) {
  store_.set_script([](std::uint64_t, Verb, const std::string&) { return Fault::no_space; });
  const auto full = put("log/0", "x");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().effective_code(), Error::Code::no_space);
  EXPECT_TRUE(store_.objects().empty());
  EXPECT_TRUE(store_.list(op_, ""));
  EXPECT_TRUE(store_.remove(op_, "log/0"));
}

TEST_F(Memory, TheScriptSeesEachCallInOrderAndMayLookIntoTheStore) {
  std::vector<std::string> seen;
  store_.set_script([&](std::uint64_t ordinal, Verb, const std::string& name) {
    seen.push_back(std::to_string(ordinal) + " " + name + " " +
                   std::to_string(store_.objects().size()));
    return Fault::none;
  });
  ASSERT_TRUE(put("a", "1"));
  ASSERT_TRUE(put("b", "2"));
  ASSERT_TRUE(store_.remove(op_, "a"));
  EXPECT_EQ(seen, (std::vector<std::string>{"0 a 0", "1 b 1", "2 a 2"}));
}

TEST_F(Memory, OnlyWhatTookEffectCountsAsAChange) {
  ASSERT_TRUE(put("a", "1"));
  ASSERT_TRUE(put("a", "1"));
  ASSERT_TRUE(put("a", "2"));
  ASSERT_TRUE(store_.remove(op_, "absent"));
  EXPECT_EQ(store_.changes(), 1u);
  ASSERT_TRUE(store_.remove(op_, "a"));
  EXPECT_EQ(store_.changes(), 2u);
}

TEST_F(Memory, ADeadProcessStaysDeadUntilTheNextOneLives) {
  for (const Death death : {Death::before, Death::torn, Death::after}) {
    MemoryStore store;
    store.die_after_changes(1, death);
    ASSERT_TRUE(store.put(op_, "log/0", as_bytes("zero")));
    EXPECT_FALSE(store.dead());
    EXPECT_FALSE(store.put(op_, "log/1", as_bytes("eleven")));
    EXPECT_TRUE(store.dead());
    EXPECT_FALSE(store.put(op_, "log/2", as_bytes("two")));
    EXPECT_FALSE(store.get(op_, "log/0"));
    EXPECT_FALSE(store.list(op_, ""));
    EXPECT_FALSE(store.remove(op_, "log/0"));
    store.revive();
    std::vector<std::string> left{"log/0"};
    if (death == Death::after) left.push_back("log/1");
    EXPECT_EQ(store.list(op_, "").value_or(std::vector<std::string>{}), left);
    EXPECT_TRUE(store.put(op_, "log/2", as_bytes("two"))) << "no death is left over";
  }
}

TEST_F(Memory, ATornPutLeavesHalfUnderATemporaryNameOnly) {
  store_.die_after_changes(0, Death::torn);
  ASSERT_FALSE(put("log/0", "halves"));
  store_.revive();
  const auto objects = store_.objects();
  ASSERT_EQ(objects.size(), 1u);
  EXPECT_TRUE(objects.begin()->first.starts_with("tmp/"));
  EXPECT_EQ(as_text(objects.begin()->second), "hal");
  EXPECT_TRUE(store_.list(op_, "").value_or(std::vector<std::string>{"failed"}).empty());
  EXPECT_FALSE(store_.get(op_, objects.begin()->first));
}

TEST_F(Memory, DeathIsCountedFromTheCallThatAsksForIt) {
  ASSERT_TRUE(put("a", "1"));
  ASSERT_TRUE(put("b", "1"));
  store_.die_after_changes(1);
  EXPECT_TRUE(put("c", "1"));
  EXPECT_FALSE(put("d", "1"));
}

}  // namespace
}  // namespace lifeboat::store
