// client/secret/secret_values.h - Turns `password: { env: NAME }` into the secret itself.
//
// A field of shape `secret` names where its value is: {env: NAME}, {file: PATH} (one trailing
// newline is dropped) or {exec: [program, arguments...]} (its standard output; it runs as the user
// would run it). reveal_secrets()
// walks a validated tree along its Record and replaces each by a tainted string, which every
// renderer masks. A value that a reference brought (a tainted string already) stays.
//
// Threads: any.
#pragma once

#include <string>
#include <vector>

#include "base/operation.h"
#include "client/process/launcher.h"
#include "schema/fields.h"
#include "schema/value.h"

namespace lifeboat {

struct SecretSources {
  Launcher* launcher = nullptr;  // for {exec: ...}; masks what it learns
  std::string directory;         // relative paths are below it; programs run in it
};

// Errors: invalid, naming the variable that is not set; not_found, naming the file (never the
// value); denied; as the launcher's.
Result<void> reveal_secrets(const Operation& op, Value& value, const Record& record,
                            const SecretSources& sources);

// Whether what `place` ({env|file|exec: ...}) names is there and could be read or started; the
// secret itself is not.  Errors: not_found, denied, invalid, naming what is missing.
Result<void> secret_is_there(const Value& place, const SecretSources& sources);

// Where secrets of this tree come from: "environment variable PGPASSWORD", "file secrets/pg". For
// doctor and `plan validate`: each of these exists on this machine only.
std::vector<std::string> secret_places(const Value& value, const Record& record);

}  // namespace lifeboat
