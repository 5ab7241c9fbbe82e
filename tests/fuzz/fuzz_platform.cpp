// Platform files, with all words that the program knows.
#include <algorithm>
#include <array>
#include <cctype>
#include <random>

#include "app/registry.h"
#include "platform/platform.h"
#include "run/plan_codec.h"
#include "schema/json.h"
#include "tests/fuzz/harness.h"

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* bytes, std::size_t size,
                                        std::size_t size_max);

namespace lifeboat::fuzz {
namespace {

using Dice = std::mt19937;

struct Span {
  std::size_t begin = 0, size = 0;
};

// The words or the lines of a text.
std::vector<Span> parts_of(std::string_view text, bool lines) {
  const auto inside = [lines](char c) {
    return lines ? c != '\n' : std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
  };
  std::vector<Span> parts;
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (!inside(text[at])) continue;
    if (at == 0 || !inside(text[at - 1])) parts.push_back({at, 0});
    ++parts.back().size;
  }
  return parts;
}

// Most changes are to whole words and lines: replaced by others, doubled, dropped.
std::string mutate_text(std::string text, Dice& dice) {
  constexpr std::array numbers{"9h", "30s", "0", "1e9", "-1"};
  constexpr std::array words{"true",  "null",    "secret", "ask", "postgres", "files",  "exec",
                             "after", "restore", "wait",   "sql", "undo",     "inputs", "url"};
  const bool lines = dice() % 2 == 0;
  const std::vector<Span> parts = parts_of(text, lines);
  if (parts.empty()) return text;
  const Span one = parts[dice() % parts.size()], other = parts[dice() % parts.size()];
  const std::string copy = text.substr(other.begin, other.size);
  if (lines) {
    if (dice() % 2 == 0) return text.erase(one.begin, one.size + 1);
    return text.insert(one.begin, copy + "\n");
  }
  const bool number = text[one.begin] >= '0' && text[one.begin] <= '9';
  const std::string word = dice() % 2 == 0 ? copy
                           : number        ? numbers[dice() % numbers.size()]
                                           : words[dice() % words.size()];
  return text.replace(one.begin, one.size, word);
}

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

constexpr std::chrono::hours long_time{3};

// Seeds: nothing takes more than an hour.
bool takes_long(const platform::Platform& file) {
  const auto any_long = [](const plan::Plan& plan) {
    return std::ranges::any_of(plan.steps,
                               [](const plan::StepNode& step) { return step.timeout > long_time; });
  };
  return file.objectives.rto > long_time || file.objectives.rpo > long_time ||
         std::ranges::any_of(file.plans, [&](const auto& named) { return any_long(named.second); });
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

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* bytes, std::size_t size,
                                               std::size_t size_max, unsigned seed) {
  lifeboat::fuzz::Dice dice(seed);
  if (dice() % 4 == 0) return LLVMFuzzerMutate(bytes, size, size_max);
  const std::string text = lifeboat::fuzz::mutate_text({bytes, bytes + size}, dice);
  if (text.size() > size_max) return LLVMFuzzerMutate(bytes, size, size_max);
  std::copy(text.begin(), text.end(), bytes);
  return text.size();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
  using namespace lifeboat;
  const std::string_view text = as_text(fuzz::view(bytes, size));
  std::vector<Finding> findings;
  const auto file = platform::read_platform(text, "fuzz.yaml", fuzz::vocabulary(), &findings);
  if (!file) {
    fuzz::check_refusal(text, file.error(), findings);
    return fuzz::not_kept;
  }
  HOLDS(findings.empty());
  for (const auto& [name, plan] : file->plans) fuzz::check_plan(plan);
  (void)platform::source_values(*file);
  (void)platform::local_secrets(*file, fuzz::vocabulary());
  fuzz::plant(fuzz::takes_long(*file));
  return 0;
}
