#include "source/rabbitmq/working_queues.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace lifeboat::source::rabbitmq {
namespace {

constexpr std::size_t named = 5;

bool is_quorum_queue(const Value& value) {
  return value.at("arguments").text("x-queue-type") == "quorum";
}

}  // namespace

Result<void> make_queue(const Operation& op, Broker& broker, const ObjectKey& key,
                        const Value& value) {
  const QueueName queue{key.vhost, key.name};
  for (bool again = false;; again = true) {
    TRY_DO(broker.put(op, key, value));
    if (!is_quorum_queue(value)) return {};
    TRY(const bool serves, broker.serves(op, queue));
    if (serves) return {};
    if (again) {
      return fail(Error::Kind::unavailable,
                  fmt::format("{}: it is declared, and serves nobody", key.text()),
                  fmt::format("are enough nodes of the broker up? rabbitmq-queues quorum_status {} "
                              "--vhost {}",
                              printable(queue.name), printable(queue.vhost)));
    }
    TRY_DO(broker.remove(op, key, value));  // ours, and empty
  }
}

std::optional<Check> check_that_queues_run(const Topology& wanted, const LiveBroker& live) {
  std::size_t there = 0, ailing = 0;
  std::string which;
  for (const auto& [key, value] : wanted) {
    if (key.kind != Kind::queue || !live.topology.contains(key)) continue;
    ++there;
    const auto found = live.ailing.find({key.vhost, key.name});
    if (found == live.ailing.end()) continue;
    if (++ailing <= named) which += fmt::format("; {}: {}", printable(found->second), key.text());
  }
  if (there == 0) return std::nullopt;
  if (ailing > named) which += fmt::format(" and {} more", ailing - named);
  Check check;
  check.name = "queues that run";
  check.expected = fmt::format("{} run", there);
  check.actual = fmt::format("{} run{}", there - ailing, which);
  check.ok = ailing == 0;
  return check;
}

}  // namespace lifeboat::source::rabbitmq
