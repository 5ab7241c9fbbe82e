// plan/difference.h - How two scenarios differ: which steps, and which of their values.
//
// A scenario is the variant of a plan with the inputs of one run. Each value is shown as it would
// be in that run; what only a step will tell stays as it stands in the file. Secrets are never
// shown, and two of them are not compared: they are "(secret)".
//
// Threads: pure functions.
#pragma once

#include <string>
#include <vector>

#include "plan/plan.h"

namespace lifeboat::plan {

struct Scenario {
  const Plan& plan;    // of variant()
  const Scope& scope;  // inputs and sources
};

struct StepDifference {
  enum class Kind { added, removed, changed };
  Kind kind = Kind::changed;
  std::string step;
  std::vector<Change> changes;  // of `changed`: "exec.run[1]", "after"
};

// In the order of the second plan, then what it has not. Inputs and guards of a plan count as steps
// named "input NAME" and "guard NAME", what is of the plan as a whole as one named "the plan".
std::vector<StepDifference> difference(const Scenario& from, const Scenario& to);

}  // namespace lifeboat::plan
