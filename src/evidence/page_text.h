// evidence/page_text.h - Names from outside as text of a page: nothing in them is markup, speaks to
// a terminal or turns the reading direction. Threads: pure functions.
#pragma once

#include <string>
#include <string_view>

namespace lifeboat::evidence {

// printable(), and characters that nobody sees (direction, width) as \u202e.
std::string visible(std::string_view text);
// For HTML: content of elements and of quoted attributes.
std::string html_text(std::string_view text);
// For Markdown: one line, also within a table.
std::string markdown_text(std::string_view text);

}  // namespace lifeboat::evidence
