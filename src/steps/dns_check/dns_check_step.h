// steps/dns_check/dns_check_step.h - Step type "dns-check": what name servers say of a name.
//
//   name:
//     dns-check:
//       name: www.acme.example
//       type: A
//       expect: ["${frontend.address}"]
//       parent: ns.registry.example     # the delegation is followed from here
//       ttl: 60s
//       within: 30m
//
// Which servers are asked: those of `servers`, authoritative ones or resolvers; or all to which the
// delegation leads from a server of the zone above (`parent`); or else this machine's resolvers.
// Each is asked directly and has to say exactly `expect` (nothing at all for an empty list) or at
// least `contains`, and all have to agree; with authority where that is asked for (and where the
// delegation was followed), with a time to live of at most `ttl`.
// Asked again while it is not so, at most for `within`, in pauses from one second to fifteen.
//
// A wrong answer that was seen may be remembered by any resolver for its time to live: the check
// says until when, and the output `settled` is the latest of these times that this attempt saw.
//
// Outputs: records, settled. It changes nothing. Fence: native, there is nothing to fence.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType dns_check_step();

}  // namespace lifeboat::steps
