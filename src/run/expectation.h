// run/expectation.h - How long the steps of a plan take, learned from the runs of the repository.
//
// A run pins none of it: what is learned decides which ready step goes first and what a person is
// told, and nothing else. A step is measured by steps of the same name and type in earlier runs,
// those of the same plan first. Only undisturbed ones count: begun once, done, and applied - or,
// when no run ever had to apply it (a check), only verified.
//
// Of the samples of a step the range is: likely, their median; low and high, their 10th and 90th
// percentile, and at least as far from the median as their median deviation says of a normal
// spread. Fewer than five samples say less than their spread: the range is at least a half to the
// double of the median for one sample, and narrows to nothing more than the spread with five.
//
// Threads: functions.
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "base/operation.h"
#include "plan/expectation.h"
#include "plan/plan.h"
#include "repo/repository.h"
#include "run/state.h"

namespace lifeboat::run {

inline constexpr std::size_t runs_learned_from = 20;

struct Learned {
  plan::Expectations steps;    // of every step of the plan; assumed where no run told
  std::size_t learned = 0;     // steps that were measured before
  std::size_t runs = 0;        // that were read
  std::size_t unreadable = 0;  // and could not be: skipped
  bool in_time = true;         // false: `op` ended before all were read
};

// Reads the newest runs, `runs_learned_from` at most, without `except`. What cannot be read or is
// not read in time leaves the expectations poorer, never wrong: there is no error.
Learned learn(const Operation& op, repo::Repository& repository, const plan::Plan& plan,
              const plan::StepTypes& types, const std::string& except);

// What a step of this type is taken to need while nothing is known: never longer than its timeout.
plan::Expectation assumed(const plan::StepNode& step, const plan::StepTypes& types);

// The samples of one step as a range. At least one sample, none below zero.
plan::DurationRange range_of(std::vector<std::chrono::nanoseconds> samples);

}  // namespace lifeboat::run
