#include "base/guard.h"

#include <cstdio>
#include <cstdlib>

namespace lifeboat {

void assertion_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "lifeboat: internal error: %s (%s:%d)\n", condition, file, line);
  std::abort();
}

}  // namespace lifeboat
