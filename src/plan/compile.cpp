// compile(): words first (this file), then links between steps (link_references.cpp), then cycles
// (find_cycles.cpp). Each pass goes on after a finding, so that one reading shows all of them.
#include <algorithm>
#include <set>

#include "base/bytes.h"
#include "base/clock.h"
#include "plan/compile_parts.h"
#include "plan/expression.h"
#include "plan/words.h"

namespace lifeboat::plan {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::chrono::nanoseconds duration_of(const Value& map, const char* key) {
  return parse_duration(map.text(key)).value_or(std::chrono::nanoseconds{});
}

class Compiler {
 public:
  Compiler(const std::string& name, const CompileContext& context, std::vector<Finding>& findings)
      : context_(context), findings_(findings), path_("plans." + name) {
    plan_.name = name;
  }

  Plan compile(const Value& tree) {
    plan_.mark = tree.key_mark();
    head(tree);
    if (tree.at("steps").is(Value::Type::map)) {
      for (const std::string& name : file_order(tree.at("steps"))) {
        step(name, tree.at("steps").at(name));
      }
    }
    link_after();
    link_references(plan_, context_, marks_, findings_);
    compile_guards(plan_, tree.at("guard"), context_, findings_);
    check_when(plan_, findings_);
    find_cycles(plan_, marks_, findings_);
    return std::move(plan_);
  }

 private:
  void add(const Mark& mark, const std::string& path, std::string message, std::string hint = {}) {
    findings_.push_back({mark, path, std::move(message), std::move(hint)});
  }
  void head(const Value& tree);
  void input(const std::string& name, const Value& words, const Value& raw);
  void step(const std::string& name, const Value& body);
  const StepType* type_of(const Value& body, const StepNode& node, const std::string& path);
  void common_words(StepNode& node, Value words, const std::string& path);
  void approval(StepNode& node, const Value& words, const std::string& path);
  void outputs(StepNode& node, const StepType& type, const std::string& path);
  void known_source(const StepNode& node, const StepType& type, const std::string& path);
  void link_after();

