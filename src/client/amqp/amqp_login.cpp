#include "client/amqp/amqp_login.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <fmt/format.h>
#include <sys/time.h>

#include <algorithm>
#include <memory>

namespace lifeboat {
namespace {

using ErrorKind = Error::Kind;

constexpr auto longest_wait = std::chrono::seconds(10);
constexpr const char* system_certificates = "/etc/ssl/certs/ca-certificates.crt";
constexpr int access_refused = 403, not_allowed = 530, not_found = 404;

struct Close {
  void operator()(amqp_connection_state_t connection) const { amqp_destroy_connection(connection); }
};
using Connection = std::unique_ptr<amqp_connection_state_t_, Close>;

timeval wait_of(const Operation& op) {
  const auto time = std::min<std::chrono::nanoseconds>(longest_wait, op.remaining());
  const auto us = std::max<std::int64_t>(
      1000, std::chrono::duration_cast<std::chrono::microseconds>(time).count());
  return {us / 1'000'000, us % 1'000'000};
}

std::string place_of(const AmqpDoor& door) {
  return fmt::format("{}://{}:{}", door.tls ? "amqps" : "amqp", door.host, door.port);
}

tl::unexpected<Error> broken(const AmqpDoor& door, int status) {
  const std::string what =
      fmt::format("{} does not answer: {}", place_of(door), amqp_error_string2(status));
  switch (status) {
    case AMQP_STATUS_SSL_PEER_VERIFY_FAILED:
    case AMQP_STATUS_SSL_HOSTNAME_VERIFY_FAILED:
      return fail(ErrorKind::denied, place_of(door) + ": its certificate is not trusted",
                  "give the certificate of its authority as CA file");
    case AMQP_STATUS_TIMEOUT:
      return fail(ErrorKind::unavailable, what, "is it up, and reachable from here?",
                  Error::Code::timeout);
    default:
      return fail(ErrorKind::unavailable, what, "is it up, and reachable from here?");
  }
}

Result<amqp_socket_t*> make_socket(amqp_connection_state_t connection, const AmqpDoor& door) {
  amqp_socket_t* socket =
      door.tls ? amqp_ssl_socket_new(connection) : amqp_tcp_socket_new(connection);
  if (socket == nullptr) return fail(ErrorKind::unavailable, "no AMQP socket: out of memory?");
  if (!door.tls) return socket;
  const char* trusted = door.ca_file.empty() ? system_certificates : door.ca_file.c_str();
  if (amqp_ssl_socket_set_cacert(socket, trusted) != AMQP_STATUS_OK) {
    return fail(ErrorKind::invalid,
                fmt::format("CA file '{}' cannot be read as certificates", trusted));
  }
  amqp_ssl_socket_set_verify_peer(socket, 1);
  amqp_ssl_socket_set_verify_hostname(socket, 1);
  return socket;
}

// What the broker says before it closes the connection on us.
Result<AmqpAnswer> answer_of(const AmqpDoor& door, const amqp_rpc_reply_t& reply) {
  if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION) {
    return broken(door, reply.library_error);
  }
  if (reply.reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
    const auto* close = static_cast<const amqp_connection_close_t*>(reply.reply.decoded);
    if (close->reply_code == access_refused) return AmqpAnswer::login_refused;
    if (close->reply_code == not_allowed || close->reply_code == not_found) {
      return AmqpAnswer::vhost_refused;
    }
    return fail(ErrorKind::invalid,
                fmt::format("{}: AMQP error {}", place_of(door), close->reply_code));
  }
  return fail(ErrorKind::invalid, place_of(door) + ": an unexpected AMQP answer");
}

}  // namespace

Result<AmqpAnswer> try_amqp_login(const Operation& op, const AmqpDoor& door) {
  TRY_DO(op.proceed());
  const Connection connection(amqp_new_connection());
  if (!connection) return fail(ErrorKind::unavailable, "no AMQP connection: out of memory?");
  TRY(amqp_socket_t* const socket, make_socket(connection.get(), door));
  const timeval wait = wait_of(op);
  amqp_set_handshake_timeout(connection.get(), &wait);
  amqp_set_rpc_timeout(connection.get(), &wait);
  const int opened = amqp_socket_open_noblock(socket, door.host.c_str(), door.port, &wait);
  TRY_DO(op.proceed());
  if (opened != AMQP_STATUS_OK) return broken(door, opened);
  const std::string password(door.password.reveal());
  const amqp_rpc_reply_t reply = amqp_login(
      connection.get(), door.vhost.c_str(), AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE,
      AMQP_DEFAULT_HEARTBEAT, AMQP_SASL_METHOD_PLAIN, door.user.c_str(), password.c_str());
  TRY_DO(op.proceed());
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) return answer_of(door, reply);
  amqp_connection_close(connection.get(), AMQP_REPLY_SUCCESS);
  return AmqpAnswer::accepted;
}

}  // namespace lifeboat
