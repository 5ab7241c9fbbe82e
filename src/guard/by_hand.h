// guard/by_hand.h - What a person types to see the identity that each kind of guard looks at.
//
// The same that look() of the kind asks for. A line says `ok` or `DIFFERS`, and fails for the
// second; where nothing is wanted yet (`adopt`) it only says what there is. Rules for what a line
// may hold: plan/by_hand.h.
//
// Threads: any; pure.
#pragma once

#include "plan/by_hand.h"

namespace lifeboat::guards::by_hand {

void aws_account(const Value& config, plan::ByHand& hand);
void file(const Value& config, plan::ByHand& hand);
void git(const Value& config, plan::ByHand& hand);
void git_ref(const Value& config, plan::ByHand& hand);
void host(const Value& config, plan::ByHand& hand);
void postgres(const Value& config, plan::ByHand& hand);
void rabbitmq(const Value& config, plan::ByHand& hand);

}  // namespace lifeboat::guards::by_hand
