// run/fake_engine.h - Everything that an engine needs, in memory: for tests and simulation.
//
// The store and the world live as long as the FakeEngine; each begin() and resume() is a process of
// its own that knows nothing but them: a fresh repository object, no memory, a new driver.
// Threads: one call at a time, unless a test lets two drivers fight on purpose.
#pragma once

#include <algorithm>
#include <atomic>
#include <memory>
#include <string>
#include <thread>

#include "base/fake_clock.h"
#include "crypt/operator_key.h"
#include "journal/fake_repository.h"
#include "journal/requests.h"
#include "plan/guard.h"
#include "run/engine.h"
#include "run/fake_world.h"
#include "run/rehearsal.h"
#include "run/request.h"

namespace lifeboat::run {

// A world in which `db` makes a password that `app` uses.
inline plan::Plan shop() {
  return plan_of({effect_node("net", effect_config("10.0.0.0/8", 2)),
                  effect_node("db", secret_effect_config(), {"net"}),
                  effect_node("app", effect_config("uses ${db.password} in ${net.value}")),
                  effect_node("dns", effect_config("shop.example", 3))});
}

// A heartbeat period for drivers that nothing but a person or a rival is to stop. In virtual time
// each note that the journal writes takes a second in which all other threads stand still: a
// heartbeat of seconds would be late by that alone, at the mercy of the machine.
constexpr auto unhurried = std::chrono::minutes(1);

// What a person asks of the run, with a reason.
inline Request request(const std::string& action, const std::string& step, const std::string& by) {
  Request made;
  made.action = action;
  made.step = step;
  made.by = by;
  made.reason = "because";
  return made;
}

class FakeEngine {
 public:
  explicit FakeEngine(std::uint64_t seed,
                      FakeClock::Pauses pauses = FakeClock::Pauses::self_advancing)
      : clock(pauses), random(seed), world(reaper) {
    types.add(effect_type(world, random));
    store.set_script(reaper.store_script());
  }

  FakeClock clock;
  SeededRandom random;
  Reaper reaper;
  FakeWorld world;
  store::MemoryStore store;
  FakeLauncher launcher;
  plan::StepTypes types;
  plan::GuardKinds guards;  // none, unless a test adds some
  Observer* observer = nullptr;
  FaultPoints::Settings faults;
  std::chrono::nanoseconds heartbeat_period{};  // none
  std::function<bool(const journal::Driver&)> surely_gone = [](const journal::Driver&) {
    return true;
  };
  unsigned running_at_most = 16;
  bool keep_vault = false, waits_for_people = false, take_over = false;
  std::map<std::string, crypt::SigningKey> people;  // the platform's operators

  // From now on `name` is an operator of the platform, for runs that begin.
  void hire(const std::string& name) {
    people[name] = crypt::SigningKey::from(crypt::Key::random(random));
  }
  // Somebody asks something of the run; signed when `request.by` is an operator.
  Result<std::uint64_t> ask(Request request) {
    request.run = "run-1";
    const auto key = people.find(request.by);
    const auto signing = key == people.end() ? std::optional<crypt::SigningKey>() : key->second;
    const auto seen = repository();
    return journal::put_request(op(), *seen, "run-1",
                                written(request, signing, clock.wall(), random));
  }
  // An approval of what the run is now.
  Result<std::uint64_t> approve(const std::string& step, const std::string& by) {
    const auto seen = repository();
    const auto now = read_run(op(), *seen, "run-1");
    Request request;
    request.action = "approve";
    request.step = step;
    request.by = by;
    if (now) request.subject = subject_of(now->state, step);
    return ask(std::move(request));
  }

  // Until a driver has taken something that was asked, or `operation` is over.
  void await_taken(const Operation& operation) {
    const auto taken = [](const journal::Event& event) { return event.kind == "request.taken"; };
    while (operation.proceed() && std::ranges::none_of(events(), taken)) {
      std::this_thread::yield();
    }
  }

  Operation op() { return {&clock}; }

  Pins pins(plan::Plan plan) {
    Pins pinned;
    pinned.run = "run-1";
    pinned.plan = std::move(plan);
    pinned.inputs = Value::Map{};
    pinned.sources = Value::Map{};
    pinned.origin = {clock.wall(), "test"};
    pinned.version = "0.1.0";
    pinned.platform_name = "fake";
    for (const auto& [name, key] : people) {
      pinned.operators[name] = crypt::verify_key_text(key.verify_key);
    }
    return pinned;
  }
  std::unique_ptr<journal::FakeRepository> repository() {
    return std::make_unique<journal::FakeRepository>(
        store, repo::Environment{&clock, &random, "host", {}, {}, 1, 1u << 20});
  }
  EngineSetup setup(repo::Repository& repository) {
    const int number = ++drivers_;
    EngineSetup made;
    made.around = {&types, &launcher, &clock, &random, observer, ".", "", &guards};
    made.repository = &repository;
    made.driver = {"driver-" + std::to_string(number), "host", number, "boot"};
    made.running_at_most = running_at_most;
    made.heartbeat_period = heartbeat_period;
    made.surely_gone = surely_gone;
    made.faults = faults;
    made.keep_vault = keep_vault;
    made.waits_for_people = waits_for_people;
    made.take_over = take_over;
    return made;
  }
  Result<Outcome> begin(const plan::Plan& plan) { return begin(op(), pins(plan)); }
  Result<Outcome> begin(const Operation& operation, const Pins& pinned) {
    const auto seen = repository();
    return run::begin(operation, setup(*seen), pinned);
  }
  Result<Outcome> resume() { return resume(op()); }
  Result<Outcome> resume(const Operation& operation) {
    const auto seen = repository();
    return run::resume(operation, setup(*seen), "run-1");
  }
  Result<DryRun> dry_run(const plan::Plan& plan) { return dry_run(pins(plan)); }
  Result<DryRun> dry_run(const Pins& pinned) {
    const auto seen = repository();
    Observer nobody;
    auto around = setup(*seen).around;
    around.observer = &nobody;
    return run::dry_run(op(), around, pinned);
  }
  std::vector<journal::Event> events() {
    const auto seen = repository();
    auto journal = journal::Journal::open(op(), *seen, "run-1", {});
    return journal ? (*journal)->events() : std::vector<journal::Event>{};
  }

 private:
  std::atomic<int> drivers_ = 0;
};

}  // namespace lifeboat::run
