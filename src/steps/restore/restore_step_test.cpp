// The restore step over a real repository in memory and a source whose system is a map.
#include "steps/restore/restore_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "schema/fields.h"
#include "steps/restore/restore_fixture.h"

namespace lifeboat::steps {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

constexpr char a_kept_snapshot[] = "snapshot [0-9a-f]+ in the repository";

class RestoreStepTest : public testing::Test, protected LostShop {
 protected:
  void SetUp() override { target.rows = {{"theirs", "somebody else's row"}}; }

  // A step as each new driver makes it: it knows nothing of the one before.
  std::unique_ptr<plan::Step> step(const std::string& foreign = "keep_aside") {
    context.next_attempt();
    return *restore_step(restore).make(config(foreign), context);
  }

  std::vector<std::string> kept_by(plan::Step& step) {
    const auto proof = step.verify(world.op);
    EXPECT_TRUE(proof) << proof.error().what;
    if (!proof) return {};
    for (const plan::Check& check : proof->checks) EXPECT_TRUE(check.ok) << check.name;
    EXPECT_THAT(proof->remarks, IsEmpty());
    return proof->kept_aside;
  }
};

TEST_F(RestoreStepTest, WhatWasRenamedIsReportedAlsoByADriverThatDidNotDoIt) {
  use(source::KeepsAside::by_rename);
  const auto first = step();
  ASSERT_TRUE(first->apply(world.op));
  EXPECT_THAT(kept_by(*first), ElementsAre("memory_before_run-1"));
  EXPECT_EQ(target.kept.at("memory_before_run-1").rows,
            (source::Rows{{"theirs", "somebody else's row"}}));
  target.kept["memory_before_run-0"] = {"run-0", {}};  // of another recovery: not this one's doing
  EXPECT_THAT(kept_by(*step()), ElementsAre("memory_before_run-1"));
}

TEST_F(RestoreStepTest, WhatWasCapturedIsReportedAlsoByADriverThatDidNotDoIt) {
  use(source::KeepsAside::by_capture);
  const auto first = step();
  const auto applied = first->apply(world.op);
  ASSERT_TRUE(applied) << applied.error().what;
  const auto kept = kept_by(*first);
  ASSERT_THAT(kept, ElementsAre(MatchesRegex(a_kept_snapshot)));
  EXPECT_EQ(kept_by(*step()), kept);
  // It holds what was there.
  const repo::Snapshot aside = repository->snapshots().back();
  EXPECT_THAT(kept.front(), HasSubstr(aside.id.brief()));
  EXPECT_EQ(aside.about.kind, repo::SnapshotKind::kept);
  EXPECT_EQ(rows_of(aside.id), (source::Rows{{"theirs", "somebody else's row"}}));
}

TEST_F(RestoreStepTest, WhatAnotherStepOfTheSameRunPutThereIsCapturedAsWell) {
  use(source::KeepsAside::by_capture);
  target.marker = source::Marker{"run-1", "another/step", 1, "4f2a91c05d11", true};
  const auto one = step();
  ASSERT_TRUE(one->apply(world.op));
  ASSERT_THAT(kept_by(*one), ElementsAre(MatchesRegex(a_kept_snapshot)));
  EXPECT_EQ(rows_of(repository->snapshots().back().id),
            (source::Rows{{"theirs", "somebody else's row"}}));
}

// Reads only a part of what is there.
class HalfBlindSource final : public source::MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<void> capture(const Operation& op, capture::Sink& sink) override {
    capture::Moments moments;
    moments.begin = moments.consistent_at = moments.end = op.clock->wall();
    moments.partial = true;
    moments.remarks = {"theirs: cannot be read"};
    return sink.commit(op, moments);
  }
};

TEST_F(RestoreStepTest, WhatCouldBeCapturedOnlyInPartIsRemarkedUponByEveryDriver) {
  use(source::KeepsAside::by_capture);
  source::SourceType type = *types.find("memory");
  type.make = [this](const Value&, const source::Context&) {
    return Result<std::unique_ptr<source::Source>>(
        std::make_unique<HalfBlindSource>(target, world.clock));
  };
  types.add(type);
  const auto one = step();
  ASSERT_TRUE(one->apply(world.op));
  for (const auto& each : {one->verify(world.op), step()->verify(world.op)}) {
    ASSERT_TRUE(each) << each.error().what;
    EXPECT_THAT(each->remarks, Contains(AllOf(HasSubstr("was kept aside only in part"),
                                              HasSubstr("theirs: cannot be read"))));
  }
}

