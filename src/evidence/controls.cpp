#include "evidence/controls.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "evidence/findings.h"
#include "evidence/verify.h"
#include "run/engine.h"
#include "run/text.h"

namespace lifeboat::evidence {
namespace {

using std::chrono::nanoseconds;

// --- looking at runs ---

bool carried_through(const std::string& outcome) {
  return outcome == "done" || outcome == "partial" || outcome == "failed";
}

// What the sealed evidence of the last end proves.
Result<void> look_at_evidence(const Operation& op, repo::Repository& repository,
                              const std::vector<journal::Event>& events, RunFacts& facts) {
  const auto sealed = sealed_in(events);
  if (sealed.empty() || lacks_evidence(events)) {
    facts.evidence_fault = "its evidence is not sealed: `lifeboat evidence export` makes it";
    return {};
  }
  const auto files = read_sealed(op, repository, facts.run, sealed.back());
  if (!files) {
    const Error& error = files.error();
    if (is_transient(error) || error.kind == Error::Kind::cancelled) return fail(error);
    facts.evidence_fault = error.what;
    return {};
  }
  const Verdict verdict = verify(*files, {});
  facts.approvals = verdict.approvals;
  for (const Fault& fault : verdict.faults) {
    facts.evidence_fault = fault.file + ": " + fault.what;
  }
  return {};
}

Result<std::optional<RunFacts>> look_at_run(const Operation& op, repo::Repository& repository,
                                            const repo::RunRecord& record) {
  TRY(const auto journal, journal::Journal::open(op, repository, record.run, {}));
  const auto events = journal->events();
  TRY(auto state, run::replay(events));
  if (!state.end || !carried_through(state.end->outcome)) return std::optional<RunFacts>();
  RunFacts facts;
  facts.run = record.run;
  facts.slot = record.slot;
  facts.plan = state.pins.plan.name;
  facts.outcome = state.end->outcome;
  facts.ended = state.end->time;
  facts.whole_point = state.pins.point.complete;
  facts.report = run::make_report({std::move(state), journal->freshness_proven(), std::nullopt});
  TRY_DO(look_at_evidence(op, repository, events, facts));
  return std::optional(std::move(facts));
}

// --- judging ---

// Two clocks disagree: how old it is was not measured, and what is not measured passes nothing.
constexpr const char* in_the_future = "it lies in the future by this clock";

struct Held {
  bool holds = false;
  std::string why;  // it holds because, or does not because
};

Held objective(const char* what, const std::optional<nanoseconds>& measured,
               const std::optional<nanoseconds>& wanted) {
  if (!wanted) return {false, fmt::format("the platform file sets no {} objective", what)};
  if (!measured) return {false, fmt::format("no {} was measured", what)};
  return {*measured <= *wanted, fmt::format("{} {} s, objective {}", what, run::seconds(*measured),
                                            human_duration(*wanted))};
}

Held held_by_run(Need need, const RunFacts& run) {
  const run::Report& report = run.report;
  switch (need) {
    case Need::recovered:
      return {report.recovered, run::last_line(report)};
    case Need::checks:
      return {report.checks > 0 && report.checks == report.checks_ok,
              fmt::format("{} of {} checks green", report.checks_ok, report.checks)};
    case Need::rto_met:
      return objective("RTO", report.rto, report.objectives.rto);
    case Need::rpo_met:
      return objective("RPO", report.rpo, report.objectives.rpo);
    case Need::approvals:
      return {run.evidence_fault.empty(),
              run.evidence_fault.empty()
                  ? fmt::format("{} approvals, proven by their signatures; no gate without",
                                run.approvals)
                  : run.evidence_fault};
    case Need::sealed:
      return {run.evidence_fault.empty(), run.evidence_fault.empty()
                                              ? "its evidence is sealed and verifies"
                                              : run.evidence_fault};
    case Need::whole_point:
      return {run.whole_point, run.whole_point ? "from a complete recovery point"
                                               : "not from a complete recovery point"};
    case Need::backups:
    case Need::findings_owned:
      break;
  }
  return {};
}

bool is_of_run(Need need) { return need != Need::backups && need != Need::findings_owned; }

class Judge {
 public:
  Judge(const ControlFacts& facts, const std::vector<std::string>& plans, const ControlAges& ages,
        WallTime now)
      : facts_(facts), ages_(ages), now_(now), plans_(plans.begin(), plans.end()) {
    for (const RunFacts& run : facts.runs) {
      if (plans.empty()) plans_.insert(run.plan);
      newest_[run.plan] = &run;  // oldest first: the last one stays
    }
    for (const UnreadableRun& run : facts.unreadable) {
      if (plans.empty()) plans_.insert(run.plan);
      unreadable_[run.plan] = &run;
    }
  }

