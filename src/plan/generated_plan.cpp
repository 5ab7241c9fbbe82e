#include "plan/generated_plan.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/guard.h"
#include "base/random.h"

namespace lifeboat::plan {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

constexpr std::size_t layers_between_gates = 12;
constexpr std::size_t layers_looked_back = 3;

// Of a hundred steps, how many are of a kind, and how long that kind takes.
struct Kind {
  const char* type;
  std::uint64_t share;
  milliseconds shortest, longest;
};
constexpr std::array kinds{
    Kind{"check", 45, seconds(1), seconds(15)}, Kind{"configure", 35, seconds(3), seconds(60)},
    Kind{"create", 15, seconds(30), minutes(8)}, Kind{"restore", 5, minutes(1), minutes(30)}};

using Layer = std::vector<std::size_t>;  // places

class Generator {
 public:
  explicit Generator(const PlanSize& size) : size_(size), random_(size.seed) {}

  GeneratedPlan generate() {
    made_.plan.name = fmt::format("generated-{}-{}", size_.steps, size_.seed);
    made_.plan.scenario = "made up for a simulation";
    while (made_.plan.steps.size() < size_.steps) {
      if (layers_.size() >= layers_between_gates) {
        add_gate();
      } else {
        add_layer();
      }
    }
    return std::move(made_);
  }

 private:
  void add_layer() {
    const std::size_t wanted = 1 + random_.below(2 * size_.width - 1);
    const std::size_t count = std::min(wanted, size_.steps - made_.plan.steps.size());
    Layer layer;
    for (std::size_t i = 0; i < count; ++i) layer.push_back(add_step(a_few_before()));
    layers_.push_back(std::move(layer));
  }

  // Waits for all that nothing else of its stretch waits for yet.
  void add_gate() {
    std::set<std::size_t> all;
    for (const Layer& layer : layers_) all.insert(layer.begin(), layer.end());
    layers_.clear();
    layers_.push_back({add_step(all)});
  }

  std::set<std::size_t> a_few_before() {
    std::set<std::size_t> before;
    if (layers_.empty()) return before;
    const std::uint64_t edges = 1 + random_.below(3);
    for (std::uint64_t i = 0; i < edges; ++i) {
      const std::size_t back = random_.below(std::min(layers_.size(), layers_looked_back));
      // The first edge is to the layer just before: that is what makes it one.
      const Layer& layer = layers_[layers_.size() - 1 - (i == 0 ? 0 : back)];
      before.insert(layer[random_.below(layer.size())]);
    }
    return before;
  }

  std::size_t add_step(const std::set<std::size_t>& after) {
    std::uint64_t dice = random_.below(100);
    const Kind* kind = kinds.data();
    for (; dice >= kind->share; ++kind) dice -= kind->share;
    const auto spread = static_cast<std::uint64_t>((kind->longest - kind->shortest).count());
    StepNode step;
    step.name = fmt::format("{}-{}", kind->type, made_.plan.steps.size() + 1);
    step.type = kind->type;
    for (const std::size_t place : after) step.after.push_back(made_.plan.steps[place].name);
    std::ranges::sort(step.after);
    made_.plan.steps.push_back(std::move(step));
    // The smaller of two throws: most are short for their kind.
    const std::uint64_t throws[] = {random_.below(spread + 1), random_.below(spread + 1)};
    made_.times.push_back(kind->shortest +
                          milliseconds(static_cast<std::int64_t>(std::min(throws[0], throws[1]))));
    return made_.plan.steps.size() - 1;
  }

  const PlanSize size_;
  SeededRandom random_;
  GeneratedPlan made_;
  std::vector<Layer> layers_;  // since the last gate, which is the first of them
};

}  // namespace

GeneratedPlan generate_plan(const PlanSize& size) {
  ASSERT(size.width > 0);
  return Generator(size).generate();
}

}  // namespace lifeboat::plan
