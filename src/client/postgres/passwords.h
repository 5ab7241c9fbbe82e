// client/postgres/passwords.h - Passwords of roles: hashed here, proven by a login.
#pragma once

#include "client/postgres/connection.h"

namespace lifeboat::postgres {

// The SCRAM-SHA-256 verifier with a fresh salt: what ALTER ROLE takes in place of the password, so
// that the password itself never reaches the server's log.  Errors: invalid (no such hash here).
Result<std::string> password_verifier(const std::string& user, const Secret& password);

enum class Login { accepted, refused };
// Tries to log in as the address says. A login that gets past the password and then may not enter
// the database counts as accepted.  Errors: unavailable, cancelled.
Result<Login> try_login(const Operation& op, const Address& address);

}  // namespace lifeboat::postgres
