// steps/tls_check/tls_check_step.h - Step type "tls-check": the certificate that a server shows.
//
//   certificate:
//     tls-check:
//       address: www.acme.example:443
//       connect_to: "${frontend.address}"   # before the name points there
//       valid_for: 14d
//       issuer: "Let's Encrypt"
//       within: 10m
//
// One handshake; proven are: the chain is trusted (the system's authorities, or `ca_file`), the
// certificate is for the name, every certificate of the chain is valid now and for at least
// `valid_for`, the protocol is at least `protocol`; where asked, the issuer and the fingerprints.
// Asked again every second while it is not so, at most for `within`.
//
// Outputs: not_after (of the server's own certificate), issuer, fingerprint (SHA-256, hex).
// It changes nothing. Fence: native, there is nothing to fence.
#pragma once

#include "plan/step.h"

namespace lifeboat::steps {

plan::StepType tls_check_step();

}  // namespace lifeboat::steps
