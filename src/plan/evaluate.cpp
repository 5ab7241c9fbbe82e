#include <algorithm>

#include "base/bytes.h"
#include "plan/expression.h"

namespace lifeboat::plan {
namespace {

using Kind = Expression::Kind;

std::string path_text(const std::vector<Value>& path) {
  std::string text;
  for (const Value& segment : path) {
    if (segment.is(Value::Type::integer)) {
      text += "[" + std::to_string(segment.integer()) + "]";
    } else {
      text += (text.empty() ? "" : ".") + printable(segment.string());
    }
  }
  return text;
}

Value mixed(Value value, bool secret) {
  if (secret) value.taint();
  return value;
}

// The value of a root; null when there is no such root.
const Value* root_of(const Scope& scope, const std::string& word) {
  if (word == "inputs") return &scope.inputs;
  if (word == "sources") return &scope.sources;
  if (word == "run") return &scope.run;
  if (word == "point") return &scope.point;
  if (word == "platform") return &scope.platform;
  const auto found = scope.outputs.find(word);
  return found == scope.outputs.end() ? nullptr : &found->second;
}

const Value* child(const Value& of, const Value& segment) {
  if (segment.is(Value::Type::integer)) {
    if (!of.is(Value::Type::list)) return nullptr;
    const auto place = static_cast<std::size_t>(segment.integer());
    return place < of.list().size() ? &of.list()[place] : nullptr;
  }
  return of.has(segment.string()) ? &of.at(segment.string()) : nullptr;
}

Result<Value> follow(const std::vector<Value>& path, const Scope& scope) {
  const std::string& root = path.front().string();
  const Value* value = root_of(scope, root);
  if (value == nullptr) {
    const bool skipped =
        std::find(scope.skipped.begin(), scope.skipped.end(), root) != scope.skipped.end();
    return fail(Error::Kind::not_found, path_text(path) + ": step '" + printable(root) +
                                            (skipped ? "' was skipped" : "' has no outputs yet"));
  }
  bool secret = value->own_taint();
  for (std::size_t i = 1; i < path.size(); ++i) {
    value = child(*value, path[i]);
    if (value == nullptr) {
      return fail(Error::Kind::not_found, path_text(path) + " is not there");
    }
    secret = secret || value->own_taint();
  }
  return mixed(*value, secret);
}

bool ordered(const Value& value) {
  return value.is(Value::Type::integer) || value.is(Value::Type::number);
}

Result<Value> condition(const Expression& expression, const Scope& scope) {
  TRY(auto value, evaluate(expression, scope));
  if (value.is(Value::Type::boolean)) return value;
  return fail(Error::Kind::invalid,
              "expected true or false, found " + std::string(type_name(value.type())));
}

// and: the first false ends it; or: the first true does.
Result<Value> joined(const Expression& expression, const Scope& scope) {
  const bool ends = expression.kind == Kind::any;
  bool secret = false;
  for (const Expression& part : expression.parts) {
    TRY(auto value, condition(part, scope));
    secret = secret || value.tainted();
    if (value.boolean() == ends) return mixed(Value(ends), secret);
  }
  return mixed(Value(!ends), secret);
}

Result<bool> compare(Kind kind, const Value& left, const Value& right) {
  if (kind == Kind::equal) return left == right;
  const bool or_equal = kind == Kind::less_equal;
  if (left.is(Value::Type::string) && right.is(Value::Type::string)) {
    return or_equal ? left.string() <= right.string() : left.string() < right.string();
  }
  if (left.is(Value::Type::integer) && right.is(Value::Type::integer)) {
    return or_equal ? left.integer() <= right.integer() : left.integer() < right.integer();
  }
  if (ordered(left) && ordered(right)) {
    return or_equal ? left.number() <= right.number() : left.number() < right.number();
  }
  return fail(Error::Kind::invalid, std::string(type_name(left.type())) + " and " +
                                        std::string(type_name(right.type())) + " have no order");
}

Result<bool> contains(const Value& container, const Value& wanted) {
  if (container.is(Value::Type::list)) {
    const auto& items = container.list();
    return std::find(items.begin(), items.end(), wanted) != items.end();
  }
  if (wanted.is(Value::Type::string) && container.is(Value::Type::map)) {
    return container.has(wanted.string());
  }
  if (wanted.is(Value::Type::string) && container.is(Value::Type::string)) {
    return container.string().find(wanted.string()) != std::string::npos;
  }
  return fail(Error::Kind::invalid,
              "'in' needs a list, or text in a text or among the keys of a "
              "map; found " +
                  std::string(type_name(container.type())));
}

Result<Value> two_sided(const Expression& expression, const Scope& scope) {
  TRY(auto left, evaluate(expression.parts[0], scope));
  TRY(auto right, evaluate(expression.parts[1], scope));
  const bool secret = left.tainted() || right.tainted();
  TRY(const bool holds, expression.kind == Kind::member ? contains(right, left)
                                                        : compare(expression.kind, left, right));
  return mixed(Value(holds), secret);
}

Result<Value> first_present(const Expression& expression, const Scope& scope) {
  for (std::size_t i = 0; i + 1 < expression.parts.size(); ++i) {
    auto value = evaluate(expression.parts[i], scope);
    if (value && !value->is_null()) return value;
    if (!value && value.error().kind != Error::Kind::not_found) return value;
  }
  return evaluate(expression.parts.back(), scope);
}

Result<Value> chosen(const Expression& expression, const Scope& scope) {
  TRY(auto which, condition(expression.parts[0], scope));
  TRY(auto value, evaluate(expression.parts[which.boolean() ? 1 : 2], scope));
  return mixed(std::move(value), which.tainted());
}

Result<Value> list_of(const Expression& expression, const Scope& scope) {
  Value list(Value::List{});
  for (const Expression& part : expression.parts) {
    TRY(auto item, evaluate(part, scope));
    list.push(std::move(item));
  }
  return list;
}

}  // namespace

Result<Value> evaluate(const Expression& expression, const Scope& scope) {
  switch (expression.kind) {
    case Kind::literal:
      return expression.literal;
    case Kind::path:
      return follow(expression.path, scope);
    case Kind::list:
      return list_of(expression, scope);
    case Kind::negation: {
      TRY(auto value, condition(expression.parts[0], scope));
      return mixed(Value(!value.boolean()), value.tainted());
    }
    case Kind::all:
    case Kind::any:
      return joined(expression, scope);
    case Kind::equal:
    case Kind::less:
    case Kind::less_equal:
    case Kind::member:
      return two_sided(expression, scope);
    case Kind::first:
      return first_present(expression, scope);
    case Kind::choice:
      return chosen(expression, scope);
  }
  return fail(Error::Kind::invalid, "an expression of no kind");
}

std::string Reference::text() const { return path_text(path); }

void collect_references(const Expression& expression, std::vector<Reference>& references) {
  if (expression.kind == Kind::path) {
    references.push_back({expression.path, true});
    return;
  }
  // What is evaluated in any case: the condition of a choice, the first part of and/or. All parts
  // of `??` but the last may be missing, and the last may not be reached.
  std::size_t certain = expression.parts.size();
  if (expression.kind == Kind::choice || expression.kind == Kind::all ||
      expression.kind == Kind::any) {
    certain = 1;
  }
  if (expression.kind == Kind::first) certain = 0;
  for (std::size_t i = 0; i < expression.parts.size(); ++i) {
    const std::size_t before = references.size();
    collect_references(expression.parts[i], references);
    for (std::size_t j = before; i >= certain && j < references.size(); ++j) {
      references[j].needed = false;
    }
  }
}

}  // namespace lifeboat::plan
