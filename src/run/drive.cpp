#include "run/drive.h"

#include <fmt/format.h>

#include "journal/heartbeat.h"
#include "plan/schedule.h"
#include "run/events.h"
#include "run/step_life.h"

namespace lifeboat::run {
namespace {

plan::Times urgency(const EngineSetup& setup, const plan::Plan& plan, const plan::Graph& graph) {
  return plan::tails(graph, plan::times_of(plan, setup.expectations, plan::Pace::usual));
}

}  // namespace

Drive::Drive(const EngineSetup& setup, journal::Journal& journal, Ledger& ledger,
             std::shared_ptr<FaultPoints> faults)
    : setup_(setup),
      journal_(journal),
      ledger_(ledger),
      plan_(ledger.pins().plan),
      graph_(plan_),
      frontier_(plan_, graph_, urgency(setup, plan_, graph_)),
      faults_(std::move(faults)),
      ended_(plan_.steps.size() + 1) {
  follow(ledger.view());
}

std::optional<Error> Drive::run(const Operation& op) {
  const std::stop_callback forward(op.stop, [this] { stop_.request_stop(); });
  std::jthread life;
  if (setup_.heartbeat_period.count() > 0) {
    life = std::jthread([this](const std::stop_token& stop) { show_life(stop); });
  }
  const Operation steps{op.clock, stop_.get_token(), op.deadline};
  for (;;) {
    start_ready(steps);
    if (running_.empty()) break;
    setup_.around.observer->at_work(running_.size());
    if (const auto name = ended_.pop()) {
      running_.erase(*name);  // joins it
      follow({{{*name, ledger_.step(*name).phase}}});
    }
  }
  if (life.joinable()) {
    life.request_stop();
    life.join();
  }
  auto left = finish(op);
  journal_.on_written({});
  return left;
}

// A step whose thread has not ended yet counts as running, whatever the ledger says of it.
void Drive::follow(const plan::RunView& changes) {
  for (const auto& [name, phase] : changes.phases) {
    const auto step = graph_.place(name);
    if (step && !running_.contains(name)) frontier_.set(*step, phase);
  }
}

void Drive::start_ready(const Operation& op) {
  if (op.stop.stop_requested()) return;
  follow(ledger_.take_changes());
  while (const auto lost = frontier_.to_skip()) {
    const std::string &step = plan_.steps[lost->step].name, &needs = plan_.steps[lost->needs].name;
    ledger_.note(event::skipped(step, needs));
    setup_.around.observer->step_skipped(step, needs);
    frontier_.set(lost->step, plan::StepPhase::skipped);
  }
  while (running_.size() < setup_.running_at_most) {
    const auto next = frontier_.to_start();
    if (!next) return;
    start(op, plan_.steps[*next]);
    frontier_.set(*next, plan::StepPhase::running);
  }
}

void Drive::start(const Operation& op, const plan::StepNode& node) {
  running_[node.name] = std::jthread([this, op, &node] {
    StepLife life(setup_.around, ledger_, *faults_, node);
    if (const auto lived = life.live(op); !lived) halt(lived.error());
    ended_.push(node.name);
  });
}

// This driver can or may not write the journal any more: all its steps are to stop.
void Drive::halt(Error error) {
  {
    MutexLock lock(mutex_);
    // A lost lease explains everything else.
    const bool lost = error.effective_code() == Error::Code::lease_held;
    if (!halted_ || lost) halted_ = std::move(error);
  }
  stop_.request_stop();
}

void Drive::show_life(const std::stop_token& stop) {
  const Operation op{setup_.around.clock, stop};
  journal::Heart heart(*setup_.repository, journal_.run(), setup_.driver);
  while (!stop.stop_requested()) {
    // A beat that failed is made up for by the next: nothing but liveness hangs on it.
    const auto beaten = heart.beat(op);
    const auto lease = journal_.prove_lease(op);
    if (!lease && lease.error().effective_code() == Error::Code::lease_held) {
      return halt(lease.error());
    }
    if (const auto paused = op.pause(setup_.heartbeat_period); !paused) break;
    static_cast<void>(beaten);
  }
  const auto stopped = heart.stop(Operation{setup_.around.clock});
  static_cast<void>(stopped);
}

std::optional<Error> Drive::finish(const Operation& op) {
  std::optional<Error> halted;
  {
    MutexLock lock(mutex_);
    halted = halted_;
  }
  if (halted && halted->effective_code() == Error::Code::lease_held) return halted;
  const std::string& run = ledger_.pins().run;
  if (halted || op.stop.stop_requested()) {
    const auto left = leave();
    if (halted) {
      halted->what = fmt::format("run {}: stopped: {}", run, halted->what);
      return halted;
    }
    if (!left) return left.error();
    return Error{Error::Kind::cancelled, fmt::format("run {}: stopped by request", run), "",
                 Error::Code::interrupted};
  }
  if (const auto ended = end_run(); !ended) return ended.error();
  return std::nullopt;
}

Result<void> Drive::leave() {
  ledger_.note(event::driver_left(setup_.driver));
  return journal_.flush({setup_.around.clock});
}

Result<void> Drive::end_run() {
  const bool proven = ledger_.state().proven();
  RunEnd end{proven ? "done" : "failed", {}, std::nullopt};
  if (proven) end.heartbeat = newest_heartbeat();
  const Operation op{setup_.around.clock};
  TRY_DO(journal_.flush(op));
  TRY_DO(ledger_.record({event::run_end(end)}));
  if (!proven || setup_.keep_vault) return {};
  // The platform is back whatever becomes of the vault: that it is still there is said, not failed.
  if (const auto destroyed = journal_.destroy_vault(op); !destroyed) {
    ledger_.note(event::run_remark("the vault is not deleted yet: " + destroyed.error().what +
                                   "; resuming the run deletes it"));
    return journal_.flush(op);
  }
  return {};
}

std::optional<WallTime> Drive::newest_heartbeat() {
  if (plan_.heartbeat.empty()) return std::nullopt;
  const auto value = plan::evaluate(plan_.heartbeat, ledger_.scope());
  const auto time = value && value->is(Value::Type::string) ? parse_rfc3339(value->string())
                                                            : std::optional<WallTime>();
  if (!time) {
    ledger_.note(event::run_remark("the plan's heartbeat `" + plan_.heartbeat + "` gave no time" +
                                   (value ? "" : ": " + value.error().what)));
  }
  return time;
}

}  // namespace lifeboat::run
