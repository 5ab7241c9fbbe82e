#include "run/drive.h"

#include <fmt/format.h>

#include <algorithm>

#include "journal/heartbeat.h"
#include "journal/requests.h"
#include "plan/schedule.h"
#include "run/events.h"
#include "run/step_life.h"
#include "run/vigil.h"

namespace lifeboat::run {
namespace {

constexpr std::size_t requests_at_once = 100;
// While nothing is at work: what changes without a word (a clock that was set back) is seen, too.
constexpr auto look_anew_after = std::chrono::seconds(1);

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
      guards_(setup.around, ledger) {}

std::optional<Error> Drive::run(const Operation& op) {
  const std::stop_callback forward(op.stop, [this] { stop_steps(); });
  {
    const Vigil vigil(setup_, journal_,
                      {[this](Error error) { halt(std::move(error)); },
                       [this](const Operation& looking) { return look(looking); }});
    // What people asked while nobody was at work counts before anything starts.
    const auto read = read_backlog(op);
    if (!read && !op.stop.stop_requested()) halt(read.error());
    drive_on(op);
  }
  auto left = finish(op);
  journal_.on_written({});
  return left;
}

void Drive::drive_on(const Operation& op) {
  for (;;) {
    start_ready(op);
    if (running_.empty() && !stays(op) && nothing_more_was_asked(op)) return;
    setup_.around.observer->at_work(running_.size());
    wait_for_news();
  }
}

plan::RunView Drive::view() const {
  plan::RunView view = ledger_.view();
  for (const auto& [name, thread] : running_) view.phases[name] = plan::StepPhase::running;
  return view;
}

// A step whose thread has not ended yet counts as running, whatever the ledger says of it.
void Drive::heed(const std::string& step, plan::StepPhase phase) {
  const auto place = graph_.place(step);
  if (place && !running_.contains(step)) frontier_.set(*place, phase);
}

void Drive::heed(const Changes& changes) {
  for (const auto& [step, phase] : changes.view.phases) heed(step, phase);
  frontier_.hold(changes.view);
  if (changes.whole) undoing_ = !changes.view.to_undo.empty();
}

// Again from the top when a person was heard meanwhile: what was decided may be wrong now.
void Drive::start_ready(const Operation& op) {
  for (bool up_to_date = false; !up_to_date;) {
    if (stopping(op)) return;
    heed(ledger_.take_changes());
    if (ledger_.cancelled()) return;
    up_to_date = skip_lost() && undo_ready(op) && go_forward(op) && tell_who_is_awaited();
  }
}

bool Drive::skip_lost() {
  while (const auto lost = frontier_.to_skip()) {
    const std::string &step = plan_.steps[lost->step].name, &needs = plan_.steps[lost->needs].name;
    if (!ledger_.note_unless_asked(event::skipped(step, needs))) return false;
    setup_.around.observer->step_skipped(step, needs);
    frontier_.set(lost->step, plan::StepPhase::skipped);
  }
  return true;
}

// Looks at the whole plan each time: a person asked for it, and few steps are undone at once.
bool Drive::undo_ready(const Operation& op) {
  if (!undoing_) return true;
  const plan::RunView now = view();
  undoing_ = !now.to_undo.empty();
  for (const std::string& name : plan::next_actions(plan_, now).undo) {
    if (running_.size() >= setup_.running_at_most) return true;
    const std::size_t step = *graph_.place(name);
    if (!start(op, plan_.steps[step], Way::back)) return false;
    frontier_.set(step, plan::StepPhase::running);
  }
  return true;
}

bool Drive::go_forward(const Operation& op) {
  while (running_.size() < setup_.running_at_most) {
    const auto next = frontier_.to_start();
    if (!next) return true;
    if (!start(op, plan_.steps[*next], Way::forward)) return false;
    frontier_.set(*next, plan::StepPhase::running);
  }
  return true;
}

// From then on whoever judges a request knows that the step is at work.
bool Drive::start(const Operation& op, const plan::StepNode& node, Way way) {
  std::stop_source stop;
  bool too_late = false;
  const bool up_to_date = ledger_.unless_asked([&] {
    MutexLock lock(mutex_);
    too_late = stopping_;
    if (!too_late) stops_[node.name] = stop;
  });
  if (!up_to_date || too_late) return up_to_date;
  const Operation limited{op.clock, stop.get_token(), op.deadline};
  running_[node.name] = std::jthread([this, limited, &node, way] {
    StepLife life(setup_.around, ledger_, *faults_, guards_, node);
    const auto lived = way == Way::forward ? life.live(limited) : life.undo(limited);
    if (!lived) halt(lived.error());
    MutexLock lock(mutex_);
    stops_.erase(node.name);
    ended_.push_back(node.name);
    changed_.notify_all();
  });
  return true;
}

bool Drive::tell_who_is_awaited() {
  const std::vector<std::size_t> steps = frontier_.awaits();
  std::erase_if(told_, [&](std::size_t step) { return std::ranges::count(steps, step) == 0; });
  for (const std::size_t place : steps) {
    const plan::StepNode& node = plan_.steps[place];
    const std::string& name = node.name;
    const StepState step = ledger_.step(name);
    const bool began = step.awaits.ns != 0;
    if (began && told_.contains(place)) continue;
    if (!began && !ledger_.note_unless_asked(event::awaits(name))) return false;
    told_.insert(place);
    setup_.around.observer->step_awaits(name, gate_text(node, step, setup_.around.clock->wall()),
                                        node.approve->reason);
  }
  return true;
}

bool Drive::stopping(const Operation& op) const {
  MutexLock lock(mutex_);
  return stopping_ || op.stop.stop_requested();
}

// What people ask can still make a difference to this driver.
bool Drive::listens(const Operation& op) const {
  return setup_.heartbeat_period.count() != 0 && !stopping(op);
}

// Whether there is a reason to go on although nothing is at work. The vigil may have taken a
// request since we looked what may start: then there is something to do again, and its news is on
// the way.
bool Drive::stays(const Operation& op) const {
  if (!listens(op) || ledger_.cancelled()) return false;
  const plan::NextActions next = plan::next_actions(plan_, view());
  return !next.finished || (setup_.waits_for_people && next.waits_for_person);
}

// A last look, after which nobody is heard any more: what is asked later waits for the next driver.
bool Drive::nothing_more_was_asked(const Operation& op) {
  if (!listens(op)) return true;
  MutexLock lock(looking_);
  const auto read = read_all_requests(op.within(setup_.heartbeat_period / 2));
  static_cast<void>(read);  // what could not be read counts as asked later
  hears_ = stays(op);
  return !hears_;
}

void Drive::wait_for_news() {
  std::vector<std::string> ended;
  {
    MutexLock lock(mutex_);
    while (ended_.empty() && !news_) {
      if (!running_.empty()) {
        changed_.wait(mutex_);
      } else if (!changed_.wait_for(mutex_, look_anew_after)) {
        break;
      }
    }
    news_ = false;
    ended.swap(ended_);
  }
  for (const std::string& name : ended) {
    running_.erase(name);  // joins it
    heed(name, ledger_.step(name).phase);
  }
}

void Drive::wake() {
  MutexLock lock(mutex_);
  news_ = true;
  changed_.notify_all();
}

std::optional<std::stop_source> Drive::at_work(const std::string& step) const {
  MutexLock lock(mutex_);
  const auto found = stops_.find(step);
  return found == stops_.end() ? std::nullopt : std::optional(found->second);
}

// The vigil shows life meanwhile, however much there is to read.
Result<void> Drive::read_backlog(const Operation& op) {
  TRY_DO(read_all_requests(op));
  MutexLock lock(looking_);
  hears_ = true;
  return {};
}

Result<void> Drive::read_all_requests(const Operation& op) {
  for (;;) {
    const std::uint64_t read = ledger_.requests_read();
    TRY_DO(read_requests(op));
    if (ledger_.requests_read() == read) return {};
  }
}

Result<void> Drive::look(const Operation& op) {
  MutexLock lock(looking_);
  return hears_ ? read_requests(op) : Result<void>();
}

// By one thread at a time. What fails is for the next look to try again.
Result<void> Drive::read_requests(const Operation& op) {
  TRY_DO(follow_taken(op));
  const std::uint64_t first = ledger_.requests_read();
  TRY(const auto asked,
      journal::requests_from(op, *setup_.repository, journal_.run(), first, requests_at_once));
  for (const journal::Request& request : asked) {
    const auto taken = ledger_.take(
        op, request, [this](const std::string& step) { return at_work(step).has_value(); },
        [this](const Verdict& verdict) {
          taken_.push_back({verdict, at_work(verdict.request.step)});
        });
    if (!taken) {
      TRY_DO(follow_taken(op));
      return fail(taken.error());
    }
  }
  return follow_taken(op);
}

// Once the journal has them; until then nobody is told.
Result<void> Drive::follow_taken(const Operation& op) {
  if (taken_.empty()) return {};
  if (auto settled = ledger_.settle(op); !settled) {
    // That signs of life can still be left does not help: the journal takes nothing any more.
    const bool passes =
        is_transient(settled.error()) || settled.error().kind == Error::Kind::cancelled;
    if (!passes) halt(settled.error());
    return settled;
  }
  for (Heard& heard : taken_) {
    const Request& request = heard.verdict.request;
    setup_.around.observer->asked(request.by, request.action, request.step, heard.verdict.why);
    if (heard.verdict.accepted()) follow(heard);
  }
  taken_.clear();
  return {};
}

void Drive::follow(Heard& heard) {
  const Verdict& verdict = heard.verdict;
  const std::string& action = verdict.request.action;
  if (action == "cancel") stop_steps();
  // Not the attempt that a retry has brought about since.
  const bool stops = action == "skip" || action == "retry";
  if (stops && heard.at_work) heard.at_work->request_stop();
  if (action == "decline") stop_unless_begun(verdict.request.step);
  if (action == "go-back") {
    for (const plan::StepNode& node : plan_.steps) stop_unless_begun(node.name);
  }
  wake();
}

// A change that was announced comes to its end; so does what is being undone.
void Drive::stop_unless_begun(const std::string& step) {
  const StepState state = ledger_.step(step);
  if (state.intent_open || state.undo_wanted) return;
  if (auto own = at_work(step)) own->request_stop();
}

// This driver can or may not write the journal any more: all its steps are to stop.
void Drive::halt(Error error) {
  {
    MutexLock lock(mutex_);
    // A lost lease explains everything else.
    const bool lost = error.effective_code() == Error::Code::lease_held;
    if (!halted_ || lost) halted_ = std::move(error);
  }
  stop_steps();
}

void Drive::stop_steps() {
  std::map<std::string, std::stop_source> stops;
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    stops = stops_;
    news_ = true;
    changed_.notify_all();
  }
  for (auto& [name, stop] : stops) stop.request_stop();
}

std::optional<Error> Drive::finish(const Operation& op) {
  std::optional<Error> halted;
  {
    MutexLock lock(mutex_);
    halted = halted_;
  }
  const std::string& run = ledger_.pins().run;
  if (halted && halted->effective_code() == Error::Code::lease_held) {
    // Whoever has the run now may finish what we began.
    const auto said =
        journal::let_go({setup_.around.clock}, *setup_.repository, run, setup_.driver);
    static_cast<void>(said);  // then it takes a person's word
    return halted;
  }
  const bool cancelled = ledger_.cancelled();
  if (halted || (op.stop.stop_requested() && !cancelled)) {
    const auto left = leave();
    if (halted) {
      halted->what = fmt::format("run {}: stopped: {}", run, halted->what);
      return halted;
    }
    if (!left) return left.error();
    return Error{Error::Kind::cancelled, fmt::format("run {}: stopped by request", run), "",
                 Error::Code::interrupted};
  }
  if (!cancelled && plan::next_actions(plan_, view()).waits_for_person) {
    if (const auto left = leave(); !left) return left.error();
    return awaits_people();
  }
  if (const auto ended = end_run(); !ended) return ended.error();
  return std::nullopt;
}

Error Drive::awaits_people() const {
  const RunState state = ledger_.state();
  std::string what;
  for (const std::string& name : plan::next_actions(plan_, view()).awaits) {
    what +=
        fmt::format("{}{} awaits {}", what.empty() ? "" : "; ", name,
                    gate_text(*plan_.find(name), state.step(name), setup_.around.clock->wall()));
  }
  if (state.paused) {
    what = fmt::format("paused by {}{}{}", state.paused->by, what.empty() ? "" : "; ", what);
  }
  return {Error::Kind::cancelled, fmt::format("run {}: {}", state.pins.run, what),
          state.paused ? fmt::format("`lifeboat runs continue {}` lets it go on", state.pins.run)
                       : fmt::format("`lifeboat runs approve {} STEP` approves", state.pins.run),
          Error::Code::needs_person};
}

Result<void> Drive::leave() {
  ledger_.note(event::driver_left(setup_.driver));
  return journal_.flush({setup_.around.clock});
}

std::string Drive::outcome_of(const RunState& state) const {
  if (state.cancelled) return "cancelled";
  if (state.going_back) return state.view({}).to_undo.empty() ? "undone" : "failed";
  if (state.proven()) return "done";
  return state.proven_but_for_skipped() ? "partial" : "failed";
}

Result<void> Drive::end_run() {
  RunEnd end{outcome_of(ledger_.state()), {}, std::nullopt};
  const bool proven = end.outcome == "done";
  if (proven || end.outcome == "partial") end.heartbeat = newest_heartbeat();
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
