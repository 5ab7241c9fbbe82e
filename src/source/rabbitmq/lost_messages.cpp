#include "source/rabbitmq/lost_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/bytes.h"

namespace lifeboat::source::rabbitmq {
namespace {

constexpr std::size_t queues_told = 20;

}  // namespace

std::uint64_t tell_lost(const Depths& depths, const std::vector<std::string>& vhosts,
                        std::map<std::string, std::string>& facts) {
  std::vector<std::pair<std::uint64_t, std::string>> deepest;
  std::uint64_t all = 0, told = 0;
  for (const auto& [queue, depth] : depths) {
    const auto holds = [&](const std::string& vhost) { return queue.starts_with(vhost + "/"); };
    if (!vhosts.empty() && !std::any_of(vhosts.begin(), vhosts.end(), holds)) continue;
    all += depth;
    deepest.emplace_back(depth, queue);
  }
  std::sort(deepest.begin(), deepest.end(), std::greater<>());
  for (std::size_t i = 0; i < std::min(deepest.size(), queues_told); ++i) {
    const auto& [depth, queue] = deepest[i];
    told += depth;
    facts["lost.queue " + printable(queue)] = fmt::format("{} messages, not captured", depth);
  }
  if (deepest.size() > queues_told) {
    facts["lost.other queues"] = fmt::format("{} messages in {} more queues, not captured",
                                             all - told, deepest.size() - queues_told);
  }
  facts["messages"] = std::to_string(all);
  return all;
}

}  // namespace lifeboat::source::rabbitmq
