// app/input_words.h - Inputs of a plan as the command line gives them.
//
// Threads: any.
#pragma once

#include <string>
#include <vector>

#include "base/operation.h"
#include "plan/plan.h"

namespace lifeboat::app {

// A map of what was given: `words` are NAME=VALUE, `files` NAME=PATH. Not typed and not complete:
// plan::bind_inputs() is for that.  Errors: invalid (usage), for a secret in `words` as well, since
// arguments can be read by everyone on the machine; those of the files.
Result<Value> read_input_words(const Operation& op, const plan::Plan& plan,
                               const std::vector<std::string>& words,
                               const std::vector<std::string>& files);

}  // namespace lifeboat::app
