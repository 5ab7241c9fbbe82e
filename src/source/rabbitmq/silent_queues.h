// source/rabbitmq/silent_queues.h - Queues that are declared and do not work.
//
// A replicated queue (quorum, stream) can be there for every listing and serve nobody: its maker
// was cut off, or most of its members are away. That its definition came back proves nothing then.
//
// Threads: functions.
#pragma once

#include <optional>

#include "source/rabbitmq/broker.h"

namespace lifeboat::source::rabbitmq {

// Each empty replicated queue of `queues` is asked whether it serves; one with messages has counted
// them, so it does. After five silent ones, of ten seconds each, no more are asked.
// nullopt: there is none.  Errors: as Broker::call().
Result<std::optional<Check>> check_that_queues_serve(const Operation& op, Broker& broker,
                                                     const QueueDepths& queues);

}  // namespace lifeboat::source::rabbitmq
