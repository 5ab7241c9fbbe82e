#include "run/takeover.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "journal/heartbeat.h"

namespace lifeboat::run {
namespace {

constexpr auto look_every = std::chrono::milliseconds(200);

// Without /proc nothing is known of it.
bool knows_its_boot(const journal::Driver& driver) {
  return driver.boot.find(' ') != 0 && !driver.boot.empty();
}

std::string who(const journal::Driver& driver) {
  return fmt::format("process {} on {}", driver.pid, printable(driver.host));
}

}  // namespace

journal::Driver this_driver(Random& random) {
  const auto id = random.array<16>();
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) != 0) host.fill(0);
  std::string boot;
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  std::error_code error;
  const auto pids = std::filesystem::read_symlink("/proc/self/ns/pid", error);
  return {to_hex(id), host.data(), getpid(), boot + " " + pids.string()};
}

bool surely_gone(const journal::Driver& driver, const journal::Driver& ours) {
  if (driver.host != ours.host || driver.host.empty() || driver.pid <= 0) return false;
  // Another boot may be another machine of the same name, another pid namespace is not ours to see.
  if (!knows_its_boot(driver) || driver.boot != ours.boot) return false;
  return driver.pid != ours.pid && ::kill(driver.pid, 0) != 0 && errno == ESRCH;
}

Result<std::string> prove_driver_gone(const Operation& op, const RunState& state,
                                      const TakeoverWatch& watch) {
  if (state.drivers.empty() || state.drivers.back().left) return std::string();
  const journal::Driver& last = state.drivers.back().driver;
  if (watch.surely_gone(last)) return std::string("gone");
  if (watch.take_over) return std::string("takeover");
  watch.observer->remark(
      fmt::format("waiting for a sign of life of the last driver, {}", who(last)));
  TRY(const auto first, journal::last_beat(op, *watch.repository, state.pins.run));
  const auto end = op.clock->boot() + watch.heartbeat_period * silent_periods;
  while (op.clock->boot() < end) {
    TRY_DO(op.pause(look_every));
    if (watch.surely_gone(last)) return std::string("gone");
    TRY(const auto beat, journal::last_beat(op, *watch.repository, state.pins.run));
    const bool lives = beat && (!first || beat->number != first->number);
    if (!lives) continue;
    return fail(Error::Kind::conflict,
                fmt::format("run {}: another driver is at work: {}", state.pins.run, who(last)),
                fmt::format("watch it: lifeboat runs watch {0}; or take it over: lifeboat recover "
                            "--resume {0} --takeover",
                            state.pins.run),
                Error::Code::lease_held);
  }
  return std::string("silent");
}

Result<bool> all_have_stopped(const Operation& op, const RunState& state,
                              const journal::Driver& ours, const TakeoverWatch& watch,
                              std::chrono::nanoseconds patience) {
  const auto stopped = [&](const DriverVisit& visit) {
    if (visit.left || visit.driver.id == ours.id || watch.surely_gone(visit.driver)) return true;
    const auto said = journal::has_let_go(op, *watch.repository, state.pins.run, visit.driver);
    return said && *said;  // what cannot be asked now is asked again
  };
  const auto end = op.clock->boot() + patience;
  for (bool told = false;; told = true) {
    const auto living = std::ranges::find_if_not(state.drivers, stopped);
    if (living == state.drivers.end()) return true;
    if (op.clock->boot() >= end) return false;
    if (!told) {
      watch.observer->remark("waiting for the driver before us to let go: " + who(living->driver));
    }
    TRY_DO(op.pause(look_every));
  }
}

Result<void> prove_children_gone(const Operation& op, const std::string& run,
                                 const TakeoverWatch& watch) {
  const auto end = op.clock->boot() + watch.children_wait;
  for (bool told = false;; told = true) {
    const std::vector<int> living = watch.launcher->living(run);
    if (living.empty()) return {};
    const std::string pids = fmt::format("{}", fmt::join(living, ", "));
    if (op.clock->boot() >= end) {
      return fail(Error::Kind::conflict,
                  fmt::format("run {}: programs that its last driver started are still at work: {}",
                              run, pids),
                  "they may still change the target; end them (kill " + pids + ") and resume again",
                  Error::Code::refused);
    }
    if (!told) watch.observer->remark("waiting for programs of the last driver to end: " + pids);
    TRY_DO(op.pause(look_every));
  }
}

}  // namespace lifeboat::run
