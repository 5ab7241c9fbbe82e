// client/secret/secret_program.h - A secret that a program tells: pass, gpg, aws, a script.
//
// Its standard output is the secret, but for one newline at its end. It runs as the person who
// started us would run it: HOME, and the variables by which such programs find their stores, agents
// and screens. What it says is in no error; it may hold the secret.
//
// Threads: any.
#pragma once

#include "base/operation.h"
#include "base/secret.h"
#include "client/process/launcher.h"

namespace lifeboat {

// Of `command` only argv and directory count.
// Errors: unavailable when it ends with another status than 0; as the launcher's.
Result<Secret> ask_secret_program(const Operation& op, Launcher& launcher, Command command);

}  // namespace lifeboat
