// Inits that die at any of their store operations, and inits that cross at any of them: what one of
// them reported as made opens with every one of its keys, and never do the keys of another one
// stand in the way.
#include <functional>

#include "repo/test_world.h"

namespace lifeboat::repo {
namespace {

using Names = std::vector<std::string>;

Result<std::unique_ptr<Repository>> init(World& world, store::Store& store,
                                         const Names& passphrases) {
  std::vector<NewKey> keys;
  for (const std::string& text : passphrases) keys.push_back(Passphrase{Secret(text)});
  return Repository::create(world.op, store, keys, world.environment, World::cheap);
}

bool opens(World& world, const std::string& passphrase) {
  const auto opened = world.open(passphrase);
  return opened.has_value();
}

// The repository that is there has just these keys, and is fit for use.
void expect_keys(World& world, const Names& passphrases) {
  for (const std::string& text : passphrases) EXPECT_TRUE(opens(world, text)) << text;
  const auto wrong = world.open("of nobody");
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(wrong.error().effective_code(), Error::Code::wrong_key) << wrong.error().what;
  const auto repository = value(world.open(passphrases.front()));
  EXPECT_EQ(value(repository->keys(world.op)).size(), passphrases.size());
  const NewKey more = Passphrase{Secret("one more")};
  const auto added = value(repository->add_key(world.op, more, "", World::cheap));
  EXPECT_TRUE(opens(world, "one more"));
  works(repository->remove_key(world.op, added.slot));
  EXPECT_FALSE(opens(world, "one more"));
  EXPECT_TRUE(value(check(world.op, *repository, {true, {}})).broken.empty());
}

TEST(Init, DeadAfterAnyChangeItLeavesNothingInTheWayOfTheNext) {
  using Death = store::MemoryStore::Death;
  for (const Death death : {Death::before, Death::torn, Death::after}) {
    for (std::uint64_t n = 0; n < 3; ++n) {
      SCOPED_TRACE("dead after " + std::to_string(n) + " changes");
      store::MemoryStore store;
      World world(store, 1 + n), next(store, 100 + n);
      store.die_after_changes(n, death);
      ASSERT_FALSE(init(world, store, {"first", "second"}).has_value());
      store.revive();
      if (init(next, store, {"third"}).has_value()) {
        EXPECT_FALSE(opens(next, "first"));
        expect_keys(next, {"third"});
      } else {  // the config was stored, only nobody heard of it
        expect_keys(next, {"first", "second"});
      }
    }
  }
}

// Lets somebody else act just before one of its calls.
class Interrupted final : public store::Store {
 public:
  Interrupted(store::Store& under, std::uint64_t at, std::function<void()> act)
      : under_(under), at_(at), act_(std::move(act)) {}

  bool acted() const { return next_ > at_; }
  Result<store::Put> put(const Operation& op, const std::string& name, ByteView bytes) override {
    count();
    return under_.put(op, name, bytes);
  }
  Result<Bytes> get(const Operation& op, const std::string& name,
                    std::optional<store::Range> range) override {
    count();
    return under_.get(op, name, range);
  }
  Result<std::uint64_t> size(const Operation& op, const std::string& name) override {
    count();
    return under_.size(op, name);
  }
  Result<void> remove(const Operation& op, const std::string& name) override {
    count();
    return under_.remove(op, name);
  }
  Result<std::vector<std::string>> list(const Operation& op, const std::string& prefix) override {
    count();
    return under_.list(op, prefix);
  }
  std::string describe() const override { return under_.describe(); }

 private:
  void count() {
    if (next_++ == at_) act_();
  }
  store::Store& under_;
  const std::uint64_t at_;
  const std::function<void()> act_;
  std::uint64_t next_ = 0;
};

TEST(Init, OfTwoThatCrossAtAnyOperationOneMakesTheRepositoryAndItsKeysOpen) {
  for (std::uint64_t at = 0;; ++at) {
    SCOPED_TRACE("the second one runs before operation " + std::to_string(at) + " of the first");
    store::MemoryStore store;
    World slow(store, 10 + at), fast(store, 500 + at);
    bool second = false;
    Interrupted crossed(store, at,
                        [&] { second = init(fast, store, {"fast", "fast too"}).has_value(); });
    const auto first = init(slow, crossed, {"slow", "slow too"});
    if (!crossed.acted()) break;
    ASSERT_NE(first.has_value(), second);
    if (!first) {
      EXPECT_EQ(first.error().kind, Error::Kind::conflict) << first.error().what;
    }
    expect_keys(fast, second ? Names{"fast", "fast too"} : Names{"slow", "slow too"});
  }
}

TEST(Init, OneThatDiesInTheMidstOfAnotherTakesNothingFromIt) {
  for (std::uint64_t at = 0;; ++at) {
    bool acted = false;
    for (std::uint64_t n = 1; n <= 2; ++n) {
      SCOPED_TRACE("before operation " + std::to_string(at) + ", after " + std::to_string(n));
      store::MemoryStore store;
      World slow(store, 10 + at), dying(store, 500 + at);
      Interrupted crossed(store, at, [&] {
        store.die_after_changes(n);
        (void)init(dying, store, {"dying", "dying too"}).has_value();
        store.revive();
      });
      const auto first = init(slow, crossed, {"slow", "slow too"});
      acted = crossed.acted();
      if (!acted) break;
      ASSERT_TRUE(first.has_value()) << first.error().what;
      expect_keys(slow, {"slow", "slow too"});
    }
    if (!acted) break;
  }
}

TEST_F(RepositoryTest, AKeyWhoseRepositoryIdIsDamagedIsNotTakenForAnotherRepositorys) {
  const Bytes sound = store_.objects().at("keys/00");
  for (std::size_t at = 10; at < 26; ++at) {
    Bytes damaged = sound;
    damaged[at] ^= 0x01;
    store_.set_object("keys/00", damaged);
    const auto refused = world_.open();
    ASSERT_FALSE(refused.has_value());
    EXPECT_EQ(refused.error().kind, Error::Kind::corrupt) << "byte " << at;
  }
}

}  // namespace
}  // namespace lifeboat::repo
