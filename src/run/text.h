// run/text.h - Laying out reports for people: cutting, wrapping, escaping.
// Threads: pure functions.
#pragma once

#include <chrono>
#include <string>
#include <string_view>

namespace lifeboat::run {

// At most `width` bytes, "..." where something was cut away.
std::string cut(std::string_view text, std::size_t width);
// Broken between words into lines of at most `width`; all but the first begin with `indent` spaces.
std::string wrapped(std::string_view text, std::size_t width, std::size_t indent);
// printable(), and everything that means something to Markdown or HTML escaped; one line.
std::string markdown(std::string_view text);
// "12.3": seconds for scripts, with one decimal.
std::string seconds(std::chrono::nanoseconds time);

}  // namespace lifeboat::run
