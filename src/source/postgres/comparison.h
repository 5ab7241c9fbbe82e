// source/postgres/comparison.h - A live server beside what was captured, and its digest.
#pragma once

#include "source/postgres/server.h"

namespace lifeboat::source::pg {

Result<std::vector<Check>> verify(const Operation& op, const Server& server, capture::Feed& feed);
// SHA-256 over the logical content of the chosen databases and of all roles.
Result<std::string> fingerprint(const Operation& op, const Server& server);

}  // namespace lifeboat::source::pg
