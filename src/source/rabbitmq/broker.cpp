#include "source/rabbitmq/broker.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/bytes.h"
#include "schema/json.h"

namespace lifeboat::source::rabbitmq {
namespace {

using ErrorKind = Error::Kind;

constexpr std::string_view marker_name = "lifeboat-marker";
constexpr std::string_view users_prefix = "lifeboat-users-";
constexpr auto look_every = std::chrono::milliseconds(200);
constexpr auto starts_by_itself = std::chrono::seconds(2);
constexpr auto start_patience = std::chrono::seconds(30);
constexpr auto serve_patience = std::chrono::seconds(10);
constexpr std::size_t answer_limit_bytes = 64u << 20;
constexpr const char* plugin_hint =
    "switch the management plugin on (rabbitmq-plugins enable rabbitmq_management) and give the "
    "URL of its API, usually http://HOST:15672";

std::string reason_of(const std::string& body) {
  const auto value = parse_json(body);
  if (!value) return {};
  const Value& reason = value->at("reason");
  return printable(reason.is(Value::Type::string) ? reason.string() : value->text("error"));
}

// What another status than success means.
Error refusal(const HttpResponse& response, const ApiCall& call, const std::string& endpoint,
              const std::string& user) {
  const std::string reason = reason_of(response.body);
  const std::string place = fmt::format("{}: {} {}", endpoint, call.method, call.path);
  switch (response.status) {
    case 401:
      if (reason == "Login failed" || reason.empty()) {
        return {ErrorKind::denied, fmt::format("{} refuses the login of user '{}'", endpoint, user),
                "check user and password; users `guest` may log in from the broker's machine only"};
      }
      return {ErrorKind::denied, fmt::format("{}: {}", place, reason),
              fmt::format("user '{}' needs the tag administrator", user)};
    case 403:
      return {ErrorKind::denied, fmt::format("{}: {}", place, reason), ""};
    case 404:
      return {ErrorKind::not_found, fmt::format("{}: not found", place), ""};
    case 400:
      return {ErrorKind::invalid, fmt::format("{}: {}", place, reason),
              "a plugin that the captured broker had may be missing here (rabbitmq-plugins list)"};
    default:
      break;
  }
  const bool later = response.status >= 500 || response.status == 429;
  return {later ? ErrorKind::unavailable : ErrorKind::invalid,
          fmt::format("{}: status {} {}", place, response.status, reason), ""};
}

// A virtual host is there before its processes are; when its making was cut off, they never are.
bool is_not_started(const Error& error) {
  return error.what.find("vhost_supervisor_not_running") != std::string::npos;
}

// By what the broker tells of each node; one of an old version tells nothing.
bool is_stopped(const Value& vhost) {
  const Value& nodes = vhost.at("cluster_state");
  if (!nodes.is(Value::Type::map) || nodes.map().empty()) return false;
  return std::ranges::none_of(nodes.map(),
                              [](const auto& node) { return node.second == Value("running"); });
}

std::set<std::string> stopped_of(const Value& vhosts) {
  std::set<std::string> stopped;
  if (!vhosts.is(Value::Type::list)) return stopped;
  for (const Value& vhost : vhosts.list()) {
    if (is_stopped(vhost)) stopped.insert(vhost.text("name"));
  }
  return stopped;
}

std::vector<std::string> strings(const Value& list) {
  std::vector<std::string> out;
  if (!list.is(Value::Type::list)) return out;
  for (const Value& each : list.list()) {
    if (each.is(Value::Type::string)) out.push_back(each.string());
  }
  return out;
}

// Others mean work: "running", "idle", "flow".
bool is_ailing(const std::string& state) {
  return state == "down" || state == "crashed" || state == "stopped" || state == "minority";
}

std::uint64_t count_in(const Value& queue, const char* key) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, queue.integer(key, 0)));
}

