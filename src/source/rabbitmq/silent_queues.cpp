#include "source/rabbitmq/silent_queues.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.h"

namespace lifeboat::source::rabbitmq {
namespace {

constexpr std::size_t most_silent = 5;

}  // namespace

Result<std::optional<Check>> check_that_queues_serve(const Operation& op, Broker& broker,
                                                     const QueueDepths& queues) {
  std::size_t replicated = 0, serving = 0, without_right = 0;
  std::vector<std::string> silent;
  for (const auto& [queue, depth] : queues) {
    if (!depth.replicated) continue;
    ++replicated;
    if (silent.size() == most_silent) continue;
    std::optional<bool> serves = true;
    if (depth.messages() == 0) {
      TRY(serves, broker.serves(op, queue));
    }
    if (!serves) {
      ++without_right;
    } else if (*serves) {
      ++serving;
    } else {
      silent.push_back("queue " + printable(queue.text()));
    }
  }
  if (replicated == 0) return std::optional<Check>();
  Check check;
  check.name = "quorum queues and streams at work";
  if (without_right > 0) {
    check.name += fmt::format(" ({} not asked: {} has no rights there)", without_right,
                              printable(broker.login().user));
  }
  check.expected = fmt::format("{} serve", replicated - without_right);
  check.actual = fmt::format("{} serve", serving);
  if (!silent.empty()) {
    check.actual += fmt::format("; silent: {} (delete such a queue, then restore again)",
                                fmt::join(silent, ", "));
  }
  check.ok = silent.empty();
  return std::optional(std::move(check));
}

}  // namespace lifeboat::source::rabbitmq
