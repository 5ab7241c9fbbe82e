#include "plan/guard.h"
#include "platform/platform.h"
#include "platform/walk.h"

namespace lifeboat::platform {
namespace {

void find(const Value& value, const Shape& shape, const std::string& path,
          std::vector<LocalSecret>& found) {
  walk({value, shape, "", path}, [&](const Visited& node) {
    const std::string from = secret_origin(node);
    if (!from.empty()) found.push_back({node.value.mark(), node.path, from});
    return from.empty();
  });
}

// A restore uses its source's own credentials, apart from those that its `with` replaces (which
// stand in the step itself).
void find_in_restore(const plan::StepNode& step, const std::string& path, const Platform& platform,
                     const Vocabulary& vocabulary, std::vector<LocalSecret>& found) {
  const auto entry = platform.sources.find(step.config.text("source"));
  if (entry == platform.sources.end()) return;
  const KnownSource* type = vocabulary.source(entry->second.type);
  if (type == nullptr) return;
  Value config = entry->second.config;
  if (step.config.at("with").is(Value::Type::map)) {
    for (const auto& [name, value] : step.config.at("with").map()) config.map().erase(name);
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
      find(step.config, shape::record(type->fields), step_path, found);
      find_in_restore(step, step_path, platform, vocabulary, found);
    }
  }
  return found;
}

}  // namespace lifeboat::platform