void read_own(const Value& global, LiveBroker& live) {
  for (const auto& [name, value] : global.map()) {
    if (name == marker_name) {
      if (const auto marker = Marker::parse(value.text("marker"))) {
        live.marker = BrokerMarker{*marker, strings(value.at("only")), value.at("owed")};
      }
    }
    if (!name.starts_with(users_prefix)) continue;
    for (const std::string& user : strings(value.at("users"))) {
      live.step_users[user] = value.text("run") + "/" + value.text("step");
    }
  }
}

}  // namespace

Result<Broker> Broker::open(HttpClient& http, const Login& login) {
  const auto parts = parse_url(login.url);
  if (!parts || (parts->scheme != "http" && parts->scheme != "https")) {
    return fail(ErrorKind::invalid,
                fmt::format("'{}' is not the URL of a management API", shown_url(login.url)),
                "give http://HOST:15672 or https://HOST:15671, not the address of AMQP",
                Error::Code::usage);
  }
  Login own = login;
  if (own.user.empty()) {
    own.user = parts->user;
    own.password = parts->password;
  }
  // A management API behind a path prefix keeps it; the URL of its start page loses the slash.
  own.url = shown_url(login.url);
  while (own.url.ends_with('/')) own.url.pop_back();
  return Broker(http, std::move(own), endpoint_of(*parts));
}

ObjectKey Broker::users_parameter(const std::string& name) {
  return {Kind::global_parameter, "", std::string(users_prefix) + name};
}

// Nothing speaks HTTP there. If AMQP does, the broker is alive and only its API is off.
Error Broker::no_answer(const Operation& op, Error error) {
  if (error.kind == ErrorKind::invalid &&
      error.what.find("does not speak HTTP") != std::string::npos) {
    error.what += "; it may be the broker's AMQP port";
    error.hint = plugin_hint;
  }
  if (error.kind != ErrorKind::unavailable) return error;
  error.hint = fmt::format("is the broker up? If it is: {}", plugin_hint);
  const auto parts = parse_url(login_.url);
  if (!parts || error.code == Error::Code::timeout) return error;
  HttpRequest knock;
  knock.url = fmt::format("http://{}:5672/", parts->host);
  knock.timeout = knock.connect_timeout = std::chrono::seconds(3);
  const auto heard = http_->send(op, knock);
  if (!heard && heard.error().what.find("does not speak HTTP") != std::string::npos) {
    error.what += fmt::format(", but AMQP does ({}:5672): its management API is off", parts->host);
    error.hint = plugin_hint;
  }
  return error;
}

Result<Value> Broker::call(const Operation& op, const ApiCall& call,
                           std::chrono::nanoseconds timeout) {
  HttpRequest request;
  request.timeout = timeout;
  request.method = call.method;
  request.url = login_.url + call.path;
  request.user = login_.user;
  request.password = login_.password;
  request.ca_file = login_.ca_file;
  request.max_body_bytes = answer_limit_bytes;
  if (!call.body.is_null()) {
    request.headers["Content-Type"] = "application/json";
    request.body = to_json(call.body, Secrets::reveal);
  }
  auto response = http_->send(op, request);
  if (!response) return fail(no_answer(op, std::move(response).error()));
  if (!response->ok()) return fail(refusal(*response, call, endpoint_, login_.user));
  if (response->body.empty()) return Value();
  auto value = parse_json(response->body);
  if (!value) {
    return fail(ErrorKind::invalid,
                fmt::format("{}{}: the answer is no JSON", endpoint_, call.path), plugin_hint);
  }
  return value;
}

