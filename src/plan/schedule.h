// plan/schedule.h - When the steps of a plan would run: longest chains, slack, makespan, what is
// left.
//
// Everything is computed from times that somebody expects (plan/expectation.h), by the rules that
// the engine itself goes by (plan/frontier.h): what is ready starts, and of more than may run at
// once the step with the longest expected chain behind it first.
//
// Times stand by place (plan.steps[i]) and count up to the 292 years of 64 bits; sums stop there.
// Threads: pure functions.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "plan/expectation.h"
#include "plan/frontier.h"

namespace lifeboat::plan {

using Times = std::vector<std::chrono::nanoseconds>;

// Which end of every range: as if all were quick, as usual, as if all were slow.
enum class Pace { quick, usual, slow };
// Steps that nothing is expected of count as zero.
Times times_of(const Plan& plan, const Expectations& expectations, Pace pace);

// Tail: the longest chain of times from the begin of a step to the end of the plan, its own
// included. Head: the earliest begin of a step, were there no limit to what runs at once.
Times tails(const Graph& graph, const Times& times);
Times heads(const Graph& graph, const Times& times);
// The chain that takes longest, in order; of equals the one that stands first in the file.
std::vector<std::size_t> longest_chain(const Graph& graph, const Times& times);

// No order of any kind ends sooner: the longest chain, or all work spread evenly over `workers`.
struct LowerBound {
  std::chrono::nanoseconds chain{}, work{};  // `work`: all times together
  std::chrono::nanoseconds with(unsigned workers) const;
};
LowerBound lower_bound(const Graph& graph, const Times& times);

struct Scheduled {
  std::chrono::nanoseconds makespan{};
  Times start, end;       // of steps that ran
  std::vector<char> ran;  // 1: it ran
  std::size_t held = 0;   // steps that nothing would start without a person
  unsigned at_once = 0;   // most that ran at one time
};

struct Load {
  Times times;                    // of running steps: what is left of them
  Times urgency;                  // tails(), or empty: in the order of the file
  unsigned workers = 16;          // that may run at once, at least 1
  std::vector<StepPhase> phases;  // at the beginning; empty: all wait
};

// Plays the run from here on: each step takes its time and is done, gates are approved at once.
// Steps that end at the same instant end in the order of the file, and each end lets new ones start
// before the next.
Scheduled simulate(const Plan& plan, const Graph& graph, const Load& load);

// A run in its midst.
struct Midst {
  std::vector<StepPhase> phases;
  Times running_for;  // of running steps
  unsigned workers = 16;
};

struct Remaining {
  DurationRange range;
  std::size_t steps = 0,
              learned = 0;           // that are still to end; those whose time was measured before
  std::size_t held = 0;              // of them wait for a person: no time is expected of these
  std::vector<std::size_t> overdue;  // running for longer than the slowest that was expected
  std::vector<std::size_t> chain;    // the longest expected one from here on
};

// As if every step were quick, usual, slow. A step that is overdue is taken to need half as long
// again as it has had, at most: nothing is known of it any more.
Remaining remaining(const Plan& plan, const Graph& graph, const Expectations& expectations,
                    const Midst& midst);

}  // namespace lifeboat::plan
