#include "readiness/readiness.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <map>

#include "base/bytes.h"
#include "base/clock.h"
#include "run/text.h"

namespace lifeboat::readiness {
namespace {

using std::chrono::nanoseconds;

// What each finding costs. One that stands for several things (a step, a source) costs for each.
constexpr int step_would_not_work = 20, step_refused_now = 5, guard_refuses = 40;
constexpr int credential_here_only = 5, credentials_at_most = 20, credential_missing = 20;
constexpr int point_stale = 30, point_partial = 15, source_missing = 30, no_rpo = 2;
constexpr int point_of_the_future = 30, clocks_disagree = 10;
constexpr int single_key = 15, keys_of_one_kind = 5, keys_unreadable = 20;
constexpr int key_opens_nothing = 20, keys_untried = 2;
constexpr int no_check = 20, gate_of_nobody = 20;
constexpr int rto_missed = 25, rto_at_risk = 10, never_measured = 5, no_rto = 2;
constexpr int never_run = 15, last_run_failed = 15, last_run_old = 10;
constexpr int last_run_unreadable = 15, last_run_unseen = 5;
constexpr int finding_overdue = 10, finding_of_nobody = 5, finding_open = 2;
constexpr int review_unreadable = 5, lessons_at_most = 30;
constexpr int bundle_differs = 10, bundle_missing = 15;

constexpr const char* set_clocks =
    "set the clocks of this machine and of the one that wrote it (NTP)";

constexpr auto run_is_old = std::chrono::hours(24 * 90);

class Judge {
 public:
  explicit Judge(const Facts& facts) : facts_(facts) {}

  std::vector<Reason> reasons() {
    guards();
    steps();
    point();
    keys();
    credentials();
    people();
    times();
    practice();
    lessons();
    bundle();
    return std::move(reasons_);
  }

 private:
  void add(Severity severity, int points, std::string about, std::string what, std::string hint) {
    reasons_.push_back({severity, points, std::move(about), std::move(what), std::move(hint)});
  }
  void fails(int points, std::string about, std::string what, std::string hint) {
    add(Severity::failure, points, std::move(about), std::move(what), std::move(hint));
  }
  void warns(int points, std::string about, std::string what, std::string hint) {
    add(Severity::warning, points, std::move(about), std::move(what), std::move(hint));
  }

  void guards() {
    for (const run::GuardSeen& seen : facts_.dry_run.guards) {
      if (seen.refused) {
        fails(guard_refuses, "guard " + seen.guard, seen.refused->what, seen.refused->hint);
      } else if (seen.found.empty()) {
        add(Severity::note, 0, "guard " + seen.guard, "its target does not answer yet",
            "it is adopted when it first answers in a run");
      }
    }
  }

  void steps() {
    for (const run::Prospect& step : facts_.dry_run.steps) {
      if (!step.problem) continue;
      const Error& error = *step.problem;
      const bool check = std::ranges::count(facts_.checks, step.step) > 0;
      const std::string about = (check ? "check " : "step ") + step.step;
      // What is in its place now may be what a loss takes away.
      if (error.effective_code() == Error::Code::refused) {
        warns(step_refused_now, about, "would refuse as things are: " + error.what, error.hint);
      } else {
        fails(step_would_not_work, about, error.what,
              error.hint.empty() ? dry_run_command() : error.hint);
      }
    }
    if (facts_.checks.empty()) {
      warns(no_check, "checks", "no step proves that the platform works again",
            "add an http-check, a journey, a compare or another check to the plan");
    }
  }

  // What is younger than now was not measured: two clocks disagree, and either may be wrong.
  void point_ahead() {
    const std::string what = human_duration(-facts_.point_age) +
                             " in the future by this clock: how old it is cannot be told";
    if (facts_.objectives.rpo) {
      fails(point_of_the_future, "recovery point", what + ", nor whether the RPO holds",
            set_clocks);
    } else {
      warns(clocks_disagree, "recovery point", what, set_clocks);
    }
  }

  void point() {
    const std::string age = human_duration(facts_.point_age);
    const auto& rpo = facts_.objectives.rpo;
    if (facts_.point_age.count() < 0) {
      point_ahead();
    } else if (!rpo) {
      warns(no_rpo, "recovery point", "no objective says how old it may be (" + age + " now)",
            "objectives: { rpo: 1h }");
    } else if (facts_.point_age > *rpo) {
      fails(point_stale, "recovery point",
            fmt::format("it is {} old, the RPO is {}", age, human_duration(*rpo)),
            "lifeboat backup (cron, a systemd timer, a pipeline)");
    }
    if (!facts_.point_complete) {
      warns(point_partial, "recovery point", "it is not complete",
            "lifeboat points; lifeboat backup");
    }
    for (const std::string& source : facts_.sources_missing) {
      fails(source_missing, "source " + source,
            "the plan restores it, and the recovery point does not hold it",
            "lifeboat backup " + source);
    }
  }

