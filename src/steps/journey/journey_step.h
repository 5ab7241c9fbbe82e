// steps/journey/journey_step.h - Step type "journey": what a person does on a site, and how long it
// takes.
//
//   shopping:
//     journey:
//       url: "${frontend.url}"
//       budget: 5s
//       secrets: { password: "${inputs.probe}" }
//       requests:
//         - { name: home, path: /, budget: 1s, take: { csrf: { cookie: csrf, secret: true } } }
//         - name: login
//           method: POST
//           path: /login
//           safe: true                       # changes nothing, in spite of its method
//           json: { user: probe, password: "{{password}}", csrf: "{{csrf}}" }
//           take: { token: { json: token, secret: true } }
//         - name: account
//           path: /api/me
//           headers: { Authorization: "Bearer {{token}}" }
//           expect: { json: { user: probe } }
//       outputs: { token: secret }
//
// The requests of "http-check", in order, with cookies kept from one to the next as a browser keeps
// them. `take` carries a value of an answer on: from its JSON, a header or a cookie; with `secret`
// it is shown nowhere. `budget` of a request and of all of them: more time is a check that failed,
// with both figures. Every request says who it is in the header `request_id`.
//
// Verbs as those of "http-check" (steps/http/http_step.h). Outputs: latencies_ms, in order;
// total_ms; and the taken values that `outputs` declares. Fence: none.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType journey_step();

}  // namespace lifeboat::steps
