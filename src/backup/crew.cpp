#include "backup/crew.h"

#include <fmt/format.h>

#include <algorithm>
#include <thread>

#include "backup/gate.h"
#include "backup/moment_sink.h"
#include "base/guard.h"

namespace lifeboat::backup {
namespace {

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

// A freeze of one source, thawed in a thread of its own: the capture goes on meanwhile.
class OwnFreeze {
 public:
  explicit OwnFreeze(std::unique_ptr<Freeze> freeze) : freeze_(std::move(freeze)) {}
  bool holding() const { return !freeze_ || freeze_->holding(); }
  void begin_thaw() {
    if (!freeze_ || thawer_.joinable()) return;
    thawer_ = std::jthread([this] { still_frozen_ = freeze_->thaw(); });
  }
  std::optional<std::string> thaw() {
    begin_thaw();
    if (thawer_.joinable()) thawer_.join();
    return still_frozen_;
  }

 private:
  const std::unique_ptr<Freeze> freeze_;
  std::optional<std::string> still_frozen_;
  std::jthread thawer_;
};

Result<repo::Snapshot> capture_frozen(const Operation& op, const CrewWork& work, NamedSource& named,
                                      Gate::Place& place, SourceResult& result) {
  repo::SnapshotDraft draft;
  draft.source = named.name;
  draft.source_type = named.type;
  TRY(std::unique_ptr<repo::SnapshotSink> sink, work.session.snapshot(op, draft));
  std::unique_ptr<Freeze> freeze;
  if (named.freezer) {
    TRY(freeze, named.freezer(op));
  }
  OwnFreeze own(std::move(freeze));
  MomentSink moment(*sink, {.holds_its_moment = named.holds_its_moment,
                            .holding = [&] { return own.holding() && place.holding(); },
                            .safe =
                                [&] {
                                  own.begin_thaw();
                                  place.safe();
                                }});
  auto captured = place.wait();
  if (captured) {
    const ProgressTicker ticker(op, work.options, draft.source, *sink);
    captured = guard(Error::Kind::invalid, "internal error in a source of type " + named.type,
                     [&] { return named.source->capture(op, moment); });
  }
  place.safe();  // also of what has failed: nobody waits for it any more
  result.still_frozen = own.thaw();
  result.thawed_early = moment.thawed_early();
  if (!captured) return fail(std::move(captured).error());
  if (work.options.progress) work.options.progress({draft.source, sink->progress(), true});
  return sink->snapshot();
}

void capture_member(const Operation& op, const CrewWork& work, std::size_t index, Gate* gate) {
  NamedSource& named = work.sources[index];
  SourceResult result;
  result.name = named.name;
  Gate::Place place(gate);
  if (named.broken) {
    result.error = named.broken;
  } else if (auto snapshot = capture_frozen(op, work, named, place, result)) {
    result.snapshot = *std::move(snapshot);
  } else {
    result.error = std::move(snapshot).error();
  }
  work.results[index] = std::move(result);
}

// One attempt. Answers why the group is still frozen.
std::optional<std::string> capture_at_once(const Operation& op, const Crew& crew,
                                           const CrewWork& work) {
  Gate gate(crew.members.size());
  std::unique_ptr<Freeze> freeze;  // outlives the members
  std::vector<std::jthread> members;
  for (const std::size_t index : crew.members) {
    members.emplace_back([&, index] { capture_member(op, work, index, &gate); });
  }
  std::optional<Error> refusal;
  if (gate.await_ready() && crew.group->freezer) {
    auto frozen = crew.group->freezer(op);
    if (frozen) {
      freeze = *std::move(frozen);
    } else {
      refusal = std::move(frozen).error();
    }
  }
  gate.open(freeze.get(), std::move(refusal));
  gate.await_safe();
  auto still_frozen = freeze ? freeze->thaw() : std::nullopt;
  for (std::jthread& member : members) member.join();
  return still_frozen;
}

repo::GroupMoment moment_of(const CaptureGroup& group, const std::vector<SourceResult>& results) {
  repo::GroupMoment moment;
  moment.name = group.name;
  moment.sources = group.sources;
  moment.max_skew = group.max_skew;
  std::vector<std::int64_t> times;
  for (const std::string& name : group.sources) {
    const auto result = std::ranges::find(results, name, &SourceResult::name);
    const auto because = [&](const char* why) {
      if (moment.reason.empty()) moment.reason = name + " " + why;
    };
    if (result == results.end()) {
      because("was not asked for");
    } else if (!result->snapshot) {
      because("could not be captured");
    } else {
      times.push_back(result->snapshot->moments.consistent_at.ns);
      if (result->thawed_early) because("was thawed before its capture was over");
    }
  }
  if (times.size() == group.sources.size()) {
    const auto [first, last] = std::ranges::minmax(times);
    moment.skew = std::chrono::nanoseconds(last - first);
    if (*moment.skew > group.max_skew && moment.reason.empty()) {
      moment.reason = fmt::format("skew {}, allowed {}", human_duration(*moment.skew),
                                  human_duration(group.max_skew));
    }
  }
  moment.consistent = moment.reason.empty();
  return moment;
}

// What one attempt at a group brought.
struct Attempt {
  repo::GroupMoment moment;
  std::vector<SourceResult> members;
  std::optional<std::string> still_frozen;

