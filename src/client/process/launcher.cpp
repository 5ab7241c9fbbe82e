#include "client/process/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <set>
#include <thread>

#include "client/process/descriptor.h"
#include "client/process/lease.h"
#include "client/process/masker.h"
#include "client/process/process_tree.h"
#include "client/process/spawn_self.h"
#include "client/process/spec.h"

namespace lifeboat {
namespace {

using process::Descriptor;

constexpr char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
// How often a wait looks at the operation's deadline and stop.
constexpr int look_ms = 50;
// What ending a tree may take: 2 s of patience, then SIGKILL.
constexpr auto ending_time = std::chrono::seconds(30);

bool runnable(const std::string& path) {
  struct stat status{};
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

std::string own_path() {
  const char* path = getenv("PATH");
  return path != nullptr && *path != '\0' ? path : default_path;
}

// Where the file may be executed by its mode, it is the file system that forbids it.
std::string hint_for(const std::string& place) {
  struct stat status{};
  const bool noexec = stat(place.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
                      (status.st_mode & S_IXUSR) != 0;
  return noexec
             ? "its file system is mounted noexec, or it is not ours to execute: set TMPDIR to a "
               "folder where programs may run"
             : "check the path, and that the file may be executed";
}

Result<process::Spec> make_spec(const Command& command) {
  if (command.argv.empty()) return fail(Error::Kind::invalid, "a command without a program");
  process::Spec spec;
  spec.env = command.env;
  spec.env.try_emplace("PATH", own_path());
  spec.env.try_emplace("LANG", "C.UTF-8");
  spec.env.try_emplace("TZ", "UTC");
  for (const auto& [name, value] : command.secret_env) spec.env[name] = value.reveal();
  for (const auto& [name, value] : command.secret_files) spec.secret_files[name] = value.reveal();
  TRY(spec.program, find_program(command.argv.front(), command.directory, spec.env["PATH"]));
  spec.argv = command.argv;
  spec.directory = command.directory;
  spec.home = command.home;
  spec.may_leave_daemons = command.may_leave_daemons;
  spec.launcher_pid = getpid();
  return spec;
}

// The five pipes between us and one supervisor.
struct Connections {
  process::Pipe input, output, errors, death, report;
};

Result<Connections> make_connections() {
  Connections all;
  TRY(all.input, process::make_pipe());
  TRY(all.output, process::make_pipe());
  TRY(all.errors, process::make_pipe());
  TRY(all.death, process::make_pipe());
  TRY(all.report, process::make_pipe());
  process::set_nonblocking(all.input.write.number());
  process::set_nonblocking(all.output.read.number());
  process::set_nonblocking(all.errors.read.number());
  return all;
}

Result<pid_t> spawn_supervisor(const std::string& self, const std::string& owner,
                               const Connections& pipes, const Descriptor& spec, int lease) {
  const auto pid = process::spawn_self(
      {.self = self,
       .word = "supervise",
       .descriptors = {pipes.input.read.number(), pipes.output.write.number(),
                       pipes.errors.write.number(), spec.number(), pipes.death.read.number(),
                       pipes.report.write.number(), lease},
       .environment = {std::string(process::owner_variable) + "=" + owner}});
  if (!pid) return fail(pid.error().kind, "cannot start the supervisor " + pid.error().what);
  return *pid;
}

// One running tree: its streams, and a thread that reads stderr and the supervisor's report.
class RunningChild final : public Child {
 public:
  RunningChild(const process::Masker& masker, const Clock& clock, const Command& command)
      : masker_(masker),
        clock_(clock),
        name_(command.argv.front()),
        limit_(command.output_limit_bytes),
        on_line_(command.on_line) {}

  ~RunningChild() override { end(); }

  Result<void> begin(const Operation& op, const Command& command, const std::string& self,
                     const std::string& owner, int lease) {
    TRY(const process::Spec spec, make_spec(command));
    Bytes encoded = process::encode_spec(spec);
    TRY(const Descriptor file, process::make_memory_file(encoded));
    std::fill(encoded.begin(), encoded.end(), std::uint8_t{0});
    TRY(Connections pipes, make_connections());
    TRY_DO(op.proceed());
    TRY(pid_, spawn_supervisor(self, owner, pipes, file, lease));
    input_ = std::move(pipes.input.write);
    output_ = std::move(pipes.output.read);
    errors_ = std::move(pipes.errors.read);
    death_ = std::move(pipes.death.write);
    report_ = std::move(pipes.report.read);
    finished_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    started_ = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    pipes = {};
    listener_ = std::jthread([this] { listen(); });
    return await_start(op, command);
  }

  Result<std::size_t> read(const Operation& op, std::span<std::uint8_t> out) override {
    while (true) {
      TRY_DO(op.proceed());
      const bool over = finished();  // looked at before the read: what was written is there by then
      const ssize_t count = ::read(output_.number(), out.data(), out.size());
      if (count >= 0) return static_cast<std::size_t>(count);
      if (errno == EAGAIN && over) return 0;  // a daemon holds the pipe; the program is gone
      if (errno != EAGAIN && errno != EINTR) {
        return fail(Error::Kind::unavailable, name_ + ": cannot read its output");
      }
      wait_for(output_.number(), POLLIN);
    }
  }

  Result<void> write(const Operation& op, ByteView bytes) override {
    while (!bytes.empty()) {
      TRY_DO(op.proceed());
      const ssize_t count = process::write_quietly(input_.number(), bytes);
      if (count >= 0) {
        bytes = bytes.subspan(static_cast<std::size_t>(count));
        continue;
      }
      if (errno != EAGAIN && errno != EINTR) {
        return fail(Error::Kind::unavailable, name_ + " closed its input early");
      }
      wait_for(input_.number(), POLLOUT);
    }
    return {};
  }

  Result<void> close_input() override {
    input_.close();
    return {};
  }

  Result<Finished> wait(const Operation& op) override {
    input_.close();
    std::array<std::uint8_t, 65536> dropped{};
    while (true) {
      auto count = read(op, dropped);
      if (!count) {
        end();
        return fail(std::move(count).error());
      }
      if (*count == 0) break;
    }
    while (!finished()) {
      if (auto go = op.proceed(); !go) {
        end();
        return fail(std::move(go).error());
      }
      wait_for(-1, 0);
    }
    return result();
  }

  // Feeds all input and gathers all output at the same time, so that neither side can block.
  Result<Finished> run(const Operation& op, ByteView input) {
    auto exchanged = exchange(op, input);
    if (!exchanged) {
      end();
      return fail(std::move(exchanged).error());
    }
    return wait(op);
  }

 private:
  bool finished() const { return finished_flag_.load(std::memory_order_acquire); }

  // Returns when `number` is ready, the tree has ended, or it is time to look at the operation.
  void wait_for(int number, short events) const {
    std::array<pollfd, 2> polled{{{number, events, 0}, {finished_.number(), POLLIN, 0}}};
    // After the end only what is in the pipe counts: no waiting on a daemon's copy of it.
    if (finished()) return;
    poll(polled.data(), polled.size(), look_ms);
  }

  Result<void> exchange(const Operation& op, ByteView input) {
    process::LineSplitter lines(masker_, on_line_);
    if (input.empty()) input_.close();
    std::vector<char> buffer(65536);
    for (bool open = true; open;) {
      TRY_DO(op.proceed());
      const bool over = finished();
      std::array<pollfd, 3> polled{{{output_.number(), POLLIN, 0},
                                    {over ? -1 : finished_.number(), POLLIN, 0},
                                    {input_.open() ? input_.number() : -1, POLLOUT, 0}}};
      poll(polled.data(), polled.size(), over ? 0 : look_ms);
      if (polled[2].revents != 0) feed(input);
      const ssize_t count = ::read(output_.number(), buffer.data(), buffer.size());
      if (count == 0 || (count < 0 && errno == EAGAIN && over)) open = false;
      if (count <= 0) continue;
      const std::string_view part(buffer.data(), static_cast<std::size_t>(count));
      result_.output += part.substr(0, limit_ - std::min(limit_, result_.output.size()));
      output_cut_ = output_cut_ || result_.output.size() == limit_;
      lines.feed(part);
    }
    lines.finish();
    return {};
  }

  void feed(ByteView& input) {
    const ssize_t count = process::write_quietly(input_.number(), input);
    if (count > 0) input = input.subspan(static_cast<std::size_t>(count));
    if (count < 0 && errno != EAGAIN && errno != EINTR) input = {};  // it wants no more
    if (input.empty()) input_.close();
  }

  Result<void> await_start(const Operation& op, const Command& command) {
    while (true) {
      TRY_DO(op.proceed());
      pollfd polled{started_.number(), POLLIN, 0};
      if (poll(&polled, 1, look_ms) > 0) break;
    }
    MutexLock lock(mutex_);
    const process::Report report = process::parse_report(report_text_);
    if (report.started) return {};
    if (report.failure == 0) {
      return fail(Error::Kind::unavailable, "the supervisor of " + name_ + " did not start");
    }
    const std::string why = process::errno_text(report.failure);
    if (report.failure == ENOENT && report.failed_step == "enter the working folder") {
      return fail(Error::Kind::not_found, "no folder " + command.directory + " to run " + name_);
    }
    return fail(Error::Kind::unavailable, name_ + ": cannot " + report.failed_step + ": " + why);
  }

  // Body of the listener: until the supervisor has ended (its report pipe closes) and stderr holds
  // nothing more.
  void listen() {
    process::LineSplitter lines(masker_, on_line_);
    bool reporting = true;
    std::vector<char> buffer(65536);
    for (bool open = true; open || reporting;) {
      std::array<pollfd, 2> polled{{{open ? errors_.number() : -1, POLLIN, 0},
                                    {reporting ? report_.number() : -1, POLLIN, 0}}};
      poll(polled.data(), polled.size(), reporting ? -1 : 0);
      if (polled[1].revents != 0) reporting = take_report(buffer);
      const ssize_t count = ::read(errors_.number(), buffer.data(), buffer.size());
      if (count > 0) {
        const std::string_view part(buffer.data(), static_cast<std::size_t>(count));
        error_text_ += part.substr(0, limit_ - std::min(limit_, error_text_.size()));
        lines.feed(part);
      } else if (count == 0 || !reporting) {
        open = false;
      }
    }
    lines.finish();
    waitpid(pid_, nullptr, 0);
    signal_event(started_);
    finished_flag_.store(true, std::memory_order_release);
    signal_event(finished_);
  }

  bool take_report(std::vector<char>& buffer) {
    const ssize_t count = ::read(report_.number(), buffer.data(), buffer.size());
    if (count <= 0) return count < 0 && errno == EINTR;
    {
      MutexLock lock(mutex_);
      report_text_.append(buffer.data(), static_cast<std::size_t>(count));
    }
    signal_event(started_);
    return true;
  }

  static void signal_event(const Descriptor& event) {
    const std::uint64_t one = 1;
    if (::write(event.number(), &one, sizeof one) < 0) return;  // full: signalled already
  }

  // Only after finished().
  Result<Finished> result() {
    if (listener_.joinable()) listener_.join();
    process::Report report;
    {
      MutexLock lock(mutex_);
      report = process::parse_report(report_text_);
    }
    if (!report.ended) {
      return fail(Error::Kind::unavailable, "the supervisor of " + name_ + " was killed",
                  "look whether anything that it started is still at work");
    }
    result_.status = report.status.value_or(0);
    result_.left = std::move(report.left);
    result_.errors = masker_.masked(error_text_);
    const auto note = [&](std::string_view stream) {
      result_.errors += "\n[" + name_ + ": " + std::string(stream) + " was cut at " +
                        std::to_string(limit_) + " bytes]";
    };
    if (error_text_.size() >= limit_) note("stderr");
    if (output_cut_) note("stdout");
    return std::move(result_);
  }

  void end() {
    death_.close();
    input_.close();
    if (!listener_.joinable()) return;
    const auto patience = clock_.boot() + ending_time;
    std::array<char, 65536> dropped{};
    while (!finished() && clock_.boot() < patience) {
      if (::read(output_.number(), dropped.data(), dropped.size()) <= 0) wait_for(-1, 0);
    }
    if (!finished()) kill(pid_, SIGKILL);  // nothing ends what the kernel holds
    listener_.join();
  }

  const process::Masker& masker_;
  const Clock& clock_;
  const std::string name_;
  const std::size_t limit_;
  const std::function<void(std::string_view)> on_line_;

  pid_t pid_ = 0;
  Descriptor input_, output_, errors_, death_, report_, finished_, started_;
  Finished result_;
  bool output_cut_ = false;
  std::string error_text_;  // the listener's until finished
  std::atomic<bool> finished_flag_{false};
  Mutex mutex_;
  std::string report_text_ GUARDED_BY(mutex_);
  std::jthread listener_;
};

class SupervisedLauncher final : public Launcher {
 public:
  SupervisedLauncher(const Clock& clock, std::string owner, std::string self)
      : clock_(clock), owner_(std::move(owner)), self_(std::move(self)) {}

  Result<Finished> run(const Operation& op, const Command& command, ByteView input) override {
    learn_secrets(command);
    RunningChild child(masker_, clock_, command);
    TRY(const int lease, lease_descriptor());
    TRY_DO(child.begin(op, command, self_, owner_, lease));
    return child.run(op, input);
  }

  Result<std::unique_ptr<Child>> start(const Operation& op, const Command& command) override {
    learn_secrets(command);
    auto child = std::make_unique<RunningChild>(masker_, clock_, command);
    TRY(const int lease, lease_descriptor());
    TRY_DO(child->begin(op, command, self_, owner_, lease));
    return std::unique_ptr<Child>(std::move(child));
  }

  void may_work_until(std::chrono::nanoseconds boot) override {
    if (lease_descriptor()) lease_->set(boot);
  }

  void mask(const Secret& secret) override { masker_.add(secret); }
  std::string masked(std::string_view text) const override { return masker_.masked(text); }

  std::vector<int> living(const std::string& owner) const override {
    const auto all = process::all_processes();
    std::set<int> supervisors, orphans;
    for (const auto& [pid, entry] : all) {
      if (process::variable_of(pid, process::owner_variable) == owner) supervisors.insert(pid);
    }
    for (const auto& [pid, entry] : all) {
      const auto worker = process::variable_of(pid, process::child_variable);
      if (!worker || owner.empty()) continue;
      const bool works =
          *worker == owner || *worker == process::leaving_owner(owner, entry.session);
      if (works && !process::has_ancestor(all, pid, supervisors)) orphans.insert(pid);
    }
    orphans.insert(supervisors.begin(), supervisors.end());
    return {orphans.begin(), orphans.end()};
  }

 private:
  void learn_secrets(const Command& command) {
    for (const auto& [name, value] : command.secret_env) masker_.add(value);
    for (const auto& [name, value] : command.secret_files) masker_.add(value);
  }

  Result<int> lease_descriptor() {
    MutexLock lock(mutex_);
    if (!lease_) {
      TRY(lease_, process::Lease::make());
    }
    return lease_->descriptor();
  }

  const Clock& clock_;
  const std::string owner_, self_;
  process::Masker masker_;
  Mutex mutex_;
  std::optional<process::Lease> lease_;  // made once, then only its number changes
};

}  // namespace

Result<std::string> find_program(const std::string& name, const std::string& directory,
                                 const std::optional<std::string>& path) {
  if (name.find('/') != std::string::npos) {
    std::error_code error;  // below where it will be started, not where we stand
    const auto folder = std::filesystem::absolute(directory, error);
    const std::string place = directory.empty() ? name : (folder / name).string();
    if (runnable(place)) return place;
    return fail(Error::Kind::not_found, "no program at " + printable(place), hint_for(place));
  }
  const std::string folders = path.value_or(own_path());
  for (std::size_t at = 0; at <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', at), folders.size());
    const std::string candidate = folders.substr(at, end - at) + "/" + name;
    if (end > at && runnable(candidate)) return candidate;
    at = end + 1;
  }
  return fail(Error::Kind::invalid, "program " + printable(name) + " is not installed",
              "install it, or add its folder to PATH (sought in " + folders + ")");
}

std::unique_ptr<Launcher> make_launcher(const Clock& clock, std::string owner, std::string self) {
  return std::make_unique<SupervisedLauncher>(clock, std::move(owner), std::move(self));
}

}  // namespace lifeboat
