// steps/postgres_roles/postgres_roles_step.h - Roles of a PostgreSQL server with passwords of this
// recovery.
//
//   postgres-roles:
//     url: "${database.url}"
//     password: "${database.password}"
//     roles:
//       shop_app: { member_of: [shop_read] }          # a generated password
//       reporting: { password: { env: REPORTING } }
//
// A role that is not there is made (LOGIN unless said otherwise); one that is there, say from a
// restore, gets the password and whatever attributes are written, and keeps the rest. A generated
// password is kept in the run's vault before it is set, so every later attempt sets the same one.
// The server gets a SCRAM verifier, never the password.
//
// All roles change in one transaction, and each carries the run's marker as its setting
// `lifeboat.marker` from that transaction on: there is nothing partial. The fence is native: the
// transaction holds an advisory lock and refuses when a later generation was there. verify() logs
// in as each role. Undo drops what was made and puts the old verifier and attributes back.
//
// Output `passwords`: role -> password, secret.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType postgres_roles_step();

}  // namespace lifeboat::steps
