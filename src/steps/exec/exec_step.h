// steps/exec/exec_step.h - Step type "exec": a program of the operator's own as a typed step.
//
//   database:
//     exec:
//       run: [recovery/postgres-new]
//       observe: [recovery/postgres-new, observe]
//       env: { SHOP_DIR: "${inputs.dir}" }
//       files: { SHOP_POSTGRES_PASSWORD_FILE: "${passwords.postgres}" }
//       outputs: { host: string, port: integer, password: secret }
//       may_leave_daemons: true
//
// Contract with the programs:
// - `observe` only looks. Exit 0: the effect is there, outputs are written. Exit 1: it is not
//   there, or only half. Anything else is an error.
// - `run` brings it about. It may be killed at any instant and is then run again.
// - Outputs are one JSON object, written to the file that LIFEBOAT_OUTPUT names (0600, in memory
//   where the machine can, wiped afterwards). Each declared output must be there, of its type;
//   others are dropped.
// - LIFEBOAT_RUN, LIFEBOAT_STEP, LIFEBOAT_GENERATION and LIFEBOAT_VERB (observe, run) tell
//   where they are. Besides these, LIFEBOAT_CHILD (by which a later driver finds what the death of
//   this one left at work), PATH, HOME, LANG and TZ the environment is what `env` says.
// - Exit 64, 78, 126, 127 mean that it can never work, 77 that a person must act; every other
//   failure may be retried where the plan says so.
// A secret may go by environment or file, never by argument.
// Fence: none; two engines could run the program at once (SECURITY.md).
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType exec_step();

}  // namespace lifeboat::steps
