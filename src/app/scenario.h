// app/scenario.h - A plan of the platform file with inputs that may be known in part.
//
// For looking at plans before anybody runs them: the variant that a run with these inputs would
// have. Inputs that nobody gave and that have no default stay open.
//
// Threads: functions.
#pragma once

#include <string>
#include <vector>

#include "base/operation.h"
#include "plan/plan.h"
#include "platform/platform.h"

namespace lifeboat::app {

struct ScenarioWords {
  std::string plan;
  std::vector<std::string> inputs;  // NAME=VALUE; no secrets
  bool graceful = false;
};

struct Scenario {
  plan::Plan plan;    // of the variant
  plan::Scope scope;  // inputs as far as they are known, sources
};

// Errors: usage (plan, inputs); those of plan::variant(), also when a `when:` looks at an input
// that is open.
Result<Scenario> read_scenario(const Operation& op, const platform::Platform& platform,
                               const ScenarioWords& words);

}  // namespace lifeboat::app
