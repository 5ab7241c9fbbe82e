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

bool digits_at(std::string_view text, std::size_t at) {
  return text[at] >= '0' && text[at] <= '9' && text[at + 1] >= '0' && text[at + 1] <= '9';
}

std::optional<std::int64_t> offset_seconds(std::string_view zone) {
  if (zone.empty() || zone == "Z" || zone == "z") return 0;
  if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' ||
      !digits_at(zone, 1) || !digits_at(zone, 4)) {
    return std::nullopt;
  }
  const int hours = (zone[1] - '0') * 10 + (zone[2] - '0');
  const int minutes = (zone[4] - '0') * 10 + (zone[5] - '0');
  if (hours > 23 || minutes > 59) return std::nullopt;
  return (zone[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

// strptime() takes blanks, signs and short numbers; a time has its digits where `form` wants them.
bool has_shape(std::string_view text, std::string_view form) {
  if (text.size() < form.size()) return false;
  for (std::size_t i = 0; i < form.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (form[i] == '0' ? !digit : text[i] != form[i]) return false;
  }
  return true;
}

// Seconds since 1970; nullopt when there is no such day ("2026-02-30") or second.
std::optional<std::int64_t> seconds_of(std::tm parts) {
  if (parts.tm_sec > 60) return std::nullopt;
  const int month = parts.tm_mon, day = parts.tm_mday;
  // The day alone: a leap second may carry into the next one.
  std::tm date{};
  date.tm_year = parts.tm_year;
  date.tm_mon = month;
  date.tm_mday = day;
  (void)timegm(&date);
  if (date.tm_mon != month || date.tm_mday != day) return std::nullopt;
  return static_cast<std::int64_t>(timegm(&parts));
}

// The fraction of a second at the front of `text`, taken off it. Nanoseconds; more digits are cut.
std::optional<std::int64_t> take_fraction(std::string_view& text) {
  if (!text.starts_with('.')) return 0;
  text.remove_prefix(1);
  std::int64_t fraction = 0;
  std::int64_t scale = second_ns / 10;
  std::size_t digits = 0;
  for (; digits < text.size() && text[digits] >= '0' && text[digits] <= '9'; ++digits) {
    fraction += (text[digits] - '0') * scale;
    scale /= 10;
  }
  if (digits == 0) return std::nullopt;
  text.remove_prefix(digits);
  return fraction;
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
  struct Form {
    std::string_view shape;
    const char* strptime;
  };
  static constexpr std::array<Form, 5> forms{{{"0000-00-00T00:00:00", "%Y-%m-%dT%H:%M:%S"},
                                              {"0000-00-00 00:00:00", "%Y-%m-%d %H:%M:%S"},
                                              {"0000-00-00T00:00", "%Y-%m-%dT%H:%M"},
                                              {"0000-00-00 00:00", "%Y-%m-%d %H:%M"},
                                              {"0000-00-00", "%Y-%m-%d"}}};
  for (const Form& form : forms) {
    if (!has_shape(text, form.shape)) continue;
    std::tm parts{};
    const std::string calendar(text.substr(0, form.shape.size()));
    const char* end = ::strptime(calendar.c_str(), form.strptime, &parts);
    if (end == nullptr || *end != '\0') return std::nullopt;
    std::string_view rest = text.substr(form.shape.size());
    const bool has_seconds = form.shape.size() == forms[0].shape.size();
    const auto fraction = has_seconds ? take_fraction(rest) : std::optional<std::int64_t>(0);
    const auto offset = offset_seconds(rest);
    const auto seconds = seconds_of(parts);
    WallTime time;
    if (!fraction || !offset || !seconds ||
        __builtin_mul_overflow(*seconds - *offset, second_ns, &time.ns) ||
        __builtin_add_overflow(time.ns, *fraction, &time.ns)) {
      return std::nullopt;
    }
    return time;
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
  if (seconds < 59.95) return fmt::format("{:.1f} s", seconds);
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace lifeboat
