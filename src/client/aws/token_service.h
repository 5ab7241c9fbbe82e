// client/aws/token_service.h - Roles that are taken on, by AWS's Security Token Service.
//
// Threads: functions.  Source: STS API reference, 2011-06-15.
#pragma once

#include <string>

#include "client/aws/credentials.h"

namespace lifeboat::aws {

struct Role {
  std::string arn, session_name, external_id;  // external_id "" = none
  std::string duration_s;                      // "" = the role's own
};

// With the credentials of whoever may take the role on.  Errors: denied, unavailable, invalid.
Result<Credentials> assume_role(const Operation& op, const Surroundings& around, const Role& role,
                                const Credentials& caller);
// With a token (JWT) of an identity provider.  Errors: the same.
Result<Credentials> assume_role_with_token(const Operation& op, const Surroundings& around,
                                           const Role& role, const Secret& token);

// The number of the account that these credentials belong to, as the service itself says it (it
// answers whoever has valid ones, whatever they may do). `endpoint` "" = as find_endpoint().
// Errors: the same.
Result<std::string> caller_account(const Operation& op, const Surroundings& around,
                                   const Credentials& caller, const std::string& endpoint);

}  // namespace lifeboat::aws
