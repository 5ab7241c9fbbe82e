#include <set>

#include "base/bytes.h"
#include "platform/platform.h"

namespace lifeboat::platform {
namespace {

// Where a secret comes from, in words; "" when `value` is no such thing.
std::string origin(const Value& value) {
  if (!value.is(Value::Type::map) || value.map().size() != 1) return {};
  const auto& [word, from] = *value.map().begin();
  if (word == "env" && from.is(Value::Type::string)) {
    return "environment variable " + printable(from.string());
  }
  if (word == "file" && from.is(Value::Type::string)) return "file " + printable(from.string());
  if (word == "exec" && from.is(Value::Type::list) && !from.list().empty() &&
      from.list().front().is(Value::Type::string)) {
    return "program " + printable(from.list().front().string());
  }
  return {};
}

void find(const Value& value, const Shape& shape, const std::string& path,
          std::vector<LocalSecret>& found) {
  if (shape.kind == Shape::Kind::secret) {
    const std::string from = origin(value);
    if (!from.empty()) found.push_back({value.mark(), path, from});
    return;
  }
  if (value.is(Value::Type::list)) {
    const Shape inner = shape.kind == Shape::Kind::list ? *shape.inner : shape::any();
    for (const Value& item : value.list()) find(item, inner, path, found);
  }
  if (!value.is(Value::Type::map)) return;
  for (const auto& [name, member] : value.map()) {
    Shape inner = shape.kind == Shape::Kind::map ? *shape.inner : shape::any();
    if (shape.kind == Shape::Kind::record) {
      if (const Field* field = shape.record->find(name)) inner = field->shape;
    }
    find(member, inner, path + "." + printable(name), found);
  }
}

void find_in_plan(const plan::Plan& plan, const Vocabulary& vocabulary,
                  std::vector<LocalSecret>& found, std::set<std::string>& sources) {
  const std::string path = "plans." + plan.name;
  for (const plan::InputField& input : plan.inputs) {
    find(input.fallback, input.shape, path + ".inputs." + input.name, found);
  }
  for (const plan::StepNode& step : plan.steps) {
    const plan::StepType* type = vocabulary.steps->find(step.type);
    if (type == nullptr) continue;
    find(step.config, shape::record(type->fields), path + ".steps." + step.name + "." + step.type,
         found);
    const std::string source = step.config.text("source");
    if (!source.empty()) sources.insert(source);
  }
}

}  // namespace

std::vector<LocalSecret> local_secrets(const Platform& platform, const Vocabulary& vocabulary) {
  std::vector<LocalSecret> found;
  std::set<std::string> restored;
  for (const auto& [name, plan] : platform.plans) {
    find_in_plan(plan, vocabulary, found, restored);
  }
  // The credentials of a source serve its restore as well, unless the step gives others.
  for (const std::string& name : restored) {
    const auto entry = platform.sources.find(name);
    if (entry == platform.sources.end()) continue;
    const KnownSource* type = vocabulary.source(entry->second.type);
    if (type == nullptr) continue;
    find(entry->second.config, shape::record(type->fields), "sources." + name + "." + type->name,
         found);
  }
  return found;
}

}  // namespace lifeboat::platform
