#include "runbook/guards.h"

namespace lifeboat::runbook {

HandGuard by_hand(const Ground& ground, const plan::GuardRule& rule, plan::HandNames& names) {
  auto node = std::make_unique<plan::StepNode>();
  node->name = "guard " + rule.name;
  node->type = rule.kind;
  plan::ByHand hand(*node, names);
  const plan::GuardKind* kind = ground.guards == nullptr ? nullptr : ground.guards->find(rule.kind);
  if (kind != nullptr && kind->by_hand) kind->by_hand(rule.config, hand);
  return {std::move(node), std::move(hand)};
}

plan::Scope known_before(const Ground& ground) {
  plan::Scope scope;
  scope.sources = ground.sources;
  scope.platform = Value(Value::Map{{"name", Value(ground.platform)}});
  return scope;
}

}  // namespace lifeboat::runbook
