// The plan of which a page is made: of one variant, as far as that is known before anybody types.
#include "plan/expression.h"
#include "runbook/runbook.h"

namespace lifeboat::runbook {
namespace {

bool hangs_on_inputs(const std::string& when) {
  if (when.empty() || when == "graceful" || when == "ungraceful") return false;
  const auto expression = plan::parse_expression(when);
  if (!expression) return false;  // plan::variant() says so
  std::vector<plan::Reference> references;
  plan::collect_references(*expression, references);
  return !references.empty();
}

}  // namespace

std::string_view word(plan::Manner manner) {
  return manner == plan::Manner::graceful ? "graceful" : "ungraceful";
}

Result<plan::Plan> variant_for_people(const plan::Plan& plan, plan::Manner manner) {
  plan::Plan open = plan;
  std::map<std::string, std::pair<std::string, Mark>> conditions;
  for (plan::StepNode& step : open.steps) {
    if (!hangs_on_inputs(step.when)) continue;
    conditions[step.name] = {std::move(step.when), step.when_mark};
    step.when.clear();
  }
  TRY(plan::Plan made, plan::variant(open, {}, manner));
  for (plan::StepNode& step : made.steps) {
    const auto found = conditions.find(step.name);
    if (found != conditions.end()) std::tie(step.when, step.when_mark) = found->second;
  }
  return made;
}

}  // namespace lifeboat::runbook
