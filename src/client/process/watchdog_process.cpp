// The watchdog: one small process that holds a freeze in the engine's stead.
//
// It runs `before`, waits, and runs `after`. While it waits it looks five times a second whether
// the engine told it to go on, is gone, or has kept the freeze for longer than it may. It closes
// nothing of the engine but standard error, where it says what it did once the engine is gone.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <thread>

#include "client/process/descriptor.h"
#include "client/process/hold_order.h"

namespace lifeboat {
namespace {

using process::SealedOrder;

constexpr int look_ms = 200;
// Not by the path: the binary may have been replaced since.
constexpr const char* own_binary = "/proc/self/exe";

void answer(const std::string& line) {
  process::write_quietly(process::answer_descriptor, as_bytes(line + "\n"));
}

enum class Cause { none, told, limit, gone };

const char* word(Cause cause) {
  switch (cause) {
    case Cause::told:
      return "told";
    case Cause::limit:
      return "limit";
    default:
      return "gone";
  }
}

class Keeper {
 public:
  explicit Keeper(SealedOrder sealed)
      : sealed_(std::move(sealed)),
        launcher_(make_launcher(clock_, sealed_.owner, own_binary)),
        over_(clock_.boot() + sealed_.order.limit) {}

  int run() {
    // A look-out of its own: it must be able to end `before`.
    std::jthread lookout([this] { look(); });
    answer("started");
    hold();
    lookout.join();
    answer(std::string("thawing ") + word(cause_));
    const Thaw thaw = process::thaw_with_patience(
        clock_, *launcher_, sealed_.order,
        [](const std::string& failure) { answer("failed " + failure); });
    answer("end " + std::to_string(thaw.done ? 1 : 0) + " " + std::to_string(thaw.tries));
    if (cause_ == Cause::gone) tell_people(thaw);
    return thaw.done ? 0 : 1;
  }

 private:
  void hold() {
    const HoldOrder& order = sealed_.order;
    std::string failure;
    if (!order.before.argv.empty()) {
      const Operation op{.clock = &clock_, .stop = begun_.get_token()};
      failure = process::try_program(op.within(order.timeout), *launcher_, order.before);
      if (!failure.empty() && cause_ == Cause::limit) failure = "the limit was over";
    }
    answer(failure.empty() ? "held" : "refused " + failure);
  }

  void look() {
    while (cause_ == Cause::none) {
      pollfd polled{process::release_descriptor, POLLIN, 0};
      poll(&polled, 1, look_ms);
      if (polled.revents != 0) {
        char byte = 0;
        const bool told = ::read(process::release_descriptor, &byte, 1) == 1;
        cause_ = told ? Cause::told : Cause::gone;
      } else if (getppid() != sealed_.launcher_pid) {
        cause_ = Cause::gone;
      } else if (clock_.boot() >= over_) {
        cause_ = Cause::limit;
      }
    }
    begun_.request_stop();
  }

  // Nobody reads the answers any more.
  void tell_people(const Thaw& thaw) const {
    std::string line = "lifeboat: " + printable(sealed_.order.name) +
                       ": the backup was ended in the middle; the hook `after` ";
    line += thaw.done ? "has run" : "FAILED (" + thaw.said + "): it may still be frozen";
    process::write_quietly(STDERR_FILENO, as_bytes(line + "\n"));
  }

  const SystemClock clock_;
  const SealedOrder sealed_;
  const std::unique_ptr<Launcher> launcher_;
  const std::chrono::nanoseconds over_;
  std::atomic<Cause> cause_ = Cause::none;
  std::stop_source begun_;  // of the thaw
};

}  // namespace

int keep_watch(int, char**) {
  for (const int number :
       {process::order_descriptor, process::release_descriptor, process::answer_descriptor}) {
    if (fcntl(number, F_SETFD, FD_CLOEXEC) != 0) return 2;  // started by hand
  }
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2, SIGTSTP}) {
    signal(number, SIG_IGN);
  }
  if (chdir("/") != 0) return 2;
  auto text = process::read_all(process::order_descriptor);
  close(process::order_descriptor);
  auto sealed = text ? process::decode_order(*text) : std::nullopt;
  if (text) std::fill(text->begin(), text->end(), '\0');
  if (!sealed) return 2;
  process::set_nonblocking(process::answer_descriptor);  // nobody may read; that stops no thaw
  return Keeper(*std::move(sealed)).run();
}

}  // namespace lifeboat
