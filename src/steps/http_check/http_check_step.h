// steps/http_check/http_check_step.h - Step type "http-check": requests whose answers prove
// something.
//
//   works:
//     http-check:
//       url: "${frontend.url}"
//       requests:
//         - { method: POST, path: /api/orders, json: { item: 17 }, expect: { status: 201 },
//             save: { order: "order.id" } }
//         - { path: "/api/orders/{{order}}", within: 30s,
//             expect: { json: { "order.state": delivered, "order.id": "{{order}}" } } }
//       outputs: { order: integer }
//
// One request may stand alone: `http-check: { url: ..., expect: { status: 200 } }`. Every
// expectation becomes one Check. `save` keeps a value of a JSON answer under a name; `{{name}}`
// puts it into url, path, headers, body, json and expectations of later requests (a text that is
// nothing but `{{name}}` keeps the value's type). `{{` is used because `${}` belongs to the plan.
// `secrets` are there from the start: what is built from one is shown nowhere.
// `outputs` says which saved values the step answers, and of what type.
//
// A request with `within` is asked again every second until all it expects holds.
//
// GET and HEAD change nothing: observe() and verify() ask them anew. A list with any other method
// has an effect that nothing tells afterwards: observe() answers absent, apply() sends the list
// once, and verify() tells what was answered then; only after a crash in between verify() sends it
// again. Such requests carry an Idempotency-Key of run, step and place in the list, so that a
// service that knows it acts once.
// Nothing is followed, no certificate is forgiven. Fence: none.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType http_check_step();

}  // namespace lifeboat::steps
