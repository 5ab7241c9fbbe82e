// source/rabbitmq/topology.h - What a broker is made of, as one flat map of named objects.
//
// Definitions come from the management API in a dozen shapes; here each is an object with a key
// (kind, virtual host, name) and a value in one canonical form, so that two brokers can be compared
// by comparing two maps, a capture is the map cut into items, and a restore is the difference.
// Only what the broker itself keeps over a restart is an object: transient and exclusive queues and
// exchanges, built-in exchanges, and the broker's own identity (cluster name and id) are not.
//
// Pure: no I/O.  Threads: values.
// Source: RabbitMQ 3.10 management HTTP API, /api/definitions and /api/vhosts.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "schema/value.h"

namespace lifeboat::source::rabbitmq {

// In the order in which they can be put back; removed in the opposite order. Limits come behind
// what they count, runtime parameters (shovels) behind the queues that they would fill.
enum class Kind : std::uint8_t {
  vhost,
  user,
  permission,
  topic_permission,
  policy,
  operator_policy,
  exchange,
  queue,
  binding,
  vhost_limit,
  user_limit,
  parameter,
  global_parameter,
};

struct ObjectKey {
  Kind kind = Kind::vhost;
  std::string vhost;  // "" for what belongs to the whole broker
  std::string name;   // permission: the user; binding: its canonical JSON; limit: "user/limit"
  auto operator<=>(const ObjectKey&) const = default;
  std::string text() const;  // for people: "queue shop/orders"
};

using Topology = std::map<ObjectKey, Value>;

// What the API told, sorted out.
struct Reading {
  Topology topology;
  std::vector<std::string> skipped;  // "queue shop/tmp: transient, not captured"
  Value global;                      // all global parameters, ours and the broker's own included
};
// `definitions` of GET /api/definitions, `vhosts` of GET /api/vhosts.
// Errors: invalid when an answer is not of the known shape.
Result<Reading> read_topology(const Value& definitions, const Value& vhosts);

// Which part of a broker is meant: some virtual hosts (empty: all, and users and parameters of the
// whole broker), some items of a capture (empty: all).
struct Scope {
  std::vector<std::string> vhosts;
  std::vector<std::string> only;
  bool holds(const ObjectKey& key) const;
  std::string text() const;  // "" when it is everything
};

// The item of a capture that holds the object: "vhosts/shop/queues.json", "broker/users.json".
std::string item_name(const ObjectKey& key);
// Cuts a topology into items: name -> JSON text, ready to be stored.
std::map<std::string, std::string> to_items(const Topology& topology);
// Reads one item back into `topology`.  Errors: corrupt, with the item's name.
Result<void> from_item(const std::string& name, std::string_view text, Topology& topology);

struct Difference {
  std::vector<ObjectKey> missing, different, extra;  // as seen from the first
  bool empty() const { return missing.empty() && different.empty() && extra.empty(); }
};
// What `live` lacks, has otherwise, or has beyond `wanted`.
Difference difference(const Topology& wanted, const Topology& live);

// True when a broker cannot change such an object: it is removed and made anew.
bool is_immutable(Kind kind);
std::string_view kind_plural(Kind kind);  // "topic permissions"
const std::vector<Kind>& all_kinds();

// The one call of the API that makes or changes the object, or the several.
struct ApiCall {
  std::string method, path;
  Value body;  // null: none
};
std::vector<ApiCall> calls_to_put(const ObjectKey& key, const Value& value);
// Where the API keeps the object; for a binding, those of its virtual host.
std::string object_path(const ObjectKey& key);
// The other way to make a queue that is not there: as a definition. It tells less of what is wrong.
ApiCall call_to_import_queue(const ObjectKey& key, const Value& value);
// Not for bindings: the broker alone knows the name that it gave one.
ApiCall call_to_remove(const ObjectKey& key);

}  // namespace lifeboat::source::rabbitmq
