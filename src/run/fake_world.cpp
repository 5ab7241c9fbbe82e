#include "run/fake_world.h"

#include <algorithm>

namespace lifeboat::run {
namespace {

auto broken(const std::string& what) { return fail(Error::Kind::unavailable, what); }

class EffectStep final : public plan::Step {
 public:
  EffectStep(FakeWorld& world, Random& random, const Value& config, plan::StepContext& context)
      : world_(world),
        random_(random),
        value_(config.text("value")),
        parts_(config.integer("parts", 1)),
        secret_(config.boolean("secret", false)),
        spoil_(config.boolean("spoil", false)),
        mute_(config.boolean("mute", false)),
        context_(context) {}

  Result<void> preflight(const Operation& op) override { return hook(op, "preflight"); }

  Result<plan::Observation> observe(const Operation& op) override {
    TRY_DO(hook(op, "observe"));
    const Effect found = world_.effect(context_.step());
    plan::Observation seen;
    seen.would = "make " + context_.step() + " of " + std::to_string(parts_) + " parts";
    if (found.run.empty()) {
      seen.summary = context_.step() + ": absent";
      return seen;
    }
    seen.summary = context_.step() + ": made by " + found.run;
    seen.state = found.run != context_.run() ? plan::State::foreign
                 : found.done                ? plan::State::ours_done
                                             : plan::State::ours_partial;
    return seen;
  }

  Result<void> apply(const Operation& op) override {
    TRY_DO(hook(op, "apply"));
    const Effect before = world_.effect(context_.step());
    if (before.done) world_.violation(context_.step() + ": applied although it is done");
    if (!before.run.empty() && before.run != context_.run()) {
      world_.violation(context_.step() + ": applied over something foreign");
    }
    TRY(const std::string value, wanted(op));
    TRY_DO(change([&](Effect& effect) { effect.run = context_.run(); }));
    for (std::int64_t part = before.parts; part < parts_; ++part) {
      TRY_DO(op.proceed());
      context_.progress(static_cast<std::uint64_t>(part), static_cast<std::uint64_t>(parts_), "");
      context_.log("part " + std::to_string(part) + " with " + value);
      TRY_DO(change([&](Effect& effect) { effect.parts = part + 1; }));
    }
    return change([&](Effect& effect) {
      effect.value = value;
      effect.done = true;
      ++effect.completed;
    });
  }

  Result<plan::Verification> verify(const Operation& op) override {
    TRY_DO(hook(op, "verify"));
    TRY(const std::string value, wanted(op));
    const Effect found = world_.effect(context_.step());
    plan::Verification proof;
    // A secret is compared, not shown.
    const bool equal = found.value == value && !spoil_;
    proof.checks = {
        {"value", secret_ ? "as kept" : value, equal ? "as kept" : "another", equal},
        {"parts", std::to_string(parts_), std::to_string(found.parts), found.parts == parts_}};
    if (mute_) proof.checks.clear();
    proof.outputs.set("value", secret_ ? Value("made") : Value(value));
    proof.outputs.set("password", secret_ ? value : std::string());
    return proof;
  }

  Result<void> undo(const Operation& op, const Value&) override {
    TRY_DO(hook(op, "undo"));
    const std::string made_by = world_.effect(context_.step()).run;
    if (made_by.empty()) return {};
    if (made_by == context_.run()) return world_.remove(context_.step());
    return fail(Error::Kind::conflict, context_.step() + ": it is not ours");
  }

 private:
  Result<void> hook(const Operation& op, const std::string& verb) {
    return world_.call_hook(op, context_.step(), verb);
  }
  Result<void> change(const std::function<void(Effect&)>& change) {
    return world_.change(context_.step(), change);
  }
  Result<std::string> wanted(const Operation& op) {
    if (!secret_) return value_;
    TRY(const Secret kept, context_.keep_secret(op, "password", [this] {
      return Secret("hush-" + to_hex(random_.array<16>()));
    }));
    return std::string(kept.reveal());
  }

