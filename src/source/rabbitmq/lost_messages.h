// source/rabbitmq/lost_messages.h - What a capture tells of messages, which it does not take.
//
// Threads: functions and values.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/operation.h"
#include "client/amqp/amqp.h"

namespace lifeboat::source::rabbitmq {

struct QueueName {
  std::string vhost, name;
  auto operator<=>(const QueueName&) const = default;
  std::string text() const { return vhost + "/" + name; }
};
struct QueueDepth {
  std::uint64_t ready = 0, unacknowledged = 0;
  bool exclusive = false;   // one connection's own: nobody else may ask it
  bool replicated = false;  // a quorum queue or a stream
  bool quorum = false;
  std::uint64_t messages() const { return ready + unacknowledged; }
};
using QueueDepths = std::map<QueueName, QueueDepth>;

// Only the queues of these virtual hosts; all if there are none.
QueueDepths depths_of(const QueueDepths& all, const std::vector<std::string>& vhosts);

// Asks each queue itself how many messages are ready, through AMQP at `door` with its user, for at
// most half a minute. Where a virtual host does not let the user in, or nothing answers, the counts
// stay what they were: what each queue last told the management API. So do those of messages that
// consumers hold.
// Answers remarks: which counts are of that kind, and what to do about it.
std::vector<std::string> ask_queues(const Operation& op, const AmqpDoor& door, QueueDepths& depths);

// Adds the facts `messages` (all of them) and `lost.queue NAME` of the 20 deepest queues ("about" N
// where consumers hold some); the
// others are one fact together, for there may be a million. Answers how many messages there are.
std::uint64_t tell_lost(const QueueDepths& depths, std::map<std::string, std::string>& facts);

}  // namespace lifeboat::source::rabbitmq
