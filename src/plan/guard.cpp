#include "plan/guard.h"

namespace lifeboat::plan {

void GuardKinds::add(GuardKind kind) {
  const std::string name = kind.name;
  kinds_.insert_or_assign(name, std::move(kind));
}

const GuardKind* GuardKinds::find(std::string_view name) const {
  const auto found = kinds_.find(name);
  return found == kinds_.end() ? nullptr : &found->second;
}

Record guard_fields(const GuardKind& kind) {
  Record fields = kind.fields;
  fields.name = kind.name;
  fields.help = kind.help;
  if (fields.short_form.empty()) fields.short_form = kind.expected;
  fields.fields.push_back({.name = "adopt",
                           .shape = shape::boolean(),
                           .help = "take the identity when the target first answers in a run, and "
                                   "hold on to it; in place of `" +
                                   kind.expected + "`"});
  return fields;
}

Result<Value> resolve_guard(const GuardRule& rule, const GuardKind& kind, const Scope& scope) {
  auto config = resolve(rule.config, scope);
  if (!config) return wrap(config.error(), "guard " + rule.name);
  std::vector<Finding> findings;
  ValidateOptions options;
  options.path = "guard " + rule.name;
  options.scalars_as_text = true;
  validate(*config, guard_fields(kind), options, findings);
  if (findings.empty()) return config;
  Error error = findings_error(findings);
  error.code = Error::Code::general;
  return fail(std::move(error));
}

}  // namespace lifeboat::plan
