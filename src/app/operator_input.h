// app/operator_input.h - Who acts: the operator's key that options or environment name.
//
// Threads: one.
#pragma once

#include <optional>
#include <string>

#include "app/program.h"
#include "crypt/crypt.h"

namespace lifeboat::app {

// The key of --operator-key or LIFEBOAT_OPERATOR_KEY; nullopt when neither is given. Its passphrase
// is asked for on the terminal.  Errors: those of the file; wrong_key; needs_person.
Result<std::optional<crypt::SigningKey>> operator_key(const Operation& op, Program& program);
// "alice@host": who asks where the platform names no operators.
std::string user_at_host(Program& program);

}  // namespace lifeboat::app
