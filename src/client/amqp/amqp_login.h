// client/amqp/amqp_login.h - Does a broker let this user in? Asked as an application would: by
// AMQP 0-9-1, to the opened virtual host, and closed again.
//
// A password is proven by a login and by nothing else; the management API lets only users with a
// tag of its own in. librabbitmq does the work behind this header.
//
// Threads: any.
#pragma once

#include <cstdint>
#include <string>

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
};
enum class AmqpAnswer {
  accepted,
  login_refused,  // unknown user or another password
  vhost_refused,  // the login is right, but the virtual host is absent or not this user's
};

// Errors: unavailable (nothing answers, the connection broke, no answer within 10 s), denied
// (certificate not trusted), cancelled.
Result<AmqpAnswer> try_amqp_login(const Operation& op, const AmqpDoor& door);

}  // namespace lifeboat
