// app/version.h - The version of the program: Semantic Versioning for CLI and platform file; the
// repository format has a number of its own (docs/format.md).
#pragma once

#include <string>

namespace lifeboat::app {

inline constexpr const char* program_version = "0.1.0";

// "lifeboat 0.1.0 (repository format 1)".
inline std::string version_line() {
  return std::string("lifeboat ") + program_version + " (repository format 1)";
}

}  // namespace lifeboat::app
