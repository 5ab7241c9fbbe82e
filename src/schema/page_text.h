// schema/page_text.h - Text from outside as text of a page: nothing in it is markup, speaks to a
// terminal, turns the reading direction or is there without being seen.
// Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace lifeboat {

// printable(), and characters that nobody sees (direction, width) as \u202e; one line.
std::string visible(std::string_view text);
// The same, but lines stay lines.
std::string visible_lines(std::string_view text);
// For HTML: content of elements and of quoted attributes. visible_lines(), escaped.
std::string html_text(std::string_view text);
// For Markdown: one line, also within a table. visible(), newlines as spaces, and what means
// something to Markdown or HTML escaped; a '-' or '+' means something at the beginning only.
std::string markdown_text(std::string_view text);

}  // namespace lifeboat
