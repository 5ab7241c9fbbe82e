// steps/wait/wait_step.h - Step type "wait": until something answers.
//
//   up:   { wait: { tcp: "${db.host}:${db.port}" } }
//   page: { wait: { http: "https://www.acme.example/health", status: 200 } }
//   data: { wait: { sql: { url: "${db.url}", password: "${db.password}" }, within: 5m } }
//
// Exactly one of `tcp`, `http`, `sql`. It asks every `interval` until the answer is good, at most
// for `within` (and never beyond the step's `timeout`). For sql the answer is good when the query
// gives at least one row whose first value is neither NULL nor false. It changes nothing, so there
// is nothing to undo.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType wait_step();

}  // namespace lifeboat::steps
