// plan/random_plan.h - Plans of rapidcheck's choice, for property tests. Tests only.
#pragma once

#include <rapidcheck.h>

#include <string>

#include "plan/plan.h"

namespace lifeboat::plan {

// Up to 14 steps, each after a random choice of earlier ones, with random rules for failures.
inline Plan random_plan() {
  Plan plan;
  const int size = *rc::gen::inRange(1, 15);
  for (int i = 0; i < size; ++i) {
    StepNode step;
    step.name = "s" + std::to_string(i);
    for (int j = 0; j < i; ++j) {
      if (*rc::gen::inRange(0, 3) != 0) continue;
      step.after.push_back("s" + std::to_string(j));
      if (*rc::gen::arbitrary<bool>()) step.needs.push_back(step.after.back());
    }
    step.on_failure = *rc::gen::element(OnFailure::pause, OnFailure::stop, OnFailure::go_on);
    if (*rc::gen::inRange(0, 6) == 0) step.approve.emplace();
    plan.steps.push_back(std::move(step));
  }
  return plan;
}

}  // namespace lifeboat::plan
