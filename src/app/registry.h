// app/registry.h - The one visible list of what this program knows: sources, steps and guards.
//
// A new source, step type or kind of guard is one folder and one line here. The command line, the
// JSON Schema, the tables in docs/ and the tests of completeness all derive from it.
#pragma once

#include "plan/guard.h"
#include "plan/plan.h"
#include "source/source_types.h"
#include "steps/restore/restore_step.h"

namespace lifeboat::app {

source::SourceTypes known_sources();

// `world` is what restore steps read; it must outlive the types. For validation alone an empty one
// will do.
plan::StepTypes known_steps(const steps::RestoreWorld& world);

plan::GuardKinds known_guards();

}  // namespace lifeboat::app
