#include "client/process/watchdog.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <thread>

#include "base/mutex.h"
#include "client/process/descriptor.h"
#include "client/process/hold_order.h"
#include "client/process/spawn_self.h"

namespace lifeboat {
namespace {

using process::Descriptor;

// What a program may take to be ended once its watchdog was killed.
constexpr auto ending_time = std::chrono::seconds(30);
// What a watchdog may need beyond the times of its order.
constexpr auto slack = std::chrono::seconds(10);

std::string new_owner() {
  static std::atomic<unsigned> count = 0;
  return fmt::format("hold-{}-{}", getpid(), ++count);
}

Result<pid_t> spawn_watchdog(const std::string& self, const Descriptor& order,
                             const Descriptor& release, const Descriptor& answers) {
  const Descriptor null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!null.open()) {
    return fail(Error::Kind::unavailable,
                "cannot start the watchdog: /dev/null: " + process::errno_text(errno));
  }
  const char* path = std::getenv("PATH");
  const auto pid = process::spawn_self(
      {.self = self,
       .word = "watchdog",
       .descriptors = {null.number(), null.number(), process::inherited, order.number(),
                       release.number(), answers.number()},
       .environment = {std::string("PATH=") + (path == nullptr ? "/usr/bin:/bin" : path)}});
  if (!pid) return fail(pid.error().kind, "cannot start the watchdog " + pid.error().what);
  return *pid;
}

class ProcessWatchdog final : public Watchdog {
 public:
  ProcessWatchdog(const Clock& clock, Launcher& launcher, HoldOrder order)
      : clock_(clock), launcher_(launcher), order_(std::move(order)) {}
  ~ProcessWatchdog() override { thaw(); }

  Result<void> begin(const std::string& self) {
    std::string text = process::encode_order({order_, owner_, getpid()});
    auto file = process::make_memory_file(as_bytes(text));
    std::fill(text.begin(), text.end(), '\0');
    TRY(const Descriptor order, std::move(file));
    TRY(process::Pipe release, process::make_pipe());
    TRY(process::Pipe answers, process::make_pipe());
    TRY(pid_, spawn_watchdog(self, order, release.read, answers.write));
    release_ = std::move(release.write);
    answers_ = std::move(answers.read);
    process::set_nonblocking(answers_.number());
    answers.write.close();
    MutexLock lock(thaw_mutex_);
    listener_ = std::jthread([this] { listen(); });
    return {};
  }

  // Until `before` has ended with 0.
  Result<void> await_hold(const Operation& op) {
    while (true) {
      TRY_DO(op.proceed());
      MutexLock lock(mutex_);
      if (!refused_.empty()) {
        return fail(Error::Kind::unavailable,
                    fmt::format("hook `before` of {} failed: {}", order_.name, refused_));
      }
      if (ended_ || thawing_) {
        return fail(Error::Kind::unavailable,
                    fmt::format("the freeze of {} was over before it was used", order_.name),
                    "raise the hook's `limit`");
      }
      if (held_) return {};
      changed_.wait_for(mutex_, std::chrono::milliseconds(50));
    }
  }

  bool holding() override {
    MutexLock lock(mutex_);
    // Not what the listener has got to: it may have been stopped with us while the watchdog spoke.
    if (!thawing_) drain();
    return !thawing_ && !ended_;
  }

  Thaw thaw() override {
    MutexLock one_at_a_time(thaw_mutex_);
    if (listener_.joinable()) {
      {
        MutexLock lock(mutex_);
        asked_ = true;
      }
      process::write_quietly(release_.number(), as_bytes("r"));
      end_one_that_hangs();
      listener_.join();
      release_.close();
    }
    MutexLock lock(mutex_);
    return thaw_;
  }

 private:
  // A watchdog that is stopped would never thaw: once it has had all the time that it may need, it
  // is killed, and the listener thaws in its place.
  void end_one_that_hangs() {
    const auto end = clock_.boot() + order_.retry_for + order_.timeout * 2 + slack;
    MutexLock lock(mutex_);
    while (!silent_ && clock_.boot() < end) changed_.wait_for(mutex_, std::chrono::seconds(1));
    if (!silent_) kill(pid_, SIGKILL);  // not waited for yet: the number is still its own
  }

  // Until the watchdog has ended. Killed before its time it owes us the thaw: then that is ours.
  void listen() {
    for (bool open = true; open;) {
      pollfd polled{answers_.number(), POLLIN, 0};
      poll(&polled, 1, -1);
      MutexLock lock(mutex_);
      open = drain();
      silent_ = !open;
      changed_.notify_all();
    }
    waitpid(pid_, nullptr, 0);
    bool owed = false;
    {
      MutexLock lock(mutex_);
      owed = !ended_;
      if (owed && !asked_) thaw_.early = true;
      if (owed) thawing_ = true;
      changed_.notify_all();
    }
    if (owed) thaw_in_its_place();
  }

