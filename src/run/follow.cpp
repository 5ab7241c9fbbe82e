#include "run/follow.h"

#include <fmt/format.h>

#include <functional>
#include <map>

#include "journal/heartbeat.h"
#include "run/events.h"
#include "run/request.h"

namespace lifeboat::run {
namespace {

using journal::Event;

void tell_awaits(const Event& event, const RunState& state, Observer& observer) {
  const std::string step = event.facts.text("step");
  const plan::StepNode* node = state.pins.plan.find(step);
  if (node == nullptr || !node->approve) return;
  observer.step_awaits(step, gate_text(*node, state.step(step), event.time), node->approve->reason);
}

void tell_joined(const Event& event, Observer& observer) {
  const std::string over = event.facts.text("over");
  observer.remark(fmt::format("driven by process {} on {}{}", event.facts.integer("pid", 0),
                              event.facts.text("host"),
                              over.empty() ? "" : fmt::format("; the one before: {}", over)));
}

std::string checks_of(const Event& event) {
  const Value& checks = event.facts.at("checks");
  const std::size_t count = checks.is(Value::Type::list) ? checks.list().size() : 0;
  return fmt::format("{} {}", count, count == 1 ? "check" : "checks");
}

using Teller = std::function<void(const Event&, const RunState&, Observer&)>;

const std::map<std::string, Teller, std::less<>>& tellers() {
  static const std::map<std::string, Teller, std::less<>> known = {
      {"step.started",
       [](const Event& event, const RunState&, Observer& observer) {
         observer.step_started(event.facts.text("step"),
                               static_cast<std::uint64_t>(event.facts.integer("generation", 0)));
       }},
      {"step.done",
       [](const Event& event, const RunState&, Observer& observer) {
         observer.step_done(event.facts.text("step"), checks_of(event));
       }},
      {"step.undone",
       [](const Event& event, const RunState&, Observer& observer) {
         observer.step_done(event.facts.text("step"), "undone");
       }},
      {"step.failed",
       [](const Event& event, const RunState&, Observer& observer) {
         observer.step_failed(event.facts.text("step"), event::error_from(event.facts.at("error")));
       }},
      {"step.undo_failed",
       [](const Event& event, const RunState&, Observer& observer) {
         observer.step_failed(event.facts.text("step"), event::error_from(event.facts.at("error")));
       }},
      {"step.skipped",
       [](const Event& event, const RunState&, Observer& observer) {
         observer.step_skipped(event.facts.text("step"), event.facts.text("needs"));
       }},
      {"step.awaits", tell_awaits},
      {"request.taken",
       [](const Event& event, const RunState&, Observer& observer) {
         observer.asked(event.facts.text("by"), event.facts.text("action"),
                        event.facts.text("step"), event.facts.text("why"));
       }},
      {"driver.joined", [](const Event& event, const RunState&,
                           Observer& observer) { tell_joined(event, observer); }},
      {"driver.left", [](const Event&, const RunState&,
                         Observer& observer) { observer.remark("its driver left the run"); }},
      {"guard.adopted",
       [](const Event& event, const RunState&, Observer& observer) {
         observer.remark("guard " + event.facts.text("guard") + ": " +
                         event.facts.text("identity") + " at " + event.facts.text("at") +
                         " is the target from now on");
       }},
      {"run.remark", [](const Event& event, const RunState&,
                        Observer& observer) { observer.remark(event.facts.text("text")); }},
  };
  return known;
}

}  // namespace

Result<std::unique_ptr<Follower>> Follower::open(const Operation& op, repo::Repository& repository,
                                                 const std::string& run) {
  TRY(auto chain, journal::read_chain(op, repository, run));
  TRY(auto state, replay(chain.events));
  return std::make_unique<Follower>(repository, run, std::move(chain), std::move(state),
                                    op.clock->boot());
}

Result<std::vector<Event>> Follower::news(const Operation& op) {
  TRY(const std::uint64_t more, journal::read_further(op, repository_, run_, chain_));
  if (more > 0) seen_alive_ = op.clock->boot();
  for (; folded_ < chain_.events.size(); ++folded_) fold(state_, chain_.events[folded_]);
  std::vector<Event> fresh(chain_.events.begin() + static_cast<std::ptrdiff_t>(told_),
                           chain_.events.end());
  told_ = chain_.events.size();
  return fresh;
}

Result<std::chrono::nanoseconds> Follower::silent_for(const Operation& op) {
  TRY(const auto beat, journal::last_beat(op, repository_, run_));
  const auto number = beat ? std::optional(beat->number) : std::nullopt;
  if (number && number != beat_) seen_alive_ = op.clock->boot();
  beat_ = number;
  return op.clock->boot() - seen_alive_;
}

void tell(const Event& event, const RunState& state, Observer& observer) {
  const auto teller = tellers().find(event.kind);
  if (teller != tellers().end()) teller->second(event, state, observer);
}

}  // namespace lifeboat::run
