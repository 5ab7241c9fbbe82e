// app/type_tables.h - The tables of sources and steps in docs/plan-file.md, made from the registry.
//
// `lifeboat schema --markdown` prints them; a test holds the page to them.
#pragma once

#include <string>

#include "plan/guard.h"
#include "plan/plan.h"
#include "source/source_types.h"

namespace lifeboat::app {

std::string type_tables(const source::SourceTypes& sources, const plan::StepTypes& steps,
                        const plan::GuardKinds& guards);

}  // namespace lifeboat::app
