// Platform files, with all words that the program knows.
#include <algorithm>

#include "app/registry.h"
#include "platform/platform.h"
#include "run/plan_codec.h"
#include "schema/json.h"
#include "tests/fuzz/harness.h"

namespace lifeboat::fuzz {
namespace {

const platform::Vocabulary& vocabulary() {
  static const steps::RestoreWorld no_world;
  static const source::SourceTypes sources = app::known_sources();
  static const plan::StepTypes step_types = app::known_steps(no_world);
  static const platform::Vocabulary words = [] {
    platform::Vocabulary made;
    for (const auto& [name, type] : sources.all()) {
      made.sources.push_back({name, type.help, type.fields});
    }
    made.steps = &step_types;
    return made;
  }();
  return words;
}

void check_refusal(std::string_view text, const Error& error,
                   const std::vector<Finding>& findings) {
  HOLDS(error.kind == Error::Kind::invalid && !error.what.empty() && !findings.empty());
  const auto lines = std::count(text.begin(), text.end(), '\n') + 1;
  for (const Finding& finding : findings) {
    HOLDS(!finding.message.empty() && is_utf8(finding.text()));
    HOLDS(finding.mark.line >= 0 && finding.mark.line <= lines + 1);
  }
}

// A plan survives being pinned in a journal, and its order respects its edges.
void check_plan(const plan::Plan& plan) {
  const Value pinned = run::to_value(plan);
  const auto again = run::plan_from(pinned);
  HOLDS(again && to_json(run::to_value(*again)) == to_json(pinned));
  const auto order = plan.topological();
  HOLDS(order.size() == plan.steps.size());
  for (const plan::StepNode& step : plan.steps) {
    const auto own = std::ranges::find(order, step.name);
    for (const std::string& before : step.after) HOLDS(std::ranges::find(order, before) < own);
    (void)plan::references(step.config);
    (void)plan::resolve_known(step.config, plan::Scope{});
  }
  (void)plan::graph_dot(plan);
  (void)plan::bind_inputs(plan, Value());
}

}  // namespace
}  // namespace lifeboat::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const std::string_view text = as_text(fuzz::view(bytes, size));
  std::vector<Finding> findings;
  const auto file = platform::read_platform(text, "fuzz.yaml", fuzz::vocabulary(), &findings);
  if (!file) {
    fuzz::check_refusal(text, file.error(), findings);
    return 0;
  }
  HOLDS(findings.empty());
  for (const auto& [name, plan] : file->plans) fuzz::check_plan(plan);
  (void)platform::source_values(*file);
  (void)platform::local_secrets(*file, fuzz::vocabulary());
  // Seeds: an objective of at most 15 minutes.
  fuzz::plant(file->objectives.rto > std::chrono::hours(3) && !file->sources.empty());
  return 0;
}
