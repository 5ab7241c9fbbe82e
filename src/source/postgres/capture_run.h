// source/postgres/capture_run.h - One capture of the chosen databases and all roles.
#pragma once

#include "source/postgres/server.h"

namespace lifeboat::source::pg {

Result<void> capture(const Operation& op, const Server& server, capture::Sink& sink);

}  // namespace lifeboat::source::pg
