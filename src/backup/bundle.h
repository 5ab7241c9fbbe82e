// backup/bundle.h - The bundle: the platform file and the closure of local files its plans name.
//
// Stored with every backup as a snapshot of kind `bundle`, so that a recovery needs no Git server:
// with binary, repository and key the plan is there. Paths are relative, with '/'.
#pragma once

#include "backup/backup.h"

namespace lifeboat::backup {

// Errors: not_found / denied for a file of the closure (names it); as the sink's.
Result<repo::Snapshot> store_bundle(const Operation& op, repo::Session& session,
                                    const BackupOptions& options);

}  // namespace lifeboat::backup
