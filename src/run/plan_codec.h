// run/plan_codec.h - A plan as a value and back: how a run pins it, and how `plan show` gives it.
//
// Whole, so that nothing of the platform file is needed to go on. Marks keep the file's lines.
// Threads: pure functions.  Source: docs/format.md, "Runs".
#pragma once

#include "plan/plan.h"

namespace lifeboat::run {

Value to_value(const plan::Plan& plan);
// Errors: corrupt.
Result<plan::Plan> plan_from(const Value& value);

}  // namespace lifeboat::run