Result<std::string> Broker::administrator(const Operation& op) {
  auto who = call(op, {"GET", "/api/whoami", Value()});
  if (!who && who.error().kind == ErrorKind::not_found) {
    return fail(ErrorKind::invalid, fmt::format("{} is no RabbitMQ management API", endpoint_),
                plugin_hint);
  }
  TRY(const Value me, std::move(who));
  const Value& tags = me.at("tags");
  const std::vector<std::string> listed = strings(tags);
  const bool is_one =
      tags.is(Value::Type::string)
          ? tags.string().find("administrator") != std::string::npos
          : std::find(listed.begin(), listed.end(), "administrator") != listed.end();
  if (!is_one) {
    return fail(ErrorKind::denied,
                fmt::format("{}: user '{}' is no administrator", endpoint_, login_.user),
                fmt::format("rabbitmqctl set_user_tags {} administrator", login_.user));
  }
  return me.text("name", login_.user);
}

namespace {

// The first listener for AMQP; behind an encrypted API only an encrypted one will do, for the same
// password goes there.
std::optional<AmqpDoor> listener_of(const Value& overview, bool encrypted) {
  std::optional<AmqpDoor> found;
  if (!overview.at("listeners").is(Value::Type::list)) return found;
  for (const Value& listener : overview.at("listeners").list()) {
    const std::string protocol = listener.text("protocol");
    const bool plain = protocol == "amqp" && !encrypted;
    if (!plain && (protocol != "amqp/ssl" || found)) continue;
    found.emplace();
    found->tls = !plain;
    found->port = static_cast<int>(listener.integer("port", plain ? 5672 : 5671));
  }
  return found;
}

Result<AmqpDoor> door_at(const std::string& address) {
  const bool with_scheme = address.find("://") != std::string::npos;
  const auto parts = parse_url(with_scheme ? address : "amqp://" + address);
  const bool fits =
      parts && (parts->scheme == "amqp" || parts->scheme == "amqps") && parts->user.empty();
  if (!fits) {
    return fail(ErrorKind::invalid,
                fmt::format("amqp: '{}' is not the address of a broker", shown_url(address)),
                "give amqp://HOST:5672 or amqps://HOST:5671, without a login", Error::Code::usage);
  }
  AmqpDoor door;
  door.host = parts->host;
  door.tls = parts->scheme == "amqps";
  door.port = parts->port != 0 ? parts->port : door.tls ? 5671 : 5672;
  return door;
}

}  // namespace

Result<AmqpDoor> Broker::amqp_door(const Operation& op, const std::string& given) {
  std::optional<AmqpDoor> door;
  if (!given.empty()) {
    TRY(door, door_at(given));
  }
  TRY(const UrlParts api, parse_url(login_.url));
  TRY(const Value overview, call(op, {"GET", "/api/overview?columns=listeners,cluster_name", {}}));
  if (!door) {
    door = listener_of(overview, api.scheme == "https");
    if (door) door->host = api.host;
  }
  if (!door) {
    return fail(ErrorKind::invalid,
                fmt::format("{}: the broker tells no {}listener for AMQP", endpoint_,
                            api.scheme == "https" ? "encrypted " : ""),
                "name it: `amqp: amqps://HOST:5671`");
  }
  if (door->host.starts_with('[')) door->host = door->host.substr(1, door->host.size() - 2);
  door->ca_file = login_.ca_file;
  door->user = login_.user;
  door->password = login_.password;
  door->cluster = overview.text("cluster_name");
  return *door;
}

