// plan/step_contract.h - What every step type must do, as checks that run against a real target.
//
// One suite for all step types, unchanged. The test of a type builds a StepWorld - a fresh target,
// a configuration that points at it, a digest of what the step may change - and names it:
//
//   LIFEBOAT_STEP_CONTRACT(ExecContract, [] { return std::make_unique<ExecWorld>(); });
//
// The engine may die between any two verbs and in the middle of apply(): the suite drops the Step
// there, makes it anew with the next generation, and drives it again from preflight. Every such
// life must end in the state of the life without a death.
// A check answers violations, none = it holds, so that broken doubles can be shown to fail it
// (plan/step_contract_test.cpp does).
//
// Threads: one check at a time per world.  Ownership: the world owns target, type and context.
#pragma once

#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "plan/fake_context.h"
#include "plan/step.h"

namespace lifeboat::plan {

// One target, untouched when the world is made. Each check gets worlds of its own.
class StepWorld {
 public:
  virtual ~StepWorld() = default;
  virtual const StepType& type() = 0;
  // The configuration of the step, before validation (fallbacks are set by the suite).
  virtual Value config() = 0;
  virtual FakeContext& context() = 0;
  // Digest of everything that the step may change, without what differs between two worlds (ports,
  // folders, times) and without markers: equal states give equal text.
  virtual std::string digest() = 0;
  // Damages the effect of a step that is done, as somebody else would, so that verify() must see
  // it.
  virtual void alter() = 0;
  // Puts something into the untouched target that is not ours. False: a target of this type cannot
  // hold such a thing.
  virtual bool make_foreign() = 0;
  // Values that must appear in no text that the step answers.
  virtual std::vector<std::string> secrets() { return {}; }
};

using MakeStepWorld = std::function<std::unique_ptr<StepWorld>()>;

struct StepContractCheck {
  std::string name;  // a sentence in PascalCase
  std::function<std::vector<std::string>(const MakeStepWorld&)> violations;
  friend void PrintTo(const StepContractCheck& check, std::ostream* out) { *out << check.name; }
};

// All checks, in the order in which they build upon each other.
const std::vector<StepContractCheck>& step_contract();

// What is wrong with worlds of this kind: "CheckName: violation" each.
std::vector<std::string> step_violations(const MakeStepWorld& make_world);

}  // namespace lifeboat::plan

// Makes the suite `Suite` out of every check, with worlds from `make_world()`.
#define LIFEBOAT_STEP_CONTRACT(Suite, make_world)                                               \
  class Suite : public ::testing::TestWithParam<::lifeboat::plan::StepContractCheck> {};        \
  TEST_P(Suite, Holds) {                                                                        \
    const ::lifeboat::plan::MakeStepWorld make = make_world;                                    \
    EXPECT_THAT(GetParam().violations(make), ::testing::IsEmpty());                             \
  }                                                                                             \
  INSTANTIATE_TEST_SUITE_P(Step, Suite, ::testing::ValuesIn(::lifeboat::plan::step_contract()), \
                           [](const auto& parameter) { return parameter.param.name; })
