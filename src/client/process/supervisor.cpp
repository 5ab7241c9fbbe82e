// The supervisor: one small process between the engine and each program that it starts.
//
// It is the sub-reaper of everything the program forks, so nothing of the tree can leave its sight:
// what is orphaned becomes its child. It ends the tree when the death pipe reports end of file (the
// engine is dead, however it died, or asks for the end), when its parent changed (second line, in
// case the pipe was inherited by someone), or when the engine's lease is over (it is stopped, or
// cannot prove any more that it is the driver). It never trusts one look at /proc: a tree that
// forks while it is being ended is walked again until nothing is left.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <set>

#include "base/clock.h"
#include "base/temporary_folder.h"
#include "client/process/descriptor.h"
#include "client/process/launcher.h"
#include "client/process/lease.h"
#include "client/process/process_tree.h"
#include "client/process/spec.h"

namespace lifeboat {
namespace {

using process::Descriptor;
using process::Spec;

constexpr auto grace = std::chrono::seconds(2);

void report(const std::string& line) {
  process::write_all(process::report_descriptor, as_bytes(line + "\n"));
}
void report_failure(int error, const std::string& step) {
  report("failed " + std::to_string(error) + " " + step);
}

// The program's private folders; what is in them is wiped and gone afterwards.
class Belongings {
 public:
  ~Belongings() {
    for (const std::string& file : files_) wipe(file);
  }

  // Makes HOME and the secret files and names them in the environment. False: errno tells.
  bool make(Spec& spec) {
    if (spec.home.empty() && !make_folder(TemporaryFolder::Place::disk, spec.home)) return false;
    spec.env["HOME"] = spec.home;
    if (spec.directory.empty()) spec.directory = spec.home;
    if (spec.secret_files.empty()) return true;
    std::string folder;
    if (!make_folder(TemporaryFolder::Place::memory, folder)) return false;
    for (auto& [variable, content] : spec.secret_files) {
      const std::string path = folder + "/" + variable;
      files_.push_back(path);
      const Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
      if (!file.open() || !process::write_all(file.number(), as_bytes(content))) return false;
      std::fill(content.begin(), content.end(), '\0');
      spec.env[variable] = path;
    }
    return true;
  }

 private:
  // Remains of others are for the engine to look for: there is a supervisor for every program.
  bool make_folder(TemporaryFolder::Place place, std::string& path) {
    auto made = TemporaryFolder::make_only("child", place);
    if (!made) return false;
    path = made->path();
    folders_.push_back(*std::move(made));
    return true;
  }

  static void wipe(const std::string& path) {
    const Descriptor file(open(path.c_str(), O_WRONLY | O_NOFOLLOW | O_CLOEXEC));
    struct stat status{};
    if (file.open() && fstat(file.number(), &status) == 0) {
      process::write_all(file.number(), Bytes(static_cast<std::size_t>(status.st_size)));
      fsync(file.number());
    }
    unlink(path.c_str());
  }

  std::vector<TemporaryFolder> folders_;
  std::vector<std::string> files_;
};

std::vector<char*> pointers(std::vector<std::string>& texts) {
  std::vector<char*> out;
  for (std::string& text : texts) out.push_back(text.data());
  out.push_back(nullptr);
  return out;
}

[[noreturn]] void become_program(Spec& spec, int failure_pipe) {
  const auto give_up = [&](const char* step) {
    const std::string line = std::to_string(errno) + " " + step;
    process::write_all(failure_pipe, as_bytes(line));
    _exit(127);
  };
  setpgid(0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);  // second line, should the supervisor itself be killed
  for (int number = 1; number < NSIG; ++number) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (chdir(spec.directory.c_str()) != 0) give_up("enter the working folder");
  std::vector<std::string> env;
  for (const auto& [name, value] : spec.env) env.push_back(name + "=" + value);
  std::vector<char*> arguments = pointers(spec.argv), variables = pointers(env);
  close_range(3, static_cast<unsigned>(failure_pipe) - 1, 0);
  close_range(static_cast<unsigned>(failure_pipe) + 1, ~0U, 0);
  // What we create is for us alone; what a program creates is as everybody expects.
  umask(022);
  execve(spec.program.c_str(), arguments.data(), variables.data());
  give_up("start the program");
  _exit(127);
}

// Watches one program and everything that descends from it.
class Watch {
 public:
  Watch(const Spec& spec, int signals) : spec_(spec), signals_(signals) {}

  // Starts the program; 0 when that failed, which is reported then.
  bool start(Spec& spec) {
    auto pipe = process::make_pipe();
    if (!pipe) {
      report_failure(EMFILE, "make a pipe");
      return false;
    }
    program_ = fork();
    if (program_ == 0) become_program(spec, pipe->write.number());
    pipe->write.close();
    if (program_ < 0) {
      report_failure(errno, "fork");
      return false;
    }
    const auto failure = process::read_all(pipe->read.number());
    if (failure && !failure->empty()) {
      report("failed " + *failure);
      waitpid(program_, nullptr, 0);
      return false;
    }
    for (int number = 0; number < 3; ++number) {  // the program's, not ours: no end would be seen
      const Descriptor null(open("/dev/null", O_RDWR | O_CLOEXEC));
      dup2(null.number(), number);
    }
    report("started");
    return true;
  }

