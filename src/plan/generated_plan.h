// plan/generated_plan.h - Plans of any size that look like real ones: for simulation and measuring.
//
// Steps stand in layers of random size. Each waits for a few of the layers just before its own;
// every dozen layers one step waits for all that came since the last such gate, and everything
// after it waits for it, as for "the cluster answers". Most steps are short, few take long.
//
// Threads: pure functions of their arguments.
#pragma once

#include <cstdint>

#include "plan/schedule.h"

namespace lifeboat::plan {

struct PlanSize {
  std::size_t steps = 10'000;
  std::size_t width = 48;  // steps of a layer, on average; at least 1
  std::uint64_t seed = 1;
};

struct GeneratedPlan {
  Plan plan;
  Times times;  // that its steps take, from 1 s to 30 min
};

// The same size always gives the same plan. Types of steps are words for people only.
GeneratedPlan generate_plan(const PlanSize& size);

}  // namespace lifeboat::plan
