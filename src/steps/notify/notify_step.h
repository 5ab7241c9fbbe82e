// steps/notify/notify_step.h - Step type "notify": tells people or systems that the run is here.
//
//   begun:
//     notify:
//       message: "The shop is being recovered"
//       webhook: { secret_url: { env: CHAT_HOOK }, json: { text: "The shop is being recovered" } }
//     on_failure: continue
//   done:
//     notify:
//       message: "The shop is back: ${frontend.url}"
//       smtp: { url: "smtp://mail.acme.example:587", user: ops, password: { env: MAIL_PASSWORD },
//               from: ops@acme.example, to: [all@acme.example] }
//     after: [works]
//
// Exactly one of `webhook` and `smtp`. A webhook gets a POST, by default of run, step, plan and
// message as JSON, and has delivered when it answers 200 to 299.
//
// What has been told cannot be observed: observe() answers absent, and an engine that died between
// the sending and the journal makes the next one send again. So that the other side can take it
// once, every attempt is the same: an Idempotency-Key of run and step, a Message-ID of them in a
// mail. Nothing can be taken back: undo() is irreversible.
//
// Outputs: status, of the last answer. Fence: none.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType notify_step();

}  // namespace lifeboat::steps
