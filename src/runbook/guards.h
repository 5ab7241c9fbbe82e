// runbook/guards.h - How a person sees that the target is the right one, before changing it.
// Threads: pure functions.
#pragma once

#include <memory>

#include "plan/by_hand.h"
#include "runbook/runbook.h"

namespace lifeboat::runbook {

// The lines of one guard. The node stands for a step of the guard's name.
struct HandGuard {
  std::unique_ptr<const plan::StepNode> node;
  plan::ByHand hand;
};
HandGuard by_hand(const Ground& ground, const plan::GuardRule& rule, plan::HandNames& names);

// What is certain before any run.
plan::Scope known_before(const Ground& ground);

}  // namespace lifeboat::runbook
