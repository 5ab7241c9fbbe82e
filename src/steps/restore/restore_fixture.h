// steps/restore/restore_fixture.h - A point with three rows of a source in memory, and a system to
// put them back into: what every test of the restore step stands on.
//
// Threads: one.  Ownership: the shop owns repository and system; steps must not outlive it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "backup/backup.h"
#include "client/process/launcher.h"
#include "plan/fake_context.h"
#include "repo/test_world.h"
#include "source/memory/memory_source.h"
#include "steps/restore/restore_step.h"
#include "test_places.h"

namespace lifeboat::steps {

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
    system_.kept.clear();
    return report;
  }
};

class LostShop {
 public:
  LostShop() {
    source::MemorySystem shop;
    shop.rows = {{"orders/1", "chairs"}, {"orders/2", "tables"}, {"stock", "7"}};
    source::MemorySource live(shop, world.clock);
    repo::SnapshotDraft draft;
    draft.source = "orders";
    draft.source_type = "memory";
    restore.repository = repository.get();
    restore.types = &types;
    restore.snapshots["orders"] =
        repo::value(backup::capture_one(world.op, *repository, live, draft)).id;
    restore.sources["orders"] = {"memory", Value(Value::Map())};
  }

  // Says how the target keeps aside what is there.
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
      if (refuses) return fail(*refuses, "memory: the target cannot be reached");
      if (how == source::KeepsAside::by_rename) {
        return Answer(std::make_unique<source::MemorySource>(target, world.clock));
      }
      return Answer(std::make_unique<ForgetfulSource>(target, world.clock));
    };
    types.add(type);
  }

  static Value config(const std::string& foreign) {
    Value config;
    config.set("source", "orders");
    config.set("into", "memory:");
    config.set("foreign", foreign);
    return config;
  }

  // The rows of a snapshot in the repository.
  source::Rows rows_of(const Id& snapshot) {
    source::Rows rows;
    for (const auto& each : repo::value(repo::read_back(world.op, *repository, snapshot))) {
      rows[each.item.name] = std::string(as_text(each.content));
    }
    return rows;
  }

  store::MemoryStore store;
  repo::World world{store};
  std::unique_ptr<repo::Repository> repository = repo::value(world.create());
  source::SourceTypes types;
  source::MemorySystem target;
  std::optional<Error::Kind> refuses;  // how it answers whoever wants in
  RestoreWorld restore;
  std::unique_ptr<Launcher> launcher = make_launcher(world.clock, "", LIFEBOAT_SUPERVISOR_PATH);
  plan::FakeContext context{{.clock = &world.clock, .launcher = launcher.get()}};
};

}  // namespace lifeboat::steps
