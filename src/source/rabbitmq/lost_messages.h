// source/rabbitmq/lost_messages.h - What a capture tells of messages, which it does not take.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace lifeboat::source::rabbitmq {

// Queue ("shop/orders") -> messages in it.
using Depths = std::map<std::string, std::uint64_t>;

// Adds the facts `messages` (all of them) and `lost.queue NAME` of the 20 deepest queues; the
// others are one fact together, for there may be a million. `vhosts` empty: of all virtual hosts.
// Answers how many messages there are.
std::uint64_t tell_lost(const Depths& depths, const std::vector<std::string>& vhosts,
                        std::map<std::string, std::string>& facts);

}  // namespace lifeboat::source::rabbitmq