  const CompileContext& context_;
  std::vector<Finding>& findings_;
  std::string path_;
  Plan plan_;
  EdgeMarks marks_;
  // after: of each step as it stands in the file.
  std::vector<std::pair<std::string, std::vector<Value>>> after_;
};

// Everything but the steps, whose tables are those of their types.
void Compiler::head(const Value& tree) {
  Value words = tree;
  const Value& steps = tree.at("steps");
  const bool empty = steps.is_null() || (steps.is(Value::Type::map) && steps.map().empty());
  if (words.has("steps")) {
    if (!steps.is(Value::Type::map) || empty) {
      add(steps.key_mark(), path_ + ".steps", "a plan needs at least one step",
          "NAME: { TYPE: { ... } }");
    }
    words.set("steps", Value(Value::Map{}));
  }
  ValidateOptions options;
  options.path = path_;
  validate(words, plan_words(), options, findings_);
  plan_.scenario = words.text("scenario");
  plan_.heartbeat = words.text("heartbeat");
  const Value& files = words.at("files");
  for (const Value& file : files.is(Value::Type::list) ? files.list() : Value::List{}) {
    if (file.is(Value::Type::string)) plan_.files.push_back(file.string());
  }
  const Value& inputs = words.at("inputs");
  if (!inputs.is(Value::Type::map)) return;
  for (const std::string& name : file_order(inputs)) {
    input(name, inputs.at(name), tree.at("inputs").at(name));
  }
}

void Compiler::input(const std::string& name, const Value& words, const Value& raw) {
  const std::string path = path_ + ".inputs." + printable(name);
  if (!valid_name(name)) {
    add(words.key_mark(), path, "not a name for an input",
        "letters, digits, '-' and '_', a letter first, at most 63");
  }
  InputField field;
  field.name = name;
  const auto shape = shape_of_word(words.text("type", "string"));
  if (shape) field.shape = *shape;
  field.secret = field.shape.kind == Shape::Kind::secret;
  field.ask = words.text("ask");
  const Value& choices = words.at("choices");
  if (choices.is(Value::Type::list)) {
    field.shape.choices.clear();
    for (const Value& choice : choices.list()) {
      if (choice.is(Value::Type::string)) field.shape.choices.push_back(choice.string());
    }
    if (field.shape.kind == Shape::Kind::string) {
      field.shape = shape::choice(std::move(field.shape.choices));
    } else {
      add(choices.key_mark(), path + ".choices", "only inputs of type string have choices");
    }
  }
  if (raw.has("default")) {
    field.fallback = raw.at("default");
    ValidateOptions options;
    options.path = path + ".default";
    validate(field.fallback, field.shape, options, findings_);
  }
  plan_.inputs.push_back(std::move(field));
}

void Compiler::step(const std::string& name, const Value& body) {
  const std::string path = path_ + ".steps." + printable(name);
  StepNode node;
  node.name = name;
  node.mark = body.key_mark();
  if (reserved_name(name)) {
    add(node.mark, path, "a step may not be named '" + name + "'",
        "the word has a meaning in ${...}");
  } else if (!valid_name(name)) {
    add(node.mark, path, "not a name for a step",
        "letters, digits, '-' and '_', a letter first, at most 63");
  }
  if (!body.is(Value::Type::map)) {
    add(body.mark(), path, "expected a map with the step's type",
        "NAME: { TYPE: { ... } }; known types: " + joined(context_.types->names()));
    plan_.steps.push_back(std::move(node));
    return;
  }
  Value common(Value::Map{});
  common.in_place_of(body);
  for (const auto& [key, member] : body.map()) {
    if (context_.types->find(key) == nullptr) common.set(key, member);
  }
  const StepType* type = type_of(body, node, path);
  if (type != nullptr) {
    node.type = type->name;
    node.config = body.has(type->name) ? body.at(type->name) : Value(Value::Map{});
    ValidateOptions options;
    options.path = path + "." + type->name;
    options.references_allowed = true;
    validate(node.config, type->fields, options, findings_);
    outputs(node, *type, path);
    known_source(node, *type, path);
  }
  common_words(node, std::move(common), path);
  plan_.steps.push_back(std::move(node));
}

// The one step type that `body` names. Unknown words are told by common_words(), which knows that
// they may have been meant as a type.
const StepType* Compiler::type_of(const Value& body, const StepNode& node,
                                  const std::string& path) {
  const StepType* found = nullptr;
  bool unknown = false;
  for (const auto& [key, member] : body.map()) {
    const StepType* type = context_.types->find(key);
    const auto& reserved = step_words().reserved;
    unknown = unknown || (type == nullptr && step_words().find(key) == nullptr) ||
              std::find(reserved.begin(), reserved.end(), key) != reserved.end();
    if (type == nullptr) continue;
    if (found != nullptr) {
      add(member.key_mark(), path,
          "a step has one type; this one has '" + found->name + "' and '" + key + "'");
      return nullptr;
    }
    found = type;
  }
  // A gate that stands alone is a step of its own.
  if (found == nullptr && !unknown && body.has("approve")) {
    found = context_.types->find(approval_type);
  }
  if (found == nullptr && !unknown) {
    add(node.mark, path, "the step has no type", "known types: " + joined(context_.types->names()));
  }
  return found;
}

void Compiler::common_words(StepNode& node, Value words, const std::string& path) {
  // Words that stand here by mistake may be meant as a type or as a common word: both are tried.
  Record known = step_words();
  for (auto it = words.map().begin(); it != words.map().end();) {
    const auto& reserved = known.reserved;
    const bool told = known.find(it->first) != nullptr ||
                      std::find(reserved.begin(), reserved.end(), it->first) != reserved.end();
    if (told) {
      ++it;
      continue;
    }
    std::vector<std::string> candidates = context_.types->names();
    for (const Field& field : known.fields) candidates.push_back(field.name);
    add(it->second.key_mark(), path, "unknown step type or key '" + printable(it->first) + "'",
        suggestion(it->first, candidates));
    it = words.map().erase(it);
  }
  const std::size_t before = findings_.size();
  ValidateOptions options;
  options.path = path;
  validate(words, known, options, findings_);
  if (findings_.size() > before) return;
  node.why = words.text("description");
  if (words.has("timeout")) {
    node.timeout = duration_of(words, "timeout");
    if (node.timeout->count() == 0) {
      add(words.at("timeout").mark(), path + ".timeout", "a timeout of nothing can never be kept");
    }
  }
  if (words.has("retry")) {
    const Value& retry = words.at("retry");
    const std::int64_t times = retry.integer("times", 0);
    if (times < 0 || times > 100) {
      add(retry.at("times").mark(), path + ".retry.times", "expected 0 to 100");
    } else {
      node.retry.times = static_cast<int>(times);
    }
    if (retry.has("backoff")) node.retry.backoff = duration_of(retry, "backoff");
  }
  const std::string failure = words.text("on_failure", "pause");
  if (failure == "stop") node.on_failure = OnFailure::stop;
  if (failure == "continue") node.on_failure = OnFailure::go_on;
  if (words.has("when")) {
    node.when = words.text("when");
    node.when_mark = words.at("when").mark();
  }
  if (words.has("after")) after_.emplace_back(node.name, words.at("after").list());
  if (words.has("approve")) {
    approval(node, words.at("approve"), path + ".approve");
  } else if (node.type == approval_type) {
    add(node.mark, path, "an approval without `approve:` asks nobody",
        "approve: { by: [NAME], reason: \"...\" }");
  }
}

// A gate that nobody could ever open is found here, and not in the middle of a recovery.
void Compiler::approval(StepNode& node, const Value& words, const std::string& path) {
  ApprovalRule rule;
  if (words.has("by")) {
    for (const Value& name : words.at("by").list()) {
      rule.by.push_back(name.string());
      if (std::ranges::count(context_.operators, name.string()) > 0) continue;
      add(name.mark(), path + ".by", "no operator is named '" + printable(name.string()) + "'",
          suggestion(name.string(), context_.operators, "known operators: "));
    }
    std::ranges::sort(rule.by);
    rule.by.erase(std::unique(rule.by.begin(), rule.by.end()), rule.by.end());
  }
  const auto people =
      static_cast<std::int64_t>(rule.by.empty() ? context_.operators.size() : rule.by.size());
  const std::int64_t count = words.integer("count", 1);
  if (people == 0) {
    add(words.mark(), path, "there is nobody who could approve",
        "name operators and their keys: `operators:` at the top of the file");
  } else if (count < 1 || count > people) {
    add(words.at("count").mark(), path + ".count",
        "expected 1 to " + std::to_string(people) + ": so many people may approve");
  }
  rule.count =
      static_cast<int>(std::clamp<std::int64_t>(count, 1, std::max<std::int64_t>(people, 1)));
  if (words.has("expires")) {
    rule.expires = duration_of(words, "expires");
    if (rule.expires.count() == 0) {
      add(words.at("expires").mark(), path + ".expires", "an approval of no time never counts");
    }
  }
  rule.reason = words.text("reason");
  node.approve = std::move(rule);
}

void Compiler::outputs(StepNode& node, const StepType& type, const std::string& path) {
  node.outputs = type.outputs;
  const Value& declared = node.config.at(type.outputs_field);
  if (type.outputs_field.empty() || !declared.is(Value::Type::map)) return;
  const std::string below = path + "." + type.name + "." + type.outputs_field;
  for (const auto& [name, word] : declared.map()) {
    if (!valid_name(name)) {
      add(word.key_mark(), below, "'" + printable(name) + "' is not a name for an output",
          "letters, digits, '-' and '_', a letter first, at most 63");
    }
    if (!word.is(Value::Type::string)) continue;  // found by the type's own table
    const auto shape = shape_of_word(word.string());
    if (!shape) {
      add(word.mark(), below + "." + printable(name),
          "unknown type '" + printable(word.string()) + "'",
          suggestion(word.string(), shape_words(), "one of "));
    }
    node.outputs[name] = shape.value_or(shape::any());
  }
}

void Compiler::known_source(const StepNode& node, const StepType& type, const std::string& path) {
  const Field* field = type.fields.find("source");
  const Value& source = node.config.at("source");
  if (field == nullptr || field->shape.kind != Shape::Kind::string) return;
  if (!source.is(Value::Type::string) || has_reference(source.string())) return;
  if (context_.sources.contains(source.string())) return;
  std::vector<std::string> names;
  for (const auto& [name, value] : context_.sources) names.push_back(name);
  add(source.mark(), path + "." + type.name + ".source",
      "no source is named '" + printable(source.string()) + "'",
      suggestion(source.string(), names, "known sources: "));
}

void Compiler::link_after() {
  std::map<std::string, StepNode*> nodes;
  std::vector<std::string> names;
  for (StepNode& node : plan_.steps) {
    nodes.emplace(node.name, &node);
    names.push_back(node.name);
  }
  for (const auto& [name, words] : after_) {
    const std::string path = path_ + ".steps." + name + ".after";
    for (const Value& word : words) {
      if (word.string() == name) {
        add(word.mark(), path, "step '" + name + "' waits for itself");
      } else if (!nodes.contains(word.string())) {
        // Looking for the right word costs, and nobody reads so many hints.
        add(word.mark(), path, "no step is named '" + printable(word.string()) + "'",
            findings_.size() < 20 ? suggestion(word.string(), names) : "");
      } else {
        nodes[name]->after.push_back(word.string());
        marks_.emplace(std::pair(name, word.string()), word.mark());
      }
    }
  }
}

}  // namespace

std::vector<std::string> file_order(const Value& map) {
  std::vector<std::pair<std::pair<int, int>, std::string>> keys;
  for (const auto& [key, member] : map.map()) {
    const Mark mark = member.key_mark();
    keys.push_back({{mark.line, mark.column}, key});
  }
  std::sort(keys.begin(), keys.end());
  std::vector<std::string> names;
  for (auto& [place, key] : keys) names.push_back(std::move(key));
  return names;
}

Plan compile(const std::string& name, const Value& tree, const CompileContext& context,
             std::vector<Finding>& findings) {
  return Compiler(name, context, findings).compile(tree);
}

}  // namespace lifeboat::plan
