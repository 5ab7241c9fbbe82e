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

std::string messages_text(std::uint64_t count) {
  return fmt::format("{} message{}", count, count == 1 ? "" : "s");
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
    text += (i == 0 ? "" : ", ") + printable(vhosts[i]);
  }
  if (vhosts.size() > vhosts_told) {
    text += fmt::format(" and {} more", vhosts.size() - vhosts_told);
  }
  return text;
}

std::string as_last_told(const std::string& where, const std::string& why) {
  return fmt::format("messages in {}: counted as the queues last told ({})", where, why);
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
  std::vector<std::string> remarks, closed;
  std::uint64_t unasked = 0;
  for (const auto& [vhost, queues] : by_vhost(depths)) {
    AmqpDoor there = door;
    there.vhost = vhost;
    const auto counted = count_ready_messages(budget, there, queues);
    if (!counted) {  // the same for every virtual host: nothing answers
      remarks.push_back(as_last_told("all virtual hosts", counted.error().what));
      return remarks;
    }
    if (counted->answer != AmqpAnswer::accepted) {
      closed.push_back(vhost);
      continue;
    }
    for (const auto& [queue, ready] : counted->ready) depths[{vhost, queue}].ready = ready;
    unasked += queues.size() - counted->ready.size();
  }
  if (!closed.empty()) {
    remarks.push_back(as_last_told(
        names_of(closed),
        fmt::format("user {0} is not let in; `rabbitmqctl set_permissions -p VHOST {0} '^$' '^$' "
                    "'^$'` is enough to count",
                    printable(door.user))));
  }
  if (unasked > 0) {
    remarks.push_back(as_last_told(fmt::format("{} queues", unasked), "they gave no answer"));
  }
  return remarks;
}

std::uint64_t tell_lost(const QueueDepths& depths, std::map<std::string, std::string>& facts) {
  std::vector<std::pair<std::uint64_t, std::string>> deepest;
  std::uint64_t all = 0, told = 0;
  for (const auto& [queue, depth] : depths) {
    if (depth.messages() == 0) continue;
    all += depth.messages();
    deepest.emplace_back(depth.messages(), queue.text());
  }
  std::sort(deepest.begin(), deepest.end(), std::greater<>());
  for (std::size_t i = 0; i < std::min(deepest.size(), queues_told); ++i) {
    const auto& [depth, queue] = deepest[i];
    told += depth;
    facts["lost.queue " + printable(queue)] = messages_text(depth) + ", not captured";
  }
  if (deepest.size() > queues_told) {
    facts["lost.other queues"] =
        fmt::format("{} in {} more queues, not captured", messages_text(all - told),
                    deepest.size() - queues_told);
  }
  facts["messages"] = std::to_string(all);
  return all;
}

}  // namespace lifeboat::source::rabbitmq
