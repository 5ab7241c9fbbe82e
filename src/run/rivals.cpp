#include "run/rivals.h"

#include <fmt/format.h>

#include <algorithm>

#include "journal/heartbeat.h"
#include "run/sealed_values.h"

namespace lifeboat::run {
namespace {

constexpr std::size_t looked_at = 20;  // runs of one plan, the newest first
// So many of them are read even without a heartbeat: the first one may not have come yet.
constexpr std::size_t read_always = 3;
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

// The run, when it is the same recovery as ours and has not ended. What cannot be read is for
// `lifeboat check` to tell, and drives nothing.
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
  if (!state || state->end || !same_recovery(state->pins, pins)) return std::optional<RunState>();
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

}  // namespace

Result<std::uint64_t> refuse_rivals(const Operation& op, const TakeoverWatch& watch,
                                    const Pins& pins) {
  TRY(const repo::Head head, watch.repository->refresh(op));
  const auto runs = watch.repository->runs();
  std::size_t looks = 0;
  for (auto run = runs.rbegin(); run != runs.rend() && looks < looked_at; ++run) {
    if (run->plan != pins.plan.name) continue;
    TRY(const auto beat, journal::last_beat(op, *watch.repository, run->run));
    if (++looks > read_always && !beat) continue;  // its driver has left
    TRY(const auto other, rival(op, *watch.repository, run->run, pins));
    if (!other || other->drivers.empty()) continue;
    const auto gone = prove_driver_gone(op, *other, watch);
    if (!gone && gone.error().effective_code() == Error::Code::lease_held) return second_to(*other);
    if (!gone) return fail(gone.error());
    watch.observer->remark(
        fmt::format("run {0} began the same recovery and was left unfinished: lifeboat recover "
                    "--resume {0} goes on with it",
                    other->pins.run));
  }
  return head.records;
}

Result<void> outrank_rivals(const Operation& op, const TakeoverWatch& watch, const Pins& pins,
                            const repo::RunRecord& own, std::uint64_t seen) {
  TRY_DO(watch.repository->refresh(op));
  for (const repo::RunRecord& run : watch.repository->runs()) {
    if (run.slot < seen || run.run == pins.run || run.plan != pins.plan.name) continue;
    TRY(auto other, rival(op, *watch.repository, run.run, pins));
    const auto end = op.clock->boot() + time_to_give_way;
    while (other && run.slot > own.slot && op.clock->boot() < end) {
      TRY_DO(op.pause(look_every));
      TRY(other, rival(op, *watch.repository, run.run, pins));
    }
    if (other && !other->drivers.empty()) return second_to(*other);
  }
  return {};
}

}  // namespace lifeboat::run
