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

// A restore uses its source's own credentials, apart from those that its `with` replaces.
void find_in_restore(const plan::StepNode& step, const std::string& path, const Platform& platform,
                     const Vocabulary& vocabulary, std::vector<LocalSecret>& found) {
  const auto entry = platform.sources.find(step.config.text("source"));
  if (entry == platform.sources.end()) return;
  const KnownSource* type = vocabulary.source(entry->second.type);
  if (type == nullptr) return;
  Value config = entry->second.config;
  if (step.config.at("with").is(Value::Type::map)) {
    for (const auto& [name, value] : step.config.at("with").map()) config.set(name, value);
  }
  find(config, shape::record(type->fields), path, found);
}

}  // namespace

std::vector<LocalSecret> local_secrets(const Platform& platform, const Vocabulary& vocabulary) {
  std::vector<LocalSecret> found;
  for (const auto& [name, plan] : platform.plans) {
    const std::string path = "plans." + name;
    for (const plan::InputField& input : plan.inputs) {
      find(input.fallback, input.shape, path + ".inputs." + input.name, found);
    }
    for (const plan::StepNode& step : plan.steps) {
      const plan::StepType* type = vocabulary.steps->find(step.type);
      if (type == nullptr) continue;
      const std::string step_path = path + ".steps." + step.name + "." + step.type;
      find(step.config, shape::record(type->fields), step_path, found);
      find_in_restore(step, step_path, platform, vocabulary, found);
    }
  }
  return found;
}

}  // namespace lifeboat::platform
