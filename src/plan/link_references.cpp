// Every `${...}` of a plan is looked at twice at once: where it leads (step and output, input,
// source), and whether what comes from there can stand where it stands.
#include <algorithm>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "plan/compile_parts.h"
#include "plan/expression.h"

namespace lifeboat::plan {
namespace {

using Kind = Shape::Kind;

bool is_text(Kind kind) {
  return kind == Kind::string || kind == Kind::choice || kind == Kind::duration ||
         kind == Kind::time || kind == Kind::secret;
}

bool is_tree(Kind kind) { return kind == Kind::list || kind == Kind::map || kind == Kind::record; }

// Whether a value of shape `from` can stand in a field of shape `to`. When in doubt it can: the
// value itself is checked before the step runs.
bool fits(const Shape& to, const Shape& from) {
  if (to.kind == Kind::any || from.kind == Kind::any) return true;
  if (is_text(to.kind) && to.kind != Kind::string) return is_text(from.kind);
  switch (to.kind) {
    case Kind::string:
      return !is_tree(from.kind);
    case Kind::number:
      return from.kind == Kind::number || from.kind == Kind::integer;
    case Kind::list:
      if (from.kind == Kind::list) return fits(*to.inner, *from.inner);
      return to.scalar_is_list && fits(*to.inner, from);
    case Kind::map:
      return from.kind == Kind::map || from.kind == Kind::record;
    case Kind::record: {
      if (from.kind == Kind::map || from.kind == Kind::record) return true;
      const Field* field = to.record->find(to.record->short_form);
      return field != nullptr && fits(field->shape, from);
    }
    default:
      return to.kind == from.kind;
  }
}

const std::map<std::string, std::vector<std::string>>& fixed_words() {
  static const std::map<std::string, std::vector<std::string>> words = {
      {"run", {"id", "plan", "started"}}, {"point", {"id", "time"}}, {"platform", {"name"}}};
  return words;
}

// From here on findings get no hint: looking for the right word costs, and nobody reads so many.
constexpr std::size_t crowd = 20;

class Linker {
 public:
  Linker(Plan& plan, const CompileContext& context, EdgeMarks& marks,
         std::vector<Finding>& findings)
      : plan_(plan), context_(context), marks_(marks), findings_(findings) {
    for (const StepNode& node : plan.steps) {
      nodes_.emplace(node.name, &node);
      names_.push_back(node.name);
    }
    for (const InputField& input : plan.inputs) inputs_.emplace(input.name, &input);
  }

  void link() {
    for (StepNode& node : plan_.steps) {
      step_ = &node;
      const StepType* type = context_.types->find(node.type);
      path_ = "plans." + plan_.name + ".steps." + node.name;
      if (type != nullptr) {
        record(node.config, type->fields);
      }
      tidy(node.after);
      tidy(node.needs);
    }
    heartbeat();
  }