  Answer judge(const Control& control) {
    answer_ = {&control, State::pass, {}, {}};
    const bool of_runs = std::ranges::any_of(control.needs, is_of_run);
    if (of_runs) judge_runs(control);
    for (const Need need : control.needs) {
      if (need == Need::backups) judge_backups();
      if (need == Need::findings_owned) judge_findings();
    }
    return std::move(answer_);
  }

 private:
  // Reasons of what passes give way to reasons of what does not.
  void add(State state, std::string why) {
    if (state > answer_.state) {
      answer_.state = state;
      answer_.why.clear();
    }
    if (state == answer_.state) answer_.why.push_back(std::move(why));
  }

  void judge_runs(const Control& control) {
    if (plans_.empty()) return add(State::fail, "no recovery was carried through yet");
    for (const std::string& plan : plans_) {
      const auto found = newest_.find(plan);
      if (const UnreadableRun* run = unreadable_after(found, plan)) {
        answer_.runs.push_back(run->run);
        add(State::fail,
            fmt::format("plan {}, run {}: it cannot be read: {}", plan, run->run, run->why));
        continue;
      }
      if (found == newest_.end()) {
        add(State::fail, fmt::format("plan {}: no recovery was carried through yet", plan));
        continue;
      }
      const RunFacts& run = *found->second;
      answer_.runs.push_back(run.run);
      const std::string lead =
          fmt::format("plan {}, run {} of {}: ", plan, run.run, rfc3339(run.ended));
      if (run.ended.ns > now_.ns) {
        add(State::fail, lead + in_the_future);
        continue;
      }
      const bool old = now_.ns - run.ended.ns > ages_.recovery.count();
      for (const Need need : control.needs) {
        if (!is_of_run(need)) continue;
        const Held held = held_by_run(need, run);
        if (held.holds && old) {
          add(State::stale, lead + "older than " + human_duration(ages_.recovery));
        } else {
          add(held.holds ? State::pass : State::fail, lead + held.why);
        }
      }
    }
    const auto repeated = std::ranges::unique(answer_.why);
    answer_.why.erase(repeated.begin(), repeated.end());
  }

  // A run that cannot be read, and that was begun after the one that would decide.
  const UnreadableRun* unreadable_after(std::map<std::string, const RunFacts*>::iterator decides,
                                        const std::string& plan) const {
    const auto found = unreadable_.find(plan);
    if (found == unreadable_.end()) return nullptr;
    const bool newer = decides == newest_.end() || found->second->slot > decides->second->slot;
    return newer ? found->second : nullptr;
  }

  void judge_backups() {
    if (facts_.points.empty()) return add(State::fail, "there is no recovery point");
    const repo::Point& newest = facts_.points.back();
    const std::string lead =
        fmt::format("recovery point {} of {}: ", newest.id.brief(), rfc3339(newest.created));
    if (!newest.about.complete) return add(State::fail, lead + "not complete");
    if (newest.created.ns > now_.ns) return add(State::fail, lead + in_the_future);
    const bool old = now_.ns - newest.created.ns > ages_.backup.count();
    add(old ? State::stale : State::pass,
        lead + (old ? "older than " + human_duration(ages_.backup) : "complete"));
  }

  void judge_findings() {
    std::size_t bad = 0;
    for (const OpenFinding& open : facts_.findings.findings) {
      const bool owned = !open.finding.owner.empty() && open.finding.due;
      if (owned && !open.finding.overdue(now_)) continue;
      ++bad;
      add(State::fail, fmt::format("finding {} of run {}: {}", open.finding.id, open.run,
                                   owned ? "overdue" : "nobody owns it"));
    }
    for (const std::string& run : facts_.findings.unreadable) add(State::fail, "run " + run);
    if (bad == 0) {
      add(State::pass, fmt::format("{} open findings, each with an owner and a date",
                                   facts_.findings.findings.size()));
    }
  }

