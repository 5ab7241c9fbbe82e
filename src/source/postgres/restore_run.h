// source/postgres/restore_run.h - One restore into a running server.
#pragma once

#include "source/postgres/server.h"

namespace lifeboat::source::pg {

Result<RestoreReport> restore(const Operation& op, const Server& server, capture::Feed& feed,
                              const RestoreOptions& options);

}  // namespace lifeboat::source::pg
