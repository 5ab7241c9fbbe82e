// run/fake_world.h - A small world that plans can change, and that can die at any change: for
// tests.
//
// A Reaper stands before every change, of the store and of the world alike, and decides its fate:
// it happens; the process dies before it; it dies right after it, so that the change is there and
// nobody heard of it; or the change only fails for now. Once dead, nothing changes any more,
// whoever still runs: as after SIGKILL.
//
// The step type `effect` brings about one named effect of several parts. It is honest about what it
// finds; what it must never be asked for (applying what is done) is a violation that tests look
// for.
//
// Threads: all methods from any thread.  Ownership: the world outlives engines and steps.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "client/process/launcher.h"
#include "plan/plan.h"
#include "store/memory.h"

namespace lifeboat::run {

class Reaper {
 public:
  enum class Fate { go, die_before, die_after, fail_before, fail_after };

  // Dies at the Nth change from now (0 = the next one); `after`: once it happened.
  void kill_at(std::uint64_t change, bool after);
  // One in `one_in` changes fails for now, half of them after they happened. 0 = none.
  void fail_sometimes(std::uint64_t seed, std::uint64_t one_in);
  void revive();  // no faults any more
  bool dead() const;
  std::uint64_t changes() const;  // that were asked for

  Fate pass();
  // The same for a memory store; put and remove are changes.
  store::MemoryStore::Script store_script();

 private:
  mutable Mutex mutex_;
  std::uint64_t changes_ GUARDED_BY(mutex_) = 0;
  std::uint64_t dies_at_ GUARDED_BY(mutex_) = UINT64_MAX;
  bool after_ GUARDED_BY(mutex_) = false;
  bool dead_ GUARDED_BY(mutex_) = false;
  std::uint64_t one_in_ GUARDED_BY(mutex_) = 0;
  std::unique_ptr<SeededRandom> random_ GUARDED_BY(mutex_);
};

// One thing that a plan brought about.
struct Effect {
  std::string run;  // the marker: who made it
  std::int64_t parts = 0;
  bool done = false;
  std::string value;
  std::uint64_t completed = 0;  // how often it was brought to its end
};

class FakeWorld {
 public:
  explicit FakeWorld(Reaper& reaper) : reaper_(reaper) {}

  // Changes one effect, if the reaper lets it.  Errors: unavailable.
  Result<void> change(const std::string& name, const std::function<void(Effect&)>& change);
  // Takes one effect away, if the reaper lets it.  Errors: unavailable.
  Result<void> remove(const std::string& name);
  std::vector<std::string> removed() const;      // by remove(), in order
  Effect effect(const std::string& name) const;  // an untouched one when there is none
  std::map<std::string, Effect> effects() const;
  void violation(std::string text);
  std::vector<std::string> violations() const;

  // Hooks of a test, by step name: asked at the beginning of a verb ("preflight", "observe",
  // "apply", "verify", "undo"); an error is the verb's answer. Set before the run.
  using Hook = std::function<Result<void>(const Operation& op, const std::string& verb)>;
  void set_hook(const std::string& step, Hook hook);
  Result<void> call_hook(const Operation& op, const std::string& step, const std::string& verb);

 private:
  Reaper& reaper_;
  mutable Mutex mutex_;
  std::map<std::string, Effect> effects_ GUARDED_BY(mutex_);
  std::vector<std::string> violations_ GUARDED_BY(mutex_), removed_ GUARDED_BY(mutex_);
  std::map<std::string, Hook> hooks_ GUARDED_BY(mutex_);
};

// The step type `effect`:
//   value  what it sets (may refer to outputs)     parts   changes besides marker and end
//   secret makes and keeps a password as its value  spoil   verify finds another value
//   mute   verify compares nothing
// Outputs: value; and password, tainted, empty unless `secret`.
plan::StepType effect_type(FakeWorld& world, Random& random);

Value effect_config(const std::string& value, std::int64_t parts = 1);
Value secret_effect_config();
// A node of that type. `config` as above; references in it become edges.
plan::StepNode effect_node(const std::string& name, Value config,
                           std::vector<std::string> after = {});
// All nodes in a plan without inputs.
plan::Plan plan_of(std::vector<plan::StepNode> steps);

// A launcher that starts nothing: masks as told, and shows the supervisors that a test plants.
class FakeLauncher final : public Launcher {
 public:
  Result<Finished> run(const Operation& op, const Command& command, ByteView input) override;
  Result<std::unique_ptr<Child>> start(const Operation& op, const Command& command) override;
  void mask(const Secret& secret) override;
  std::string masked(std::string_view text) const override;
  std::vector<int> living(const std::string& owner) const override;

  // `pids` are there for the next `looks` times that somebody looks.
  void plant(std::vector<int> pids, int looks);

 private:
  mutable Mutex mutex_;
  std::vector<std::string> secrets_ GUARDED_BY(mutex_);
  std::vector<int> living_ GUARDED_BY(mutex_);
  mutable int looks_ GUARDED_BY(mutex_) = 0;
};

}  // namespace lifeboat::run