  void keys() {
    for (const DeadKey& key : facts_.dead_keys) {
      fails(key_opens_nothing, "key " + key.name, key.why,
            "lifeboat keys list; lifeboat keys add for a key that is kept");
    }
    if (!facts_.keys_untried.empty()) {
      warns(keys_untried, "keys tried",
            fmt::format("nothing shows that these open: {}", fmt::join(facts_.keys_untried, ", ")),
            "lifeboat plan evaluate " + facts_.plan +
                " --prove-identity FILE --prove-passphrase-file FILE");
    }
    if (facts_.keys_unreadable) {
      warns(keys_unreadable, "keys", *facts_.keys_unreadable, "lifeboat keys list");
      return;
    }
    const auto& kinds = facts_.key_kinds;
    if (kinds.size() < 2) {
      warns(single_key, "keys", "a single recipient opens the repository",
            "lifeboat keys add --age RECIPIENT, or another passphrase: one that is kept elsewhere");
    } else if (std::ranges::count(kinds, kinds.front()) == std::ssize(kinds)) {
      warns(keys_of_one_kind, "keys",
            fmt::format("{} recipients, all of kind {}", kinds.size(), kinds.front()),
            "lifeboat keys add: one of another kind, as what takes one takes them all");
    }
  }

  void credentials() {
    int left = credentials_at_most;
    for (const LocalCredential& secret : facts_.credentials) {
      if (secret.missing) {
        fails(credential_missing, secret.user,
              fmt::format("needs {}, which is not there: {}", secret.from, secret.missing->what),
              secret.missing->hint);
        continue;
      }
      const int points = std::min(left, credential_here_only);
      left -= points;
      warns(points, secret.user, "needs " + secret.from + ", which is on this machine only",
            "let a step make it (`generate: true`), or keep it where a recovery can reach it");
    }
  }

  void people() {
    for (const std::string& step : facts_.gates_of_nobody) {
      fails(gate_of_nobody, "step " + step, "fewer people than it asks for may approve it",
            "name operators and their keys: lifeboat operators new NAME.pem");
    }
  }

  void times() {
    const run::TimeLeft& forecast = facts_.forecast;
    const auto& rto = facts_.objectives.rto;
    if (!rto) {
      warns(no_rto, "RTO", "no objective says how long a recovery may take",
            "objectives: { rto: 45m }");
      return;
    }
    const std::string text = run::forecast_text(forecast, rto);
    if (forecast.rto == run::InTime::no) {
      fails(rto_missed, "RTO", text, simulate_command());
    } else if (forecast.rto == run::InTime::at_risk) {
      warns(rto_at_risk, "RTO", text, simulate_command());
    } else if (forecast.rto == run::InTime::unknown) {
      warns(never_measured, "RTO", "how long it takes was never measured: " + text,
            "run the plan against a place for practice");
    }
  }

  void practice() {
    if (facts_.runs_now) {
      add(Severity::note, 0, "practice", "run " + *facts_.runs_now + " of this plan is at work now",
          "lifeboat runs watch " + *facts_.runs_now);
    }
    if (facts_.unread_run) {
      const UnreadRun& run = *facts_.unread_run;
      warns(run.passing ? last_run_unseen : last_run_unreadable, "practice",
            fmt::format("the last run ({}) {}: {}", run.run,
                        run.passing ? "could not be looked at" : "cannot be read", run.why),
            run.passing ? "ask again" : "lifeboat check");
    } else if (facts_.last_run) {
      last_run(*facts_.last_run);
    } else {
      warns(never_run, "practice",
            facts_.runs_now ? "no run of this plan has ended yet" : "this plan was never run",
            "run it against a place for practice: " + recover_command());
    }
  }

  void last_run(const LastRun& last) {
    const bool ahead = last.age.count() < 0;
    const std::string when = human_duration(ahead ? -last.age : last.age) +
                             (ahead ? " in the future by this clock" : " ago");
    if (!last.recovered) {
      const std::string how = last.outcome.empty() ? "left before its end" : last.outcome;
      warns(last_run_failed, "practice",
            fmt::format("the last run ({}, {}) did not recover: {}", last.run, when, how),
            "lifeboat runs show " + last.run);
    } else if (ahead) {
      warns(clocks_disagree, "practice", "it was last run " + when, set_clocks);
    } else if (last.age > run_is_old) {
      warns(last_run_old, "practice", "it was last run " + when, "run it again: platforms change");
    }
  }

