#include "steps/restore/restore_step.h"

#include <fmt/format.h>

#include <algorithm>

#include "backup/backup.h"
#include "steps/by_hand/by_hand.h"
#include "steps/restore/losses.h"
#include "steps/restore/target_system.h"

namespace lifeboat::steps {
namespace {

using plan::Observation;
using plan::State;

constexpr auto compares_at_most = std::chrono::seconds(10);
constexpr std::size_t changes_max = 1000;

class RestoreStep final : public plan::Step {
 public:
  RestoreStep(const RestoreWorld& world, Value config, plan::StepContext& context)
      : world_(world), config_(std::move(config)), context_(context) {}

  Result<void> preflight(const Operation& op) override {
    TRY(const Id snapshot, snapshot_of(world_, name()));
    TRY(const auto feed, world_.repository->feed(op, snapshot));
    // The target may not exist yet (its address is the output of another step): observe looks.
    return {};
  }

  Result<Observation> observe(const Operation& op) override {
    TRY_DO(connect(op));
    TRY(const source::TargetState target, target_->target(op));
    Observation seen;
    seen.summary = target.summary;
    seen.before.set("identity", target.identity);
    seen.would = fmt::format("restore snapshot {} of {}", snapshot_.brief(), name());
    switch (target.occupancy) {
      case source::Occupancy::absent:
      case source::Occupancy::empty:
        break;
      case source::Occupancy::ours:
        observe_marker(*target.marker, seen);
        break;
      case source::Occupancy::foreign:
        seen.state = keeps_aside() ? State::absent : State::foreign;
        seen.would = "keep aside what is there, then " + seen.would;
        break;
    }
    if (seen.state != State::ours_done) add_change(target, seen);
    // What our own unfinished work still lacks, apply() finds out by itself.
    const bool somebodys =
        target.occupancy == source::Occupancy::foreign || (target.marker && !mine(*target.marker));
    if (somebodys) TRY_DO(add_differences(op, seen));
    return seen;
  }

  Result<void> apply(const Operation& op) override {
    TRY_DO(connect(op));
    source::RestoreOptions options;
    options.marker = {.run = context_.run(),
                      .step = context_.step(),
                      .generation = context_.generation(),
                      .snapshot = snapshot_.brief()};
    options.foreign = keeps_aside() ? source::Foreign::keep_aside : source::Foreign::refuse;
    if (keeps_aside()) TRY_DO(keep_first(op, options.marker));
    options.progress = [this](std::uint64_t done, std::uint64_t total) {
      context_.progress(done, total, "bytes");
    };
    TRY(report_, target_->restore(op, *feed_, options));
    for (const std::string& remark : report_.remarks) context_.log(remark);
    return {};
  }

  Result<plan::Verification> verify(const Operation& op) override {
    TRY_DO(connect(op));
    TRY(const source::TargetState target, target_->target(op));
    TRY(const std::vector<source::Check> checks, target_->verify(op, *feed_));
    plan::Verification proof;
    for (const source::Check& check : checks) {
      proof.checks.push_back({check.name, check.expected, check.actual, check.ok});
    }
    if (checks.empty()) {
      return fail(Error::Kind::invalid, name() + ": nothing could be compared",
                  "a restore that proves nothing is not green; look at the snapshot with `ls`");
    }
    proof.outputs.set("identity", target.identity);
    proof.outputs.set("snapshot", snapshot_.hex());
    proof.losses = losses_of(world_.repository->snapshots(), snapshot_, world_.lost_at);
    proof.kept_aside = report_.kept_aside;
    proof.remarks = report_.remarks;
    add_what_was_kept(op, proof);
    return proof;
  }

  Result<void> undo(const Operation&, const Value&) override {
    return fail(Error::Kind::invalid, "a restore is irreversible",
                "what was there before was kept aside: `lifeboat kept`");
  }

 private:
  const std::string& name() const { return config_.at("source").string(); }
  // What is in the target, and what the snapshot would put there.
  void add_change(const source::TargetState& target, Observation& seen) const {
    const bool nothing = target.occupancy == source::Occupancy::absent ||
                         target.occupancy == source::Occupancy::empty;
    for (const repo::Snapshot& each : world_.repository->snapshots()) {
      if (each.id != snapshot_) continue;
      seen.changes.push_back(
          {config_.text("into"), nothing ? "" : target.summary,
           fmt::format("{} items, {} bytes of source {}", each.items, each.size_bytes, name())});
    }
  }
  // Item by item, as long as that takes no long time: a run looks here as well, and waits for it.
  Result<void> add_differences(const Operation& op, Observation& seen) const {
    const auto checks = compared(op.within(compares_at_most));
    TRY_DO(op.proceed());
    if (!checks) {
      const bool slow = checks.error().kind == Error::Kind::cancelled;
      const std::string why =
          slow ? "comparing takes longer than " + human_duration(compares_at_most)
               : checks.error().what;
      seen.changes.push_back({"what differs there is not told: " + why, "", ""});
      return {};
    }
    std::size_t more = 0;
    for (const source::Check& check : *checks) {
      if (check.ok) continue;
      if (seen.changes.size() < changes_max) {
        seen.changes.push_back({check.name, check.actual, check.expected});
      } else {
        ++more;
      }
    }
    if (more > 0) seen.changes.push_back({fmt::format("{} more that differ", more), "", ""});
    return {};
  }
  // By a connection of its own: one whose question was cut off is of no use to apply().
  Result<std::vector<source::Check>> compared(const Operation& op) const {
    TRY(const auto feed, world_.repository->feed(op, snapshot_));
    TRY(const TargetSystem system,
        open_target(op, world_, name(), config_.text("into"), config_.at("with"), context_));
    return system.live->verify(op, *feed);
  }
  bool mine(const source::Marker& marker) const {
    return marker.run == context_.run() && marker.step == context_.step();
  }
  bool keeps_aside() const { return config_.text("foreign", "refuse") == "keep_aside"; }

