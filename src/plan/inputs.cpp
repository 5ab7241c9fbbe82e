#include <algorithm>

#include "base/bytes.h"
#include "plan/plan.h"
#include "schema/json.h"

namespace lifeboat::plan {
namespace {

void unknown_inputs(const Plan& plan, const Value& given, std::vector<Finding>& findings) {
  if (!given.is(Value::Type::map)) return;
  std::vector<std::string> names;
  for (const InputField& field : plan.inputs) names.push_back(field.name);
  for (const auto& [name, value] : given.map()) {
    if (std::find(names.begin(), names.end(), name) != names.end()) continue;
    const std::string right = nearest(name, names);
    findings.push_back({{},
                        "input '" + printable(name) + "'",
                        "plan '" + plan.name + "' has no such input",
                        suggestion(name, names)});
  }
}

// What a person types has no quotes: the declaration says what it is. Lists and maps are JSON.
Value typed(Value value, const Shape& shape) {
  value.set_plain();
  if (shape.kind != Shape::Kind::list && shape.kind != Shape::Kind::map) return value;
  auto tree = parse_json(value.string());
  return tree ? *std::move(tree) : value;
}

}  // namespace

Result<Value> bind_inputs(const Plan& plan, const Value& given) {
  std::vector<Finding> findings;
  unknown_inputs(plan, given, findings);
  std::string missing;
  Value bound(Value::Map{});
  for (const InputField& field : plan.inputs) {
    if (!given.has(field.name)) {
      if (field.fallback.is_null()) {
        missing += (missing.empty() ? "" : ", ") + field.name;
        if (!field.ask.empty()) missing += " (" + field.ask + ")";
      } else {
        bound.set(field.name, field.fallback);
      }
      continue;
    }
    Value value = given.at(field.name);
    if (field.secret && value.is(Value::Type::string)) value.taint();
    if (value.is(Value::Type::string)) value = typed(value, field.shape);
    ValidateOptions options;
    options.path = "input '" + field.name + "'";
    validate(value, field.shape, options, findings);
    bound.set(field.name, std::move(value));
  }
  if (!findings.empty()) return fail(findings_error(findings));
  if (!missing.empty()) {
    return fail(Error::Kind::invalid, "plan '" + plan.name + "' needs inputs: " + missing,
                "give each with --input NAME=VALUE, a secret with --input-file NAME=PATH",
                Error::Code::needs_person);
  }
  return bound;
}

}  // namespace lifeboat::plan