  bool too_far(const CaptureGroup& group) const {
    return moment.skew && *moment.skew > group.max_skew;
  }
  bool anything_frozen() const {
    return still_frozen || std::ranges::any_of(members, [](const SourceResult& member) {
             return member.still_frozen.has_value();
           });
  }
  // A later attempt that was no better leaves what still has to be thawed.
  void hand_over_to(Attempt& kept) {
    if (still_frozen) kept.still_frozen = std::move(still_frozen);
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (members[i].still_frozen) kept.members[i].still_frozen = members[i].still_frozen;
    }
  }
};

Attempt attempt(const Operation& op, const Crew& crew, const CrewWork& work) {
  Attempt made;
  made.still_frozen = capture_at_once(op, crew, work);
  for (const std::size_t index : crew.members) made.members.push_back(work.results[index]);
  made.moment = moment_of(*crew.group, made.members);
  return made;
}

}  // namespace

std::vector<Crew> crews_of(const std::vector<NamedSource>& sources,
                           const std::vector<CaptureGroup>& groups) {
  std::vector<Crew> crews;
  std::vector<bool> taken(sources.size());
  for (const CaptureGroup& group : groups) {
    Crew crew;
    crew.group = &group;
    for (std::size_t i = 0; i < sources.size(); ++i) {
      if (std::ranges::find(group.sources, sources[i].name) == group.sources.end()) continue;
      crew.members.push_back(i);
      taken[i] = true;
    }
    if (!crew.members.empty()) crews.push_back(std::move(crew));
  }
  for (std::size_t i = 0; i < sources.size(); ++i) {
    if (!taken[i]) crews.push_back({{i}, nullptr});
  }
  return crews;
}

std::optional<GroupResult> run_crew(const Operation& op, const Crew& crew, const CrewWork& work) {
  if (crew.group == nullptr) {
    capture_member(op, work, crew.members.front(), nullptr);
    return std::nullopt;
  }
  Attempt best = attempt(op, crew, work);
  unsigned attempts = 1;
  // What failed otherwise fails again, and what does not thaw is not frozen once more.
  while (best.too_far(*crew.group) && !best.anything_frozen() && attempts < crew.group->attempts &&
         op.proceed().has_value()) {
    ++attempts;
    Attempt next = attempt(op, crew, work);
    const bool better = next.moment.skew && *next.moment.skew < *best.moment.skew;
    if (!better) next.hand_over_to(best);
    if (better) best = std::move(next);
    if (best.anything_frozen()) break;
  }
  for (std::size_t i = 0; i < crew.members.size(); ++i) {
    work.results[crew.members[i]] = std::move(best.members[i]);
  }
  return GroupResult{std::move(best.moment), attempts, std::move(best.still_frozen)};
}

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

}  // namespace lifeboat::backup
