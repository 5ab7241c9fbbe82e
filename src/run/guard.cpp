#include "run/guard.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/guard.h"
#include "run/events.h"
#include "schema/json.h"

namespace lifeboat::run {
namespace {

constexpr std::size_t identity_max_bytes = 4096, shown_at_most = 120;

std::string shown(const std::string& identity) {
  const std::string text = printable(identity.substr(0, shown_at_most));
  return identity.size() > shown_at_most ? text + "..." : text;
}

Error another_target(const GuardSeen& seen, const Adopted* adopted) {
  const std::string since =
      adopted == nullptr ? "" : fmt::format(" (adopted by this run at {})", rfc3339(adopted->time));
  return {Error::Kind::conflict,
          fmt::format("guard {}: wanted {}{}, found {} at {}", seen.guard, shown(seen.wanted),
                      since, shown(seen.found), printable(seen.at)),
          "nothing was changed there: this is another target than the plan is for; look at the "
          "inputs of the run and at `guard:`",
          Error::Code::refused};
}

struct Look {
  const Operation& op;
  const Surroundings& around;
  const plan::Scope& scope;
  const AdoptedNames& adopted;
};

Result<void> look_at(const Look& look, const plan::GuardRule& rule, GuardSeen& seen) {
  const plan::GuardKind* kind =
      look.around.guards == nullptr ? nullptr : look.around.guards->find(rule.kind);
  if (kind == nullptr) {
    return fail(Error::Kind::invalid,
                fmt::format("guard {}: there is no such kind of guard", printable(rule.kind)),
                "the run was begun by a program that knows it: use that one",
                Error::Code::version_too_new);
  }
  TRY(const Value config, plan::resolve_guard(rule, *kind, look.scope));
  const auto known = look.adopted.find(rule.name);
  const Adopted* adopted = rule.adopt && known != look.adopted.end() ? &known->second : nullptr;
  const Value& expected = config.at(kind->expected);
  if (!rule.adopt) {
    seen.wanted =
        expected.tainted() ? "(a secret)" : look.around.launcher->masked(scalar_text(expected));
  }
  if (adopted != nullptr) seen.wanted = adopted->identity;
  const auto found = kind->look(look.op, config,
                                {look.around.launcher, look.around.clock,
                                 look.around.bundle_directory, secrets_of(look.around)});
  if (!found) {
    const bool silent = is_transient(found.error()) || found.error().kind == Error::Kind::not_found;
    if (rule.adopt && silent) return {};
    return wrap(found.error(), "guard " + rule.name);
  }
  seen.found = look.around.launcher->masked(found->identity.substr(0, identity_max_bytes));
  seen.at = look.around.launcher->masked(found->at);
  seen.fresh = rule.adopt && adopted == nullptr;
  if (seen.fresh) return {};
  const auto is = [&] {
    if (adopted == nullptr) {
      const std::string wanted = scalar_text(expected);
      return kind->holds ? kind->holds(wanted, *found) : wanted == found->identity;
    }
    return kind->same ? kind->same(adopted->identity, *found) : adopted->identity == seen.found;
  };
  if (is()) return {};
  return fail(another_target(seen, adopted));
}

}  // namespace

Result<std::vector<GuardSeen>> look_at_guards(const Operation& op, const Surroundings& around,
                                              const plan::Plan& plan, const plan::Scope& scope,
                                              const AdoptedNames& adopted) {
  std::vector<GuardSeen> all;
  for (const plan::GuardRule& rule : plan.guards) {
    GuardSeen& seen = all.emplace_back();
    seen.guard = rule.name;
    const auto looked = guard(Error::Kind::invalid, "internal error in guard " + rule.name,
                              [&] { return look_at({op, around, scope, adopted}, rule, seen); });
    TRY_DO(op.proceed());
    if (!looked) seen.refused = masked(*around.launcher, looked.error());
  }
  return all;
}

Result<void> prove_guards(const Operation& op, const Surroundings& around, const plan::Plan& plan,
                          const plan::Scope& scope, const AdoptedNames& adopted) {
  TRY(const auto all, look_at_guards(op, around, plan, scope, adopted));
  for (const GuardSeen& seen : all) {
    if (seen.refused) return fail(*seen.refused);
  }
  return {};
}

bool Guards::seen_lately() const {
  MutexLock lock(mutex_);
  return seen_ && around_.clock->boot() - *seen_ < good_for;
}

std::uint64_t Guards::forgotten() const {
  MutexLock lock(mutex_);
  return forgotten_;
}

void Guards::forget() {
  MutexLock lock(mutex_);
  ++forgotten_;
  seen_.reset();
}

Result<void> Guards::hold(const Operation& op, std::optional<Error>& journal_error) {
  const plan::Plan& plan = ledger_.pins().plan;
  if (plan.guards.empty() || seen_lately()) return {};
  const auto before = around_.clock->boot();
  const std::uint64_t forgotten = this->forgotten();
  TRY(const auto all,
      look_at_guards(op, around_, plan, ledger_.scope(plan::StepNode{}), ledger_.adopted()));
  tell(all);
  for (const GuardSeen& seen : all) {
    if (seen.refused) return fail(*seen.refused);
  }
  bool all_answered = true;
  for (const GuardSeen& seen : all) {
    if (seen.fresh) TRY_DO(adopt(seen, journal_error));
    all_answered = all_answered && !seen.found.empty();
  }
  // One that may answer any moment is asked each time: it is adopted when it does.
  MutexLock lock(mutex_);
  if (all_answered && forgotten == forgotten_) seen_ = before;
  return {};
}

void Guards::tell(const std::vector<GuardSeen>& all) {
  std::vector<journal::Event> news;
  for (const GuardSeen& seen : all) {
    if (seen.found.empty() || seen.fresh) continue;  // adopt() tells what is fresh
    const std::string wanted = around_.launcher->masked(seen.wanted.substr(0, identity_max_bytes));
    journal::Event event =
        event::guard_seen({seen.guard, wanted, seen.found, seen.at, !seen.refused});
    std::string text = to_json(event.facts);
    MutexLock lock(mutex_);
    std::string& told = told_[seen.guard];
    if (told == text) continue;
    told = std::move(text);
    news.push_back(std::move(event));
  }
  for (journal::Event& event : news) ledger_.note(std::move(event));
}

Result<void> Guards::adopt(const GuardSeen& seen, std::optional<Error>& journal_error) {
  const auto written = ledger_.record({event::guard_adopted(seen.guard, seen.found, seen.at)});
  if (!written) {
    journal_error = written.error();
    return written;
  }
  // Another step may have adopted at the same time: the first one counts.
  const AdoptedNames adopted = ledger_.adopted();
  const Adopted& first = adopted.at(seen.guard);
  if (first.identity == seen.found) {
    around_.observer->remark("guard " + seen.guard + ": " + shown(seen.found) + " at " +
                             printable(seen.at) + " is the target from now on");
    return {};
  }
  GuardSeen other = seen;
  other.wanted = first.identity;
  return fail(another_target(other, &first));
}

}  // namespace lifeboat::run
