#include "run/expectation.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/guard.h"
#include "run/engine.h"

namespace lifeboat::run {
namespace {

using std::chrono::nanoseconds;

// A journal may say anything: what took longer teaches nothing.
constexpr nanoseconds longest_sample = std::chrono::hours(24 * 30);

// Of a normal spread: the median deviation times this is the way from the median to the 90th
// percentile.
constexpr double deviations_to_p90 = 1.2816 * 1.4826;

// By how much the range of 1, 2, 3, 4 samples is at least wider than their median.
constexpr std::array least_factor{2.0, 1.6, 1.4, 1.2};

struct Samples {
  std::vector<nanoseconds> applied, verified;
};

nanoseconds scaled(nanoseconds time, double by) {
  return nanoseconds(std::llround(static_cast<double>(time.count()) * by));
}

// Between the neighbours of the place that the share falls to.
nanoseconds percentile(const std::vector<nanoseconds>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + scaled(sorted[above] - sorted[below], place - static_cast<double>(below));
}

nanoseconds median_deviation(const std::vector<nanoseconds>& samples, nanoseconds median) {
  std::vector<nanoseconds> away;
  for (const nanoseconds sample : samples) away.push_back(std::chrono::abs(sample - median));
  std::ranges::sort(away);
  return percentile(away, 0.5);
}

void collect(const plan::Plan& plan, const RunState& state,
             std::map<std::string, Samples>& samples) {
  std::map<std::string_view, std::string_view> types;
  for (const plan::StepNode& node : state.pins.plan.steps) types[node.name] = node.type;
  for (const plan::StepNode& node : plan.steps) {
    const auto found = types.find(node.name);
    if (found == types.end() || found->second != node.type) continue;
    const StepState& step = state.step(node.name);
    const bool undisturbed = step.phase == plan::StepPhase::done && step.attempts == 1;
    if (!undisturbed || step.took.count() < 0 || step.took > longest_sample) continue;
    Samples& its = samples[node.name];
    (step.applied ? its.applied : its.verified).push_back(step.took);
  }
}

// Names of the runs to read: of this plan first, the newest first.
std::vector<std::string> runs_to_read(const repo::Repository& repository, const std::string& plan,
                                      const std::string& except) {
  const auto records = repository.runs();
  std::vector<std::string> names, others;
  for (auto record = records.rbegin(); record != records.rend(); ++record) {
    if (record->run != except) (record->plan == plan ? names : others).push_back(record->run);
  }
  names.insert(names.end(), others.begin(), others.end());
  names.resize(std::min(names.size(), runs_learned_from));
  return names;
}

}  // namespace

plan::DurationRange range_of(std::vector<nanoseconds> samples) {
  ASSERT(!samples.empty());
  std::ranges::sort(samples);
  const nanoseconds median = percentile(samples, 0.5);
  const nanoseconds spread = scaled(median_deviation(samples, median), deviations_to_p90);
  nanoseconds low = std::min(percentile(samples, 0.1), median - spread);
  nanoseconds high = std::max(percentile(samples, 0.9), median + spread);
  if (samples.size() <= least_factor.size()) {
    const double factor = least_factor[samples.size() - 1];
    low = std::min(low, scaled(median, 1 / factor));
    high = std::max(high, scaled(median, factor));
  }
  return {std::max(low, nanoseconds{}), median, high};
}

plan::Expectation assumed(const plan::StepNode& step, const plan::StepTypes& types) {
  const plan::StepType* type = types.find(step.type);
  plan::DurationRange range = type != nullptr ? type->usually : plan::StepType().usually;
  if (step.timeout) {
    range.high = std::min(range.high, *step.timeout);
    range.likely = std::min(range.likely, range.high);
    range.low = std::min(range.low, range.high);
  }
  return {range, plan::Expectation::Basis::assumed, 0};
}

Learned learn(const Operation& op, repo::Repository& repository, const plan::Plan& plan,
              const plan::StepTypes& types, const std::string& except) {
  Learned learned;
  std::map<std::string, Samples> samples;
  for (const std::string& run : runs_to_read(repository, plan.name, except)) {
    if (!op.proceed()) {
      learned.in_time = false;
      break;
    }
    const auto outcome = read_run(op, repository, run);
    if (outcome) {
      ++learned.runs;
      collect(plan, outcome->state, samples);
    } else if (outcome.error().kind == Error::Kind::cancelled) {
      learned.in_time = false;
      break;
    } else if (outcome.error().kind != Error::Kind::not_found) {  // announced, and never begun
      ++learned.unreadable;
    }
  }
  for (const plan::StepNode& node : plan.steps) {
    const Samples& its = samples[node.name];
    const auto& times = its.applied.empty() ? its.verified : its.applied;
    if (times.empty()) {
      learned.steps[node.name] = assumed(node, types);
      continue;
    }
    ++learned.learned;
    learned.steps[node.name] = {range_of(times), plan::Expectation::Basis::learned, times.size()};
  }
  return learned;
}

}  // namespace lifeboat::run
