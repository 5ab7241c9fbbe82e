// client/secret/secret_file.h - A secret that lies in a file: a key, a passphrase, a password.
//
// The whole file is the secret, but for one newline at its end. Pipes are read too
// (`--passphrase-file <(pass show backup)`), to their end, as long as the operation lasts.
//
// Threads: any.
#pragma once

#include <string>

#include "base/operation.h"
#include "base/secret.h"

namespace lifeboat {

// At most 1 MiB.  Errors: not_found, denied, invalid (too large, a folder), cancelled.
Result<Secret> read_secret_file(const Operation& op, const std::string& path);

}  // namespace lifeboat
