// steps/account_passwords.h - The passwords of the accounts that a step makes.
//
// One is given in the configuration, or generated once for the run and kept in its vault, so that a
// resumed step uses the same again.
#pragma once

#include "base/operation.h"
#include "base/secret.h"
#include "plan/step.h"
#include "schema/value.h"

namespace lifeboat::steps {

// 24 random bytes in the URL-safe base64 alphabet: 32 characters.
Secret random_password();

// name -> password, tainted and masked in logs, for a map name -> {password: ...}. Where there is
// none, the kept one of the run: durable when this answers.  Errors: as StepContext::keep_secret().
Result<Value> account_passwords(const Operation& op, plan::StepContext& context,
                                const Value::Map& accounts);

// The output `passwords`: the same map, tainted as a whole.
Value passwords_output(Value passwords);

}  // namespace lifeboat::steps
