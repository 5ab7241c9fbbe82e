#include "plan/schedule.h"

#include <algorithm>
#include <queue>

#include "base/guard.h"

namespace lifeboat::plan {
namespace {

using std::chrono::nanoseconds;

nanoseconds sum(nanoseconds a, nanoseconds b) {
  std::int64_t total = 0;
  return __builtin_add_overflow(a.count(), b.count(), &total) ? nanoseconds::max()
                                                              : nanoseconds(total);
}

nanoseconds end_of(const DurationRange& range, Pace pace) {
  switch (pace) {
    case Pace::quick:
      return range.low;
    case Pace::usual:
      return range.likely;
    case Pace::slow:
      break;
  }
  return range.high;
}

// A step at work: when it ends, and which it is.
using Ending = std::pair<nanoseconds, std::size_t>;

// How long people take to approve is for nobody to say: no time.
RunView all_approved(const Plan& plan) {
  RunView view;
  for (const StepNode& step : plan.steps) {
    if (step.approve) view.approved.insert(step.name);
  }
  return view;
}

class Play {
 public:
  Play(const Plan& plan, const Graph& graph, const Load& load)
      : load_(load), frontier_(plan, graph, load.urgency) {
    ASSERT(load.times.size() == graph.size() && load.workers > 0);
    ASSERT(load.phases.empty() || load.phases.size() == graph.size());
    done_.start.resize(graph.size());
    done_.end.resize(graph.size());
    done_.ran.resize(graph.size());
    frontier_.hold(all_approved(plan));
    for (std::size_t i = 0; i < load.phases.size(); ++i) {
      frontier_.set(i, load.phases[i]);
      if (load.phases[i] == StepPhase::running) begin(i);
    }
  }

  Scheduled to_the_end() {
    for (start_ready(); !running_.empty(); start_ready()) {
      const auto [time, step] = running_.top();
      running_.pop();
      now_ = time;
      frontier_.set(step, StepPhase::done);
    }
    done_.makespan = now_;
    for (std::size_t i = 0; i < load_.times.size(); ++i) {
      done_.held += frontier_.phase(i) == StepPhase::waiting;
    }
    return std::move(done_);
  }

 private:
  void start_ready() {
    while (const auto lost = frontier_.to_skip()) frontier_.set(lost->step, StepPhase::skipped);
    while (running_.size() < load_.workers) {
      const auto next = frontier_.to_start();
      if (!next) return;
      frontier_.set(*next, StepPhase::running);
      begin(*next);
    }
  }

  void begin(std::size_t step) {
    done_.ran[step] = 1;
    done_.start[step] = now_;
    done_.end[step] = sum(now_, load_.times[step]);
    running_.emplace(done_.end[step], step);
    done_.at_once = std::max(done_.at_once, static_cast<unsigned>(running_.size()));
  }

  const Load& load_;
  Frontier frontier_;
  std::priority_queue<Ending, std::vector<Ending>, std::greater<>> running_;
  nanoseconds now_{};
  Scheduled done_;
};

bool is_over(StepPhase phase) { return phase != StepPhase::waiting && phase != StepPhase::running; }

// What is left of a step that was expected to take `whole`.
nanoseconds left_of(nanoseconds whole, nanoseconds had, Pace pace) {
  if (whole > had) return whole - had;
  return pace == Pace::slow ? had / 2 : nanoseconds{};
}

Times times_left(const Plan& plan, const Expectations& expectations, const Midst& midst,
                 Pace pace) {
  Times times = times_of(plan, expectations, pace);
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (is_over(midst.phases[i])) times[i] = {};
    if (midst.phases[i] != StepPhase::running) continue;
    times[i] = left_of(times[i], midst.running_for[i], pace);
  }
  return times;
}

void count_steps(Remaining& left, const Plan& plan, const Expectations& expectations,
                 const Midst& midst) {
  for (std::size_t i = 0; i < plan.steps.size(); ++i) {
    if (is_over(midst.phases[i])) continue;
    ++left.steps;
    const auto found = expectations.find(plan.steps[i].name);
    if (found == expectations.end()) continue;
    left.learned += found->second.basis != Expectation::Basis::assumed;
    const bool slow =
        midst.phases[i] == StepPhase::running && midst.running_for[i] > found->second.range.high;
    if (slow) left.overdue.push_back(i);
  }
}

}  // namespace

