// plan/expression.h - The language inside `${...}`: small, total, without effects.
//
//   c ? a : b    a ?? b    or  and  not    == != < <= > >=  in  not in
//   'text' "text"  42  4.2  true false null  ['a', 'b']  (..)   step.output.key  list[0]
//
// Parsing proves the form and its bounds once; evaluating cannot loop and touches nothing. Only the
// branch that is taken is evaluated, so what the other would need may be missing.
// `a ?? b` is b when a is null or not there. Whatever a secret was used for is a secret.
//
// Threads: pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "plan/plan.h"
#include "schema/value.h"

namespace lifeboat::plan {

struct Expression {
  enum class Kind {
    literal,
    path,        // step.output.key[0]
    list,        // parts are its items
    negation,    // not parts[0]
    all,         // parts[0] and parts[1] and ...
    any,         // parts[0] or parts[1] or ...
    equal,       // of parts[0] and parts[1], as those below
    less,        //
    less_equal,  //
    member,      // parts[0] in parts[1]
    first,       // parts[0] ?? parts[1] ?? ...
    choice,      // parts[0] ? parts[1] : parts[2]
  };
  Kind kind = Kind::literal;
  Value literal;
  std::vector<Value> path;  // segments: strings and integers; the first is a string
  std::vector<Expression> parts;
};

// Text with expressions in it: a scalar of the file.
struct Template {
  struct Part {
    std::string text;                      // when there is no expression
    std::optional<Expression> expression;  //
    std::string source;                    // as it stands between `${` and `}`
  };
  std::vector<Part> parts;
  // One expression and nothing else: the value keeps its type.
  bool whole() const { return parts.size() == 1 && parts.front().expression.has_value(); }
};

// One path that an expression looks at.
struct Reference {
  std::vector<Value> path;
  bool needed = true;  // false: `??` or a branch that may not be taken does without it
  std::string text() const;
};

// At most 4096 characters, 32 levels.  Errors: invalid, with the place within the text.
Result<Expression> parse_expression(std::string_view text);
Result<Template> parse_template(std::string_view text);

void collect_references(const Expression& expression, std::vector<Reference>& references);

// Errors: not_found when a path leads nowhere; invalid when a value has the wrong type.
Result<Value> evaluate(const Expression& expression, const Scope& scope);

// The first words of paths that are no steps: inputs, sources, run, point, platform.
const std::vector<std::string>& root_words();
// Words that a step may not be named: roots, operators, literals.
bool reserved_name(std::string_view name);
// Letters, digits, '-' and '_', a letter first, at most 63: names of steps, sources, plans, inputs.
bool valid_name(std::string_view name);

}  // namespace lifeboat::plan
