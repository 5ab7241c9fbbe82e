// The restore step over a real repository in memory and a source whose system is a map.
#include "steps/restore/restore_step.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "backup/backup.h"
#include "client/process/launcher.h"
#include "plan/fake_context.h"
#include "repo/test_world.h"
#include "schema/fields.h"
#include "source/memory/memory_source.h"
#include "test_places.h"

namespace lifeboat::steps {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::MatchesRegex;

constexpr char a_kept_snapshot[] = "snapshot [0-9a-f]+ in the repository";

// A system that keeps nothing aside by itself: what its caller did not capture is gone.
class ForgetfulSource final : public source::MemorySource {
 public:
  using MemorySource::MemorySource;
  Result<std::vector<source::Kept>> kept(const Operation&) override {
    return std::vector<source::Kept>{};
  }
  Result<source::RestoreReport> restore(const Operation& op, capture::Feed& feed,
                                        const source::RestoreOptions& options) override {
    TRY(auto report, MemorySource::restore(op, feed, options));
    report.kept_aside.clear();
    return report;
  }
};

// A point that holds three rows of the source `orders`, and a target to put them back into.
class RestoreStepTest : public testing::Test {
 protected:
  void SetUp() override {
    repository_ = *world_.create();
    source::MemorySystem shop;
    shop.rows = {{"orders/1", "chairs"}, {"orders/2", "tables"}, {"stock", "7"}};
    source::MemorySource live(shop, world_.clock);
    repo::SnapshotDraft draft;
    draft.source = "orders";
    draft.source_type = "memory";
    const auto snapshot = backup::capture_one(world_.op, *repository_, live, draft);
    ASSERT_TRUE(snapshot) << snapshot.error().what;
    restore_.repository = repository_.get();
    restore_.types = &types_;
    restore_.snapshots["orders"] = snapshot->id;
    restore_.sources["orders"] = {"memory", Value(Value::Map())};
    target_.rows = {{"theirs", "somebody else's row"}};
  }

  void use(source::KeepsAside how) {
    source::SourceType type;
    type.name = "memory";
    type.keeps_aside = how;
    type.retarget = [](const Value& config, const std::string&, const Value&) -> Result<Value> {
      return config;
    };
    type.make = [this, how](const Value&,
                            const source::Context&) -> Result<std::unique_ptr<source::Source>> {
      using Answer = std::unique_ptr<source::Source>;
      if (how == source::KeepsAside::by_rename) {
        return Answer(std::make_unique<source::MemorySource>(target_, world_.clock));
      }
      return Answer(std::make_unique<ForgetfulSource>(target_, world_.clock));
    };
    types_.add(type);
  }

  // A step as each new driver makes it: it knows nothing of the one before.
  std::unique_ptr<plan::Step> step(const std::string& foreign = "keep_aside") {
    Value config;
    config.set("source", "orders");
    config.set("into", "memory:");
    config.set("foreign", foreign);
    context_.next_attempt();
    return *restore_step(restore_).make(config, context_);
  }

  std::vector<std::string> kept_by(plan::Step& step) {
    const auto proof = step.verify(world_.op);
    EXPECT_TRUE(proof) << proof.error().what;
    if (!proof) return {};
    for (const plan::Check& check : proof->checks) EXPECT_TRUE(check.ok) << check.name;
    EXPECT_THAT(proof->remarks, IsEmpty());
    return proof->kept_aside;
  }

  store::MemoryStore store_;
  repo::World world_{store_};
  std::unique_ptr<repo::Repository> repository_;
  source::SourceTypes types_;
  source::MemorySystem target_;
  RestoreWorld restore_;
  std::unique_ptr<Launcher> launcher_ = make_launcher(world_.clock, "", LIFEBOAT_SUPERVISOR_PATH);
  plan::FakeContext context_{{.clock = &world_.clock, .launcher = launcher_.get()}};
};

TEST_F(RestoreStepTest, WhatWasRenamedIsReportedAlsoByADriverThatDidNotDoIt) {
  use(source::KeepsAside::by_rename);
  const auto first = step();
  ASSERT_TRUE(first->apply(world_.op));
  EXPECT_THAT(kept_by(*first), ElementsAre("memory_before_run-1"));
  target_.kept["memory_before_run-0"] = {"run-0", {}};  // of another recovery: not this one's doing
  EXPECT_THAT(kept_by(*step()), ElementsAre("memory_before_run-1"));
}

TEST_F(RestoreStepTest, WhatWasCapturedIsReportedAlsoByADriverThatDidNotDoIt) {
  use(source::KeepsAside::by_capture);
  const auto first = step();
  const auto applied = first->apply(world_.op);
  ASSERT_TRUE(applied) << applied.error().what;
  const auto kept = kept_by(*first);
  ASSERT_THAT(kept, ElementsAre(MatchesRegex(a_kept_snapshot)));
  EXPECT_EQ(kept_by(*step()), kept);
  // It holds what was there.
  const repo::Snapshot aside = repository_->snapshots().back();
  EXPECT_THAT(kept.front(), HasSubstr(aside.id.brief()));
  EXPECT_EQ(aside.about.kind, repo::SnapshotKind::kept);
  const auto items = repo::read_back(world_.op, *repository_, aside.id);
  ASSERT_TRUE(items) << items.error().what;
  ASSERT_EQ(items->size(), 1U);
  EXPECT_EQ(items->front().item.name, "theirs");
}

TEST_F(RestoreStepTest, NothingIsKeptWhereNothingWas) {
  use(source::KeepsAside::by_capture);
  target_.rows.clear();
  const auto one = step();
  ASSERT_TRUE(one->apply(world_.op));
  EXPECT_THAT(kept_by(*one), IsEmpty());
}

TEST_F(RestoreStepTest, ForeignDataIsRefusedUnlessAskedOtherwise) {
  use(source::KeepsAside::by_rename);
  const auto refused = step("refuse")->apply(world_.op);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Error::Code::refused);
  EXPECT_EQ(target_.rows.size(), 1U);
}

TEST_F(RestoreStepTest, APartCannotBeProvenAndIsRefusedByName) {
  Value config;
  config.set("source", "orders");
  config.set("into", "memory:");
  config.set("only", "orders");
  std::vector<Finding> findings;
  validate(config, restore_step(restore_).fields, {}, findings);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_THAT(findings.front().message, HasSubstr("'only' is not in this version"));
}

}  // namespace
}  // namespace lifeboat::steps
