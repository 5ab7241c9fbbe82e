// docs/exit-codes.md is what scripts are written from; this holds it to the program.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>

#include "base/result.h"
#include "test_places.h"

namespace lifeboat {
namespace {

using Code = Error::Code;
using Table = std::map<std::string, int>;

// The name on the page. A switch without default: a new code does not compile until it is here.
std::string name_of(Code code) {
  switch (code) {
    case Code::automatic:
      return "";
    case Code::general:
      return "general";
    case Code::usage:
      return "usage";
    case Code::partial:
      return "partial";
    case Code::not_ready:
      return "not_ready";
    case Code::needs_person:
      return "needs_person";
    case Code::refused:
      return "refused";
    case Code::repository_missing:
      return "repository_missing";
    case Code::lease_held:
      return "lease_held";
    case Code::wrong_key:
      return "wrong_key";
    case Code::integrity:
      return "integrity";
    case Code::no_space:
      return "no_space";
    case Code::denied:
      return "denied";
    case Code::unreachable:
      return "unreachable";
    case Code::version_too_new:
      return "version_too_new";
    case Code::timeout:
      return "timeout";
    case Code::interrupted:
      return "interrupted";
  }
  return "";
}

Table table_of_the_program() {
  Table table{{"", 0}};
  for (int number = 1; number <= static_cast<int>(Code::interrupted); ++number) {
    const Code code = static_cast<Code>(number);
    table[name_of(code)] = exit_status(code);
  }
  return table;
}

Table table_of_the_page() {
  std::ifstream page(LIFEBOAT_SOURCE_DIR "/docs/exit-codes.md");
  EXPECT_TRUE(page.is_open());
  const std::regex row(R"(\| (\d+) \| (?:`(\w+)` )?\| [^|]+ \| .*\|)");
  Table table;
  for (std::string line; std::getline(page, line);) {
    std::smatch found;
    if (!std::regex_match(line, found, row)) continue;
    EXPECT_TRUE(table.emplace(found[2], std::stoi(found[1])).second) << line;
  }
  return table;
}

TEST(ExitCodesPage, ListsEveryCodeWithItsNumberAndNoOther) {
  EXPECT_EQ(table_of_the_page(), table_of_the_program());
}

}  // namespace
}  // namespace lifeboat
