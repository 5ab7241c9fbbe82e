#include "steps/git_edit/edit.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "schema/fields.h"
#include "schema/json.h"

namespace lifeboat::steps {
namespace {

using ErrorKind = Error::Kind;
constexpr std::size_t file_limit_bytes = 4u << 20;
constexpr std::size_t most_candidates = 5000;

bool is_scalar(const Leaf& leaf) {
  return leaf.kind != Leaf::Kind::alias && leaf.kind != Leaf::Kind::collection;
}

bool says(const Leaf& leaf, const Value& value) {
  if (value.is_null() || leaf.kind == Leaf::Kind::null) {
    return value.is_null() && leaf.kind == Leaf::Kind::null;
  }
  return leaf.text == leaf_text(value);
}

Result<Leaf> find(const std::string& file, const std::vector<Leaf>& leaves,
                  const std::string& path) {
  const Leaf* found = nullptr;
  std::vector<std::string> candidates;
  for (const Leaf& leaf : leaves) {
    if (is_scalar(leaf) && candidates.size() < most_candidates) candidates.push_back(leaf.path);
    if (leaf.path != path) continue;
    if (found != nullptr) {
      return fail(ErrorKind::invalid, fmt::format("{}: '{}' is there more than once", file, path),
                  "a name has to fit one value only", Error::Code::usage);
    }
    found = &leaf;
  }
  if (found == nullptr) {
    const std::string close = nearest(path, candidates);
    return fail(ErrorKind::not_found, fmt::format("{}: there is no value '{}'", file, path),
                close.empty() ? "only values that are there are changed"
                              : fmt::format("did you mean '{}'?", close));
  }
  if (found->kind == Leaf::Kind::alias) {
    return fail(ErrorKind::invalid, fmt::format("{}: '{}' is an alias", file, path),
                "change the value where its anchor stands", Error::Code::usage);
  }
  if (found->kind == Leaf::Kind::collection) {
    return fail(ErrorKind::invalid, fmt::format("{}: '{}' is a map or list", file, path),
                "name a single value in it", Error::Code::usage);
  }
  return *found;
}

std::string written(Form form, std::string_view text, const Leaf& leaf, const Value& value) {
  switch (form) {
    case Form::yaml:
      return yaml_scalar(text, leaf, value);
    case Form::json:
      return json_scalar(leaf, value);
    case Form::env:
    case Form::properties:
      return env_scalar(leaf, value, form);
  }
  return {};
}

// True when `now` is `was` with exactly these values changed.
bool only_changed(const std::vector<Leaf>& was, const std::vector<Leaf>& now,
                  const std::map<std::string, Value>& wanted) {
  if (was.size() != now.size()) return false;
  for (std::size_t i = 0; i < was.size(); ++i) {
    if (was[i].path != now[i].path) return false;
    const auto change = wanted.find(was[i].path);
    const bool fits = change == wanted.end()
                          ? was[i].text == now[i].text && was[i].kind == now[i].kind
                          : says(now[i], change->second);
    if (!fits) return false;
  }
  return true;
}

Value value_of(const Leaf& leaf, const Value& like) {
  Value value = leaf.kind == Leaf::Kind::null ? Value() : Value(leaf.text);
  if (like.tainted()) value.taint();
  return value;
}

}  // namespace

Result<Form> form_of(const std::string& file) {
  const std::string name = file.substr(file.rfind('/') + 1);
  if (name.ends_with(".yaml") || name.ends_with(".yml")) return Form::yaml;
  if (name.ends_with(".json")) return Form::json;
  if (name.ends_with(".env") || name.starts_with(".env")) return Form::env;
  if (name.ends_with(".properties")) return Form::properties;
  return fail(ErrorKind::invalid, fmt::format("{}: no form that can be edited", printable(file)),
              "known are .yaml, .yml, .json, .env and .properties", Error::Code::usage);
}

std::string leaf_text(const Value& value) {
  switch (value.type()) {
    case Value::Type::string:
      return value.string();
    case Value::Type::null:
      return {};
    default:
      return to_json(value, Secrets::reveal);
  }
}

Result<std::vector<Leaf>> read_leaves(Form form, std::string_view text) {
  if (text.size() > file_limit_bytes) {
    return fail(ErrorKind::invalid, fmt::format("larger than {} bytes", file_limit_bytes));
  }
  if (!is_utf8(text)) return fail(ErrorKind::invalid, "not UTF-8");
  switch (form) {
    case Form::yaml:
      return yaml_leaves(text);
    case Form::json:
      return json_leaves(text);
    case Form::env:
    case Form::properties:
      return env_leaves(text, form);
  }
  return fail(ErrorKind::invalid, "unknown form");
}

Result<Edited> edit(const std::string& file, std::string_view text,
                    const std::vector<Change>& changes) {
  TRY(const Form form, form_of(file));
  auto read = read_leaves(form, text);
  if (!read) return wrap(std::move(read).error(), file);
  Edited edited{.text = std::string(text), .before = {}, .changed = false};
  std::vector<std::pair<Leaf, Value>> todo;
  std::map<std::string, Value> wanted;
  for (const Change& change : changes) {
    if (change.value.is(Value::Type::list) || change.value.is(Value::Type::map)) {
      return fail(ErrorKind::invalid,
                  fmt::format("{}: '{}' is to become {}", file, change.path,
                              type_name(change.value.type())),
                  "single values can be set", Error::Code::usage);
    }
    TRY(Leaf leaf, find(file, *read, change.path));
    edited.before[change.path] = value_of(leaf, change.value);
    if (says(leaf, change.value)) continue;
    wanted[change.path] = change.value;
    todo.emplace_back(std::move(leaf), change.value);
  }
  if (todo.empty()) return edited;
  std::sort(todo.begin(), todo.end(),
            [](const auto& a, const auto& b) { return a.first.begin > b.first.begin; });
  for (const auto& [leaf, value] : todo) {
    edited.text.replace(leaf.begin, leaf.end - leaf.begin, written(form, text, leaf, value));
  }
  edited.changed = true;
  const auto again = read_leaves(form, edited.text);
  if (!again || !only_changed(*read, *again, wanted)) {
    return fail(ErrorKind::invalid,
                fmt::format("{}: the values cannot be changed without changing others", file),
                "change them by hand");
  }
  return edited;
}

}  // namespace lifeboat::steps
