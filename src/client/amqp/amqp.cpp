#include "client/amqp/amqp.h"

#include <amqp.h>
#include <amqp_framing.h>
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <fmt/format.h>
#include <sys/time.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "base/bytes.h"

namespace lifeboat {
namespace {

using ErrorKind = Error::Kind;

constexpr auto longest_wait = std::chrono::seconds(10);
constexpr const char* system_certificates = "/etc/ssl/certs/ca-certificates.crt";
constexpr amqp_channel_t the_channel = 1;
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

// As the broker told when we connected; "" if it does not.
std::string cluster_of(amqp_connection_state_t connection) {
  const amqp_table_t* properties = amqp_get_server_properties(connection);
  for (int i = 0; properties != nullptr && i < properties->num_entries; ++i) {
    const amqp_table_entry_t& entry = properties->entries[i];
    const auto text = [](const amqp_bytes_t& bytes) {
      return std::string(static_cast<const char*>(bytes.bytes), bytes.len);
    };
    if (text(entry.key) == "cluster_name" && entry.value.kind == AMQP_FIELD_KIND_UTF8) {
      return text(entry.value.value.bytes);
    }
  }
  return {};
}

struct Opened {
  Connection connection;
  AmqpAnswer answer = AmqpAnswer::accepted;
};

Result<Opened> open(const Operation& op, const AmqpDoor& door) {
  TRY_DO(op.proceed());
  Opened opened{Connection(amqp_new_connection())};
  const amqp_connection_state_t connection = opened.connection.get();
  if (!connection) return fail(ErrorKind::unavailable, "no AMQP connection: out of memory?");
  TRY(amqp_socket_t* const socket, make_socket(connection, door));
  const timeval wait = wait_of(op);
  amqp_set_handshake_timeout(connection, &wait);
  amqp_set_rpc_timeout(connection, &wait);
  const int reached = amqp_socket_open_noblock(socket, door.host.c_str(), door.port, &wait);
  TRY_DO(op.proceed());
  if (reached != AMQP_STATUS_OK) return broken(door, reached);
  const std::string password(door.password.reveal());
  const amqp_rpc_reply_t reply = amqp_login(
      connection, door.vhost.c_str(), AMQP_DEFAULT_MAX_CHANNELS, AMQP_DEFAULT_FRAME_SIZE,
      AMQP_DEFAULT_HEARTBEAT, AMQP_SASL_METHOD_PLAIN, door.user.c_str(), password.c_str());
  TRY_DO(op.proceed());
  if (reply.reply_type != AMQP_RESPONSE_NORMAL) {
    TRY(opened.answer, answer_of(door, reply));
    return opened;
  }
  const std::string cluster = cluster_of(connection);
  if (door.cluster.empty() || cluster == door.cluster) return opened;
  return fail(ErrorKind::invalid,
              fmt::format("{} is another broker: {}, not {}", place_of(door), printable(cluster),
                          printable(door.cluster)),
              "name the address of the right one: `amqp: amqps://HOST:5671`");
}

Result<void> open_channel(amqp_connection_state_t connection, const AmqpDoor& door) {
  amqp_channel_open(connection, the_channel);
  const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
  if (reply.reply_type == AMQP_RESPONSE_NORMAL) return {};
  TRY_DO(answer_of(door, reply));
  return fail(ErrorKind::unavailable, place_of(door) + ": no channel to be had");
}

// Nothing: a queue that does not say. The broker closes the channel then; a new one takes its
// place.
Result<std::optional<std::uint64_t>> count_ready(amqp_connection_state_t connection,
                                                 const AmqpDoor& door, const std::string& queue) {
  const amqp_bytes_t name{queue.size(), const_cast<char*>(queue.data())};
  const auto* declared =
      amqp_queue_declare(connection, the_channel, name, 1, 0, 0, 0, amqp_empty_table);
  if (declared != nullptr) return std::optional<std::uint64_t>(declared->message_count);
  const amqp_rpc_reply_t reply = amqp_get_rpc_reply(connection);
  const bool refused = reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION &&
                       reply.reply.id == AMQP_CHANNEL_CLOSE_METHOD;
  if (!refused) {
    TRY_DO(answer_of(door, reply));
    return fail(ErrorKind::unavailable, place_of(door) + " closed the connection");
  }
  amqp_channel_close_ok_t agreed{};
  amqp_send_method(connection, the_channel, AMQP_CHANNEL_CLOSE_OK_METHOD, &agreed);
  TRY_DO(open_channel(connection, door));
  return std::optional<std::uint64_t>();
}

}  // namespace

Result<AmqpAnswer> try_amqp_login(const Operation& op, const AmqpDoor& door) {
  TRY(const Opened opened, open(op, door));
  if (opened.answer == AmqpAnswer::accepted) {
    amqp_connection_close(opened.connection.get(), AMQP_REPLY_SUCCESS);
  }
  return opened.answer;
}

Result<ReadyMessages> count_ready_messages(const Operation& op, const AmqpDoor& door,
                                           const std::vector<std::string>& queues) {
  TRY(const Opened opened, open(op, door));
  ReadyMessages counted{opened.answer, {}};
  if (opened.answer != AmqpAnswer::accepted) return counted;
  const amqp_connection_state_t connection = opened.connection.get();
  TRY_DO(open_channel(connection, door));
  for (const std::string& queue : queues) {
    if (!op.proceed()) break;
    TRY(const auto ready, count_ready(connection, door, queue));
    if (ready) counted.ready[queue] = *ready;
    amqp_maybe_release_buffers(connection);
  }
  amqp_connection_close(connection, AMQP_REPLY_SUCCESS);
  return counted;
}

}  // namespace lifeboat
