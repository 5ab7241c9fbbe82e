// steps/sql/sql_step.h - Statements that run once, and queries whose answers prove something.
//
//   sql:
//     url: "${database.url}"
//     password: "${database.password}"
//     run: "UPDATE settings SET region = 'eu-2'"        # one transaction, at most once a run
//     observe: "SELECT region = 'eu-2' FROM settings"   # optional: true when it is in effect
//     expect: [{ query: "SELECT count(*) FROM orders", at_least: 1 }]
//     read: { newest: "SELECT max(at) FROM orders" }
//     outputs: { newest: string }
//
// `run` is one transaction together with a row in lifeboat.steps (run, step, generation) of the
// same database: either both are there or none, so it takes effect at most once per run and step,
// whenever the engine dies. That row is the marker and the native fence; captures leave the schema
// `lifeboat` out. Where `observe` answers true nothing is run. There is no undo.
// `expect` and `read` run read-only. A step without `run` changes nothing.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType sql_step();

}  // namespace lifeboat::steps
