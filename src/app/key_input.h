// app/key_input.h - Where keys come from: files, programs, a person. Never from arguments.
#pragma once

#include "app/program.h"
#include "base/secret.h"

namespace lifeboat::app {

// A new passphrase from the file, or asked for twice. At least 12 characters.
// Errors: usage when too short or when the two differ; needs_person without a terminal.
Result<Secret> new_passphrase(Program& program, const std::string& file);

// As read_secret_file(), but an error is one of usage: the file was named by option or variable.
Result<Secret> read_key_file(const Operation& op, const std::string& path);

}  // namespace lifeboat::app
