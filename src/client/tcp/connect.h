// client/tcp/connect.h - A connection to a host and port that waits no longer than it may.
//
// Threads: any.
#pragma once

#include <chrono>
#include <string>

#include "base/descriptor.h"
#include "base/operation.h"

namespace lifeboat {

// A host (name, IPv4, or IPv6; brackets taken off) and a port, of "db.acme.example:5432".
struct TcpAddress {
  std::string host, port;
  std::string shown() const;  // printable; IPv6 in brackets
};
// Errors: invalid.
Result<TcpAddress> parse_tcp_address(const std::string& text);

// A connected, non-blocking socket; each address of the host gets `patience`.
// Errors: unavailable (nobody listens, no such host), cancelled.
Result<Descriptor> connect_tcp(const Operation& op, const TcpAddress& address,
                               std::chrono::nanoseconds patience = std::chrono::seconds(5));

// Waits until `number` is ready for `events` (POLLIN, POLLOUT) or `until` (of op.clock->boot())
// has passed, which answers false.  Errors: cancelled.
Result<bool> await_socket(const Operation& op, int number, short events,
                          std::chrono::nanoseconds until);

}  // namespace lifeboat
