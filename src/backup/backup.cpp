#include "backup/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "backup/bundle.h"
#include "backup/crew.h"
#include "base/mutex.h"

namespace lifeboat::backup {
namespace {

// Each holds an open chunk and a connection of its own: memory must not grow with the platform.
constexpr std::size_t captures_at_once_max = 16;

// Hands out crews in their order, each once all its members can be captured at once.
class Turns {
 public:
  explicit Turns(const std::vector<Crew>& crews) : crews_(crews) {}
  const Crew* take() {
    MutexLock lock(mutex_);
    while (next_ < crews_.size() && crews_[next_].members.size() > free_) changed_.wait(mutex_);
    if (next_ == crews_.size()) return nullptr;
    const Crew& crew = crews_[next_++];
    free_ -= crew.members.size();
    changed_.notify_all();
    return &crew;
  }
  void give_back(const Crew& crew) {
    MutexLock lock(mutex_);
    free_ += crew.members.size();
    changed_.notify_all();
  }

 private:
  const std::vector<Crew>& crews_;
  Mutex mutex_;
  Condition changed_;
  std::size_t free_ GUARDED_BY(mutex_) = captures_at_once_max;
  std::size_t next_ GUARDED_BY(mutex_) = 0;
};

// At once: moments close together, and the wait for one server is work for another.
std::vector<GroupResult> run_crews(const Operation& op, const std::vector<Crew>& crews,
                                   const CrewWork& work) {
  Turns turns(crews);
  std::vector<std::optional<GroupResult>> groups(crews.size());
  {
    std::vector<std::jthread> workers;
    for (std::size_t i = 0; i < std::min(crews.size(), captures_at_once_max); ++i) {
      workers.emplace_back([&] {
        while (const Crew* crew = turns.take()) {
          groups[static_cast<std::size_t>(crew - crews.data())] = run_crew(op, *crew, work);
          turns.give_back(*crew);
        }
      });
    }
  }
  std::vector<GroupResult> results;
  for (std::optional<GroupResult>& group : groups) {
    if (group) results.push_back(*std::move(group));
  }
  return results;
}

// A group that is not consistent makes its members partial: none of them is what it should be.
void mark_members(repo::PointDraft& draft, const repo::GroupMoment& group) {
  if (group.consistent) return;
  for (repo::Member& member : draft.members) {
    if (std::ranges::find(group.sources, member.source) == group.sources.end()) continue;
    member.partial = true;
    if (member.reason.empty()) member.reason = "group " + group.name + ": " + group.reason;
  }
}

repo::PointDraft point_of(const BackupReport& report, const repo::Snapshot& bundle,
                          const std::vector<std::string>& left_out) {
  repo::PointDraft draft;
  draft.bundle = bundle.id;
  draft.complete = !report.sources.empty() && left_out.empty();
  for (const std::string& name : left_out) {
    draft.members.push_back(
        {.source = name, .snapshot = {}, .reason = "not asked for", .partial = true});
  }
  for (const SourceResult& result : report.sources) {
    repo::Member member;
    member.source = result.name;
    if (result.snapshot) {
      member.snapshot = result.snapshot->id;
      member.partial = result.snapshot->moments.partial;
      if (member.partial && !result.snapshot->moments.remarks.empty()) {
        member.reason = result.snapshot->moments.remarks.front();
      }
    } else {
      member.reason = result.error->what;
      member.partial = true;
    }
    draft.members.push_back(std::move(member));
  }
  for (const GroupResult& group : report.groups) {
    mark_members(draft, group.moment);
    draft.groups.push_back(group.moment);
  }
  for (const repo::Member& member : draft.members) {
    draft.complete = draft.complete && !member.partial;
  }
  return draft;
}

}  // namespace

Result<repo::Snapshot> capture_one(const Operation& op, repo::Repository& repository,
                                   source::Source& source, const repo::SnapshotDraft& draft) {
  TRY(std::unique_ptr<repo::Session> session, repository.open_session(op));
  TRY(repo::Snapshot snapshot, capture_into(op, *session, source, draft, {}));
  TRY_DO(session->close(op));
  return snapshot;
}

Result<std::optional<repo::Snapshot>> keep_first(const Operation& op, repo::Repository& repository,
                                                 source::Source& target,
                                                 const KeepRequest& request) {
  if (request.keeps_aside == source::KeepsAside::by_rename) return std::optional<repo::Snapshot>();
  TRY(const source::TargetState state, target.target(op));
  const bool mine = state.marker && state.marker->run == request.marker.run &&
                    state.marker->step == request.marker.step;
  if (mine || state.occupancy == source::Occupancy::absent ||
      state.occupancy == source::Occupancy::empty) {
    return std::optional<repo::Snapshot>();
  }
  repo::SnapshotDraft draft;
  draft.kind = repo::SnapshotKind::kept;
  draft.source = request.source;
  draft.source_type = request.source_type;
  draft.run = request.marker.run;
  draft.facts["target"] = state.identity;
  TRY(repo::Snapshot kept, capture_one(op, repository, target, draft));
  return std::optional<repo::Snapshot>(std::move(kept));
}

Result<BackupReport> back_up(const Operation& op, repo::Repository& repository,
                             std::vector<NamedSource>& sources, const BackupOptions& options) {
  TRY(std::unique_ptr<repo::Session> session, repository.open_session(op));
  TRY(const repo::Snapshot bundle, store_bundle(op, *session, options));

  BackupReport report;
  report.sources.resize(sources.size());
  const std::vector<Crew> crews = crews_of(sources, options.groups);
  report.groups = run_crews(op, crews, {*session, sources, options, report.sources});
  // Once the repository itself fails (or a person stops us) no point may claim anything.
  TRY_DO(op.proceed());

  const bool any =
      std::ranges::any_of(report.sources, [](const auto& r) { return r.snapshot.has_value(); });
  if (any) {
    TRY(report.point, session->commit_point(op, point_of(report, bundle, options.left_out)));
    report.complete = report.point->about.complete;
  }
  TRY_DO(session->close(op));
  return report;
}

}  // namespace lifeboat::backup