 private:
  static void tidy(std::vector<std::string>& names) {
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  void add(std::string message, std::string hint = {}) {
    findings_.push_back({at_, path_, std::move(message), std::move(hint)});
  }
  void unknown(const std::string& what, const std::string& word,
               const std::vector<std::string>& known) {
    add(what, findings_.size() < crowd ? suggestion(word, known) : "");
  }

  void record(const Value& value, const Record& record);
  void walk(const Value& value, const Shape& shape);
  void text(const Value& value, const Shape& shape);
  void whole(const Template::Part& part, const Shape& shape);
  void inside(const Template::Part& part);
  void link_one(const Reference& reference, const std::string& source);
  std::optional<Shape> lookup(const std::vector<Value>& path, const std::string& source);
  std::optional<Shape> output(const std::vector<Value>& path, const std::string& source);
  std::optional<Shape> fixed(const std::vector<Value>& path, const std::string& source);
  std::optional<Shape> source_part(const Value& config, const std::vector<Value>& path,
                                   const std::string& source);
  std::optional<Shape> deeper(Shape shape, const std::vector<Value>& path,
                              const std::string& source);
  void heartbeat();

  Plan& plan_;
  const CompileContext& context_;
  EdgeMarks& marks_;
  std::vector<Finding>& findings_;
  std::map<std::string, const StepNode*> nodes_;
  std::map<std::string, const InputField*> inputs_;
  std::vector<std::string> names_;
  StepNode* step_ = nullptr;  // whose configuration is walked; null: the plan's own words
  std::string path_;
  Mark at_;
};

void Linker::record(const Value& value, const Record& record) {
  if (!value.is(Value::Type::map)) {
    walk(value, shape::any());
    return;
  }
  for (const auto& [key, member] : value.map()) {
    const Field* field = record.find(key);
    const std::string before = path_;
    path_ += "." + printable(key);
    walk(member, field == nullptr ? shape::any() : field->shape);
    path_ = before;
  }
}

void Linker::walk(const Value& value, const Shape& shape) {
  if (value.is(Value::Type::string)) return text(value, shape);
  if (value.is(Value::Type::list)) {
    const Shape inner = shape.kind == Kind::list ? *shape.inner : shape::any();
    for (const Value& item : value.list()) walk(item, inner);
  }
  if (!value.is(Value::Type::map)) return;
  if (shape.kind == Kind::record) return record(value, *shape.record);
  const Shape inner = shape.kind == Kind::map ? *shape.inner : shape::any();
  for (const auto& [key, member] : value.map()) walk(member, inner);
}

void Linker::text(const Value& value, const Shape& shape) {
  at_ = value.mark();
  const auto parsed = parse_template(value.string());
  if (!parsed) {
    std::string hint = parsed.error().hint;
    if (hint.empty()) hint = "a '${' that is meant as text is written '$${'";
    add("in '${...}': " + parsed.error().what, hint);
    return;
  }
  for (const Template::Part& part : parsed->parts) {
    if (!part.expression) continue;
    std::vector<Reference> references;
    collect_references(*part.expression, references);
    const std::size_t before = findings_.size();
    for (const Reference& reference : references) link_one(reference, part.source);
    if (findings_.size() > before) continue;
    parsed->whole() ? whole(part, shape) : inside(part);
  }
}

// A value that stands alone keeps its type: it must fit the field.
void Linker::whole(const Template::Part& part, const Shape& shape) {
  if (part.expression->kind != Expression::Kind::path) return;
  const auto from = lookup(part.expression->path, part.source);
  if (from && !fits(shape, *from)) {
    add("expected " + shape_name(shape) + ", but ${" + part.source + "} is " + shape_name(*from));
  }
}

void Linker::inside(const Template::Part& part) {
  if (part.expression->kind != Expression::Kind::path) return;
  const auto from = lookup(part.expression->path, part.source);
  if (from && is_tree(from->kind)) {
    add("${" + part.source + "} is " + shape_name(*from) + ", which cannot stand inside text",
        "let it stand alone, or take one value of it");
  }
}

void Linker::link_one(const Reference& reference, const std::string& source) {
  const std::string root = reference.path.front().string();
  if (!lookup(reference.path, source) || step_ == nullptr || reserved_name(root)) return;
  step_->after.push_back(root);
  if (reference.needed) step_->needs.push_back(root);
  marks_.emplace(std::pair(step_->name, root), at_);
}

// The shape of what a path leads to; nullopt and a finding when it leads nowhere.
std::optional<Shape> Linker::lookup(const std::vector<Value>& path, const std::string& source) {
  const std::string& root = path.front().string();
  const bool is_root =
      std::find(root_words().begin(), root_words().end(), root) != root_words().end();
  if (path.size() < 2 || !path[1].is(Value::Type::string)) {
    if (!is_root && !nodes_.contains(root)) {
      unknown("${" + source + "}: no step is named '" + root + "'", root, names_);
    } else {
      add("${" + source + "}: say which value of '" + root + "' is meant",
          is_root ? root + ".NAME" : root + ".OUTPUT");
    }
    return std::nullopt;
  }
  return is_root ? fixed(path, source) : output(path, source);
}

std::optional<Shape> Linker::output(const std::vector<Value>& path, const std::string& source) {
  const std::string &root = path[0].string(), &name = path[1].string();
  const auto found = nodes_.find(root);
  if (found == nodes_.end()) {
    std::vector<std::string> known;
    if (findings_.size() < crowd) known = names_;
    known.insert(known.end(), root_words().begin(), root_words().end());
    unknown("${" + source + "}: no step is named '" + root + "'", root, known);
    return std::nullopt;
  }
  if (step_ == found->second) {
    add("${" + source + "}: step '" + root + "' refers to its own output");
    return std::nullopt;
  }
  const auto& outputs = found->second->outputs;
  const auto shape = outputs.find(name);
  if (shape != outputs.end()) return deeper(shape->second, path, source);
  if (found->second->type.empty()) return std::nullopt;  // the step itself was found wrong
  std::vector<std::string> known;
  for (const auto& [word, of] : outputs) known.push_back(word);
  const StepType* type = context_.types->find(found->second->type);
  const std::string what = "${" + source + "}: step '" + root + "' has no output '" + name + "'";
  if (known.empty() && !type->outputs_field.empty()) {
    add(what, "declare it: " + type->outputs_field + ": { " + name + ": string }");
  } else {
    unknown(what, name, known);
  }
  return std::nullopt;
}

std::optional<Shape> Linker::fixed(const std::vector<Value>& path, const std::string& source) {
  const std::string &root = path[0].string(), &name = path[1].string();
  std::vector<std::string> known;
  if (root == "inputs") {
    const auto found = inputs_.find(name);
    if (found != inputs_.end()) return deeper(found->second->shape, path, source);
    for (const auto& [word, input] : inputs_) known.push_back(word);
    unknown("${" + source + "}: the plan has no input '" + name + "'", name, known);
    return std::nullopt;
  }
  if (root == "sources") {
    const auto found = context_.sources.find(name);
    if (found != context_.sources.end()) return source_part(found->second, path, source);
    for (const auto& [word, value] : context_.sources) known.push_back(word);
    unknown("${" + source + "}: no source is named '" + name + "'", name, known);
    return std::nullopt;
  }
  known = fixed_words().at(root);
  if (std::find(known.begin(), known.end(), name) != known.end()) {
    return deeper(shape::string(), path, source);
  }
  unknown("${" + source + "}: '" + root + "' has no '" + name + "'", name, known);
  return std::nullopt;
}

// What a source was configured with is known already: the value itself tells its shape.
std::optional<Shape> Linker::source_part(const Value& config, const std::vector<Value>& path,
                                         const std::string& source) {
  const Value* value = &config;
  for (std::size_t i = 2; i < path.size(); ++i) {
    if (!path[i].is(Value::Type::string) || !value->has(path[i].string())) {
      std::vector<std::string> known;
      for (const auto& [key, member] : value->is(Value::Type::map) ? value->map() : Value::Map{}) {
        known.push_back(key);
      }
      const std::string word = scalar_text(path[i]);
      unknown("${" + source + "}: there is no '" + printable(word) + "'", word, known);
      return std::nullopt;
    }
    value = &value->at(path[i].string());
  }
  if (value->is(Value::Type::map)) return shape::map(shape::any());
  if (value->is(Value::Type::list)) return shape::list(shape::any());
  return value->is(Value::Type::string) ? shape::string() : shape::any();
}

std::optional<Shape> Linker::deeper(Shape shape, const std::vector<Value>& path,
                                    const std::string& source) {
  for (std::size_t i = 2; i < path.size(); ++i) {
    const bool place = path[i].is(Value::Type::integer);
    const std::string word = place ? "[" + std::to_string(path[i].integer()) + "]"
                                   : "'" + printable(path[i].string()) + "'";
    if (shape.kind == Kind::any) return shape;
    Shape next;
    bool found = false;
    if ((shape.kind == Kind::list && place) || (shape.kind == Kind::map && !place)) {
      next = *shape.inner;
      found = true;
    } else if (shape.kind == Kind::record && !place) {
      const Field* field = shape.record->find(path[i].string());
      found = field != nullptr;
      if (found) next = field->shape;
    }
    if (!found) {
      add("${" + source + "}: " + shape_name(shape) + " has no " + word);
      return std::nullopt;
    }
    shape = std::move(next);
  }
  return shape;
}

// `heartbeat:` is an expression, with or without the `${}` around it; kept without.
void Linker::heartbeat() {
  if (plan_.heartbeat.empty()) return;
  step_ = nullptr;
  path_ = "plans." + plan_.name + ".heartbeat";
  at_ = plan_.mark;
  std::string& text = plan_.heartbeat;
  if (const auto wrapped = parse_template(text); wrapped && wrapped->whole()) {
    text = wrapped->parts.front().source;
  }
  const auto parsed = parse_expression(text);
  if (!parsed) return add(parsed.error().what, parsed.error().hint);
  std::vector<Reference> references;
  collect_references(*parsed, references);
  for (const Reference& reference : references) link_one(reference, text);
  if (references.empty()) add("names no output of a step", "STEP.OUTPUT");
}

}  // namespace

void link_references(Plan& plan, const CompileContext& context, EdgeMarks& marks,
                     std::vector<Finding>& findings) {
  Linker(plan, context, marks, findings).link();
}

}  // namespace lifeboat::plan
