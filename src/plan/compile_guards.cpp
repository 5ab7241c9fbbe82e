// What a plan says of the world before any step has run: `guard:` and `when:`. Neither may look at
// what steps answer.
#include <algorithm>

#include "base/bytes.h"
#include "plan/compile_parts.h"
#include "plan/expression.h"
#include "plan/guard.h"

namespace lifeboat::plan {
namespace {

// What an expression is part of, and where that stands.
struct Subject {
  const Plan& plan;
  const CompileContext* context;  // null: sources are not to be looked at
  const char* what;               // "a guard", "`when:`"
  Mark mark;
  std::string path;
};

std::vector<std::string> input_names(const Plan& plan) {
  std::vector<std::string> names;
  for (const InputField& input : plan.inputs) names.push_back(input.name);
  return names;
}

std::vector<std::string> source_names(const CompileContext* context) {
  std::vector<std::string> names;
  if (context == nullptr) return names;
  for (const auto& [name, value] : context->sources) names.push_back(name);
  return names;
}

void check_reference(const Reference& reference, const Subject& subject,
                     std::vector<Finding>& findings) {
  const auto add = [&](std::string message, std::string hint) {
    findings.push_back({subject.mark, subject.path, std::move(message), std::move(hint)});
  };
  const std::string root = printable(reference.path.front().string());
  const bool sources = root == "sources" && subject.context != nullptr;
  if (subject.plan.find(root) != nullptr) {
    return add(std::string(subject.what) + " cannot look at the output of step '" + root +
                   "': it is settled before any step runs",
               "let the run be given the value: inputs.NAME");
  }
  if (root != "inputs" && !sources) {
    return add(std::string(subject.what) + " can look at inputs" +
                   (subject.context != nullptr ? " and sources" : "") + ", not at '" + root + "'",
               suggestion(root, {"inputs"}, "write "));
  }
  const bool named = reference.path.size() > 1 && reference.path[1].is(Value::Type::string);
  const std::string name = named ? reference.path[1].string() : "";
  const auto known = sources ? source_names(subject.context) : input_names(subject.plan);
  if (std::ranges::count(known, name) > 0) return;
  add("there is no " + std::string(sources ? "source" : "input") + " '" + printable(name) + "'",
      suggestion(name, known));
}

void check_expression(const Expression& expression, const Subject& subject,
                      std::vector<Finding>& findings) {
  std::vector<Reference> references;
  collect_references(expression, references);
  for (const Reference& reference : references) check_reference(reference, subject, findings);
}

void check_texts(const Value& value, Subject subject, std::vector<Finding>& findings) {
  if (value.is(Value::Type::list)) {
    for (const Value& item : value.list()) check_texts(item, subject, findings);
  }
  if (value.is(Value::Type::map)) {
    for (const auto& [key, member] : value.map()) {
      Subject below = subject;
      below.path += "." + printable(key);
      check_texts(member, below, findings);
    }
  }
  if (!value.is(Value::Type::string)) return;
  subject.mark = value.mark();
  const auto parsed = parse_template(value.string());
  if (!parsed) {
    findings.push_back(
        {subject.mark, subject.path, "in '${...}': " + parsed.error().what, parsed.error().hint});
    return;
  }
  for (const Template::Part& part : parsed->parts) {
    if (part.expression) check_expression(*part.expression, subject, findings);
  }
}

class GuardCompiler {
 public:
  GuardCompiler(Plan& plan, const CompileContext& context, std::vector<Finding>& findings)
      : plan_(plan), context_(context), findings_(findings) {}

  void kind(const std::string& name, const Value& body) {
    const std::string path = "plans." + plan_.name + ".guard." + printable(name);
    const GuardKind* kind = context_.guards == nullptr ? nullptr : context_.guards->find(name);
    if (kind == nullptr) {
      std::vector<std::string> known;
      if (context_.guards != nullptr) {
        for (const auto& [word, each] : context_.guards->all()) known.push_back(word);
      }
      findings_.push_back({body.key_mark(), path, "unknown kind of guard '" + printable(name) + "'",
                           suggestion(name, known)});
    } else if (!body.is(Value::Type::list)) {
      rule(*kind, name, body, path);
    } else {
      std::size_t number = 0;
      for (const Value& one : body.list()) {
        ++number;
        const std::string suffix = number == 1 ? "" : "-" + std::to_string(number);
        rule(*kind, name + suffix, one, path + "[" + std::to_string(number - 1) + "]");
      }
    }
  }

 private:
  void rule(const GuardKind& kind, const std::string& name, Value config, const std::string& path) {
    const Mark mark = config.key_mark();
    const std::size_t before = findings_.size();
    ValidateOptions options;
    options.path = path;
    options.references_allowed = true;
    validate(config, guard_fields(kind), options, findings_);
    if (findings_.size() > before) return;
    check_texts(config, {plan_, &context_, "a guard", mark, path}, findings_);
    const Value& adopt = config.at("adopt");
    if (adopt.is(Value::Type::string)) {
      findings_.push_back({adopt.mark(), path + ".adopt", "whether to adopt is no expression",
                           "write true, or leave it out"});
      return;
    }
    const bool adopts = config.boolean("adopt", false);
    if (adopts == config.has(kind.expected)) {
      const std::string wanted = "`" + kind.expected + "`";
      findings_.push_back({mark, path,
                           adopts ? "both " + wanted + " and `adopt: true`: which is it to be?"
                                  : "says of nothing what it has to be",
                           "write either " + wanted + " or `adopt: true`"});
      return;
    }
    plan_.guards.push_back({name, kind.name, std::move(config), adopts, mark});
  }

  Plan& plan_;
  const CompileContext& context_;
  std::vector<Finding>& findings_;
};

}  // namespace

void compile_guards(Plan& plan, const Value& words, const CompileContext& context,
                    std::vector<Finding>& findings) {
  if (!words.is(Value::Type::map)) return;  // the table of the plan's words has said so
  GuardCompiler compiler(plan, context, findings);
  for (const std::string& name : file_order(words)) compiler.kind(name, words.at(name));
  std::ranges::sort(plan.guards, {}, &GuardRule::name);
}

void check_when(Plan& plan, std::vector<Finding>& findings) {
  for (StepNode& step : plan.steps) {
    if (step.when.empty() || step.when == "graceful" || step.when == "ungraceful") continue;
    const std::string path = "plans." + plan.name + ".steps." + step.name + ".when";
    if (const auto wrapped = parse_template(step.when); wrapped && wrapped->whole()) {
      step.when = wrapped->parts.front().source;
    }
    const auto parsed = parse_expression(step.when);
    if (!parsed) {
      findings.push_back({step.when_mark, path, parsed.error().what, parsed.error().hint});
      continue;
    }
    std::vector<Reference> references;
    collect_references(*parsed, references);
    if (parsed->kind == Expression::Kind::path && parsed->path.size() == 1) {
      findings.push_back({step.when_mark, path,
                          "expected graceful, ungraceful or an expression over inputs",
                          suggestion(step.when, {"graceful", "ungraceful"})});
      continue;
    }
    check_expression(*parsed, {plan, nullptr, "`when:`", step.when_mark, path}, findings);
    for (const Reference& reference : references) {
      const auto secret = std::ranges::find_if(plan.inputs, [&](const InputField& input) {
        return input.secret && reference.path.size() > 1 && reference.path[1] == Value(input.name);
      });
      if (secret == plan.inputs.end()) continue;
      findings.push_back({step.when_mark, path,
                          "a secret decides nothing: input '" + secret->name + "' is one", ""});
    }
  }
}

}  // namespace lifeboat::plan
