#include "app/run_watch.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "run/engine.h"
#include "run/follow.h"
#include "run/takeover.h"
#include "schema/json.h"

namespace lifeboat::app {
namespace {

constexpr auto time_shown_every = std::chrono::seconds(1);
constexpr auto look_every = std::chrono::seconds(1);

// One who watches, look by look.
class Watcher {
 public:
  Watcher(Terminal& terminal, repo::Repository& repository, std::string run)
      : terminal_(terminal), repository_(repository), run_(std::move(run)), watch_(terminal) {}

  Result<Watched> to_the_end(const Operation& op) {
    for (;;) {
      const auto how = look(op);
      if (!how && how.error().kind != Error::Kind::unavailable) return fail(how.error());
      tell_whether_it_answers(how ? nullptr : &how.error());
      if (how && *how) return Watched{**how, follower_->state()};
      TRY_DO(op.pause(look_every));
    }
  }

 private:
  Result<std::optional<Watched::How>> look(const Operation& op) {
    if (!follower_) {
      TRY(follower_, run::Follower::open(op, repository_, run_));
    }
    TRY(const auto news, follower_->news(op));
    for (const journal::Event& event : news) show(event);
    const run::RunState& state = follower_->state();
    if (state.end) return Watched::How::ended;
    if (!state.drivers.empty() && state.drivers.back().left) return Watched::How::left;
    TRY(const auto silent, follower_->silent_for(op));
    const auto patience = run::EngineSetup{}.heartbeat_period * run::silent_periods;
    if (silent > patience) return Watched::How::silent;
    return std::nullopt;
  }

  void show(const journal::Event& event) {
    if (terminal_.output() == Output::table) return run::tell(event, follower_->state(), watch_);
    Value line;
    line.set("kind", "RunEvent");
    line.set("event", event.kind);
    line.set("time", rfc3339(event.time));
    line.set("facts", event.facts);
    terminal_.print(to_json(line) + "\n");
  }

  void tell_whether_it_answers(const Error* problem) {
    const bool away = problem != nullptr;
    if (away && !away_) {
      terminal_.say("the repository does not answer, and is asked again: " +
                    printable(problem->what));
    }
    if (!away && away_) terminal_.say("the repository answers again");
    away_ = away;
  }

  Terminal& terminal_;
  repo::Repository& repository_;
  const std::string run_;
  RunWatch watch_;
  std::unique_ptr<run::Follower> follower_;  // none: to be opened
  bool away_ = false;
};

}  // namespace

void RunWatch::tell_time(run::OutlookGround ground, const Clock& clock, WallTime t0) {
  MutexLock lock(mutex_);
  const std::chrono::nanoseconds gone(clock.wall().ns - t0.ns);
  time_.emplace(Time{run::Outlook(std::move(ground)), clock,
                     std::max(gone, std::chrono::nanoseconds{}), clock.boot(), std::nullopt});
}

// The time as it is now: where it stands, or in a line of its own when it is news.
void RunWatch::show_time() {
  std::string line;
  bool news = false;
  {
    MutexLock lock(mutex_);
    if (!time_) return;
    const auto now = time_->clock.boot();
    const auto left = time_->outlook.look(now, time_->gone_before + (now - time_->since));
    line = "  time    " + printable(run::text(left, time_->outlook.rto()));
    news = !time_->told || run::changed_much(*time_->told, left);
    if (news) time_->told = left;
  }
  if (!terminal_.standing(line) && news) terminal_.say(line);
}

void RunWatch::begun(const std::string& step) {
  bool first = false;
  const Clock* clock = nullptr;
  {
    MutexLock lock(mutex_);
    first = !begun_;
    begun_ = true;
    if (time_) {
      clock = &time_->clock;
      time_->outlook.started(step, clock->boot());
    }
  }
  if (!first) return;
  if (!once_begun_.empty()) terminal_.say(once_begun_);
  if (clock == nullptr) return;
  ticking_ = std::jthread([this, clock](const std::stop_token& stop) {
    const Operation op{clock, stop};
    do show_time();
    while (op.pause(time_shown_every));
  });
}

void RunWatch::ended(const std::string& step, plan::StepPhase phase) {
  MutexLock lock(mutex_);
  if (time_) time_->outlook.ended(step, phase);
}

void RunWatch::step_started(const std::string& step, std::uint64_t generation) {
  begun(step);
  terminal_.say(generation > 1 ? fmt::format("  start   {} (attempt {})", step, generation)
                               : "  start   " + step);
}

void RunWatch::step_progress(const std::string& step, std::uint64_t done, std::uint64_t total,
                             std::string_view unit) {
  if (unit == "bytes") terminal_.progress("  " + step, done, total);
}

void RunWatch::step_done(const std::string& step, std::string_view summary) {
  ended(step, plan::StepPhase::done);
  terminal_.say(
      fmt::format("  {}    {}  {}", terminal_.toned("done", Tone::good), step, printable(summary)));
}

void RunWatch::step_failed(const std::string& step, const Error& error) {
  ended(step, plan::StepPhase::failed);
  terminal_.say(fmt::format("  {}  {}: {}", terminal_.toned("FAILED", Tone::bad), step,
                            printable(error.what)));
  if (!error.hint.empty()) terminal_.say("          next: " + printable(error.hint));
}

void RunWatch::step_skipped(const std::string& step, const std::string& needs) {
  ended(step, plan::StepPhase::skipped);
  terminal_.say(fmt::format("  skipped {} (it needs {})", step, needs));
}

void RunWatch::step_awaits(const std::string& step, std::string_view wanted,
                           std::string_view reason) {
  terminal_.say(fmt::format("  {}  {}: approval by {}{}", terminal_.toned("awaits", Tone::bad),
                            step, printable(wanted),
                            reason.empty() ? "" : ": " + printable(reason)));
  terminal_.say("          next: lifeboat runs approve latest " + step);
}

void RunWatch::asked(const std::string& by, const std::string& action, const std::string& step,
                     const std::string& why) {
  terminal_.say(fmt::format("  {} asked: {}{}{}", printable(by), printable(action),
                            step.empty() ? "" : " " + printable(step),
                            why.empty() ? "" : "; NOT TAKEN: " + printable(why)));
}

void RunWatch::remark(std::string_view text) { terminal_.say("  " + printable(text)); }

Result<Watched> watch_to_the_end(const Operation& op, Terminal& terminal,
                                 repo::Repository& repository, const std::string& run) {
  return Watcher(terminal, repository, run).to_the_end(op);
}

}  // namespace lifeboat::app
