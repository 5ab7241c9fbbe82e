#include "run/rivals.h"

#include <fmt/format.h>

#include <algorithm>

#include "journal/heartbeat.h"
#include "run/sealed_values.h"

namespace lifeboat::run {
namespace {

// So many of a plan's newest runs are read without a heartbeat: the first one may still come.
constexpr std::size_t read_always = 3;
constexpr std::chrono::nanoseconds look_for_life_every = std::chrono::seconds(1);
constexpr std::chrono::nanoseconds look_every = std::chrono::milliseconds(200);
constexpr std::chrono::nanoseconds time_to_give_way = std::chrono::seconds(10);

// Values without what is secret, whether it stands there as such or as a handle.
Value public_part(const Value& value) {
  if (is_handle(value) || value.own_taint()) return {};
  if (value.is(Value::Type::list)) {
    Value::List list;
    for (const Value& item : value.list()) list.push_back(public_part(item));
    return Value(std::move(list));
  }
  if (!value.is(Value::Type::map)) return value;
  Value map = Value::Map{};
  for (const auto& [key, member] : value.map()) map.set(key, public_part(member));
  return map;
}

bool same_recovery(const Pins& one, const Pins& other) {
  return one.platform_name == other.platform_name && one.plan.name == other.plan.name &&
         public_part(one.inputs) == public_part(other.inputs);
}

// The run, when it is the same recovery as ours. What cannot be read is for `lifeboat check` to
// tell, and drives nothing.
Result<std::optional<RunState>> rival(const Operation& op, repo::Repository& repository,
                                      const std::string& run, const Pins& pins) {
  using Kind = Error::Kind;
  const auto journal = journal::Journal::open(op, repository, run, {});
  if (!journal) {
    const Kind kind = journal.error().kind;
    if (kind != Kind::not_found && kind != Kind::corrupt && kind != Kind::invalid) {
      return fail(journal.error());
    }
    return std::optional<RunState>();
  }
  auto state = replay((*journal)->events());
  if (!state || !same_recovery(state->pins, pins)) return std::optional<RunState>();
  return std::optional(*std::move(state));
}

tl::unexpected<Error> second_to(const RunState& first) {
  const DriverVisit& visit = first.drivers.back();
  return fail(
      Error::Kind::conflict,
      fmt::format("plan {} is being run already, with the same inputs: run {}, by process {} on {} "
                  "since {}",
                  first.pins.plan.name, first.pins.run, visit.driver.pid,
                  printable(visit.driver.host), rfc3339(visit.begin)),
      fmt::format("watch it: lifeboat runs watch {0}; or take it over: lifeboat recover --resume "
                  "{0} --takeover",
                  first.pins.run),
      Error::Code::lease_held);
}

struct Suspect {
  RunState state;
  std::optional<std::uint64_t> beat;
};

Result<std::optional<std::uint64_t>> beat_of(const Operation& op, const TakeoverWatch& watch,
                                             const std::string& run) {
  TRY(const auto beat, journal::last_beat(op, *watch.repository, run));
  return beat ? std::optional(beat->number) : std::nullopt;
}

// Errors: lease_held, of the first one that shows life.
Result<void> prove_all_gone(const Operation& op, const TakeoverWatch& watch,
                            std::vector<Suspect> suspects) {
  const auto drop_the_gone = [&] {
    std::erase_if(suspects, [&](const Suspect& suspect) {
      return watch.surely_gone(suspect.state.drivers.back().driver);
    });
  };
  drop_the_gone();
  for (Suspect& suspect : suspects) {
    TRY(suspect.beat, beat_of(op, watch, suspect.state.pins.run));
    watch.observer->remark("waiting for a sign of life of run " + suspect.state.pins.run +
                           ", which began the same recovery");
  }
  const auto end = op.clock->boot() + watch.heartbeat_period * silent_periods;
  while (!suspects.empty() && op.clock->boot() < end) {
    TRY_DO(op.pause(look_for_life_every));
    drop_the_gone();
    for (const Suspect& suspect : suspects) {
      TRY(const auto beat, beat_of(op, watch, suspect.state.pins.run));
      if (beat && (!suspect.beat || *beat != *suspect.beat)) return second_to(suspect.state);
    }
  }
  return {};
}

// Names of the runs of the plan that may be driven now, ours apart.
Result<std::vector<std::string>> candidates(const Operation& op, const TakeoverWatch& watch,
                                            const Pins& pins) {
  TRY(const auto living, journal::runs_with_heartbeats(op, *watch.repository));
  const auto records = watch.repository->runs();
  std::vector<std::string> names;
  std::size_t newest = 0;
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (record->plan != pins.plan.name || record->run == pins.run) continue;
    if (newest++ < read_always || living.contains(record->run)) names.push_back(record->run);
  }
  return names;
}

}  // namespace

Result<Rivals> refuse_rivals(const Operation& op, const TakeoverWatch& watch, const Pins& pins) {
  TRY(const repo::Head head, watch.repository->refresh(op));
  Rivals seen{head.records, {}};
  std::vector<Suspect> suspects;
  TRY(const auto names, candidates(op, watch, pins));
  for (const std::string& name : names) {
    TRY(auto other, rival(op, *watch.repository, name, pins));
    if (!other) continue;
    seen.drivers[name] = other->drivers.size();
    if (other->driven()) suspects.push_back({*std::move(other), {}});
  }
  TRY_DO(prove_all_gone(op, watch, suspects));
  for (const Suspect& suspect : suspects) {
    watch.observer->remark(
        fmt::format("run {0} began the same recovery and was left unfinished: lifeboat recover "
                    "--resume {0} goes on with it",
                    suspect.state.pins.run));
  }
  return seen;
}

Result<void> outrank_rivals(const Operation& op, const TakeoverWatch& watch, const Pins& pins,
                            const Rivals& seen) {
  TRY_DO(watch.repository->refresh(op));
  const auto records = watch.repository->runs();
  const auto slot_of = [&](const std::string& run) {
    const auto found = std::ranges::find(records, run, &repo::RunRecord::run);
    return found == records.end() ? 0 : found->slot;
  };
  const auto joined_since = [&](const std::optional<RunState>& other) {
    if (!other || !other->driven()) return false;
    const auto before = seen.drivers.find(other->pins.run);
    return before == seen.drivers.end() || other->drivers.size() > before->second;
  };
  TRY(const auto names, candidates(op, watch, pins));
  for (const std::string& name : names) {
    TRY(auto other, rival(op, *watch.repository, name, pins));
    const bool earlier = slot_of(pins.run) < slot_of(name);
    const auto end = op.clock->boot() + time_to_give_way;
    while (earlier && joined_since(other) && op.clock->boot() < end) {
      TRY_DO(op.pause(look_every));
      TRY(other, rival(op, *watch.repository, name, pins));
    }
    if (joined_since(other)) return second_to(*other);
  }
  return {};
}

}  // namespace lifeboat::run
