#include "app/run_watch.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace lifeboat::app {

void RunWatch::step_started(const std::string& step, std::uint64_t generation) {
  if (!begun_.exchange(true) && !once_begun_.empty()) terminal_.say(once_begun_);
  terminal_.say(generation > 1 ? fmt::format("  start   {} (attempt {})", step, generation)
                               : "  start   " + step);
}

void RunWatch::step_progress(const std::string& step, std::uint64_t done, std::uint64_t total,
                             std::string_view unit) {
  if (unit == "bytes") terminal_.progress("  " + step, done, total);
}

void RunWatch::step_done(const std::string& step, std::string_view summary) {
  terminal_.say(
      fmt::format("  {}    {}  {}", terminal_.toned("done", Tone::good), step, printable(summary)));
}

void RunWatch::step_failed(const std::string& step, const Error& error) {
  terminal_.say(fmt::format("  {}  {}: {}", terminal_.toned("FAILED", Tone::bad), step,
                            printable(error.what)));
  if (!error.hint.empty()) terminal_.say("          next: " + printable(error.hint));
}

void RunWatch::step_skipped(const std::string& step, const std::string& needs) {
  terminal_.say(fmt::format("  skipped {} (it needs {})", step, needs));
}

void RunWatch::step_awaits(const std::string& step, std::string_view wanted,
                           std::string_view reason) {
  terminal_.say(fmt::format("  {}  {}: approval by {}{}", terminal_.toned("awaits", Tone::bad),
                            step, printable(wanted),
                            reason.empty() ? "" : ": " + printable(reason)));
  terminal_.say("          next: lifeboat runs approve latest " + step);
}

void RunWatch::asked(const std::string& by, const std::string& action, const std::string& step,
                     const std::string& why) {
  terminal_.say(fmt::format("  {} asked: {}{}{}", printable(by), printable(action),
                            step.empty() ? "" : " " + printable(step),
                            why.empty() ? "" : "; NOT TAKEN: " + printable(why)));
}

void RunWatch::remark(std::string_view text) { terminal_.say("  " + printable(text)); }

}  // namespace lifeboat::app
