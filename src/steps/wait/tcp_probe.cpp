#include "steps/wait/tcp_probe.h"

#include <netdb.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/bytes.h"
#include "client/process/descriptor.h"

namespace lifeboat::steps {
namespace {

using process::Descriptor;

constexpr auto patience = std::chrono::seconds(5);
constexpr int look_ms = 50;

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};

// 0, or the errno of the connection.  Errors: cancelled.
Result<int> connect_to(const Operation& op, const addrinfo& one) {
  const Descriptor socket_file(
      socket(one.ai_family, one.ai_socktype | SOCK_NONBLOCK | SOCK_CLOEXEC, one.ai_protocol));
  if (!socket_file.open()) return errno;
  if (connect(socket_file.number(), one.ai_addr, one.ai_addrlen) == 0) return 0;
  if (errno != EINPROGRESS) return errno;
  const auto until = op.clock->boot() + patience;
  while (op.clock->boot() < until) {
    TRY_DO(op.proceed());
    pollfd polled{socket_file.number(), POLLOUT, 0};
    if (poll(&polled, 1, look_ms) <= 0) continue;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(socket_file.number(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    return error;
  }
  return ETIMEDOUT;
}

}  // namespace

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

Result<void> probe_tcp(const Operation& op, const TcpAddress& address) {
  TRY_DO(op.proceed());
  const std::string name = printable(address.host) + ":" + address.port;
  addrinfo wanted = {};
  wanted.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int failure = getaddrinfo(address.host.c_str(), address.port.c_str(), &wanted, &found);
  if (failure != 0) {
    return fail(Error::Kind::unavailable, name + ": " + gai_strerror(failure));
  }
  const std::unique_ptr<addrinfo, FreeAddresses> all(found);
  int last = 0;
  for (const addrinfo* one = all.get(); one != nullptr; one = one->ai_next) {
    TRY(last, connect_to(op, *one));
    if (last == 0) return {};
  }
  return fail(Error::Kind::unavailable, name + ": " + process::errno_text(last));
}

}  // namespace lifeboat::steps