  // Takes what the watchdog has said until now; false: it says no more. Never waits.
  bool drain() REQUIRES(mutex_) {
    std::array<char, 4096> buffer{};
    while (true) {
      const ssize_t count = ::read(answers_.number(), buffer.data(), buffer.size());
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return count < 0 && errno == EAGAIN;
      unread_.append(buffer.data(), static_cast<std::size_t>(count));
      for (std::size_t end = 0; (end = unread_.find('\n')) != std::string::npos;) {
        take(unread_.substr(0, end));
        unread_.erase(0, end + 1);
      }
    }
  }

  void take(const std::string& line) REQUIRES(mutex_) {
    const std::size_t space = std::min(line.find(' '), line.size());
    const std::string word = line.substr(0, space);
    const std::string rest = line.substr(std::min(space + 1, line.size()));
    if (word == "held") held_ = true;
    if (word == "refused") refused_ = rest;
    if (word == "thawing") {
      thawing_ = true;
      thaw_.early = rest == "limit";
    }
    if (word == "failed") thaw_.said = rest;
    if (word == "end") {
      ended_ = true;
      thaw_.done = rest.starts_with('1');
      const std::string tries = rest.substr(std::min<std::size_t>(2, rest.size()));
      thaw_.tries = static_cast<unsigned>(std::atoi(tries.c_str()));
    }
    changed_.notify_all();
  }

  void thaw_in_its_place() {
    // What it had started ends by itself; `after` must not run beside it.
    const Operation patient = Operation{&clock_}.within(ending_time);
    while (!launcher_.living(owner_).empty()) {
      if (!patient.pause(std::chrono::milliseconds(50))) break;
    }
    const Thaw mine =
        process::thaw_with_patience(clock_, launcher_, order_, [](const std::string&) {});
    MutexLock lock(mutex_);
    thaw_.done = mine.done;
    thaw_.tries += mine.tries;
    thaw_.said = mine.said;
    ended_ = true;
    changed_.notify_all();
  }

  const Clock& clock_;
  Launcher& launcher_;
  const HoldOrder order_;
  const std::string owner_ = new_owner();
  pid_t pid_ = 0;
  Descriptor release_, answers_;
  Mutex thaw_mutex_;
  Mutex mutex_;
  Condition changed_;
  bool asked_ GUARDED_BY(mutex_) = false;
  bool held_ GUARDED_BY(mutex_) = false;
  bool thawing_ GUARDED_BY(mutex_) = false;
  bool ended_ GUARDED_BY(mutex_) = false;
  bool silent_ GUARDED_BY(mutex_) = false;  // the watchdog's pipe is closed: it has ended
  std::string refused_ GUARDED_BY(mutex_), unread_ GUARDED_BY(mutex_);
  Thaw thaw_ GUARDED_BY(mutex_);
  std::jthread listener_ GUARDED_BY(thaw_mutex_);  // set before anybody else knows of us
};

Result<void> program_is_there(const Command& command) {
  if (command.argv.empty()) return {};
  const auto path = command.env.find("PATH");
  TRY_DO(find_program(command.argv.front(), command.directory,
                      path == command.env.end() ? std::nullopt : std::optional(path->second)));
  return {};
}

}  // namespace

Result<void> can_hold(const HoldOrder& order) {
  for (const Command* command : {&order.after, &order.before}) {
    const auto there = program_is_there(*command);
    if (!there) return wrap(there.error(), "hooks of " + order.name);
  }
  return {};
}

Result<std::unique_ptr<Watchdog>> freeze(const Operation& op, Launcher& launcher,
                                         const std::string& self, const HoldOrder& order) {
  TRY_DO(can_hold(order));  // nothing is frozen that could not be thawed
  for (const Command* command : {&order.after, &order.before}) {
    for (const auto& [name, value] : command->secret_env) launcher.mask(value);
  }
  TRY_DO(op.proceed());
  auto made = std::make_unique<ProcessWatchdog>(*op.clock, launcher, order);
  TRY_DO(made->begin(self));
  auto held = made->await_hold(op);
  if (held) return std::unique_ptr<Watchdog>(std::move(made));
  const Thaw thaw = made->thaw();
  Error error = std::move(held).error();
  if (!thaw.done) {
    error.what +=
        fmt::format("; and hook `after` failed as well (tries: {}): {}", thaw.tries, thaw.said);
    error.hint = "it may still be frozen: thaw it by hand";
    if (order.not_thawed) order.not_thawed(thaw);
  }
  return fail(std::move(error));
}

}  // namespace lifeboat