  // What earlier runs taught.
  void lessons() {
    int left = lessons_at_most;
    const auto take = [&left](int points) {
      const int taken = std::min(left, points);
      left -= taken;
      return taken;
    };
    for (const OpenFinding& open : facts_.lessons.open) {
      const bool nobodys = open.owner.empty();
      const int points = open.overdue ? finding_overdue
                         : nobodys    ? finding_of_nobody
                                      : finding_open;
      const std::string state = open.overdue ? open.owner + " has it, and its date is past"
                                : nobodys    ? "nobody has it"
                                             : open.owner + " has it";
      warns(take(points), "finding " + open.id,
            fmt::format("open since run {}: {} ({})", open.run, open.text, state),
            fmt::format("lifeboat runs review {} {} {} {}", open.run,
                        nobodys ? "--assign" : "--close", shell_word(open.id),
                        nobodys ? "--owner NAME --due DATE" : "--reason WHY"));
    }
    for (const std::string& why : facts_.lessons.unreadable) {
      warns(take(review_unreadable), "findings", "what is open could not be looked at: " + why,
            "lifeboat check");
    }
  }

  void bundle() {
    if (facts_.bundle == BundleState::differs) {
      warns(bundle_differs, "bundle",
            "the platform file has been changed since the last backup: without --config a recovery "
            "goes by the old one",
            "lifeboat backup");
    } else if (facts_.bundle == BundleState::none) {
      warns(bundle_missing, "bundle", "the recovery point holds none: a recovery needs the file",
            "lifeboat backup, with the platform file");
    }
  }

  std::string recover_command() const { return "lifeboat recover " + facts_.plan; }
  std::string dry_run_command() const { return recover_command() + " --dry-run"; }
  std::string simulate_command() const {
    return "lifeboat plan simulate " + facts_.plan + " --from-runs";
  }

  const Facts& facts_;
  std::vector<Reason> reasons_;
};

Readiness weighed(const std::string& plan, std::vector<Reason> reasons) {
  Readiness readiness{plan, 100, true, {}};
  int lost = 0;
  // Equal ones stay in the order in which they were found.
  std::multimap<std::pair<Severity, int>, Reason, std::greater<>> worst_first;
  for (Reason& reason : reasons) {
    lost = std::min(100, lost + reason.points);
    readiness.ready = readiness.ready && reason.severity != Severity::failure;
    worst_first.emplace(std::pair(reason.severity, reason.points), std::move(reason));
  }
  readiness.score = 100 - lost;
  for (auto& [rank, reason] : worst_first) readiness.reasons.push_back(std::move(reason));
  return readiness;
}

}  // namespace

std::string_view severity_word(Severity severity) {
  if (severity == Severity::failure) return "FAIL";
  return severity == Severity::warning ? "WARN" : "NOTE";
}

Readiness judge(const Facts& facts) { return weighed(facts.plan, Judge(facts).reasons()); }

Readiness not_even(const std::string& plan, const Error& error) {
  return weighed(plan, {{Severity::failure, 100, "recovery", error.what, error.hint}});
}

std::string render_text(const Readiness& readiness, std::size_t width) {
  constexpr std::size_t indent = 11;
  std::string text = fmt::format("plan {}: {} {}/100\n", printable(readiness.plan),
                                 readiness.ready ? "READY" : "NOT READY", readiness.score);
  for (const Reason& reason : readiness.reasons) {
    text += fmt::format("{} {:>4}  ", severity_word(reason.severity),
                        reason.points == 0 ? "" : fmt::format("-{}", reason.points));
    text += run::wrapped(printable(reason.about) + ": " + printable(reason.what), width - indent,
                         indent) +
            "\n";
    if (reason.hint.empty()) continue;
    text += std::string(indent, ' ') +
            run::wrapped("-> " + printable(reason.hint), width - indent, indent) + "\n";
  }
  return text;
}

Value to_value(const Readiness& readiness) {
  Value value;
  value.set("plan", readiness.plan);
  value.set("ready", readiness.ready);
  value.set("score", readiness.score);
  Value::List reasons;
  for (const Reason& reason : readiness.reasons) {
    Value one;
    one.set("severity", severity_word(reason.severity));
    one.set("points", reason.points);
    one.set("about", reason.about);
    one.set("what", reason.what);
    one.set("hint", reason.hint);
    reasons.push_back(std::move(one));
  }
  value.set("reasons", std::move(reasons));
  return value;
}

}  // namespace lifeboat::readiness
