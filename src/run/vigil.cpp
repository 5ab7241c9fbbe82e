#include "run/vigil.h"

#include <fmt/format.h>

#include <algorithm>

#include "journal/heartbeat.h"

namespace lifeboat::run {
namespace {

constexpr int periods_without_a_beat = 2;
// Of a period, for each other thing than the heartbeat: what hangs may not cost the next one.
constexpr int share = 2;
constexpr std::chrono::nanoseconds look_every = std::chrono::seconds(1);

}  // namespace

Vigil::Vigil(const EngineSetup& setup, journal::Journal& journal, Duties duties)
    : setup_(setup),
      journal_(journal),
      duties_(std::move(duties)),
      confirmed_(setup.around.clock->boot()) {
  if (setup_.heartbeat_period.count() == 0) return;
  renew();
  thread_ = std::jthread([this](const std::stop_token& stop) { watch(stop); });
}

Vigil::~Vigil() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
  setup_.around.launcher->may_work_until({});
}

void Vigil::watch(const std::stop_token& stop) {
  const Clock& clock = *setup_.around.clock;
  const Operation op{&clock, stop};
  journal::Heart heart(*setup_.repository, journal_.run(), setup_.driver);
  while (!stop.stop_requested()) {
    const auto due = clock.boot() + setup_.heartbeat_period;
    // One that slept past the last moment still tries: nobody may have noticed.
    const auto left = std::max(last_moment() - clock.boot(), setup_.heartbeat_period / share);
    const auto began = clock.boot();  // others may see it from then on, however long it takes
    const auto beaten = heart.beat(op.within(left));
    if (lost_the_lease(op) || too_long_silent(beaten, began)) return;
    do {  // once at least, be the store ever so slow
      // A look that fails is made up for by the next one; that the journal cannot be written is for
      // the vigil itself to find out.
      const auto read = duties_.read(op.within(setup_.heartbeat_period / share));
      if (!read && read.error().effective_code() == Error::Code::lease_held) {
        return duties_.halt(read.error());
      }
      const auto rest = std::max<std::chrono::nanoseconds>(due - clock.boot(), {});
      if (!op.pause(std::min(look_every, rest))) break;
    } while (!stop.stop_requested() && clock.boot() < due);
  }
  const auto stopped = heart.stop(Operation{&clock});
  static_cast<void>(stopped);  // nothing but liveness hangs on it
}

std::chrono::nanoseconds Vigil::last_moment() const {
  return confirmed_ + setup_.heartbeat_period * periods_without_a_beat;
}

// What we started ends by itself a little later than we would end it, should we be stopped.
void Vigil::renew() {
  setup_.around.launcher->may_work_until(last_moment() + setup_.heartbeat_period / 2);
}

bool Vigil::lost_the_lease(const Operation& op) {
  const auto lease = journal_.prove_lease(op.within(setup_.heartbeat_period / share));
  if (lease || lease.error().effective_code() != Error::Code::lease_held) return false;
  duties_.halt(lease.error());
  return true;
}

bool Vigil::too_long_silent(const Result<void>& beaten, std::chrono::nanoseconds began) {
  const auto now = setup_.around.clock->boot();
  if (beaten) {
    confirmed_ = began;
    renew();
    return false;
  }
  if (now < last_moment()) return false;
  if (beaten.error().kind == Error::Kind::cancelled &&
      beaten.error().effective_code() != Error::Code::timeout) {
    return false;  // we are asked to end
  }
  Error error = beaten.error();
  error.kind = Error::Kind::unavailable;
  error.code = Error::Code::unreachable;
  error.what = fmt::format("no sign of life could be left for {}: {}",
                           human_duration(now - confirmed_), beaten.error().what);
  error.hint = "others could take this driver for dead; what was at work was stopped";
  duties_.halt(std::move(error));
  return true;
}

}  // namespace lifeboat::run