  const ControlFacts& facts_;
  const ControlAges ages_;
  const WallTime now_;
  std::set<std::string> plans_;
  std::map<std::string, const RunFacts*> newest_;
  std::map<std::string, const UnreadableRun*> unreadable_;  // the newest of each plan
  Answer answer_;
};

}  // namespace

std::string_view need_name(Need need) {
  switch (need) {
    case Need::recovered:
      return "recovered";
    case Need::checks:
      return "checks";
    case Need::rto_met:
      return "rto";
    case Need::rpo_met:
      return "rpo";
    case Need::approvals:
      return "approvals";
    case Need::sealed:
      return "evidence";
    case Need::whole_point:
      return "complete point";
    case Need::backups:
      return "backups";
    case Need::findings_owned:
      return "findings";
  }
  return "";
}

std::string_view state_word(State state) {
  return state == State::pass ? "pass" : state == State::stale ? "stale" : "fail";
}

const std::vector<Control>& known_controls() {
  static const std::vector<Control> controls = {
      {"SOC 2",
       "A1.2",
       "Data backup and recovery infrastructure",
       {Need::backups, Need::whole_point, Need::recovered}},
      {"SOC 2",
       "A1.3",
       "Recovery plan procedures are tested",
       {Need::recovered, Need::checks, Need::rto_met, Need::rpo_met, Need::sealed}},
      {"ISO/IEC 27001:2022",
       "A.5.29",
       "Information security during disruption",
       {Need::recovered, Need::approvals, Need::sealed}},
      {"ISO/IEC 27001:2022",
       "A.5.30",
       "ICT readiness for business continuity",
       {Need::recovered, Need::rto_met, Need::rpo_met, Need::findings_owned}},
      {"ISO/IEC 27001:2022",
       "A.8.13",
       "Information backup",
       {Need::backups, Need::whole_point, Need::checks}},
      {"NIST SP 800-34",
       "3.5",
       "Plan testing, training and exercises",
       {Need::recovered, Need::checks, Need::sealed}},
      {"NIST SP 800-34", "3.6", "Plan maintenance", {Need::recovered, Need::findings_owned}},
      {"EU DORA",
       "Art. 11",
       "Response and recovery",
       {Need::recovered, Need::rto_met, Need::approvals, Need::sealed, Need::findings_owned}},
      {"EU DORA",
       "Art. 12",
       "Backup, restoration and recovery",
       {Need::backups, Need::whole_point, Need::recovered, Need::checks, Need::rpo_met}},
      {"EU DORA",
       "Art. 25",
       "Testing of ICT tools and systems",
       {Need::recovered, Need::checks, Need::sealed, Need::findings_owned}},
  };
  return controls;
}

Result<ControlFacts> read_facts(const Operation& op, repo::Repository& repository) {
  ControlFacts facts;
  for (const repo::RunRecord& record : repository.runs()) {
    TRY_DO(op.proceed());
    auto run = look_at_run(op, repository, record);
    if (run) {
      if (*run) facts.runs.push_back(std::move(**run));
      continue;
    }
    if (run.error().kind == Error::Kind::not_found) continue;  // never begun
    if (is_transient(run.error()) || run.error().kind == Error::Kind::cancelled) {
      return fail(std::move(run).error());
    }
    facts.unreadable.push_back({record.run, record.plan, run.error().what, record.slot});
  }
  std::ranges::sort(facts.runs, {},
                    [](const RunFacts& run) { return std::pair(run.ended.ns, run.run); });
  facts.points = repository.points();
  TRY(facts.findings, open_findings(op, repository));
  return facts;
}

std::vector<Answer> judge_controls(const ControlFacts& facts, const std::vector<std::string>& plans,
                                   const ControlAges& ages, WallTime now) {
  std::vector<Answer> answers;
  for (const Control& control : known_controls()) {
    answers.push_back(Judge(facts, plans, ages, now).judge(control));
  }
  return answers;
}

}  // namespace lifeboat::evidence
