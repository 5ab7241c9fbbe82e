// evidence/sections.h - What a page of evidence says, in order: titles, tables and lines of plain
// text, which each renderer escapes in its own way. Threads: pure functions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/value.h"

namespace lifeboat::evidence {

struct Section {
  std::string title;                           // "" = before all others
  std::string note;                            // one paragraph
  std::vector<std::string> columns;            // empty: rows have a name and a value
  std::vector<std::vector<std::string>> rows;  // a table, when there are any
  std::vector<std::string> lines;
};

// "RECOVERED ...": the verdict, as the report's last line.
std::string headline(const Value& document);
bool is_recovered(const Value& document);
std::vector<Section> sections_of(const Value& document);

}  // namespace lifeboat::evidence