TEST_F(RestoreStepTest, NothingIsKeptWhereNothingWas) {
  use(source::KeepsAside::by_capture);
  target.rows.clear();
  const auto one = step();
  ASSERT_TRUE(one->apply(world.op));
  EXPECT_THAT(kept_by(*one), IsEmpty());
}

TEST_F(RestoreStepTest, WhatDiffersInAnOccupiedTargetIsToldItemByItem) {
  use(source::KeepsAside::by_rename);
  target.rows = {{"orders/1", "chairs"}, {"orders/2", "no tables"}};
  const auto told = [&](const std::string& foreign) {
    const auto seen = step(foreign)->observe(world.op);
    EXPECT_TRUE(seen) << seen.error().what;
    std::vector<std::string> lines;
    for (const plan::Change& each : seen->changes) {
      lines.push_back(each.what + ": " + each.from + " -> " + each.to);
    }
    return lines;
  };
  const auto differ = ElementsAre(HasSubstr("3 items"), "row orders/2: no tables -> tables",
                                  "row stock: absent -> 7", "number of rows: 2 -> 3");
  EXPECT_THAT(told("refuse"), differ);
  EXPECT_THAT(told("keep_aside"), differ);
  target.marker = source::Marker{"run-0", "orders", 1, "4f2a91c05d11", true};  // of another run
  EXPECT_THAT(told("refuse"), differ);
  EXPECT_EQ(target.rows.at("orders/2"), "no tables");
  target.rows.clear();
  target.marker.reset();
  EXPECT_THAT(told("refuse"), ElementsAre(HasSubstr("3 items")));
}

// All of very many items differ.
class OtherSource final : public source::MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<std::vector<source::Check>> verify(const Operation&, capture::Feed&) override {
    return std::vector<source::Check>(1500, {"row", "theirs", "ours", false});
  }
};

TEST_F(RestoreStepTest, DifferencesThatAreManyAreBounded) {
  use(source::KeepsAside::by_rename);
  source::SourceType type = *types.find("memory");
  type.make = [this](const Value&, const source::Context&) {
    return Result<std::unique_ptr<source::Source>>(
        std::make_unique<OtherSource>(target, world.clock));
  };
  types.add(type);
  const auto seen = step("refuse")->observe(world.op);
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->changes.size(), 1001u);
  EXPECT_EQ(seen->changes.back().what, "501 more that differ");
}

TEST_F(RestoreStepTest, ATargetThatCannotBeComparedIsNoProblemYet) {
  use(source::KeepsAside::by_rename);
  source::SourceType type = *types.find("memory");
  const auto make = type.make;
  int opened = 0;
  type.make = [&](const Value& value, const source::Context& around) {
    return ++opened > 1 ? Result<std::unique_ptr<source::Source>>(
                              fail(Error::Kind::unavailable, "no more connections"))
                        : make(value, around);
  };
  types.add(type);
  const auto seen = step("refuse")->observe(world.op);
  ASSERT_TRUE(seen) << seen.error().what;
  EXPECT_EQ(seen->state, plan::State::foreign);
  EXPECT_THAT(seen->changes.back().what, HasSubstr("no more connections"));
}

TEST_F(RestoreStepTest, ForeignDataIsRefusedUnlessAskedOtherwise) {
  use(source::KeepsAside::by_rename);
  const auto refused = step("refuse")->apply(world.op);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Error::Code::refused);
  EXPECT_EQ(target.rows.size(), 1U);
}

TEST_F(RestoreStepTest, APartCannotBeProvenAndIsRefusedByName) {
  Value config;
  config.set("source", "orders");
  config.set("into", "memory:");
  config.set("only", "orders");
  std::vector<Finding> findings;
  validate(config, restore_step(restore).fields, {}, findings);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings.front().message, HasSubstr("'only' is not in this version"));
}

}  // namespace
}  // namespace lifeboat::steps