Result<LiveBroker> Broker::read(const Operation& op) {
  auto answer = call(op, {"GET", "/api/overview?columns=rabbitmq_version,cluster_name,node", {}});
  if (!answer && answer.error().kind == ErrorKind::not_found) {
    return fail(ErrorKind::invalid, fmt::format("{} is no RabbitMQ management API", endpoint_),
                plugin_hint);
  }
  TRY(const Value overview, std::move(answer));
  TRY(const Value definitions, call(op, {"GET", "/api/definitions", {}}));
  TRY(const Value vhosts, call(op, {"GET", "/api/vhosts", {}}));
  // What the queues told when they last came to rest: the statistics are up to five seconds older.
  TRY(const Value queues,
      call(op, {"GET",
                "/api/queues?disable_stats=true&enable_queue_totals=true&"
                "columns=name,vhost,type,state,exclusive,messages_ready,messages_unacknowledged",
                {}}));
  TRY(Reading reading, read_topology(definitions, vhosts));
  LiveBroker live;
  live.topology = std::move(reading.topology);
  live.skipped = std::move(reading.skipped);
  live.version = overview.text("rabbitmq_version");
  live.identity = fmt::format("{} at {}, id {}", overview.text("cluster_name"),
                              overview.text("node"), reading.global.text("internal_cluster_id"));
  read_own(reading.global, live);
  if (!queues.is(Value::Type::list)) return live;
  const std::set<std::string> stopped = stopped_of(vhosts);
  for (const Value& queue : queues.list()) {
    const QueueName name{queue.text("vhost"), queue.text("name")};
    const bool exclusive = queue.boolean("exclusive", false);
    if (exclusive) {
      live.skipped.push_back(
          fmt::format("queue {}: a connection's own, skipped", printable(name.text())));
    }
    const std::string type = queue.text("type", "classic");
    live.queues[name] = {count_in(queue, "messages_ready"),
                         count_in(queue, "messages_unacknowledged"), exclusive, type != "classic",
                         type == "quorum"};
    const std::string state = queue.text("state");
    if (is_ailing(state)) live.ailing[name] = state;
    if (stopped.contains(name.vhost)) live.ailing[name] = "in a stopped virtual host";
  }
  return live;
}

// The plain declaration is served by a process that ends with our connection; what is imported as a
// definition is made by processes of the broker's own. But an import is silent: about arguments
// that a queue refuses, about one that is there with others, and where the cluster is smaller than
// it is to be, all queues are passed over. Then the plain declaration tells, or does it.
Result<bool> Broker::import_queue(const Operation& op, const ObjectKey& key, const Value& value) {
  const auto imported = call(op, call_to_import_queue(key, value));
  if (!imported) {
    const ErrorKind kind = imported.error().kind;
    if (kind == ErrorKind::invalid || kind == ErrorKind::denied) return false;
    return fail(imported.error());
  }
  const ApiCall look{"GET", object_path(key) + "?columns=arguments,auto_delete,durable", Value()};
  const auto there = call(op, look);
  if (!there) {
    if (there.error().kind == ErrorKind::not_found) return false;
    return fail(there.error());
  }
  return there->boolean("durable", false) &&
         there->boolean("auto_delete", false) == value.boolean("auto_delete", false) &&
         there->at("arguments") == value.at("arguments");
}

Result<bool> Broker::serves(const Operation& op, const QueueName& queue) {
  Value wish{Value::Map{}};
  wish.set("count", 1);
  wish.set("ackmode", "ack_requeue_true");
  wish.set("encoding", "auto");
  const std::string path = object_path({Kind::queue, queue.vhost, queue.name}) + "/get";
  const auto end = op.clock->boot() + serve_patience;
  for (;;) {
    const auto answer = call(op, {"POST", path, wish}, serve_patience);
    if (answer) return true;
    const Error& error = answer.error();
    if (error.code == Error::Code::timeout) {
      // The queue's silence, unless nothing at all answers.
      TRY_DO(call(op, {"GET", "/api/whoami", Value()}, serve_patience));
      return false;
    }
    if (error.kind == ErrorKind::not_found) return true;
    const bool refused = error.kind == ErrorKind::invalid;
    if (refused && error.what.find("single active consumer") != std::string::npos) return true;
    if (!refused && error.kind != ErrorKind::unavailable) return fail(error);
    // In the name of one that is not at work: the broker may be making it still, for one that died.
    if (op.clock->boot() >= end) return refused ? Result<bool>(false) : fail(error);
    TRY_DO(op.pause(look_every));
  }
}

