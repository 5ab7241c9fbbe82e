#include "tests/fuzz/harness.h"

namespace lifeboat::fuzz {

#ifdef LIFEBOAT_PLANTED_BUG
const bool planted = true;
#else
const bool planted = false;
#endif

}  // namespace lifeboat::fuzz
