// plan/compile_parts.h - The passes of compile() after the words are read: links and cycles.
// Inside the plan module only.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "plan/plan.h"

namespace lifeboat::plan {

// Where the file says that `first` waits for `second`.
using EdgeMarks = std::map<std::pair<std::string, std::string>, Mark>;

// Steps in `names` order of the file, whatever the order of the map.
std::vector<std::string> file_order(const Value& map);

// Checks every `${...}` of every step against steps, outputs, inputs and shapes, and adds the edges
// that they make to `after`, `needs` and `marks`.
void link_references(Plan& plan, const CompileContext& context, EdgeMarks& marks,
                     std::vector<Finding>& findings);

// Reads `guard:` of a plan: kinds, their words, references to nothing but what is known before.
void compile_guards(Plan& plan, const Value& words, const CompileContext& context,
                    std::vector<Finding>& findings);
// Checks `when:` of every step: a word, or an expression over inputs.
void check_when(Plan& plan, std::vector<Finding>& findings);

// Names each cycle once, in order.
void find_cycles(const Plan& plan, const EdgeMarks& marks, std::vector<Finding>& findings);

}  // namespace lifeboat::plan
