// source/rabbitmq/working_queues.h - Queues that work, and are not only written down.
//
// A queue can be in every listing and serve nobody. A quorum queue whose maker was cut off between
// the record and the election of a leader takes no message and answers no consumer, and to declare
// it again changes nothing; the broker may even call it "running".
//
// Threads: functions.  Source: RabbitMQ 3.10, seen (docs/decisions/0015).
#pragma once

#include "source/rabbitmq/broker.h"

namespace lifeboat::source::rabbitmq {

// Makes a queue that is not there; a quorum queue serves then. With full rights in its virtual
// host. Errors: as Broker::put(); unavailable (made twice, it serves nobody).
Result<void> make_queue(const Operation& op, Broker& broker, const ObjectKey& key,
                        const Value& value);

// Whether the queues of `wanted` that are there run, as the broker tells it: nothing is asked of
// them, for they may be at work for others.  nullopt: `wanted` has no queue.
std::optional<Check> check_that_queues_run(const Topology& wanted, const LiveBroker& live);

}  // namespace lifeboat::source::rabbitmq
