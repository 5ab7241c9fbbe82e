#include "plan/guard.h"
#include "platform/platform.h"
#include "platform/walk.h"

namespace lifeboat::platform {
namespace {

void find(const Value& value, const Shape& shape, const std::string& path,
          std::vector<LocalSecret>& found) {
  walk({value, shape, "", path}, [&](const Visited& node) {
    const std::string from = secret_origin(node);
    const bool surely = node.shape.kind == Shape::Kind::secret;
    if (!from.empty()) {
      found.push_back({node.value.mark(), node.path, from, surely ? node.value : Value()});
    }
    return from.empty();
  });
}

// A restore uses its source's own credentials, apart from those that its `with` replaces.
void find_in_step(const plan::StepNode& step, const plan::StepType& step_type,
                  const std::string& path, const Platform& platform, const Vocabulary& vocabulary,
                  std::vector<LocalSecret>& found) {
  const auto entry = platform.sources.find(step.config.text("source"));
  const KnownSource* type =
      entry == platform.sources.end() ? nullptr : vocabulary.source(entry->second.type);
  const Value& with = step.config.at("with");
  if (type == nullptr || !with.is(Value::Type::map)) {
    find(step.config, shape::record(step_type.fields), path, found);
    if (type != nullptr) find(entry->second.config, shape::record(type->fields), path, found);
    return;
  }
  Value own = step.config, config = entry->second.config;
  own.map().erase("with");
  for (const auto& [name, value] : with.map()) config.map().erase(name);
  find(own, shape::record(step_type.fields), path, found);
  find(with, shape::record(type->fields), path + ".with", found);
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
    for (const plan::GuardRule& rule : plan.guards) {
      const plan::GuardKind* kind =
          vocabulary.guards == nullptr ? nullptr : vocabulary.guards->find(rule.kind);
      if (kind == nullptr) continue;
      find(rule.config, shape::record(kind->fields), path + ".guard." + rule.name, found);
    }
    for (const plan::StepNode& step : plan.steps) {
      const plan::StepType* type = vocabulary.steps->find(step.type);
      if (type == nullptr) continue;
      const std::string step_path = path + ".steps." + step.name + "." + step.type;
      find_in_step(step, *type, step_path, platform, vocabulary, found);
    }
  }
  return found;
}

}  // namespace lifeboat::platform
