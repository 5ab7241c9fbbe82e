// source/rabbitmq/rabbitmq_source.h - Source type "rabbitmq": the definitions of a broker.
//
//   broker: { rabbitmq: { url: "http://mq:15672", user: admin, password: { env: MQ_PASSWORD } } }
//
// Captured: virtual hosts, users with their password hashes, permissions, policies, exchanges,
// queues, bindings, limits, parameters, as JSON a kind and virtual host, read twice until two
// readings agree. Not captured: messages (each queue is asked for its depth, which is told as a
// loss), and what the broker itself forgets at a restart.
//
// A restore changes only what differs: it adds what is missing, alters what can be altered, makes
// anew what cannot, and removes what the capture has not (asked for by keep_aside, or left behind
// by our own run); the default user `guest` and the virtual host `/` of a new broker are nobody's,
// and go when the capture has none. Never touched nor compared: the user that the restore logs in
// as, and users that a rabbitmq-users step has made: their passwords are newer than the capture.
// Kept aside by capture: the caller captures the target first, restoring that undoes it all.
#pragma once

#include <memory>

#include "source/rabbitmq/broker.h"
#include "source/source.h"

namespace lifeboat::source {

SourceType rabbitmq_source();

// For tests: a source that talks through the given client.
struct RabbitmqOptions {
  rabbitmq::Login login;
  std::vector<std::string> vhosts;  // empty: all
  std::string amqp = {};            // where queues are asked; empty: as the broker tells
};
Result<std::unique_ptr<Source>> make_rabbitmq_source(std::shared_ptr<HttpClient> http,
                                                     const RabbitmqOptions& options);

}  // namespace lifeboat::source
