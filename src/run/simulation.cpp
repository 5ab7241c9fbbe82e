#include "run/simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/guard.h"
#include "journal/fake_repository.h"
#include "run/engine.h"
#include "run/fake_world.h"
#include "store/memory.h"

namespace lifeboat::run {
namespace {

using std::chrono::nanoseconds;

constexpr const char* timed_type = "timed";
constexpr auto stop_asked_every = std::chrono::milliseconds(50);

// Time as the simulated platform has it, and all that happens in it.
class TimedWorld final : public Clock, public Observer {
 public:
  TimedWorld(const Clock& real, const plan::Times& times, const plan::Graph& graph)
      : real_(real), times_(times), graph_(graph) {
    done_.start.resize(times.size());
    done_.end.resize(times.size());
    worked_.resize(times.size());
  }

  WallTime wall() const override { return {boot().count()}; }
  nanoseconds boot() const override {
    MutexLock lock(mutex_);
    return now_;
  }
  // Nothing here waits for its own sake: what does, waits for something real.
  void pause(nanoseconds time, bool (*stop)(const void*), const void* context) const override {
    real_.pause(time, stop, context);
  }

  void at_work(std::size_t steps) override {
    MutexLock lock(mutex_);
    at_work_ = steps;
    done_.at_once = std::max(done_.at_once, static_cast<unsigned>(steps));
    go_on_when_all_sleep();
  }

  // Takes the time of a step.  Errors: cancelled.
  Result<void> work(const Operation& op, std::size_t step) {
    MutexLock lock(mutex_);
    Sleeper sleeper;
    done_.start[step] = now_ - begun;
    sleeping_[{now_ + times_[step], step}] = &sleeper;
    go_on_when_all_sleep();
    while (!sleeper.awake && !op.stop.stop_requested()) {
      sleeper.changed.wait_for(mutex_, stop_asked_every);
    }
    if (!sleeper.awake) {
      std::erase_if(sleeping_, [&](const auto& entry) { return entry.second == &sleeper; });
      return fail(Error::Kind::cancelled, "stopped by request", "", Error::Code::interrupted);
    }
    worked_[step] = true;
    return {};
  }

  bool worked(std::size_t step) const {
    MutexLock lock(mutex_);
    return worked_[step];
  }
  nanoseconds took(std::size_t step) const {
    MutexLock lock(mutex_);
    return done_.end[step] - done_.start[step];
  }
  nanoseconds time(std::size_t step) const { return times_[step]; }
  const plan::Graph& graph() const { return graph_; }
  SimulatedRun done() const {
    MutexLock lock(mutex_);
    return done_;
  }

 private:
  struct Sleeper {
    Condition changed;
    bool awake = false;
  };
  // Not zero, which is no time to the engine.
  static constexpr nanoseconds begun = std::chrono::hours(1);

  void go_on_when_all_sleep() REQUIRES(mutex_) {
    if (sleeping_.empty() || at_work_ != sleeping_.size()) return;
    const auto next = sleeping_.begin();
    const auto [end, step] = next->first;
    Sleeper& sleeper = *next->second;
    sleeping_.erase(next);
    now_ = end;
    done_.end[step] = end - begun;
    done_.makespan = end - begun;
    at_work_.reset();  // until the engine has seen to what this end means
    sleeper.awake = true;
    sleeper.changed.notify_all();
  }

  const Clock& real_;
  const plan::Times& times_;
  const plan::Graph& graph_;
  mutable Mutex mutex_;
  nanoseconds now_ GUARDED_BY(mutex_) = begun;
  std::map<std::pair<nanoseconds, std::size_t>, Sleeper*> sleeping_ GUARDED_BY(mutex_);
  std::optional<std::size_t> at_work_ GUARDED_BY(mutex_);
  std::vector<bool> worked_ GUARDED_BY(mutex_);
  SimulatedRun done_ GUARDED_BY(mutex_);
};

class TimedStep final : public plan::Step {
 public:
  TimedStep(TimedWorld& world, std::size_t step) : world_(world), step_(step) {}

  Result<void> preflight(const Operation&) override { return {}; }
  Result<plan::Observation> observe(const Operation&) override {
    plan::Observation seen;
    if (world_.worked(step_)) seen.state = plan::State::ours_done;
    return seen;
  }
  Result<void> apply(const Operation& op) override { return world_.work(op, step_); }
  Result<plan::Verification> verify(const Operation&) override {
    const nanoseconds wanted = world_.time(step_), took = world_.took(step_);
    plan::Verification proof;
    proof.checks = {{"time", human_duration(wanted), human_duration(took),
                     world_.worked(step_) && wanted == took}};
    return proof;
  }
  Result<void> undo(const Operation&, const Value&) override {
    return fail(Error::Kind::invalid, "irreversible: time went by");
  }

 private:
  TimedWorld& world_;
  const std::size_t step_;
};

plan::StepType timed_steps(TimedWorld& world) {
  plan::StepType type;
  type.name = timed_type;
  type.help = "takes time";
  type.make = [&world](const Value&, plan::StepContext& context) {
    const auto step = world.graph().place(context.step());
    ASSERT(step);
    return Result<std::unique_ptr<plan::Step>>(std::make_unique<TimedStep>(world, *step));
  };
  return type;
}

// The graph of the plan; of its steps only the names.
plan::Plan timed(const plan::Plan& plan) {
  plan::Plan copy;
  copy.name = plan.name;
  copy.scenario = plan.scenario;
  for (const plan::StepNode& step : plan.steps) {
    plan::StepNode node;
    node.name = step.name;
    node.type = timed_type;
    node.config = Value::Map{};
    node.after = step.after;
    node.needs = step.needs;
    copy.steps.push_back(std::move(node));
  }
  return copy;
}

}  // namespace

Result<SimulatedRun> simulate_run(const Operation& op, const SimulationSetup& setup) {
  ASSERT(setup.plan && setup.random && setup.workers > 0);
  const plan::Plan plan = timed(*setup.plan);
  const plan::Graph graph(plan);
  ASSERT(setup.times.size() == graph.size());
  TimedWorld world(*op.clock, setup.times, graph);
  plan::StepTypes types;
  types.add(timed_steps(world));
  store::MemoryStore store;
  journal::FakeRepository repository(
      store, repo::Environment{op.clock, setup.random, "simulation", {}, {}, 1, 1u << 20});
  FakeLauncher launcher;
  EngineSetup engine;
  engine.around = {&types, &launcher, &world, setup.random, &world, ".", ""};
  engine.repository = &repository;
  engine.driver = {"simulation", "simulation", 1, "simulation"};
  engine.running_at_most = setup.workers;
  engine.expectations = setup.expectations;
  engine.heartbeat_period = {};
  engine.surely_gone = [](const journal::Driver&) { return true; };
  engine.faults = FaultPoints::Settings{};
  Pins pins;
  pins.run = new_run_name(*setup.random);
  pins.plan = plan;
  pins.inputs = Value::Map{};
  pins.sources = Value::Map{};
  pins.origin = {world.wall(), "simulation"};
  const nanoseconds begun = op.clock->boot();
  TRY(const Outcome outcome, begin({&world, op.stop}, engine, pins));
  SimulatedRun done = world.done();
  done.engine = op.clock->boot() - begun;
  if (outcome.halted) return fail(*outcome.halted);
  if (!plan.steps.empty() && !outcome.state.recovered()) {
    return fail(Error::Kind::invalid, "the simulated run of plan " + plan.name + " did not end");
  }
  TRY(done.segments, journal::count_segments(op, repository, pins.run));
  return done;
}

}  // namespace lifeboat::run
