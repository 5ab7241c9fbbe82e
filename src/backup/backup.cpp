#include "backup/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "backup/bundle.h"
#include "base/mutex.h"

namespace lifeboat::backup {
namespace {

// Each holds an open chunk and a connection of its own: memory must not grow with the platform.
constexpr std::size_t captures_at_once_max = 16;

// Tells progress twice a second while a capture runs in the thread that made it.
class ProgressTicker {
 public:
  ProgressTicker(const Operation& op, const BackupOptions& options, std::string name,
                 const repo::SnapshotSink& sink)
      : thread_([&op, &options, name = std::move(name), &sink](const std::stop_token& stop) {
          if (!options.progress) return;
          const Operation ticking{.clock = op.clock, .stop = stop};
          while (ticking.pause(std::chrono::milliseconds(500))) {
            options.progress({name, sink.progress(), false});
          }
        }) {}

 private:
  std::jthread thread_;  // stops and joins when the capture is over
};

Result<repo::Snapshot> capture_into(const Operation& op, repo::Session& session,
                                    source::Source& source, const repo::SnapshotDraft& draft,
                                    const BackupOptions& options) {
  TRY(std::unique_ptr<repo::SnapshotSink> sink, session.snapshot(op, draft));
  {
    const ProgressTicker ticker(op, options, draft.source, *sink);
    TRY_DO(source.capture(op, *sink));
  }
  if (options.progress) options.progress({draft.source, sink->progress(), true});
  return sink->snapshot();
}

SourceResult capture_named(const Operation& op, repo::Session& session, NamedSource& named,
                           const BackupOptions& options) {
  SourceResult result;
  result.name = named.name;
  if (named.broken) {
    result.error = named.broken;
    return result;
  }
  repo::SnapshotDraft draft;
  draft.source = named.name;
  draft.source_type = named.type;
  auto snapshot = capture_into(op, session, *named.source, draft, options);
  if (snapshot) {
    result.snapshot = *std::move(snapshot);
  } else {
    result.error = std::move(snapshot).error();
  }
  return result;
}

repo::PointDraft point_of(const std::vector<SourceResult>& results, const repo::Snapshot& bundle,
                          const std::vector<std::string>& left_out) {
  repo::PointDraft draft;
  draft.bundle = bundle.id;
  draft.complete = !results.empty() && left_out.empty();
  for (const std::string& name : left_out) {
    draft.members.push_back(
        {.source = name, .snapshot = {}, .reason = "not asked for", .partial = true});
  }
  for (const SourceResult& result : results) {
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
    draft.complete = draft.complete && !member.partial;
    draft.members.push_back(std::move(member));
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

  // At once: moments close together, and the wait for one server is work for another.
  std::vector<SourceResult> results(sources.size());
  {
    std::atomic<std::size_t> next = 0;
    std::vector<std::jthread> workers;
    for (std::size_t i = 0; i < std::min(sources.size(), captures_at_once_max); ++i) {
      workers.emplace_back([&] {
        for (std::size_t mine = next++; mine < sources.size(); mine = next++) {
          results[mine] = capture_named(op, *session, sources[mine], options);
        }
      });
    }
  }
  // Once the repository itself fails (or a person stops us) no point may claim anything.
  TRY_DO(op.proceed());

  BackupReport report;
  const bool any =
      std::ranges::any_of(results, [](const auto& r) { return r.snapshot.has_value(); });
  if (any) {
    TRY(report.point, session->commit_point(op, point_of(results, bundle, options.left_out)));
    report.complete = report.point->about.complete;
  }
  report.sources = std::move(results);
  TRY_DO(session->close(op));
  return report;
}

}  // namespace lifeboat::backup
