// The directory and memory stores keep the contract; six broken doubles do not.
#include "store/store_contract.h"

#include <stdlib.h>

#include "store/directory.h"
#include "store/memory.h"

namespace lifeboat::store {
namespace {

const SystemClock clock_of_the_machine;

StoreWorld memory_world() { return {nullptr, std::make_unique<MemoryStore>()}; }

StoreWorld directory_world() {
  std::string path = "/tmp/lifeboat-store.XXXXXX";
  EXPECT_NE(::mkdtemp(path.data()), nullptr);
  auto owner = std::shared_ptr<void>(nullptr, [path](void*) { std::filesystem::remove_all(path); });
  auto store = open_directory(path, false, clock_of_the_machine);
  return {owner, store ? *std::move(store) : nullptr};
}

const std::vector<StoreMaker> makers{{"Memory", memory_world}, {"Directory", directory_world}};

INSTANTIATE_STORE_CONTRACT(Stores, makers);

// A store that works, for doubles to break one thing of.
class Broken : public Store {
 public:
  Result<Put> put(const Operation& op, const std::string& name, ByteView bytes) override {
    return inner_.put(op, name, bytes);
  }
  Result<Bytes> get(const Operation& op, const std::string& name,
                    std::optional<Range> range) override {
    return inner_.get(op, name, range);
  }
  Result<std::uint64_t> size(const Operation& op, const std::string& name) override {
    return inner_.size(op, name);
  }
  Result<void> remove(const Operation& op, const std::string& name) override {
    return inner_.remove(op, name);
  }
  Result<std::vector<std::string>> list(const Operation& op, const std::string& prefix) override {
    return inner_.list(op, prefix);
  }
  std::string describe() const override { return "broken double"; }

 protected:
  MemoryStore inner_;
};

class Overwrites final : public Broken {
 public:
  Result<Put> put(const Operation& op, const std::string& name, ByteView bytes) override {
    TRY(const Put put, inner_.put(op, name, bytes));
    if (put == Put::exists) inner_.set_object(name, Bytes(bytes.begin(), bytes.end()));
    return Put::created;
  }
};
class TellsLosersThatTheyWon final : public Broken {
 public:
  Result<Put> put(const Operation& op, const std::string& name, ByteView bytes) override {
    TRY_DO(inner_.put(op, name, bytes));
    return Put::created;
  }
};
class IgnoresRanges final : public Broken {
 public:
  Result<Bytes> get(const Operation& op, const std::string& name, std::optional<Range>) override {
    return inner_.get(op, name, std::nullopt);
  }
};
class RefusesToRemoveTwice final : public Broken {
 public:
  Result<void> remove(const Operation& op, const std::string& name) override {
    TRY_DO(inner_.size(op, name));
    return inner_.remove(op, name);
  }
};
class ListsByTextPrefix final : public Broken {
 public:
  Result<std::vector<std::string>> list(const Operation& op, const std::string& prefix) override {
    TRY(std::vector<std::string> names, inner_.list(op, ""));
    std::erase_if(names, [&](const std::string& name) {
      return !name.starts_with(prefix.substr(0, prefix.empty() ? 0 : prefix.size() - 1));
    });
    return names;
  }
};
class LosesTheLastByte final : public Broken {
 public:
  Result<Put> put(const Operation& op, const std::string& name, ByteView bytes) override {
    return inner_.put(op, name, bytes.size() > 4096 ? bytes.first(bytes.size() - 1) : bytes);
  }
};

template <class Double>
int violations() {
  int count = 0;
  for (const StoreCheck& check : store_checks()) {
    Double store;
    count += static_cast<int>(check.run(store).size());
  }
  return count;
}

TEST(StoreContractItself, PassesAStoreThatWorks) { EXPECT_EQ(violations<Broken>(), 0); }
TEST(StoreContractItself, CatchesOverwriting) { EXPECT_GT(violations<Overwrites>(), 0); }
TEST(StoreContractItself, CatchesTwoWinners) { EXPECT_GT(violations<TellsLosersThatTheyWon>(), 0); }
TEST(StoreContractItself, CatchesIgnoredRanges) { EXPECT_GT(violations<IgnoresRanges>(), 0); }
TEST(StoreContractItself, CatchesRemoveThatFails) {
  EXPECT_GT(violations<RefusesToRemoveTwice>(), 0);
}
TEST(StoreContractItself, CatchesListsByText) { EXPECT_GT(violations<ListsByTextPrefix>(), 0); }
TEST(StoreContractItself, CatchesALostByte) { EXPECT_GT(violations<LosesTheLastByte>(), 0); }

TEST(ProvePutIfAbsent, TrustsStoresThatKeepIt) {
  const Operation op{.clock = &clock_of_the_machine};
  for (const StoreMaker& maker : makers) {
    StoreWorld world = maker.make();
    EXPECT_TRUE(prove_put_if_absent(op, *world.store, 16, "0f"));
    EXPECT_TRUE(world.store->list(op, "")->empty()) << "the probe is removed";
  }
}

TEST(ProvePutIfAbsent, RefusesAStoreThatOverwrites) {
  const Operation op{.clock = &clock_of_the_machine};
  Overwrites store;
  const auto proof = prove_put_if_absent(op, store, 16, "0f");
  ASSERT_FALSE(proof);
  EXPECT_EQ(proof.error().effective_code(), Error::Code::refused);
}

}  // namespace
}  // namespace lifeboat::store
