// Asking: UDP in three attempts, TCP where the answer was cut.
#include "client/dns/dns.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "base/bytes.h"
#include "client/dns/packet.h"
#include "client/tcp/connect.h"

namespace lifeboat {
namespace {

using Kind = Error::Kind;
using std::chrono::nanoseconds;

constexpr int attempts = 3;

struct SocketAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;
};

Result<SocketAddress> socket_address(const DnsServer& server) {
  SocketAddress address;
  auto* four = reinterpret_cast<sockaddr_in*>(&address.storage);
  auto* six = reinterpret_cast<sockaddr_in6*>(&address.storage);
  if (inet_pton(AF_INET, server.address.c_str(), &four->sin_addr) == 1) {
    four->sin_family = AF_INET;
    four->sin_port = htons(static_cast<std::uint16_t>(server.port));
    address.size = sizeof *four;
    return address;
  }
  if (inet_pton(AF_INET6, server.address.c_str(), &six->sin6_addr) == 1) {
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(static_cast<std::uint16_t>(server.port));
    address.size = sizeof *six;
    return address;
  }
  return fail(Kind::invalid, "'" + printable(server.address) + "' is no address");
}

Error silent(const DnsServer& server, const std::string& why) {
  return {Kind::unavailable,
          server.shown() + ": " + why,
          "is it running, and reachable from here?",
          {}};
}

// One datagram there and the first answer to it back; nullopt: none came in time.
Result<std::optional<dns::Heard>> attempt_udp(const Operation& op, const DnsServer& server,
                                              const DnsQuestion& question, const dns::Asked& asked,
                                              nanoseconds until) {
  TRY(const SocketAddress address, socket_address(server));
  const Descriptor socket_file(
      socket(address.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  // Connected: datagrams of others do not reach it, and a closed port is told at once.
  if (!socket_file.open() ||
      connect(socket_file.number(), reinterpret_cast<const sockaddr*>(&address.storage),
              address.size) != 0 ||
      send(socket_file.number(), asked.packet.data(), asked.packet.size(), 0) < 0) {
    return fail(silent(server, errno_text(errno)));
  }
  for (;;) {
    TRY(const bool ready, await_socket(op, socket_file.number(), POLLIN, until));
    if (!ready) return std::optional<dns::Heard>();
    std::array<std::uint8_t, 65536> buffer;
    const ssize_t count = recv(socket_file.number(), buffer.data(), buffer.size(), 0);
    if (count < 0 && errno == ECONNREFUSED) return fail(silent(server, errno_text(errno)));
    if (count < 0) continue;
    auto heard = dns::read({buffer.data(), static_cast<std::size_t>(count)}, asked, question);
    if (heard) return heard;  // anything else is not for us: wait on
  }
}

Result<void> send_all(const Operation& op, int socket_number, ByteView bytes, nanoseconds until) {
  while (!bytes.empty()) {
    const ssize_t count = send(socket_number, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (count > 0) {
      bytes = bytes.subspan(static_cast<std::size_t>(count));
      continue;
    }
    if (errno != EAGAIN) return fail(Kind::unavailable, errno_text(errno));
    TRY(const bool ready, await_socket(op, socket_number, POLLOUT, until));
    if (!ready) return fail(Kind::unavailable, "does not take the question", "", {});
  }
  return {};
}

Result<Bytes> read_exactly(const Operation& op, int socket_number, std::size_t wanted,
                           nanoseconds until) {
  Bytes bytes(wanted);
  std::size_t have = 0;
  while (have < wanted) {
    TRY(const bool ready, await_socket(op, socket_number, POLLIN, until));
    if (!ready) return fail(Kind::unavailable, "no answer by TCP in time");
    const ssize_t count = recv(socket_number, bytes.data() + have, wanted - have, 0);
    if (count == 0) return fail(Kind::unavailable, "closed the connection");
    if (count < 0 && errno != EAGAIN) return fail(Kind::unavailable, errno_text(errno));
    if (count > 0) have += static_cast<std::size_t>(count);
  }
  return bytes;
}

// RFC 1035, 4.2.2: two bytes of length before each packet.
Result<dns::Heard> ask_by_tcp(const Operation& op, const DnsServer& server,
                              const DnsQuestion& question, const dns::Asked& asked,
                              nanoseconds until) {
  TRY(const Descriptor connection,
      connect_tcp(op, {server.address, std::to_string(server.port)}, question.timeout));
  Bytes framed = {static_cast<std::uint8_t>(asked.packet.size() >> 8),
                  static_cast<std::uint8_t>(asked.packet.size() & 0xff)};
  append(framed, asked.packet);
  TRY_DO(send_all(op, connection.number(), framed, until));
  TRY(const Bytes length, read_exactly(op, connection.number(), 2, until));
  TRY(const Bytes packet,
      read_exactly(op, connection.number(), std::size_t{length[0]} << 8 | length[1], until));
  auto heard = dns::read(packet, asked, question);
  if (!heard) return fail(Kind::unavailable, "what it says by TCP is no answer to the question");
  return *std::move(heard);
}

}  // namespace

std::string DnsServer::shown() const {
  const bool bracket = address.find(':') != std::string::npos && port != 53;
  std::string place = bracket ? "[" + address + "]" : address;
  if (port != 53) place += ":" + std::to_string(port);
  return printable(name.empty() || name == address ? place : name + " (" + place + ")");
}

Result<DnsAnswer> ask_dns(const Operation& op, const DnsServer& server,
                          const DnsQuestion& question) {
  TRY_DO(op.proceed());
  const auto began = op.clock->boot();
  for (int attempt = 1; attempt <= attempts; ++attempt) {
    TRY(const dns::Asked asked, dns::written(question));
    TRY(auto heard,
        attempt_udp(op, server, question, asked, began + question.timeout * attempt / attempts));
    if (!heard) continue;
    if (!heard->cut) return std::move(heard->answer);
    auto whole = ask_by_tcp(op, server, question, asked, began + question.timeout);
    if (!whole && whole.error().kind == Kind::unavailable) {
      return fail(silent(server, "its answer is cut, and by TCP: " + whole.error().what));
    }
    if (!whole) return fail(whole.error());
    return std::move(whole->answer);
  }
  return fail(silent(server, "no answer within " + human_duration(question.timeout)));
}

}  // namespace lifeboat
