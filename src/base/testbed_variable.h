// base/testbed_variable.h - What a component of the testbed told of itself, for tests.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace lifeboat {

// The value of an environment variable that testbed/with sets. Without one the program ends, and
// names it: no test is skipped.
inline std::string testbed_variable(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value != nullptr && *value != '\0') return value;
  std::fprintf(stderr, "%s is not set: run this by `testbed/with COMPONENT... -- PROGRAM`\n",
               name.c_str());
  std::exit(1);
}

}  // namespace lifeboat
