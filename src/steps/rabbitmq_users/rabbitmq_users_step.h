// steps/rabbitmq_users/rabbitmq_users_step.h - Step type "rabbitmq-users": users of a broker, with
// passwords of this recovery.
//
//   broker-users:
//     rabbitmq-users:
//       url: "${mq.url}"
//       user: admin
//       password: "${mq.password}"
//       users:
//         backend: { generate: true, tags: [], permissions: { shop: { write: "^events$" } } }
//
// A generated password is in the run's vault before the broker hears of it, and is an output
// (`passwords.backend`, a secret). What is not written about a user stays as it is; `permissions`,
// when written, are all that it has. Proven by a login of each user over AMQP, where applications
// enter. Users that are there already (a restore put them back) are changed: undo puts back their
// hash, tags and permissions.
//
// The marker is the global parameter `lifeboat-users-STEP`: it names run, generation and users, so
// that a restore of definitions, before or after, leaves these passwords alone. Fence: none.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType rabbitmq_users_step();

}  // namespace lifeboat::steps