  // Opens feed and target once; both stay for the life of the step.
  Result<void> connect(const Operation& op) {
    if (target_) return {};
    TRY(snapshot_, snapshot_of(world_, name()));
    TRY(feed_, world_.repository->feed(op, snapshot_));
    TRY(TargetSystem target,
        open_target(op, world_, name(), config_.text("into"), config_.at("with"), context_));
    type_ = target.type;
    target_ = std::move(target.live);
    return {};
  }

  void observe_marker(const source::Marker& marker, Observation& seen) const {
    seen.generation = marker.generation;
    if (mine(marker)) {
      seen.state = marker.done ? State::ours_done : State::ours_partial;
      return;
    }
    // Another run's work is as foreign as anybody's: it may be what production runs on by now.
    seen.summary += fmt::format(" (restored by run {}, step {})", marker.run, marker.step);
    seen.state = keeps_aside() ? State::absent : State::foreign;
    seen.would = "keep aside what is there, then " + seen.would;
  }

  Result<void> keep_first(const Operation& op, const source::Marker& marker) {
    TRY(const auto kept, backup::keep_first(op, *world_.repository, *target_,
                                            {.source = name(),
                                             .source_type = world_.sources.at(name()).type,
                                             .keeps_aside = type_->keeps_aside,
                                             .marker = marker}));
    if (kept) context_.log("kept aside in the repository as snapshot " + kept->id.brief());
    return {};
  }

  // An apply whose driver died told nobody what it kept aside; target and repository still know.
  void add_what_was_kept(const Operation& op, plan::Verification& proof) {
    if (proof.kept_aside.empty() && keeps_aside()) {
      const auto kept = target_->kept(op);
      if (!kept) {
        proof.remarks.push_back("what is kept aside in the target could not be listed: " +
                                kept.error().what);
      }
      for (const source::Kept& each : kept ? *kept : std::vector<source::Kept>{}) {
        if (each.run == context_.run()) proof.kept_aside.push_back(each.name);
      }
    }
    for (const repo::Snapshot& each : world_.repository->snapshots()) {
      const bool ours = each.about.kind == repo::SnapshotKind::kept &&
                        each.about.run == context_.run() && each.about.source == name();
      if (!ours) continue;
      proof.kept_aside.push_back("snapshot " + each.id.brief() + " in the repository");
      if (!each.moments.partial) continue;
      const auto& why = each.moments.remarks;
      proof.remarks.push_back("what was there was kept aside only in part, as snapshot " +
                              each.id.brief() + (why.empty() ? "" : ": " + why.front()));
    }
  }

  const RestoreWorld& world_;
  const Value config_;
  plan::StepContext& context_;
  Id snapshot_;
  std::shared_ptr<capture::Feed> feed_;
  const source::SourceType* type_ = nullptr;
  std::unique_ptr<source::Source> target_;
  source::RestoreReport report_;
};

Record restore_fields() {
  return {.name = "restore",
          .help = "Puts one source of the recovery point back, and compares it item by item.",
          .fields = {{.name = "source",
                      .shape = shape::string(),
                      .help = "name of the source, as under `sources:`",
                      .required = true},
                     {.name = "into",
                      .shape = shape::string(),
                      .help = "where: the URL or path of the new system",
                      .required = true},
                     {.name = "with",
                      .shape = shape::any(),
                      .help = "fields of the source that are other for the target: user, password"},
                     {.name = "foreign",
                      .shape = shape::choice({"refuse", "keep_aside"}),
                      .help = "what to do with data that is there and not ours",
                      .fallback = Value("refuse")}},
          // A part could be put back, but not yet be proven: verify compares the whole snapshot.
          .reserved = {"only"}};
}

}  // namespace

plan::StepType restore_step(const RestoreWorld& world) {
  plan::StepType type;
  type.name = "restore";
  type.usually = {std::chrono::seconds(10), std::chrono::minutes(5), std::chrono::hours(1)};
  type.help = restore_fields().help;
  type.fields = restore_fields();
  type.outputs = {{"identity", shape::string()}, {"snapshot", shape::string()}};
  type.effects = [](const Value& config) {
    return std::vector<std::string>{config.text("into", "(not known yet)")};
  };
  type.by_hand = by_hand::restore;
  type.make = [&world](const Value& config,
                       plan::StepContext& context) -> Result<std::unique_ptr<plan::Step>> {
    const std::string source = config.text("source");
    if (!world.sources.contains(source)) {
      return fail(Error::Kind::invalid, "restore: there is no source " + source, "",
                  Error::Code::usage);
    }
    return std::make_unique<RestoreStep>(world, config, context);
  };
  return type;
}

}  // namespace lifeboat::steps