Times times_of(const Plan& plan, const Expectations& expectations, Pace pace) {
  Times times;
  times.reserve(plan.steps.size());
  for (const StepNode& step : plan.steps) {
    const auto found = expectations.find(step.name);
    times.push_back(found == expectations.end() ? nanoseconds{}
                                                : end_of(found->second.range, pace));
  }
  return times;
}

Times tails(const Graph& graph, const Times& times) {
  Times tails(graph.size());
  for (auto step = graph.order().rbegin(); step != graph.order().rend(); ++step) {
    nanoseconds longest{};
    for (const Edge& edge : graph.after(*step)) longest = std::max(longest, tails[edge.step]);
    tails[*step] = sum(times[*step], longest);
  }
  return tails;
}

Times heads(const Graph& graph, const Times& times) {
  Times heads(graph.size());
  for (const std::size_t step : graph.order()) {
    for (const Edge& edge : graph.before(step)) {
      heads[step] = std::max(heads[step], sum(heads[edge.step], times[edge.step]));
    }
  }
  return heads;
}

std::vector<std::size_t> longest_chain(const Graph& graph, const Times& times) {
  std::vector<std::size_t> chain;
  if (graph.order().empty()) return chain;
  const Times tail = tails(graph, times);
  std::size_t step = 0;
  for (std::size_t i = 1; i < graph.size(); ++i) {
    if (tail[i] > tail[step]) step = i;
  }
  for (;;) {
    chain.push_back(step);
    const auto& after = graph.after(step);
    const auto next =
        std::ranges::max_element(after, {}, [&](const Edge& edge) { return tail[edge.step]; });
    // No chain is longer than the plan: not even on a cycle, which compile() refuses.
    if (next == after.end() || chain.size() == graph.size()) return chain;
    step = next->step;
  }
}

nanoseconds LowerBound::with(unsigned workers) const {
  const auto count = static_cast<std::int64_t>(workers);
  return std::max(chain, nanoseconds(work.count() / count + (work.count() % count != 0)));
}

LowerBound lower_bound(const Graph& graph, const Times& times) {
  LowerBound bound;
  for (const nanoseconds tail : tails(graph, times)) bound.chain = std::max(bound.chain, tail);
  for (const nanoseconds time : times) bound.work = sum(bound.work, time);
  return bound;
}

Scheduled simulate(const Plan& plan, const Graph& graph, const Load& load) {
  return Play(plan, graph, load).to_the_end();
}

Remaining remaining(const Plan& plan, const Graph& graph, const Expectations& expectations,
                    const Midst& midst) {
  Remaining left;
  count_steps(left, plan, expectations, midst);
  // The engine goes by what is usual, whatever comes of it.
  const Times urgency = tails(graph, times_of(plan, expectations, Pace::usual));
  const auto play = [&](Pace pace) {
    const Times times = times_left(plan, expectations, midst, pace);
    return simulate(plan, graph, {times, urgency, midst.workers, midst.phases});
  };
  const Scheduled likely = play(Pace::usual);
  left.held = likely.held;
  // Shorter times may, rarely, make a schedule longer: the range holds all three.
  const nanoseconds quick = play(Pace::quick).makespan, slow = play(Pace::slow).makespan;
  left.range = {std::min(quick, likely.makespan), likely.makespan, std::max(slow, likely.makespan)};
  const Times usual = times_left(plan, expectations, midst, Pace::usual);
  for (const std::size_t step : longest_chain(graph, usual)) {
    if (!is_over(midst.phases[step])) left.chain.push_back(step);
  }
  return left;
}

}  // namespace lifeboat::plan
