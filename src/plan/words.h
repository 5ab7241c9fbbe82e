// plan/words.h - The words of a plan in the platform file, as tables.
//
// compile() validates with these, plan_schema() tells them to editors, and a test holds
// docs/plan-file.md to them.  Threads: immutable.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "plan/plan.h"
#include "schema/fields.h"

namespace lifeboat::plan {

const Record& plan_words();   // of plans.NAME
const Record& input_words();  // of plans.NAME.inputs.NAME
const Record& step_words();   // of plans.NAME.steps.NAME, besides the step type itself

// The shape that a word of `type:` or `outputs:` names: "string", "secret", "list" ...
std::optional<Shape> shape_of_word(std::string_view word);
const std::vector<std::string>& shape_words();

// JSON Schema of plans.NAME with these step types and kinds of guards (null: none).
Value plan_schema(const StepTypes& types, const GuardKinds* guards = nullptr);

}  // namespace lifeboat::plan
