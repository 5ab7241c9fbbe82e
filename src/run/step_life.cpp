#include "run/step_life.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/guard.h"
#include "run/events.h"

namespace lifeboat::run {
namespace {

constexpr std::chrono::nanoseconds backoff_max = std::chrono::minutes(5);

// Clients that count in milliseconds may end a little before the deadline that ended them.
constexpr auto deadline_slack = std::chrono::milliseconds(50);

std::string first_failed(const std::vector<plan::Check>& checks) {
  const auto found = std::ranges::find(checks, false, &plan::Check::ok);
  if (found == checks.end()) return "";
  return fmt::format("{}: expected {}, found {}", found->name, found->expected, found->actual);
}

}  // namespace

Error refusal(const std::string& step, const plan::Observation& seen) {
  if (seen.state == plan::State::foreign) {
    return {
        Error::Kind::conflict,
        fmt::format("{}: something is there that this run did not make: {}", step, seen.summary),
        "nothing of it was touched; look at it, then have it kept aside by the plan or move it "
        "away, and resume",
        Error::Code::refused};
  }
  return {Error::Kind::conflict,
          fmt::format("{}: it was done, and has been changed since: {}", step, seen.summary),
          "nothing was applied again over that change; look at it, then resume",
          Error::Code::refused};
}

StepLife::StepLife(const Surroundings& around, Ledger& ledger, FaultPoints& faults, Guards& guards,
                   const plan::StepNode& node)
    : around_(around),
      ledger_(ledger),
      guards_(guards),
      node_(node),
      context_(around, ledger, faults, node.name) {}

void StepLife::begin_attempt() {
  const std::uint64_t generation = ledger_.step(node_.name).attempts + 1;
  context_.set_generation(generation);
  ++attempts_;
  began_ = around_.clock->boot();
  ledger_.note(event::started(node_.name, generation));
  around_.observer->step_started(node_.name, generation);
}

Result<void> StepLife::live(const Operation& op) {
  if (node_.approve) {
    gate_ = approval_check(node_, ledger_.step(node_.name), around_.clock->wall());
  }
  for (;;) {
    begin_attempt();
    const Operation limited = node_.timeout ? op.within(*node_.timeout) : op;
    deadline_ = limited.deadline;
    const auto done = guard(Error::Kind::invalid, "internal error in a step of type " + node_.type,
                            [&] { return attempt(limited); });
    guards_.forget();
    if (context_.journal_error()) return fail(*context_.journal_error());
    if (done) return {};
    TRY(const bool again, try_again(op, done.error()));
    if (!again) return {};
  }
}

Result<void> StepLife::attempt(const Operation& op) {
  failed_checks_.clear();
  observed_outputs_ = Value();
  TRY(const auto step, make_step());
  context_.enter("preflight");
  TRY_DO(step->preflight(op));
  TRY_DO(bring_about(op, *step));
  TRY(auto proof, prove(op, *step));
  if (gate_) proof.checks.push_back(*gate_);
  TRY_DO(context_.journaled(ledger_.step_done(node_.name, proof, took())));
  const auto count = proof.checks.size();
  around_.observer->step_done(node_.name,
                              fmt::format("{} {}", count, count == 1 ? "check" : "checks"));
  return {};
}

Result<std::unique_ptr<plan::Step>> StepLife::make_step() {
  const plan::StepType* type = around_.types->find(node_.type);
  if (type == nullptr) {
    return fail(Error::Kind::invalid, fmt::format("there is no step type '{}'", node_.type),
                "the run was begun by a program that knows it: use that one",
                Error::Code::version_too_new);
  }
  TRY(const Value config, plan::resolve_step(node_, *around_.types, ledger_.scope(node_)));
  changes_ = type->effects && !type->effects(config).empty();
  return type->make(config, context_);
}

Result<void> StepLife::hold_guards(const Operation& op) {
  if (!changes_) return {};
  std::optional<Error> journal_error;
  auto held = guards_.hold(op, journal_error);
  if (journal_error) return context_.journaled(fail(*journal_error));
  return held;
}

Result<void> StepLife::bring_about(const Operation& op, plan::Step& step) {
  TRY_DO(op.proceed());
  context_.enter("observe");
  TRY(const auto seen, step.observe(op));
  TRY_DO(context_.journaled(ledger_.step_observed(node_.name, seen)));
  if (seen.state == plan::State::ours_done) {
    observed_outputs_ = seen.outputs;
    return {};
  }
  if (seen.state == plan::State::foreign || seen.state == plan::State::drifted) {
    return fail(refusal(node_.name, seen));
  }
  if (around_.types->find(node_.type)->fence != plan::Fence::native) {
    TRY_DO(refuse_doubt(seen.summary));
  }
  TRY_DO(hold_guards(op));
  TRY_DO(op.proceed());
  TRY_DO(announce());
  // A stop or a lost lease may have come while the intent was written.
  TRY_DO(op.proceed());
  context_.enter("apply");
  TRY_DO(step.apply(op));
  ledger_.note(event::applied(node_.name, context_.generation()));
  return {};
}

// Looking took its time: somebody may have declined meanwhile, or the last approval expired.
Result<void> StepLife::announce() {
  auto announced = ledger_.announce(node_, context_.generation());
  const bool refused = !announced && announced.error().code == Error::Code::needs_person;
  return refused ? announced : context_.journaled(std::move(announced));
}

Result<void> StepLife::refuse_doubt(const std::string& summary) const {
  if (!ledger_.step(node_.name).doubtful) return {};
  return fail(
      Error::Kind::conflict,
      fmt::format("{}: the driver before us announced this change, and may still be at work "
                  "on it ({})",
                  node_.name, summary),
      fmt::format("make sure that it is stopped (its machine off, or its process ended), "
                  "then: lifeboat runs release {0} --reason ..., and if nobody drives the "
                  "run any more: lifeboat recover --resume {0}",
                  context_.run()),
      Error::Code::needs_person);
}

Result<void> StepLife::undo(const Operation& op) {
  began_ = around_.clock->boot();
  context_.set_generation(ledger_.step(node_.name).attempts);
  around_.observer->step_phase(node_.name, "undo");
  const Operation limited = node_.timeout ? op.within(*node_.timeout) : op;
  const auto undone = guard(Error::Kind::invalid, "internal error in a step of type " + node_.type,
                            [&] { return bring_back(limited); });
  guards_.forget();
  if (context_.journal_error()) return fail(*context_.journal_error());
  if (undone) {
    ledger_.note(event::undone(node_.name, around_.launcher->masked(*undone), took()));
    around_.observer->step_done(node_.name, "undone");
    return {};
  }
  if (op.stop.stop_requested()) return {};  // it stays wanted, and whoever goes on does it
  Error error = masked(*around_.launcher, undone.error());
  error.what = "undo: " + error.what;
  ledger_.note(event::undo_failed(node_.name, error, took()));
  around_.observer->step_failed(node_.name, error);
  return {};
}

Result<std::string> StepLife::bring_back(const Operation& op) {
  TRY(const auto step, make_step());
  TRY(const Value before, ledger_.before(node_.name));
  // What a fence goes by may be taken back with the change: then it would come again.
  TRY_DO(refuse_doubt("to be undone"));
  TRY_DO(hold_guards(op));
  TRY_DO(op.proceed());
  TRY_DO(context_.journaled(ledger_.record({event::undo_intent(node_.name)})));
  TRY_DO(op.proceed());
  context_.enter("undo");
  TRY_DO(step->undo(op, before));
  context_.enter("observe");
  TRY(const auto seen, step->observe(op));
  if (changes_ && seen.state == plan::State::ours_done) {
    return fail(Error::Kind::conflict, "what it did is still there: " + seen.summary,
                "look at the target; nothing was done a second time");
  }
  return seen.summary;
}

Result<plan::Verification> StepLife::prove(const Operation& op, plan::Step& step) {
  TRY_DO(op.proceed());
  context_.enter("verify");
  TRY(auto proof, step.verify(op));
  if (proof.outputs.is_null()) proof.outputs = observed_outputs_;
  if (std::ranges::any_of(proof.checks, [](const plan::Check& check) { return !check.ok; })) {
    failed_checks_ = proof.checks;
    return fail(Error::Kind::conflict,
                fmt::format("{} of {} checks failed; {}",
                            std::ranges::count(proof.checks, false, &plan::Check::ok),
                            proof.checks.size(), first_failed(proof.checks)),
                "what came back is not what was lost: the report lists each check");
  }
  TRY_DO(check_outputs(proof));
  return proof;
}

Result<void> StepLife::check_outputs(plan::Verification& proof) const {
  if (proof.outputs.is_null()) proof.outputs = Value::Map{};
  if (!proof.outputs.is(Value::Type::map)) {
    return fail(Error::Kind::invalid, "its outputs are no map");
  }
  const plan::StepType& type = *around_.types->find(node_.type);
  std::vector<Finding> findings;
  for (const auto& [name, shape] : node_.outputs) {
    if (!proof.outputs.has(name)) {
      return fail(Error::Kind::invalid, fmt::format("it gave no output '{}'", name),
                  "the plan declares it: let the step give it, or take it out of `outputs`");
    }
    Value value = proof.outputs.at(name);
    // A secret is given as a plain text here; its shape describes how plan files refer to one.
    const bool secret =
        shape.kind == Shape::Kind::secret || std::ranges::count(type.secret_outputs, name) > 0;
    if (shape.kind != Shape::Kind::secret) {
      validate(value, shape, {.path = "outputs." + name}, findings);
    }
    if (secret) value.taint();
    proof.outputs.set(name, std::move(value));
  }
  if (!findings.empty()) return fail(findings_error(findings));
  return {};
}

Result<bool> StepLife::try_again(const Operation& op, const Error& error) {
  if (!is_transient(error) || attempts_ > node_.retry.times || op.stop.stop_requested()) {
    TRY_DO(end_with(op, error));
    return false;
  }
  // Exponential, with full jitter: many steps that wait for one thing do not come back at once.
  const int doublings = std::min(attempts_ - 1, 20);
  const auto longest = std::min(node_.retry.backoff * (std::int64_t{1} << doublings), backoff_max);
  const auto bound = static_cast<std::uint64_t>(std::max<std::int64_t>(longest.count(), 1));
  const auto wait = std::chrono::nanoseconds(around_.random->below(bound));
  ledger_.note(event::retry(node_.name, masked(*around_.launcher, error), wait));
  if (const auto waited = op.pause(wait); !waited) {
    TRY_DO(end_with(op, waited.error()));
    return false;
  }
  return true;
}

// A step may have shorter limits of its own: what they end is for the step to say.
bool StepLife::ended_by_its_timeout(const Error& error) const {
  return node_.timeout && error.kind == Error::Kind::cancelled &&
         error.effective_code() == Error::Code::timeout &&
         around_.clock->boot() >= deadline_ - deadline_slack;
}

Result<void> StepLife::end_with(const Operation& op, Error error) {
  if (op.stop.stop_requested()) {
    ledger_.note(event::stopped(node_.name, took()));
    return {};
  }
  error = masked(*around_.launcher, std::move(error));
  if (ended_by_its_timeout(error)) {
    error.what = fmt::format("not done within {} ({})", human_duration(*node_.timeout), error.what);
    if (error.hint.empty())
      error.hint = "raise `timeout:` of the step, or find out what it waits for";
  }
  for (plan::Check& check : failed_checks_) {
    for (auto* text : {&check.name, &check.expected, &check.actual}) {
      *text = around_.launcher->masked(*text);
    }
  }
  ledger_.note(event::failed(node_.name, error, failed_checks_, took()));
  around_.observer->step_failed(node_.name, error);
  return {};
}

}  // namespace lifeboat::run
