// From configuration with `${...}` to configuration: trees are walked, scalars are templates.
#include <algorithm>
#include <functional>
#include <set>

#include "base/bytes.h"
#include "plan/expression.h"
#include "plan/words.h"

namespace lifeboat::plan {
namespace {

enum class Missing { is_error, is_null };

// Whether an expression looks at a step whose outputs are not there (yet).
bool looks_at_unknown(const Expression& expression, const Scope& scope) {
  std::vector<Reference> seen;
  collect_references(expression, seen);
  return std::any_of(seen.begin(), seen.end(), [&](const Reference& reference) {
    const std::string& root = reference.path.front().string();
    return !reserved_name(root) && !scope.outputs.contains(root);
  });
}

class Resolver {
 public:
  Resolver(const Scope& scope, Missing missing) : scope_(scope), missing_(missing) {}

  Result<Value> resolve(const Value& value) const {
    switch (value.type()) {
      case Value::Type::string:
        return text(value);
      case Value::Type::list: {
        Value list(Value::List{});
        for (const Value& item : value.list()) {
          TRY(auto done, resolve(item));
          list.push(std::move(done));
        }
        return placed(std::move(list), value);
      }
      case Value::Type::map: {
        Value map(Value::Map{});
        for (const auto& [key, member] : value.map()) {
          TRY(auto done, resolve(member));
          map.set(key, std::move(done));
        }
        return placed(std::move(map), value);
      }
      default:
        return value;
    }
  }

 private:
  static Value placed(Value made, const Value& from) {
    made.in_place_of(from);
    if (from.own_taint()) made.taint();
    return made;
  }

  Result<Value> text(const Value& value) const {
    auto parsed = parse_template(value.string());
    if (!parsed) return at(value, parsed.error());
    std::string joined;
    bool secret = false;
    for (const Template::Part& part : parsed->parts) {
      if (!part.expression) {
        joined += part.text;
        continue;
      }
      if (missing_ == Missing::is_null && looks_at_unknown(*part.expression, scope_)) {
        return placed(Value(), value);
      }
      auto found = evaluate(*part.expression, scope_);
      const std::string quoted = "${" + printable(part.source) + "}";
      if (!found) return at(value, wrap(found.error(), quoted).value());
      if (parsed->whole()) return placed(*std::move(found), value);
      if (found->is_null() || found->is(Value::Type::list) || found->is(Value::Type::map)) {
        return at(value, {Error::Kind::invalid,
                          quoted + " is " + std::string(type_name(found->type())) +
                              "; inside text only strings, numbers and booleans can stand",
                          "", Error::Code::automatic});
      }
      joined += scalar_text(*found);
      secret = secret || found->tainted();
    }
    Value done(std::move(joined));
    if (secret) done.taint();
    return placed(std::move(done), value);
  }

  static tl::unexpected<Error> at(const Value& value, Error error) {
    const std::string place = value.mark().text();
    return place.empty() ? fail(std::move(error)) : wrap(std::move(error), place);
  }

  const Scope& scope_;
  Missing missing_;
};

// Hands every path that expressions in `config` look at to `take`.
void each_reference(const Value& config, const std::function<void(const Reference&)>& take) {
  if (config.is(Value::Type::list)) {
    for (const Value& item : config.list()) each_reference(item, take);
  }
  if (config.is(Value::Type::map)) {
    for (const auto& [key, member] : config.map()) each_reference(member, take);
  }
  if (!config.is(Value::Type::string)) return;
  const auto parsed = parse_template(config.string());
  if (!parsed) return;  // compile() has said so
  for (const Template::Part& part : parsed->parts) {
    std::vector<Reference> found;
    if (part.expression) collect_references(*part.expression, found);
    std::ranges::for_each(found, take);
  }
}

}  // namespace

Result<Value> resolve(const Value& config, const Scope& scope) {
  return Resolver(scope, Missing::is_error).resolve(config);
}

Result<Value> resolve_known(const Value& config, const Scope& scope) {
  return Resolver(scope, Missing::is_null).resolve(config);
}

Result<Value> evaluate(const std::string& expression, const Scope& scope) {
  auto parsed = parse_expression(expression);
  if (!parsed) return wrap(parsed.error(), printable(expression));
  auto value = evaluate(*parsed, scope);
  if (!value) return wrap(value.error(), printable(expression));
  return value;
}

Result<Value> resolve_step(const StepNode& step, const StepTypes& types, const Scope& scope) {
  const StepType* type = types.find(step.type);
  if (type == nullptr) {
    return fail(Error::Kind::invalid,
                "step '" + step.name + "': this version knows no step type '" + step.type + "'");
  }
  auto config = resolve(step.config, scope);
  if (!config) return wrap(config.error(), "step '" + step.name + "'");
  std::vector<Finding> findings;
  ValidateOptions options;
  options.path = "step '" + step.name + "'";
  options.scalars_as_text = true;
  validate(*config, type->fields, options, findings);
  if (!findings.empty()) {
    Error error = findings_error(findings);
    error.code = Error::Code::general;
    return fail(std::move(error));
  }
  return config;
}

Result<Value> checked_outputs(const StepNode& step, const StepTypes& types, Value outputs) {
  const StepType* type = types.find(step.type);
  if (outputs.is_null()) outputs = Value(Value::Map{});
  std::vector<Finding> findings;
  for (const auto& [name, shape] : step.outputs) {
    if (!outputs.has(name)) continue;
    Value& output = outputs.map().find(name)->second;
    const auto& secrets = type == nullptr ? std::vector<std::string>{} : type->secret_outputs;
    if (shape.kind == Shape::Kind::secret ||
        std::find(secrets.begin(), secrets.end(), name) != secrets.end()) {
      output.taint();
    }
    ValidateOptions options;
    options.path = "step '" + step.name + "': output";
    options.path += " " + name;
    validate(output, shape, options, findings);
  }
  if (!findings.empty()) {
    Error error = findings_error(findings);
    error.code = Error::Code::general;
    return fail(std::move(error));
  }
  return outputs;
}

std::vector<std::string> references(const Value& config) {
  std::set<std::string> names;
  each_reference(config, [&](const Reference& reference) {
    const std::string& root = reference.path.front().string();
    if (!reserved_name(root)) names.insert(root);
  });
  return {names.begin(), names.end()};
}

bool refers_to_input(const Value& config, std::string_view name) {
  bool found = false;
  each_reference(config, [&](const Reference& reference) {
    if (reference.path.front().string() != "inputs") return;
    const bool one = reference.path.size() > 1 && reference.path[1].is(Value::Type::string);
    found = found || !one || reference.path[1].string() == name;  // all of them, or this one
  });
  return found;
}

}  // namespace lifeboat::plan
