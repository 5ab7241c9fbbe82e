// client/amqp/amqp.h - What only AMQP 0-9-1 itself can tell of a broker: does it let this user in,
// and how many messages does a queue hold right now.
//
// A password is proven by a login and by nothing else; the management API lets only users with a
// tag of its own in, and tells of a queue what that queue last told it. Each question is one
// connection, closed again. librabbitmq does the work behind this header.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/operation.h"
#include "base/secret.h"

namespace lifeboat {

struct AmqpDoor {
  std::string host;
  int port = 5672;
  bool tls = false;
  std::string ca_file;  // "" = the system's certificates
  std::string vhost = "/";
  std::string user;
  Secret password;
  std::string cluster;  // name that the broker must tell; "" = any
};
enum class AmqpAnswer {
  accepted,
  login_refused,  // unknown user or another password
  vhost_refused,  // the login is right, but the virtual host is absent or not this user's
};

// Errors: unavailable (nothing answers, the connection broke, no answer within 10 s), denied
// (certificate not trusted), invalid (another broker than door.cluster), cancelled.
Result<AmqpAnswer> try_amqp_login(const Operation& op, const AmqpDoor& door);

struct ReadyMessages {
  AmqpAnswer answer = AmqpAnswer::accepted;
  std::map<std::string, std::uint64_t> ready;  // by queue; empty unless accepted
};
// Counts the messages of queues in door.vhost that wait for a consumer (those that were handed to
// one and not acknowledged are not among them). Asked by passive declares: changes nothing, and
// needs no right but the way into the virtual host. A queue that is gone, down or of one connection
// only is left out; so is what was not asked before `op` is over. A quorum queue without a leader
// says 0.
// Errors: as try_amqp_login().
Result<ReadyMessages> count_ready_messages(const Operation& op, const AmqpDoor& door,
                                           const std::vector<std::string>& queues);

}  // namespace lifeboat
