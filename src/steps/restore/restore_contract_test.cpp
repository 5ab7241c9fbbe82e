// The contract of steps, for each way in which a restore may meet a target.
#include <set>

#include "plan/step_contract.h"
#include "steps/restore/restore_fixture.h"

namespace lifeboat::steps {
namespace {

using source::KeepsAside;

std::string shown(const source::Rows& rows) {
  std::string all;
  for (const auto& [name, text] : rows) all += name + "=" + text + ";";
  return all;
}

class RestoreContractWorld : public plan::StepWorld {
 public:
  RestoreContractWorld(KeepsAside how, std::string foreign) : foreign_(std::move(foreign)) {
    shop_.use(how);
  }
  const plan::StepType& type() override { return type_; }
  Value config() override { return LostShop::config(foreign_); }
  plan::FakeContext& context() override { return shop_.context; }

  // Whoever died after the capture and before the change captures again: that is no other end, so
  // what is kept in the repository counts by what it holds.
  std::string digest() override {
    std::string all = "rows " + shown(shop_.target.rows);
    for (const auto& [name, kept] : shop_.target.kept) all += "\n" + name + " " + shown(kept.rows);
    std::set<std::string> captured;
    for (const repo::Snapshot& each : shop_.repository->snapshots()) {
      if (each.about.kind != repo::SnapshotKind::kept) continue;
      captured.insert("\ncaptured by " + each.about.run + " " + shown(shop_.rows_of(each.id)));
    }
    for (const std::string& each : captured) all += each;
    return all;
  }
  void alter() override { shop_.target.rows["orders/2"] = "no tables"; }
  bool make_foreign() override {
    shop_.target.rows = {{"theirs", "somebody else's row"}};
    return true;
  }

 protected:
  LostShop shop_;

 private:
  const std::string foreign_;
  const plan::StepType type_ = restore_step(shop_.restore);
};

// Its target holds something foreign from the start, and that is to be kept aside.
class KeepingWorld final : public RestoreContractWorld {
 public:
  explicit KeepingWorld(KeepsAside how) : RestoreContractWorld(how, "keep_aside") {
    shop_.target.rows = {{"orders/1", "their chairs"}, {"theirs", "somebody else's row"}};
  }
  bool make_foreign() override { return false; }  // nothing is refused here
};

// Its target holds what an earlier recovery put there.
class AfterAnotherRunWorld final : public RestoreContractWorld {
 public:
  explicit AfterAnotherRunWorld(KeepsAside how) : RestoreContractWorld(how, "keep_aside") {
    shop_.target.rows = {{"orders/1", "chairs"}, {"orders/3", "sold since that recovery"}};
    shop_.target.marker = source::Marker{"run-0", "contract/step", 1, "4f2a91c05d11", true};
  }
  bool make_foreign() override { return false; }
};

LIFEBOAT_STEP_CONTRACT(RestoreContract, [] {
  return std::make_unique<RestoreContractWorld>(KeepsAside::by_rename, "refuse");
});
LIFEBOAT_STEP_CONTRACT(RestoreWithoutRenameContract, [] {
  return std::make_unique<RestoreContractWorld>(KeepsAside::by_capture, "refuse");
});
LIFEBOAT_STEP_CONTRACT(RestoreByRenameContract,
                       [] { return std::make_unique<KeepingWorld>(KeepsAside::by_rename); });
LIFEBOAT_STEP_CONTRACT(RestoreByCaptureContract,
                       [] { return std::make_unique<KeepingWorld>(KeepsAside::by_capture); });
LIFEBOAT_STEP_CONTRACT(RestoreAfterAnotherRunContract, [] {
  return std::make_unique<AfterAnotherRunWorld>(KeepsAside::by_capture);
});

// That the lives above end equal would prove little if they all ended without it.
TEST(RestoreKeeps, ALifeEndsWithTheForeignRowsKept) {
  for (const KeepsAside how : {KeepsAside::by_rename, KeepsAside::by_capture}) {
    KeepingWorld world(how);
    const auto step = repo::value(world.type().make(world.config(), world.context()));
    const Operation op{&world.context().clock()};
    ASSERT_TRUE(step->apply(op));
    EXPECT_THAT(world.digest(), testing::HasSubstr("orders/1=their chairs;theirs=somebody else's"));
  }
}

}  // namespace
}  // namespace lifeboat::steps
