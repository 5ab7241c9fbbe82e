#include "source/rabbitmq/lost_messages.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/bytes.h"

namespace lifeboat::source::rabbitmq {
namespace {

constexpr std::size_t queues_told = 20;
constexpr std::size_t vhosts_told = 5;
constexpr auto ask_at_most = std::chrono::seconds(30);

std::string messages_text(std::uint64_t count, bool about) {
  return fmt::format("{}{} message{}", about ? "about " : "", count, count == 1 ? "" : "s");
}

// Queues that can be asked, by virtual host.
std::map<std::string, std::vector<std::string>> by_vhost(const QueueDepths& depths) {
  std::map<std::string, std::vector<std::string>> sorted;
  for (const auto& [queue, depth] : depths) {
    if (!depth.exclusive) sorted[queue.vhost].push_back(queue.name);
  }
  return sorted;
}

std::string names_of(const std::vector<std::string>& vhosts) {
  std::string text;
  for (std::size_t i = 0; i < std::min(vhosts.size(), vhosts_told); ++i) {
    text += (i == 0 ? "virtual host " : ", ") + printable(vhosts[i]);
  }
  if (vhosts.size() > vhosts_told) {
    text += fmt::format(" and {} more", vhosts.size() - vhosts_told);
  }
  return text;
}

// Takes the answers of one virtual host over; answers how many of its queues gave none that can be
// believed. (A replicated queue whose leader is away says 0.)
std::size_t take_over(const std::string& vhost, const std::vector<std::string>& queues,
                      const std::map<std::string, std::uint64_t>& ready, QueueDepths& depths) {
  std::size_t unasked = 0;
  for (const std::string& queue : queues) {
    QueueDepth& depth = depths[{vhost, queue}];
    const auto answer = ready.find(queue);
    const bool believed =
        answer != ready.end() && (answer->second > 0 || depth.ready == 0 || !depth.replicated);
    if (believed) depth.ready = answer->second;
    unasked += believed ? 0 : 1;
  }
  return unasked;
}

}  // namespace

QueueDepths depths_of(const QueueDepths& all, const std::vector<std::string>& vhosts) {
  if (vhosts.empty()) return all;
  QueueDepths some;
  std::copy_if(all.begin(), all.end(), std::inserter(some, some.end()), [&](const auto& each) {
    return std::find(vhosts.begin(), vhosts.end(), each.first.vhost) != vhosts.end();
  });
  return some;
}

std::vector<std::string> ask_queues(const Operation& op, const AmqpDoor& door,
                                    QueueDepths& depths) {
  const Operation budget = op.within(ask_at_most);
  std::map<std::string, std::vector<std::string>> unasked;  // why -> virtual hosts
  std::size_t silent = 0;
  for (const auto& [vhost, queues] : by_vhost(depths)) {
    AmqpDoor there = door;
    there.vhost = vhost;
    const auto counted = count_ready_messages(budget, there, queues);
    if (!counted) {
      unasked[budget.proceed() ? counted.error().what : "no time was left"].push_back(vhost);
    } else if (counted->answer != AmqpAnswer::accepted) {
      unasked[fmt::format("user {0} is not let in; `rabbitmqctl set_permissions -p VHOST {0} '^$' "
                          "'^$' '^$'` is enough to count, where there is room for one connection",
                          printable(door.user))]
          .push_back(vhost);
    } else {
      silent += take_over(vhost, queues, counted->ready, depths);
    }
  }
  std::vector<std::string> remarks;
  const auto remark = [&](const std::string& where, const std::string& why) {
    remarks.push_back(
        fmt::format("messages of {}: counted as the queues last told ({})", where, why));
  };
  for (const auto& [why, vhosts] : unasked) remark(names_of(vhosts), why);
  if (silent > 0) remark(fmt::format("{} queues", silent), "they gave no answer");
  return remarks;
}

std::uint64_t tell_lost(const QueueDepths& depths, std::map<std::string, std::string>& facts) {
  std::vector<std::pair<std::uint64_t, QueueName>> deepest;
  std::uint64_t all = 0, told = 0;
  for (const auto& [queue, depth] : depths) {
    if (depth.messages() == 0) continue;
    all += depth.messages();
    deepest.emplace_back(depth.messages(), queue);
  }
  std::sort(deepest.begin(), deepest.end(), std::greater<>());
  for (std::size_t i = 0; i < std::min(deepest.size(), queues_told); ++i) {
    const auto& [depth, queue] = deepest[i];
    told += depth;
    // What consumers hold is known as of seconds ago, the rest as of now.
    const bool about = depths.at(queue).unacknowledged > 0;
    facts["lost.queue " + printable(queue.text())] = messages_text(depth, about) + ", not captured";
  }
  if (deepest.size() > queues_told) {
    facts["lost.other queues"] =
        fmt::format("{} in {} more queues, not captured", messages_text(all - told, false),
                    deepest.size() - queues_told);
  }
  facts["messages"] = std::to_string(all);
  return all;
}

}  // namespace lifeboat::source::rabbitmq
