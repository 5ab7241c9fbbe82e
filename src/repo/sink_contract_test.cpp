// The repository's sinks and feeds pass the contract of all sinks.
#include "capture/sink_contract.h"

#include <gmock/gmock.h>

#include "repo/test_world.h"

namespace lifeboat::repo {
namespace {

class RepositoryWorld final : public capture::SinkWorld {
 public:
  const Clock& clock() override { return world_.clock; }
  std::unique_ptr<capture::Sink> sink() override {
    SnapshotDraft draft;
    draft.source = "contract";
    draft.source_type = "files";
    return value(session_->snapshot(world_.op, draft));
  }
  std::shared_ptr<capture::Feed> feed() override {
    works(repository_->refresh(world_.op));
    const auto snapshots = repository_->snapshots();
    if (snapshots.empty()) return nullptr;
    return value(repository_->feed(world_.op, snapshots.back().id));
  }

 private:
  store::MemoryStore store_;
  World world_{store_};
  std::unique_ptr<Repository> repository_ = value(world_.create());
  std::unique_ptr<Session> session_ = value(repository_->open_session(world_.op));
};

LIFEBOAT_SINK_CONTRACT(RepositorySinks, [] { return std::make_unique<RepositoryWorld>(); });

}  // namespace
}  // namespace lifeboat::repo
