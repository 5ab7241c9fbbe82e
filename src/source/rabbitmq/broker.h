// source/rabbitmq/broker.h - One RabbitMQ broker through its management API (3.8 and later).
//
// A thin layer that knows paths, the meaning of the API's answers, and where our marker is: the
// global parameter `lifeboat-marker`. Users that a step of ours has made are named in global
// parameters `lifeboat-users-...`, so that a restore leaves their new passwords alone.
//
// Threads: one call at a time.  Ownership: the HttpClient outlives the Broker.
#pragma once

#include <chrono>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "client/amqp/amqp.h"
#include "client/http/http.h"
#include "source/rabbitmq/lost_messages.h"
#include "source/rabbitmq/topology.h"
#include "source/source.h"

namespace lifeboat::source::rabbitmq {

struct Login {
  std::string url;  // of the management API; may hold user:password@
  std::string user;
  Secret password;
  std::string ca_file;
};

// A marker with the part of the capture that it speaks of, and what is owed to the broker: user ->
// virtual host -> the permission that this user had or shall have there (null: none) in place of
// the full one that a restore by it works with.
struct BrokerMarker {
  Marker marker;
  std::vector<std::string> only;
  Value owed = Value(Value::Map{});
};

// Users that steps made: user -> "run/step".
using StepUsers = std::map<std::string, std::string>;

// Everything about one moment of a broker.
struct LiveBroker {
  Topology topology;
  std::vector<std::string> skipped;
  std::optional<BrokerMarker> marker;
  StepUsers step_users;
  QueueDepths queues;  // all of them, as each last told: up to seconds ago
  // The state of those that do not run: "down", "crashed", "in a stopped virtual host".
  std::map<QueueName, std::string> ailing;
  std::string version, identity;
};

class Broker {
 public:
  // Errors: invalid (not an http(s) URL).
  static Result<Broker> open(HttpClient& http, const Login& login);

  // The user that we are, with its tags.  Errors: denied (login refused, not an administrator),
  // unavailable, invalid (no management API there; the hint says how to switch it on).
  Result<std::string> administrator(const Operation& op);
  Result<LiveBroker> read(const Operation& op);

  // A queue is whole or not there, even when we are cut off in the middle: as far as the broker
  // takes it as a definition (docs/decisions/0015).
  Result<void> put(const Operation& op, const ObjectKey& key, const Value& value);
  // Removing what is not there is no error.
  Result<void> remove(const Operation& op, const ObjectKey& key, const Value& value);
  Result<void> write_marker(const Operation& op, const BrokerMarker& marker);

  // One call; the answer, null when empty. `timeout`: of the whole exchange.
  // Errors: by status (not_found for 404).
  Result<Value> call(const Operation& op, const ApiCall& call,
                     std::chrono::nanoseconds timeout = std::chrono::minutes(2));
  // Whether an empty quorum queue serves: it is asked for a message, which takes the right to read
  // there. Should one have come meanwhile it goes back, redelivered: only for queues that nobody
  // uses yet. True for one that is gone.
  // One that is still being made is waited for, ten seconds.
  // Errors: as call(), but that no answer, or only refusals, within that time means no.
  Result<bool> serves(const Operation& op, const QueueName& queue);

  // Answers when a virtual host runs. One that does not by itself is started: when its making was
  // cut off, it and its queues are listed, and whoever enters is refused (docs/decisions/0015).
  // Errors: unavailable; as call().
  Result<void> run_vhost(const Operation& op, const std::string& vhost);

  // Where applications enter, with our login: at `given` ("amqp://HOST:PORT", "amqps://HOST"), or
  // as the broker itself tells if that is empty. It must be the same broker: door.cluster says
  // which. Behind an encrypted API only an encrypted listener is taken.  Errors: invalid, as
  // call().
  Result<AmqpDoor> amqp_door(const Operation& op, const std::string& given);

  std::string endpoint() const { return endpoint_; }
  const Login& login() const { return login_; }
  // Claims users for a step: a global parameter `lifeboat-users-NAME` that names them.
  static ObjectKey users_parameter(const std::string& name);

 private:
  Broker(HttpClient& http, Login login, std::string endpoint)
      : http_(&http), login_(std::move(login)), endpoint_(std::move(endpoint)) {}
  // False: refused, or not made, without a word why.
  Result<bool> import_queue(const Operation& op, const ObjectKey& key, const Value& value);
  Result<void> remove_binding(const Operation& op, const ObjectKey& key, const Value& value);
  // Waits for a virtual host that is just starting; after a while tells its nodes to start it.
  Result<Value> call_once_started(const Operation& op, const ApiCall& wanted,
                                  const std::string& vhost);
  Result<void> start_vhost(const Operation& op, const std::string& vhost);
  Error no_answer(const Operation& op, Error error);

  HttpClient* http_;
  Login login_;
  std::string endpoint_;
};

}  // namespace lifeboat::source::rabbitmq
