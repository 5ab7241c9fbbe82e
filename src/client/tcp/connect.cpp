#include "client/tcp/connect.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/bytes.h"

namespace lifeboat {
namespace {

constexpr int look_ms = 50;

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

// The socket, or none and the errno of the connection.
struct Attempt {
  Descriptor socket;
  int error = 0;
};

// Errors: cancelled.
Result<Attempt> connect_to(const Operation& op, const addrinfo& one,
                           std::chrono::nanoseconds patience) {
  Descriptor made(
      socket(one.ai_family, one.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, one.ai_protocol));
  if (!made.open()) return Attempt{{}, errno};
  if (connect(made.number(), one.ai_addr, one.ai_addrlen) == 0) return Attempt{std::move(made), 0};
  if (errno != EINPROGRESS) return Attempt{{}, errno};
  TRY(const bool ready, await_socket(op, made.number(), POLLOUT, op.clock->boot() + patience));
  if (!ready) return Attempt{{}, ETIMEDOUT};
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(made.number(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  if (error != 0) return Attempt{{}, error};
  return Attempt{std::move(made), 0};
}

}  // namespace

std::string TcpAddress::shown() const {
  const bool bracket = host.find(':') != std::string::npos;
  return printable(bracket ? "[" + host + "]:" + port : host + ":" + port);
}

Result<TcpAddress> parse_tcp_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  TcpAddress address;
  if (colon != std::string::npos) {
    address.host = text.substr(0, colon);
    address.port = text.substr(colon + 1);
  }
  if (address.host.size() > 2 && address.host.front() == '[' && address.host.back() == ']') {
    address.host = address.host.substr(1, address.host.size() - 2);
  }
  const bool digits = !address.port.empty() && address.port.size() <= 5 &&
                      std::all_of(address.port.begin(), address.port.end(),
                                  [](char c) { return c >= '0' && c <= '9'; });
  if (address.host.empty() || !digits || std::stoi(address.port) < 1 ||
      std::stoi(address.port) > 65535) {
    return fail(Error::Kind::invalid, "'" + printable(text) + "' is not HOST:PORT",
                "write it like db.acme.example:5432 or [::1]:5432");
  }
  return address;
}

Result<Descriptor> connect_tcp(const Operation& op, const TcpAddress& address,
                               std::chrono::nanoseconds patience) {
  TRY_DO(op.proceed());
  addrinfo wanted = {};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = getaddrinfo(address.host.c_str(), address.port.c_str(), &wanted, &found);
  if (failure != 0) {
    return fail(Error::Kind::unavailable, address.shown() + ": " + gai_strerror(failure));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> all(found);
  int last = 0;
  for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
    TRY(Attempt attempt, connect_to(op, *one, patience));
    if (attempt.socket.open()) return std::move(attempt.socket);
    last = attempt.error;
  }
  return fail(Error::Kind::unavailable, address.shown() + ": " + errno_text(last));
}

Result<bool> await_socket(const Operation& op, int number, short events,
                          std::chrono::nanoseconds until) {
  while (op.clock->boot() < until) {
    TRY_DO(op.proceed());
    pollfd polled{number, events, 0};
    if (poll(&polled, 1, look_ms) > 0) return true;
  }
  return false;
}

}  // namespace lifeboat
