#include "repo/writer_session.h"

#include <algorithm>

#include "repo/snapshot_sink.h"

namespace lifeboat::repo {
namespace {

constexpr std::string_view program = "lifeboat 0.1";
constexpr std::size_t run_name_most = 64;

// The newest visible snapshot of the same source.
std::optional<Snapshot> newest_before(const LogState& state, const SnapshotDraft& draft) {
  std::optional<Snapshot> newest;
  for (const Snapshot& snapshot : state.snapshots()) {
    const bool same = snapshot.about.kind == draft.kind && snapshot.about.source == draft.source &&
                      snapshot.about.source_type == draft.source_type;
    if (same) newest = snapshot;
  }
  return newest;
}

}  // namespace

Result<void> Visit::commit(const Operation& op, Snapshot& snapshot,
                           const std::atomic<std::uint64_t>& stored) {
  TRY(const std::uint64_t segments, writer.flush(op));
  snapshot.host = core->environment.host;
  snapshot.writer = core->keys.writer_id;
  snapshot.stored_bytes = stored.load();
  TRY(snapshot.slot, core->log.append(op, id, SnapshotCommit{snapshot, segments}));
  return {};
}

Result<std::unique_ptr<Session>> WriterSession::open(const Operation& op,
                                                     std::shared_ptr<Core> core) {
  TRY_DO(core->log.refresh(op));
  TRY_DO(core->sync_index(op));
  const Id id{core->environment.random->array<32>()};
  const SessionOpen body{core->keys.domain, core->environment.host, std::string(program)};
  TRY_DO(core->log.append(op, id, body));
  return std::make_unique<WriterSession>(std::make_shared<Visit>(std::move(core), id));
}

Result<std::unique_ptr<SnapshotSink>> WriterSession::snapshot(const Operation& op,
                                                              const SnapshotDraft& draft) {
  if (closed_) return fail(Error::Kind::invalid, "the session is closed");
  const auto before = newest_before(*visit_->core->log.state(), draft);
  std::shared_ptr<TreeIndex> previous;
  if (before) {
    TRY_DO(visit_->core->sync_index(op));
    auto opened = TreeIndex::open(op, visit_->core, before->id);
    // A damaged predecessor saves nothing, and costs nothing but the reading anew.
    const bool damaged = !opened && opened.error().kind == Error::Kind::corrupt;
    if (!opened && !damaged) return fail(opened.error());
    if (opened) previous = *std::move(opened);
  }
  const auto previous_id = previous ? std::optional(before->id) : std::nullopt;
  return std::make_unique<PackedSnapshotSink>(visit_, draft, previous_id, std::move(previous));
}

Result<Point> WriterSession::commit_point(const Operation& op, const PointDraft& draft) {
  const Core& core = *visit_->core;
  TRY_DO(visit_->core->log.refresh(op));
  const auto state = core.log.state();
  Point point;
  point.about = draft;
  bool first = true;
  for (const Member& member : draft.members) {
    if (!member.snapshot || member.partial) point.about.complete = false;
    if (!member.snapshot) continue;
    const Snapshot* snapshot = state->find_snapshot(*member.snapshot);
    if (snapshot == nullptr) {
      return fail(Error::Kind::not_found, "point: there is no snapshot " +
                                              member.snapshot->brief() + " of source " +
                                              member.source);
    }
    const WallTime at{snapshot->moments.consistent_at.ns - snapshot->clock_offset_ns};
    point.earliest = first ? at : std::min(point.earliest, at);
    point.latest = first ? at : std::max(point.latest, at);
    first = false;
  }
  if (draft.bundle && state->find_snapshot(*draft.bundle) == nullptr) {
    return fail(Error::Kind::not_found, "point: there is no bundle " + draft.bundle->brief());
  }
  point.id = Id{core.environment.random->array<32>()};
  TRY(point.slot, visit_->core->log.append(op, visit_->id, PointCommit{point}));
  const auto& points = core.log.state()->points();
  const auto written = std::find_if(points.rbegin(), points.rend(),
                                    [&](const Point& it) { return it.id == point.id; });
  if (written != points.rend()) point.created = written->created;
  return point;
}

Result<RunRecord> WriterSession::announce_run(const Operation& op, const std::string& run,
                                              const std::string& plan) {
  if (run.empty() || run.size() > run_name_most || run.find('/') != std::string::npos) {
    return fail(Error::Kind::invalid, "run \"" + printable(run) + "\" has no good name");
  }
  TRY_DO(store::check_name("runs/" + run + "/0"));
  RunRecord record;
  record.run = run;
  record.plan = plan;
  record.created = visit_->core->environment.clock->wall();
  TRY(record.slot, visit_->core->log.append(op, visit_->id, RunAnnounced{record}));
  return record;
}

Result<void> WriterSession::forget_kept(const Operation& op, const Id& snapshot) {
  TRY_DO(visit_->core->log.refresh(op));
  const auto state = visit_->core->log.state();
  const Snapshot* known = state->find_snapshot(snapshot);
  if (known == nullptr) {
    return fail(Error::Kind::not_found, "there is no snapshot " + snapshot.brief());
  }
  if (known->about.kind != SnapshotKind::kept) {
    return fail(Error::Kind::denied,
                "snapshot " + snapshot.brief() + " is a capture of a source, not something kept",
                "only what a recovery kept aside can be removed", Error::Code::refused);
  }
  TRY_DO(visit_->core->log.append(op, visit_->id, Forget{snapshot, "kept aside, removed"}));
  return {};
}

Result<void> WriterSession::close(const Operation& op) {
  if (closed_.exchange(true)) return {};
  TRY_DO(visit_->core->log.append(op, visit_->id, SessionClose{visit_->id}));
  return {};
}

}  // namespace lifeboat::repo
