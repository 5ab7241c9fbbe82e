#include "base/clock.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <poll.h>

#include <array>
#include <ctime>

#include "base/operation.h"

namespace lifeboat {
namespace {

std::chrono::nanoseconds read_clock(clockid_t id) {
  timespec now{};
  clock_gettime(id, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

constexpr std::int64_t second_ns = 1'000'000'000;

std::optional<std::int64_t> offset_seconds(std::string_view zone) {
  if (zone.empty() || zone == "Z" || zone == "z") return 0;
  int hours = 0, minutes = 0;
  const std::string text(zone);
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return std::nullopt;
  if (std::sscanf(text.c_str() + 1, "%2d:%2d", &hours, &minutes) != 2) return std::nullopt;
  if (hours > 23 || minutes > 59) return std::nullopt;
  return (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

}  // namespace

WallTime SystemClock::wall() const { return {read_clock(CLOCK_REALTIME).count()}; }
std::chrono::nanoseconds SystemClock::boot() const { return read_clock(CLOCK_BOOTTIME); }

void SystemClock::pause(std::chrono::nanoseconds time, bool (*stop)(const void*),
                        const void* context) const {
  const auto end = boot() + time;
  for (auto now = boot(); now < end && !stop(context); now = boot()) {
    const auto slice = std::min<std::chrono::nanoseconds>(end - now, std::chrono::milliseconds(50));
    const timespec wait{0, static_cast<long>(slice.count())};
    nanosleep(&wait, nullptr);
  }
}

Result<void> Operation::pause(std::chrono::nanoseconds time) const {
  const auto ends = [](const void* self) {
    return !static_cast<const Operation*>(self)->proceed().has_value();
  };
  clock->pause(time, +ends, this);
  return proceed();
}

std::string rfc3339(WallTime time) {
  std::int64_t seconds = time.ns / second_ns;
  std::int64_t rest = time.ns % second_ns;
  if (rest < 0) {
    rest += second_ns;
    --seconds;
  }
  const auto calendar = static_cast<std::time_t>(seconds);
  std::tm parts{};
  gmtime_r(&calendar, &parts);
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", parts, rest / 1'000'000);
}

std::optional<WallTime> parse_rfc3339(std::string_view text) {
  const std::string copy(text);
  std::tm parts{};
  for (const char* form :
       {"%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"}) {
    parts = {};
    const char* rest = strptime(copy.c_str(), form, &parts);
    if (rest == nullptr) continue;
    std::int64_t fraction = 0;
    if (*rest == '.') {
      std::int64_t scale = second_ns / 10;
      for (++rest; *rest >= '0' && *rest <= '9'; ++rest, scale /= 10)
        fraction += (*rest - '0') * scale;
    }
    const auto offset = offset_seconds(rest);
    if (!offset) continue;
    return WallTime{(static_cast<std::int64_t>(timegm(&parts)) - *offset) * second_ns + fraction};
  }
  return std::nullopt;
}

std::optional<std::chrono::nanoseconds> parse_duration(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::int64_t>, 6> units{
      {{"ms", 1'000'000},
       {"s", second_ns},
       {"m", 60 * second_ns},
       {"h", 3600 * second_ns},
       {"d", 86400 * second_ns},
       {"w", 7 * 86400 * second_ns}}};
  if (text.empty()) return std::nullopt;
  std::int64_t total = 0;
  while (!text.empty()) {
    std::int64_t number = 0;
    std::size_t digits = 0;
    for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
      if (number > 1'000'000'000) return std::nullopt;
      number = number * 10 + (text[digits] - '0');
    }
    if (digits == 0) return std::nullopt;
    text.remove_prefix(digits);
    std::size_t letters = 0;
    while (letters < text.size() && text[letters] >= 'a' && text[letters] <= 'z') ++letters;
    std::int64_t scale = 0;
    for (const auto& [name, ns] : units) {
      if (name == text.substr(0, letters)) scale = ns;
    }
    std::int64_t part = 0;
    if (scale == 0 || __builtin_mul_overflow(number, scale, &part) ||
        __builtin_add_overflow(total, part, &total)) {
      return std::nullopt;
    }
    text.remove_prefix(letters);
  }
  return std::chrono::nanoseconds(total);
}

std::string human_duration(std::chrono::nanoseconds time) {
  const double seconds = std::chrono::duration<double>(time).count();
  if (seconds < 60) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace lifeboat
