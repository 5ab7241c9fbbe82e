// steps/approval/approval_step.h - Step type "approval": people agree before what comes after it.
//
//   go-live: { approve: { by: [alice, bob], count: 2, reason: "Send the traffic here" },
//              after: [works] }
//
// A step with `approve:` and no type is one of these. The gate itself is the engine's, as before
// any other step (run/approval.h): once it is open there is nothing to do, and the proof of who
// opened it is added by the engine. It changes nothing, so there is nothing to undo.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType approval_step();

}  // namespace lifeboat::steps
