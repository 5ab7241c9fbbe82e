// base/clock.h - Time as a dependency: wall time for people, boot time for durations.
//
// Nothing in Lifeboat reads a clock except through this interface, so that tests and the simulator
// own time. No decision of safety rests on wall time; order comes from chains, never from clocks.
//
// Threads: all methods may be called from any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lifeboat {

// Nanoseconds since 1970-01-01 UTC, signed: files may be older.
struct WallTime {
  std::int64_t ns = 0;
  auto operator<=>(const WallTime&) const = default;
};

class Clock {
 public:
  virtual ~Clock() = default;
  virtual WallTime wall() const = 0;
  // Since boot, counting suspended time (CLOCK_BOOTTIME). Only differences mean anything.
  virtual std::chrono::nanoseconds boot() const = 0;
  // Waits, or until `stop` answers true (asked at least every 50 ms). Never a bare sleep elsewhere.
  virtual void pause(std::chrono::nanoseconds time, bool (*stop)(const void*),
                     const void* context) const = 0;
};

// The machine's own clocks. Stateless; one instance may serve the whole process.
class SystemClock final : public Clock {
 public:
  WallTime wall() const override;
  std::chrono::nanoseconds boot() const override;
  void pause(std::chrono::nanoseconds time, bool (*stop)(const void*),
             const void* context) const override;
};

// "2026-11-21T04:00:00.123Z" (UTC, milliseconds).
std::string rfc3339(WallTime time);
// Reads RFC 3339 with Z or an offset; also "YYYY-MM-DD" and "YYYY-MM-DDTHH:MM", and a blank for
// the T; without an offset it is UTC. nullopt: not a time, or not within 1678 to 2261.
std::optional<WallTime> parse_rfc3339(std::string_view text);

// "1h30m", "45s", "250ms", "1d": the durations of the platform file. nullopt: not a duration.
std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text);
// "1 h 30 min", "4.2 s": for people.
std::string human_duration(std::chrono::nanoseconds time);

}  // namespace lifeboat