  void run() {
    const auto look_every = std::chrono::seconds(1);
    while (!status_ && !told_to_end_) {
      wait_for_news(look_every);
      if (lease_.over(SystemClock().boot())) told_to_end_ = true;
    }
    end_tree();
    report("status " + std::to_string(status_.value_or(128 + SIGKILL)));
    for (const process::ProcessEntry& one : leaving()) {
      report("left " + std::to_string(one.pid) + " " + process::command_line(one.pid));
    }
    report("end");
  }

 private:
  void wait_for_news(std::chrono::milliseconds time) {
    std::array<pollfd, 2> polled{
        {{signals_, POLLIN, 0}, {told_to_end_ ? -1 : process::death_descriptor, POLLIN, 0}}};
    poll(polled.data(), polled.size(), static_cast<int>(time.count()));
    signalfd_siginfo signal{};
    while (read(signals_, &signal, sizeof signal) == sizeof signal) {
      const auto number = static_cast<int>(signal.ssi_signo);
      if (number == SIGTERM || number == SIGINT || number == SIGHUP) told_to_end_ = true;
    }
    if (polled[1].revents != 0) told_to_end_ = true;
    if (getppid() != spec_.launcher_pid) told_to_end_ = true;
    int status = 0;
    pid_t pid = 0;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
      if (pid != program_) continue;
      status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
    childless_ = pid < 0 && errno == ECHILD;
  }

  // What has to end: everything, or, where daemons may stay, what is still in our session.
  std::vector<process::ProcessEntry> remaining() const {
    auto all = process::descendants(getpid());
    if (!spec_.may_leave_daemons) return all;
    const int session = getsid(0);
    std::erase_if(all, [&](const auto& one) { return one.session != session; });
    return all;
  }

  // The daemons that stay, without their own children.
  std::vector<process::ProcessEntry> leaving() const {
    const auto all = process::descendants(getpid());
    std::set<int> pids;
    for (const auto& one : all) pids.insert(one.pid);
    std::vector<process::ProcessEntry> roots;
    for (const auto& one : all) {
      if (!pids.contains(one.parent)) roots.push_back(one);
    }
    return roots;
  }

  void end_tree() {
    const SystemClock clock;
    const auto patience = clock.boot() + grace;
    auto alive = remaining();
    for (const auto& one : alive) kill(one.pid, SIGTERM);
    for (const auto& one : alive) kill(one.pid, SIGCONT);
    // A walk of /proc is no snapshot and can miss who forks and dies; that we are without children,
    // being the reaper of all, is proof.
    while (!alive.empty() || !(childless_ || spec_.may_leave_daemons)) {
      wait_for_news(std::chrono::milliseconds(10));
      alive = remaining();
      if (clock.boot() < patience) continue;
      for (const auto& one : alive) kill(one.pid, SIGKILL);
    }
    wait_for_news(std::chrono::milliseconds(0));
  }

  const Spec& spec_;
  const process::Lease lease_ = process::Lease::from(process::lease_descriptor);
  int signals_;
  pid_t program_ = 0;
  std::optional<int> status_;
  bool told_to_end_ = false, childless_ = false;
};

int watched_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : {SIGCHLD, SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGUSR1}) {
    sigaddset(&set, number);
  }
  sigprocmask(SIG_BLOCK, &set, nullptr);
  return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

// Names whom the program works for, so that living() finds it should we be killed before it.
// Daemons that may leave inherit the variable, and are told apart by having left our session.
void mark_as_child(Spec& spec) {
  const char* owner = std::getenv(process::owner_variable);
  if (owner == nullptr || *owner == '\0') return;
  spec.env[process::child_variable] =
      spec.may_leave_daemons ? process::leaving_owner(owner, getsid(0)) : std::string(owner);
}

}  // namespace

int supervise(int, char**) {
  for (const int number : {process::spec_descriptor, process::death_descriptor,
                           process::report_descriptor, process::lease_descriptor}) {
    if (fcntl(number, F_SETFD, FD_CLOEXEC) != 0) return 2;  // started by hand
  }
  const Descriptor signals(watched_signals());
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  prctl(PR_SET_PDEATHSIG, SIGUSR1);  // wakes us to look at our parent; a dead thread is no death
  auto text = process::read_all(process::spec_descriptor);
  auto spec = text ? process::decode_spec(as_bytes(*text)) : std::nullopt;
  close(process::spec_descriptor);
  if (!spec) return 2;
  if (text) std::fill(text->begin(), text->end(), '\0');
  mark_as_child(*spec);
  Belongings belongings;
  if (!belongings.make(*spec)) {
    report_failure(errno, "make its private folder");
    return 1;
  }
  Watch watch(*spec, signals.number());
  if (!watch.start(*spec)) return 1;
  watch.run();
  return 0;
}

}  // namespace lifeboat
