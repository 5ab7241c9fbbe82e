#include "app/scenario.h"

#include "app/input_words.h"
#include "app/known_platform.h"

namespace lifeboat::app {
namespace {

Result<Value> known_inputs(const Operation& op, const plan::Plan& plan,
                           const std::vector<std::string>& words) {
  TRY(Value given, read_input_words(op, plan, words, {}));
  plan::Plan asked = plan;
  std::erase_if(asked.inputs, [&](const plan::InputField& input) {
    return !given.has(input.name) && input.fallback.is_null();
  });
  return plan::bind_inputs(asked, given);
}

}  // namespace

Result<Scenario> read_scenario(const Operation& op, const platform::Platform& platform,
                               const ScenarioWords& words) {
  TRY(const plan::Plan* plan, find_plan(platform, words.plan));
  Scenario scenario;
  scenario.scope.sources = platform::source_values(platform);
  scenario.scope.platform.set("name", platform.name);
  TRY(scenario.scope.inputs, known_inputs(op, *plan, words.inputs));
  TRY(scenario.plan,
      plan::variant(*plan, scenario.scope,
                    words.graceful ? plan::Manner::graceful : plan::Manner::ungraceful));
  return scenario;
}

}  // namespace lifeboat::app
