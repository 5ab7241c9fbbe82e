// The compare step over a source in memory, against a snapshot in a repository.
#include "steps/compare/compare_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "plan/step_contract.h"
#include "schema/json.h"
#include "steps/restore/restore_fixture.h"

namespace lifeboat::steps {
namespace {

using plan::State;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

// The shop as it was when the point was made, still alive.
class LivingShop : public LostShop {
 public:
  LivingShop() {
    use(source::KeepsAside::by_rename);
    target.rows = {{"orders/1", "chairs"}, {"orders/2", "tables"}, {"stock", "7"}};
  }
};

class CompareWorld final : public plan::StepWorld {
 public:
  const plan::StepType& type() override { return type_; }
  Value config() override { return *parse_json(R"({"source": "orders"})"); }
  plan::FakeContext& context() override { return shop_.context; }
  std::string digest() override {
    std::string all = std::to_string(shop_.repository->snapshots().size());
    for (const auto& [name, text] : shop_.target.rows) all += name + "=" + text + ";";
    return all + (shop_.target.marker ? "marked" : "");
  }
  void alter() override { shop_.target.rows["orders/2"] = "no tables"; }
  bool make_foreign() override { return false; }  // it changes nothing that could be anybody's

 private:
  LivingShop shop_;
  const plan::StepType type_ = compare_step(shop_.restore);
};

LIFEBOAT_STEP_CONTRACT(CompareContract, [] { return std::make_unique<CompareWorld>(); });

class CompareTest : public testing::Test {
 protected:
  std::unique_ptr<plan::Step> step(const std::string& json) {
    Value config = *parse_json(json);
    std::vector<Finding> findings;
    validate(config, type_.fields, {.path = "compare"}, findings);
    for (const Finding& finding : findings) ADD_FAILURE() << finding.text();
    auto result = type_.make(config, shop_.context);
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    return *std::move(result);
  }
  std::vector<std::string> failed(plan::Step& step) {
    const auto proof = step.verify(shop_.world.op);
    if (!proof) return {"error: " + proof.error().what};
    std::vector<std::string> names;
    for (const plan::Check& check : proof->checks) {
      if (!check.ok) names.push_back(check.name);
    }
    return names;
  }
  LivingShop shop_;
  const plan::StepType type_ = compare_step(shop_.restore);
};

TEST_F(CompareTest, AnEqualSystemIsProvenItemByItem) {
  const auto compare = step(R"({"source": "orders"})");
  EXPECT_EQ(compare->observe(shop_.world.op)->state, State::ours_done);
  const auto proof = compare->verify(shop_.world.op);
  ASSERT_TRUE(proof) << proof.error().what;
  EXPECT_THAT(failed(*compare), IsEmpty());
  EXPECT_EQ(proof->outputs.text("snapshot"), shop_.restore.snapshots["orders"].hex());
  EXPECT_EQ(proof->outputs.text("identity"), "memory");
  EXPECT_EQ(proof->outputs.at("compared"), Value(std::uint64_t{proof->checks.size()}));
  EXPECT_EQ(proof->outputs.at("differing"), Value(0));
}

TEST_F(CompareTest, WhatHasMovedSinceIsNamedAndNothingIsTouched) {
  shop_.target.rows["orders/2"] = "ten tables";
  shop_.target.rows.erase("stock");
  const auto before = shop_.target.rows;
  const auto compare = step(R"({"source": "orders"})");
  const auto seen = compare->observe(shop_.world.op);
  EXPECT_EQ(seen->state, State::absent);
  EXPECT_TRUE(compare->apply(shop_.world.op));
  const auto names = failed(*compare);
  EXPECT_THAT(names, Contains(HasSubstr("orders/2")));
  EXPECT_THAT(names, Contains(HasSubstr("stock")));
  EXPECT_EQ(shop_.target.rows, before);
  EXPECT_FALSE(shop_.target.marker);
}

TEST_F(CompareTest, ExceptedDifferencesAreRemarks) {
  shop_.target.rows["orders/2"] = "ten tables";
  const auto compare = step(R"({"source": "orders", "except": ["orders/2"]})");
  const auto proof = compare->verify(shop_.world.op);
  ASSERT_TRUE(proof) << proof.error().what;
  EXPECT_THAT(failed(*compare), IsEmpty());
  EXPECT_THAT(proof->remarks, ElementsAre(HasSubstr("orders/2")));
  EXPECT_EQ(proof->outputs.at("differing"), Value(1));
}

TEST_F(CompareTest, ExceptingEverythingProvesNothing) {
  shop_.target.rows = {{"theirs", "1"}};
  const auto compare =
      step(R"({"source": "orders", "except": ["orders", "stock", "theirs", "r"]})");
  const auto proof = compare->verify(shop_.world.op);
  ASSERT_FALSE(proof);
  EXPECT_THAT(proof.error().what, HasSubstr("nothing was compared"));
}

TEST_F(CompareTest, ASystemThatRefusesTheLoginIsAnErrorOfObserveAndOneThatIsNotThereIsAbsent) {
  const auto compare = step(R"({"source": "orders"})");
  shop_.refuses = Error::Kind::denied;
  EXPECT_EQ(compare->observe(shop_.world.op).error().kind, Error::Kind::denied);
  for (const Error::Kind kind : {Error::Kind::unavailable, Error::Kind::not_found}) {
    shop_.refuses = kind;
    const auto seen = compare->observe(shop_.world.op);
    ASSERT_TRUE(seen) << kind_name(kind);
    EXPECT_EQ(seen->state, State::absent);
  }
}

TEST_F(CompareTest, ASourceThatThePointLacksIsToldBeforehand) {
  shop_.restore.sources["broker"] = {"memory", Value(Value::Map())};
  const auto early = step(R"({"source": "broker"})")->preflight(shop_.world.op);
  ASSERT_FALSE(early);
  EXPECT_EQ(early.error().kind, Error::Kind::invalid);
  EXPECT_THAT(early.error().what, HasSubstr("holds no snapshot of broker"));
  EXPECT_FALSE(type_.make(*parse_json(R"({"source": "nobody"})"), shop_.context));
  EXPECT_FALSE(type_.make(*parse_json(R"({"source": "orders", "with": {}})"), shop_.context));
}

}  // namespace
}  // namespace lifeboat::steps
