#include "run/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/guard.h"
#include "journal/segment.h"
#include "journal/vault.h"
#include "repo/session.h"
#include "run/drive.h"
#include "run/events.h"
#include "run/guard.h"
#include "run/rehearsal.h"
#include "run/rivals.h"
#include "run/sealed_values.h"
#include "run/takeover.h"

namespace lifeboat::run {
namespace {

constexpr std::size_t run_name_bytes = 6;
// Of one that has been stopped by request, too.
constexpr std::chrono::nanoseconds time_to_withdraw = std::chrono::seconds(30);

// A setup with everything that may be left out put in.
EngineSetup completed(const EngineSetup& setup) {
  static Observer nobody;
  EngineSetup whole = setup;
  if (whole.around.observer == nullptr) whole.around.observer = &nobody;
  if (!whole.surely_gone) {
    whole.surely_gone = [ours = whole.driver](const journal::Driver& driver) {
      return surely_gone(driver, ours);
    };
  }
  ASSERT(whole.repository && whole.around.types && whole.around.launcher && whole.around.clock &&
         whole.around.random);
  return whole;
}

TakeoverWatch watch_of(const EngineSetup& setup) {
  return {setup.repository,    setup.around.launcher, setup.around.observer, setup.heartbeat_period,
          setup.children_wait, setup.surely_gone,     setup.take_over};
}

Result<void> announce(const Operation& op, repo::Repository& repository, const Pins& pins) {
  TRY(const auto session, repository.open_session(op));
  TRY_DO(session->announce_run(op, pins.run, pins.plan.name));
  return session->close(op);
}

std::shared_ptr<FaultPoints> fault_points_of(const EngineSetup& setup) {
  return std::make_shared<FaultPoints>(setup.faults ? *setup.faults
                                                    : FaultPoints::from_environment());
}

// Shared with the journal, whose own thread may pass a point while the engine leaves.
void watch_writes(journal::Journal& journal, const std::shared_ptr<FaultPoints>& faults) {
  journal.on_written(
      [faults](const std::string& object, const std::vector<journal::Event>& events) {
        faults->journal_written(object, events);
      });
}

// `holder` (Pins, Replan) as the journal may hold it: its secrets are in the vault before any event
// names them.
template <class Holder>
Result<Holder> sealed(const Operation& op, journal::Vault& vault, const Holder& holder) {
  const PutSecret put = [&](const std::string& name, const Secret& value) {
    return vault.put(op, name, value);
  };
  Holder made = holder;
  TRY(made.inputs, to_handles(holder.inputs, "inputs", put));
  TRY(made.sources, to_handles(holder.sources, "sources", put));
  return made;
}

Outcome outcome_of(const Ledger& ledger, bool fresh, std::optional<Error> halted) {
  return {ledger.state(), fresh, std::move(halted)};
}

// The run is done; whoever ended it may have died before the vault was gone.
Result<Outcome> look_back(const Operation& op, journal::Journal& journal, RunState state,
                          bool keep_vault) {
  if (!keep_vault) {
    const auto destroyed = journal.destroy_vault(op);
    if (!destroyed) {
      state.remarks.push_back("the vault is not deleted yet: " + destroyed.error().what);
    }
  }
  return Outcome{std::move(state), journal.freshness_proven(), std::nullopt};
}

Result<std::unique_ptr<journal::Journal>> open_journal(const Operation& op,
                                                       repo::Repository& repository,
                                                       const std::string& run,
                                                       const journal::Driver& driver) {
  auto journal = journal::Journal::open(op, repository, run, driver);
  if (journal || journal.error().kind != Error::Kind::not_found) return journal;
  const auto runs = repository.runs();
  if (std::ranges::count(runs, run, &repo::RunRecord::run) == 0) return journal;
  return fail(Error::Kind::not_found,
              "run " + run + " was never begun: its driver ended before it changed anything",
              "begin another one: lifeboat recover PLAN");
}

struct LeftRun {
  std::unique_ptr<journal::Journal> journal;
  RunState state;
  std::string over;  // DriverVisit::over
};

bool lease_is_held(const Result<void>& proof) {
  return !proof && proof.error().effective_code() == Error::Code::lease_held;
}

// A run as its last driver left it: recovered, or with nobody at work on it. While that was proven
// the driver may have gone on, to the end even: then the proof is for a state that is past. From a
// driver that lives it is taken as it is: the next segment decides.
Result<LeftRun> left_run(const Operation& op, const EngineSetup& setup, const std::string& run) {
  for (;;) {
    TRY(auto journal, open_journal(op, *setup.repository, run, setup.driver));
    TRY(auto state, replay(journal->events()));
    if (state.recovered()) return LeftRun{std::move(journal), std::move(state), ""};
    TRY(const std::string over, prove_driver_gone(op, state, watch_of(setup)));
    const auto gone =
        over == "takeover" ? Result<void>() : prove_children_gone(op, run, watch_of(setup));
    const auto lease = journal->prove_lease(op);
    if (lease_is_held(lease)) continue;  // and children that live are those of another driver
    TRY_DO(gone);
    TRY_DO(lease);
    return LeftRun{std::move(journal), std::move(state), over};
  }
}

// After the run is ours: what the drivers before us announced is in doubt until they have stopped.
Result<void> settle_doubts(const Operation& op, const EngineSetup& setup, Ledger& ledger,
                           bool wait) {
  const RunState state = ledger.state();
  const bool doubt =
      std::ranges::any_of(state.steps, [](const auto& entry) { return entry.second.doubtful; });
  const auto patience =
      wait ? setup.children_wait + setup.heartbeat_period * 2 : std::chrono::nanoseconds{};
  if (!doubt && !wait) return {};
  TRY(const bool stopped, all_have_stopped(op, state, setup.driver, watch_of(setup), patience));
  if (wait) TRY_DO(prove_children_gone(op, state.pins.run, watch_of(setup)));
  if (stopped && doubt) return ledger.record({event::driver_released(setup.driver.id)});
  return {};
}

// Ends a run that has changed nothing yet, and is not to be gone on with. Whatever becomes of that,
// why it gives way is what counts: without an end it is a run that was left.
void withdraw(journal::Journal& journal, const EngineSetup& setup, const Error& why) {
  const Operation op = Operation{setup.around.clock}.within(time_to_withdraw);
  const auto ended =
      journal.append(op, {event::run_remark(why.what),
                          event::run_end({"withdrawn", setup.around.clock->wall(), {}}),
                          event::driver_left(setup.driver)});
  if (ended) static_cast<void>(journal.destroy_vault(op));
}

tl::unexpected<Error> gave_way(const std::string& run) {
  return fail(Error::Kind::conflict,
              "run " + run + " gave way to another one of the same recovery; it changed nothing",
              "`lifeboat runs list` shows the other one", Error::Code::refused);
}

std::vector<journal::Event> joining(const EngineSetup& setup, const RunState& state,
                                    const std::string& over, bool fresh) {
  std::vector<journal::Event> events{event::driver_joined(setup.driver, over)};
  if (!fresh) {
    events.push_back(event::run_remark(fmt::format(
        "freshness unproven: resumed on {} without a memory of the run; had its last segment been "
        "lost, what it told was found again by observing ({} steps were open)",
        setup.driver.host, std::ranges::count_if(state.steps, [](const auto& entry) {
          return entry.second.intent_open;
        }))));
  }
  return events;
}

}  // namespace

std::string new_run_name(Random& random) { return to_hex(random.array<run_name_bytes>()); }

Result<Outcome> begin(const Operation& op, const EngineSetup& given, const Pins& pins) {
  const EngineSetup setup = completed(given);
  mask_secrets(setup.around, pins);
  const plan::Scope scope = first_scope(pins, setup.around.clock->wall());
  TRY_DO(prove_guards(op, setup.around, pins.plan, scope, {}));
  TRY(const Rivals seen, refuse_rivals(op, watch_of(setup), pins));
  TRY_DO(preflight_all(op, setup.around, pins, scope, {}));
  TRY_DO(announce(op, *setup.repository, pins));
  const auto faults = fault_points_of(setup);
  journal::Vault vault(*setup.repository, pins.run, [&faults](const std::string& object) {
    faults->journal_written(object, {});
  });
  TRY(const Pins pinned, sealed(op, vault, pins));
  TRY(const auto journal, journal::Journal::begin(op, *setup.repository, pins.run, setup.driver,
                                                  {event::run_begin(pinned, setup.driver),
                                                   event::driver_joined(setup.driver, "")}));
  faults->journal_written(journal::segment_name(pins.run, 0), journal->events());
  watch_writes(*journal, faults);
  TRY(auto state, replay(journal->events()));
  Ledger ledger(*journal, *setup.around.launcher, *setup.around.clock, std::move(state));
  TRY_DO(ledger.reveal());
  if (auto first = outrank_rivals(op, watch_of(setup), pins, seen); !first) {
    withdraw(*journal, setup, first.error());
    return fail(std::move(first).error());
  }
  auto halted = Drive(setup, *journal, ledger, faults).run(op);
  return outcome_of(ledger, true, std::move(halted));
}

Result<bool> was_begun(const Operation& op, repo::Repository& repository, const std::string& run) {
  const auto journal = journal::Journal::open(op, repository, run, {});
  if (journal) return true;
  switch (journal.error().kind) {
    case Error::Kind::not_found:
      return false;
    case Error::Kind::corrupt:  // what is there and cannot be read was begun
    case Error::Kind::invalid:
      return true;
    default:
      return fail(journal.error());
  }
}

Result<std::optional<std::string>> newest_run(const Operation& op, repo::Repository& repository) {
  std::optional<std::string> newest;
  const auto runs = repository.runs();
  for (auto run = runs.rbegin(); run != runs.rend() && !newest; ++run) {
    TRY(const bool begun, was_begun(op, repository, run->run));
    if (!begun) continue;
    const auto outcome = read_run(op, repository, run->run);
    if (!outcome || !outcome->state.withdrawn()) newest = run->run;
  }
  return newest;
}

Result<Outcome> resume(const Operation& op, const EngineSetup& given, const std::string& run) {
  const EngineSetup setup = completed(given);
  TRY(auto left, left_run(op, setup, run));
  journal::Journal& journal = *left.journal;
  const bool fresh = journal.freshness_proven();
  if (left.state.recovered())
    return look_back(op, journal, std::move(left.state), setup.keep_vault);
  if (left.state.withdrawn()) return gave_way(run);
  TRY(const Rivals seen, refuse_rivals(op, watch_of(setup), left.state.pins));
  auto joined = joining(setup, left.state, left.over, fresh);
  if (setup.replan != nullptr) {
    TRY_DO(map_steps(left.state, *setup.replan));
    journal::Vault vault(*setup.repository, run, [](const std::string&) {});
    TRY(const Replan replan, sealed(op, vault, *setup.replan));
    joined.push_back(event::replanned(replan));
    apply(left.state, replan);
  }
  Ledger ledger(journal, *setup.around.launcher, *setup.around.clock, std::move(left.state));
  if (const auto revealed = ledger.reveal(); !revealed) {
    TRY_DO(journal.prove_lease(op));  // a vault that is gone: another driver brought it to its end
    return fail(revealed.error());
  }
  TRY_DO(prove_guards(op, setup.around, ledger.pins().plan, ledger.scope(plan::StepNode{}),
                      ledger.adopted()));
  TRY_DO(preflight_all(op, setup.around, ledger.pins(), ledger.scope(), ledger.view()));
  const auto faults = fault_points_of(setup);
  watch_writes(journal, faults);
  TRY_DO(ledger.record(std::move(joined)));
  auto ours = outrank_rivals(op, watch_of(setup), ledger.pins(), seen);
  if (ours) ours = settle_doubts(op, setup, ledger, left.over == "takeover");
  if (!ours) {
    ledger.note(event::driver_left(setup.driver));
    TRY_DO(journal.flush({setup.around.clock}));
    return fail(std::move(ours).error());
  }
  auto halted = Drive(setup, journal, ledger, faults).run(op);
  return outcome_of(ledger, fresh, std::move(halted));
}

Result<Outcome> read_run(const Operation& op, repo::Repository& repository,
                         const std::string& run) {
  TRY(const auto journal, open_journal(op, repository, run, {}));
  TRY(auto state, replay(journal->events()));
  return Outcome{std::move(state), journal->freshness_proven(), std::nullopt};
}

}  // namespace lifeboat::run
