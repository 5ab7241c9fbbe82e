// app/version.h - The version of the program: Semantic Versioning for CLI and platform file; the
// repository format has a number of its own (docs/format.md).
#pragma once

namespace lifeboat::app {

inline constexpr const char* program_version = "0.1.0";

}  // namespace lifeboat::app
