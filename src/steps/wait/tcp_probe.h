// steps/wait/tcp_probe.h - Does anybody listen there?
//
// Threads: any.
#pragma once

#include <string>

#include "base/operation.h"

namespace lifeboat::steps {

// A host (name, IPv4, or IPv6 in brackets) and a port, "db.acme.example:5432".
struct TcpAddress {
  std::string host, port;
};
// Errors: invalid.
Result<TcpAddress> parse_tcp_address(const std::string& text);

// Connects and closes again; each address of the host gets at most five seconds.
// Errors: unavailable (nobody listens, no such host), cancelled.
Result<void> probe_tcp(const Operation& op, const TcpAddress& address);

}  // namespace lifeboat::steps