Result<void> Broker::put(const Operation& op, const ObjectKey& key, const Value& value) {
  if (key.kind == Kind::queue) {
    TRY(const bool made, import_queue(op, key, value));
    if (made) return {};
  }
  for (const ApiCall& each : calls_to_put(key, value)) {
    auto done = call(op, each);
    if (!done && is_not_started(done.error())) done = call_once_started(op, each, key.vhost);
    if (!done) return wrap(std::move(done).error(), key.text());
  }
  return {};
}

Result<Value> Broker::call_once_started(const Operation& op, const ApiCall& wanted,
                                        const std::string& vhost) {
  const auto begun = op.clock->boot();
  bool told = false;
  for (;;) {
    TRY_DO(op.pause(look_every));
    auto done = call(op, wanted);
    if (done || !is_not_started(done.error())) return done;
    const auto waited = op.clock->boot() - begun;
    if (waited > start_patience) {
      Error error = std::move(done).error();
      error.kind = ErrorKind::unavailable;
      return fail(std::move(error));
    }
    if (waited > starts_by_itself && !std::exchange(told, true)) TRY_DO(start_vhost(op, vhost));
  }
}

Result<void> Broker::run_vhost(const Operation& op, const std::string& vhost) {
  const auto begun = op.clock->boot();
  for (bool told = false;;) {
    TRY(const Value state, call(op, {"GET", "/api/vhosts/" + url_segment(vhost), {}}));
    if (!is_stopped(state)) return {};
    const auto waited = op.clock->boot() - begun;
    if (waited > start_patience) {
      return fail(ErrorKind::unavailable,
                  fmt::format("{}: virtual host {} does not start", endpoint_, printable(vhost)),
                  "the broker's log says why; rabbitmqctl restart_vhost --vhost NAME");
    }
    if (waited > starts_by_itself && !std::exchange(told, true)) TRY_DO(start_vhost(op, vhost));
    TRY_DO(op.pause(look_every));
  }
}

Result<void> Broker::start_vhost(const Operation& op, const std::string& vhost) {
  const std::string path = "/api/vhosts/" + url_segment(vhost);
  TRY(const Value state, call(op, {"GET", path, {}}));
  if (!state.at("cluster_state").is(Value::Type::map)) return {};
  for (const auto& [node, word] : state.at("cluster_state").map()) {
    TRY_DO(call(op, {"POST", path + "/start/" + url_segment(node), Value()}));
  }
  return {};
}

Result<void> Broker::remove_binding(const Operation& op, const ObjectKey& key, const Value& value) {
  const std::string between = calls_to_put(key, value).front().path;
  auto listed = call(op, {"GET", between, {}});
  if (!listed && listed.error().kind == ErrorKind::not_found) return {};
  TRY(const Value bindings, std::move(listed));
  if (!bindings.is(Value::Type::list)) {
    return fail(ErrorKind::invalid, endpoint_ + between + ": the answer is no list of bindings");
  }
  for (const Value& each : bindings.list()) {
    if (each.text("routing_key") != value.text("routing_key") ||
        !(each.at("arguments") == value.at("arguments"))) {
      continue;
    }
    const std::string name = url_segment(each.text("properties_key"));
    TRY_DO(call(op, {"DELETE", between + "/" + name, {}}));
  }
  return {};
}

Result<void> Broker::remove(const Operation& op, const ObjectKey& key, const Value& value) {
  if (key.kind == Kind::binding) return remove_binding(op, key, value);
  auto done = call(op, call_to_remove(key));
  if (!done && done.error().kind != ErrorKind::not_found) {
    return wrap(std::move(done).error(), "removing " + key.text());
  }
  return {};
}

Result<void> Broker::write_marker(const Operation& op, const BrokerMarker& marker) {
  Value value{Value::Map{}};
  value.set("marker", marker.marker.text());
  Value::List only(marker.only.begin(), marker.only.end());
  value.set("only", Value(std::move(only)));
  value.set("owed", marker.owed);
  return put(op, {Kind::global_parameter, "", std::string(marker_name)}, value);
}

}  // namespace lifeboat::source::rabbitmq
