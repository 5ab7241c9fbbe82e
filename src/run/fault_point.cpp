#include "run/fault_point.h"

#include <fmt/format.h>
#include <signal.h>

#include <charconv>
#include <cstdlib>
#include <fstream>
#include <thread>

namespace lifeboat::run {
namespace {

constexpr auto child_lives = std::chrono::milliseconds(30);

std::uint64_t number_after(std::string_view text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return 0;
  text.remove_prefix(prefix.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size() ? number : 0;
}

std::string text_after(std::string_view text, std::string_view prefix) {
  return text.starts_with(prefix) ? std::string(text.substr(prefix.size())) : std::string();
}

}  // namespace

FaultPoints::Settings FaultPoints::from_environment() {
  Settings settings;
  if (const char* file = std::getenv("LIFEBOAT_TRACE")) settings.trace = file;
  if (const char* fault = std::getenv("LIFEBOAT_FAULT")) {
    settings.kill_after_journal = number_after(fault, "kill-after-journal:");
    settings.kill_during_child = number_after(fault, "kill-during-child:");
    settings.stop_before_verify = text_after(fault, "stop-before-verify:");
  }
  return settings;
}

FaultPoints::FaultPoints(Settings settings) : settings_(std::move(settings)) {}

void FaultPoints::kill() {
  if (settings_.kill) return settings_.kill();
  ::kill(::getpid(), SIGKILL);
}

void FaultPoints::trace(const std::string& line) {
  if (settings_.trace.empty()) return;
  MutexLock lock(mutex_);
  std::ofstream(settings_.trace, std::ios::app) << line << std::endl;
}

void FaultPoints::journal_written(const std::string& object,
                                  const std::vector<journal::Event>& events) {
  const std::uint64_t number = ++journal_writes_;
  std::string line = fmt::format("journal {} {}", number, object);
  for (const journal::Event& event : events) {
    line += ' ' + event.kind;
    if (event.facts.has("step")) line += ':' + printable(event.facts.text("step"));
  }
  trace(line);
  if (number == settings_.kill_after_journal) kill();
}

bool FaultPoints::child_starts(const std::string& step, std::string_view verb,
                               const Command& command) {
  const std::uint64_t number = ++children_;
  const std::string program = command.argv.empty() ? "" : command.argv.front();
  trace(fmt::format("child {} {} {} {}", number, printable(step), verb,
                    printable(program.substr(program.rfind('/') + 1))));
  return number == settings_.kill_during_child;
}

void FaultPoints::verb_starts(const std::string& step, std::string_view verb) {
  if (verb != "verify" || step.empty() || step != settings_.stop_before_verify) return;
  if (stopped_.exchange(true)) return;
  trace(fmt::format("stop {} verify", printable(step)));
  if (settings_.stop) return settings_.stop();
  // To this very thread: it is stopped before raise() answers, the others at the same time.
  ::raise(SIGSTOP);
}

CountingLauncher::CountingLauncher(Launcher& launcher, FaultPoints& faults, std::string step,
                                   const Clock& clock)
    : launcher_(launcher), faults_(faults), step_(std::move(step)), clock_(clock) {}

Result<Finished> CountingLauncher::run(const Operation& op, const Command& command,
                                       ByteView input) {
  if (!faults_.child_starts(step_, verb_, command)) return launcher_.run(op, command, input);
  std::jthread killer([this](const std::stop_token& stop) {
    const auto stopped = [](const void* token) {
      return static_cast<const std::stop_token*>(token)->stop_requested();
    };
    clock_.pause(child_lives, +stopped, &stop);
    faults_.kill();
  });
  auto finished = launcher_.run(op, command, input);
  killer.request_stop();
  killer.join();
  return finished;
}

Result<std::unique_ptr<Child>> CountingLauncher::start(const Operation& op,
                                                       const Command& command) {
  const bool dies = faults_.child_starts(step_, verb_, command);
  auto child = launcher_.start(op, command);
  if (dies) faults_.kill();
  return child;
}

}  // namespace lifeboat::run
