// A plan without the steps of other variants: what is pinned, rehearsed and simulated.
#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "plan/expression.h"

namespace lifeboat::plan {
namespace {

tl::unexpected<Error> at(const Mark& mark, Error error) {
  error.code = Error::Code::usage;
  const std::string place = mark.text();
  return place.empty() ? fail(std::move(error)) : wrap(std::move(error), place);
}

Result<bool> belongs(const StepNode& step, const Scope& scope, Manner manner) {
  if (step.when.empty()) return true;
  if (step.when == "graceful") return manner == Manner::graceful;
  if (step.when == "ungraceful") return manner == Manner::ungraceful;
  const auto answer = evaluate(step.when, scope);
  if (!answer) {
    return at(step.when_mark, wrap(answer.error(), "step '" + step.name + "': when").value());
  }
  if (answer->is(Value::Type::boolean)) return answer->boolean();
  return at(step.when_mark, {Error::Kind::invalid,
                             "step '" + step.name + "': `when:` is " +
                                 std::string(type_name(answer->type())) + ", and no yes or no",
                             "compare it: inputs.region == 'eu'"});
}

// Where in `config` an output of `step` is looked at.
Mark place_of(const Value& config, const std::string& step) {
  if (config.is(Value::Type::string)) return config.mark();
  const auto looks = [&](const Value& part) {
    return std::ranges::count(references(part), step) > 0;
  };
  if (config.is(Value::Type::list)) {
    for (const Value& item : config.list()) {
      if (looks(item)) return place_of(item, step);
    }
  }
  if (config.is(Value::Type::map)) {
    for (const auto& [key, member] : config.map()) {
      if (looks(member)) return place_of(member, step);
    }
  }
  return config.mark();
}

bool looks_at_any(const std::string& expression, const std::set<std::string>& steps) {
  const auto parsed = parse_expression(expression);
  std::vector<Reference> seen;
  if (parsed) collect_references(*parsed, seen);
  return std::ranges::any_of(seen, [&](const Reference& reference) {
    return steps.contains(reference.path.front().string());
  });
}

// What each step waits for when the steps in `out` are not there: in place of one of them, what
// that one waits for.
std::map<std::string, std::set<std::string>> bridged(const Plan& plan,
                                                     const std::set<std::string>& out) {
  std::map<std::string, std::set<std::string>> waits;
  for (const std::string& name : plan.topological()) {
    std::set<std::string>& own = waits[name];
    for (const std::string& before : plan.find(name)->after) {
      if (!out.contains(before)) {
        own.insert(before);
      } else {
        own.insert(waits[before].begin(), waits[before].end());
      }
    }
  }
  return waits;
}

}  // namespace

Result<Plan> variant(const Plan& plan, const Scope& scope, Manner manner) {
  std::set<std::string> out;
  for (const StepNode& step : plan.steps) {
    TRY(const bool stays, belongs(step, scope, manner));
    if (!stays) out.insert(step.name);
  }
  Plan made = plan;
  for (StepNode& step : made.steps) {
    step.when.clear();
    step.when_mark = {};
  }
  if (out.empty()) return made;
  if (out.size() == plan.steps.size()) {
    return at(plan.mark,
              {Error::Kind::invalid, "plan " + printable(plan.name) + ": no step of it is left",
               "every step has a `when:` that does not hold for these inputs"});
  }
  std::erase_if(made.steps, [&](const StepNode& step) { return out.contains(step.name); });
  auto waits = bridged(plan, out);
  for (StepNode& step : made.steps) {
    const auto missing =
        std::ranges::find_if(step.needs, [&](const auto& name) { return out.contains(name); });
    if (missing != step.needs.end()) {
      return at(place_of(step.config, *missing),
                {Error::Kind::invalid,
                 "step '" + step.name + "' needs an output of step '" + *missing +
                     "', which is not part of this variant",
                 "give both the same `when:`, or a value in its place: ${" + *missing +
                     ".NAME ?? inputs.NAME}"});
    }
    step.after.assign(waits[step.name].begin(), waits[step.name].end());
  }
  if (looks_at_any(made.heartbeat, out)) made.heartbeat.clear();
  return made;
}

}  // namespace lifeboat::plan