  FakeWorld& world_;
  Random& random_;
  const std::string value_;
  const std::int64_t parts_;
  const bool secret_, spoil_, mute_;
  plan::StepContext& context_;
};

}  // namespace

void Reaper::kill_at(std::uint64_t change, bool after) {
  MutexLock lock(mutex_);
  dies_at_ = changes_ + change;
  after_ = after;
}

void Reaper::fail_sometimes(std::uint64_t seed, std::uint64_t one_in) {
  MutexLock lock(mutex_);
  random_ = std::make_unique<SeededRandom>(seed);
  one_in_ = one_in;
}

void Reaper::revive() {
  MutexLock lock(mutex_);
  dead_ = false;
  dies_at_ = UINT64_MAX;
  one_in_ = 0;
}

bool Reaper::dead() const {
  MutexLock lock(mutex_);
  return dead_;
}

std::uint64_t Reaper::changes() const {
  MutexLock lock(mutex_);
  return changes_;
}

Reaper::Fate Reaper::pass() {
  MutexLock lock(mutex_);
  if (dead_) return Fate::die_before;
  const std::uint64_t ordinal = changes_++;
  if (ordinal >= dies_at_) {
    dead_ = true;
    return after_ ? Fate::die_after : Fate::die_before;
  }
  if (one_in_ == 0 || random_->below(one_in_) != 0) return Fate::go;
  return random_->below(2) == 0 ? Fate::fail_before : Fate::fail_after;
}

store::MemoryStore::Script Reaper::store_script() {
  using store::MemoryStore;
  return [this](std::uint64_t, MemoryStore::Verb verb, const std::string&) {
    const bool changes = verb == MemoryStore::Verb::put || verb == MemoryStore::Verb::remove;
    if (!changes) return dead() ? MemoryStore::Fault::unavailable : MemoryStore::Fault::none;
    switch (pass()) {
      case Fate::go:
        return MemoryStore::Fault::none;
      case Fate::die_after:
      case Fate::fail_after:
        return MemoryStore::Fault::lost_reply;
      case Fate::die_before:
      case Fate::fail_before:
        break;
    }
    return MemoryStore::Fault::unavailable;
  };
}

Result<void> FakeWorld::change(const std::string& name,
                               const std::function<void(Effect&)>& change) {
  const Reaper::Fate fate = reaper_.pass();
  const bool happens = fate == Reaper::Fate::go || fate == Reaper::Fate::die_after ||
                       fate == Reaper::Fate::fail_after;
  if (happens) {
    MutexLock lock(mutex_);
    change(effects_[name]);
  }
  if (fate == Reaper::Fate::go) return {};
  return broken(name + ": no answer");
}

Result<void> FakeWorld::remove(const std::string& name) {
  const Reaper::Fate fate = reaper_.pass();
  const bool happens = fate == Reaper::Fate::go || fate == Reaper::Fate::die_after ||
                       fate == Reaper::Fate::fail_after;
  if (happens) {
    MutexLock lock(mutex_);
    effects_.erase(name);
    removed_.push_back(name);
  }
  if (fate == Reaper::Fate::go) return {};
  return broken(name + ": no answer");
}

std::vector<std::string> FakeWorld::removed() const {
  MutexLock lock(mutex_);
  return removed_;
}

Effect FakeWorld::effect(const std::string& name) const {
  MutexLock lock(mutex_);
  const auto found = effects_.find(name);
  return found == effects_.end() ? Effect{} : found->second;
}

std::map<std::string, Effect> FakeWorld::effects() const {
  MutexLock lock(mutex_);
  return effects_;
}

void FakeWorld::violation(std::string text) {
  MutexLock lock(mutex_);
  violations_.push_back(std::move(text));
}

std::vector<std::string> FakeWorld::violations() const {
  MutexLock lock(mutex_);
  return violations_;
}

void FakeWorld::set_hook(const std::string& step, Hook hook) {
  MutexLock lock(mutex_);
  hooks_[step] = std::move(hook);
}

Result<void> FakeWorld::call_hook(const Operation& op, const std::string& step,
                                  const std::string& verb) {
  if (reaper_.dead()) return broken(step + ": no answer");
  Hook hook;
  {
    MutexLock lock(mutex_);
    if (const auto found = hooks_.find(step); found != hooks_.end()) hook = found->second;
  }
  return hook ? hook(op, verb) : Result<void>();
}

plan::StepType effect_type(FakeWorld& world, Random& random) {
  plan::StepType type;
  type.name = "effect";
  type.help = "brings about one effect of a fake world";
  type.fields.name = "effect";
  type.fields.fields = {{"value", shape::string(), "what it sets", false, Value("")},
                        {"parts", shape::integer(), "changes it takes", false, Value(1)},
                        {"secret", shape::boolean(), "makes a password", false, Value(false)},
                        {"spoil", shape::boolean(), "fails its own check", false, Value(false)},
                        {"mute", shape::boolean(), "checks nothing", false, Value(false)}};
  type.outputs = {{"value", shape::string()}, {"password", shape::string()}};
  type.secret_outputs = {"password"};
  type.effects = [](const Value& config) {
    return std::vector<std::string>{"fake:" + config.text("value")};
  };
  type.make = [&world, &random](const Value& config, plan::StepContext& context) {
    return Result<std::unique_ptr<plan::Step>>(
        std::make_unique<EffectStep>(world, random, config, context));
  };
  return type;
}

Value effect_config(const std::string& value, std::int64_t parts) {
  Value config;
  config.set("value", value);
  config.set("parts", parts);
  return config;
}

Value secret_effect_config() {
  Value config;
  config.set("secret", true);
  return config;
}

plan::StepNode effect_node(const std::string& name, Value config, std::vector<std::string> after) {
  plan::StepNode node;
  node.name = name;
  node.type = "effect";
  node.config = std::move(config);
  node.needs = plan::references(node.config);
  std::ranges::copy(node.needs, std::back_inserter(after));
  std::ranges::sort(node.needs);
  std::ranges::sort(after);
  after.erase(std::unique(after.begin(), after.end()), after.end());
  node.after = std::move(after);
  node.outputs = {{"value", shape::string()}, {"password", shape::string()}};
  return node;
}

plan::Plan plan_of(std::vector<plan::StepNode> steps) {
  plan::Plan plan;
  plan.name = "fake";
  plan.scenario = "everything is gone";
  plan.steps = std::move(steps);
  return plan;
}

Result<Finished> FakeLauncher::run(const Operation&, const Command&, ByteView) {
  return fail(Error::Kind::not_found, "a FakeLauncher starts nothing");
}

Result<std::unique_ptr<Child>> FakeLauncher::start(const Operation&, const Command&) {
  return fail(Error::Kind::not_found, "a FakeLauncher starts nothing");
}

void FakeLauncher::mask(const Secret& secret) {
  MutexLock lock(mutex_);
  if (!secret.empty()) secrets_.emplace_back(secret.reveal());
}

std::string FakeLauncher::masked(std::string_view text) const {
  std::string result(text);
  MutexLock lock(mutex_);
  for (const std::string& secret : secrets_) {
    for (std::size_t at = result.find(secret); at != std::string::npos; at = result.find(secret)) {
      result.replace(at, secret.size(), "***");
    }
  }
  return result;
}

std::vector<int> FakeLauncher::living(const std::string&) const {
  MutexLock lock(mutex_);
  return looks_-- > 0 ? living_ : std::vector<int>{};
}

void FakeLauncher::plant(std::vector<int> pids, int looks) {
  MutexLock lock(mutex_);
  living_ = std::move(pids);
  looks_ = looks;
}

}  // namespace lifeboat::run
