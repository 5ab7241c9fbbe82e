// client/tls/tls_probe.h - What a TLS server shows of itself in one handshake.
//
// Nothing is refused here: whoever asks sees what was presented and judges. The chain is built and
// checked as a browser would (purpose, signatures, trust), but for its times, which stand beside
// it. OpenSSL does the work. The server is not trusted: all texts are printable and bounded.
//
// Threads: any.  SIGPIPE: ignored by the process (app/application.cpp).
#pragma once

#include <string>
#include <vector>

#include "client/tcp/connect.h"

namespace lifeboat {

struct TlsQuestion {
  TcpAddress address;        // where to connect
  std::string name = {};     // sent as SNI unless it is an IP address; wanted in the certificate
  std::string ca_file = {};  // certificates to trust instead of the system's; "" = the system's
  std::chrono::nanoseconds timeout = std::chrono::seconds(10);  // of all of it
};

struct TlsCertificate {
  std::string subject, issuer;     // as RFC 2253 writes them: "CN=R11,O=Let's Encrypt,C=US"
  std::string fingerprint;         // SHA-256 of the certificate, lower case hex
  std::string public_key;          // SHA-256 of its SubjectPublicKeyInfo, lower case hex
  WallTime not_before, not_after;  // the last that WallTime knows for what is later
};

struct TlsSight {
  std::string protocol;  // "TLSv1.3"
  bool name_matches = false;
  std::vector<std::string> names;  // of the first certificate: host names and addresses, at most 50
  std::string distrust;            // why the chain is not trusted; "" = it is
  // The server's own first, up to the trusted root as far as the chain could be built. Never empty.
  std::vector<TlsCertificate> chain;
};

// One handshake, then it hangs up.
// Errors: unavailable (does not answer in time, no TLS there), invalid (the CA file cannot be
// read), cancelled.
Result<TlsSight> probe_tls(const Operation& op, const TlsQuestion& question);

}  // namespace lifeboat
