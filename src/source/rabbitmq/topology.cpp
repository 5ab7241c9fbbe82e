#include "source/rabbitmq/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "base/bytes.h"
#include "capture/partial_feed.h"
#include "client/http/http.h"
#include "schema/json.h"

namespace lifeboat::source::rabbitmq {
namespace {

struct KindWords {
  Kind kind;
  std::string_view one, many, file;
};
constexpr std::array<KindWords, 13> words{{
    {Kind::vhost, "virtual host", "virtual hosts", "vhost.json"},
    {Kind::user, "user", "users", "users.json"},
    {Kind::permission, "permission", "permissions", "permissions.json"},
    {Kind::topic_permission, "topic permission", "topic permissions", "topic-permissions.json"},
    {Kind::policy, "policy", "policies", "policies.json"},
    {Kind::operator_policy, "operator policy", "operator policies", "operator-policies.json"},
    {Kind::exchange, "exchange", "exchanges", "exchanges.json"},
    {Kind::queue, "queue", "queues", "queues.json"},
    {Kind::binding, "binding", "bindings", "bindings.json"},
    {Kind::vhost_limit, "limit", "limits", "limits.json"},
    {Kind::user_limit, "user limit", "user limits", "user-limits.json"},
    {Kind::parameter, "parameter", "parameters", "parameters.json"},
    {Kind::global_parameter, "global parameter", "global parameters", "global-parameters.json"},
}};
const KindWords& words_of(Kind kind) { return words[static_cast<std::size_t>(kind)]; }

// A map with those members of `from` that are there.
Value pick(const Value& from, std::initializer_list<const char*> names) {
  Value out{Value::Map{}};
  for (const char* name : names) {
    if (from.has(name)) out.set(name, from.at(name));
  }
  return out;
}

// Tags are a list in this version and were one string before; here: a sorted list.
Value sorted_tags(const Value& tags) {
  std::set<std::string> sorted;
  if (tags.is(Value::Type::list)) {
    for (const Value& tag : tags.list()) {
      if (tag.is(Value::Type::string)) sorted.insert(tag.string());
    }
  } else if (tags.is(Value::Type::string)) {
    std::string_view rest = tags.string();
    while (!rest.empty()) {
      const auto comma = rest.find(',');
      if (comma != 0) sorted.emplace(rest.substr(0, comma));
      rest.remove_prefix(comma == std::string_view::npos ? rest.size() : comma + 1);
    }
  }
  Value::List list;
  for (const std::string& tag : sorted) list.emplace_back(tag);
  return Value(std::move(list));
}

std::string joined(const Value& list) {
  std::string text;
  for (const Value& each : list.list()) text += (text.empty() ? "" : ",") + each.string();
  return text;
}

// The broker's own, and ours: never captured, never compared.
bool is_own_global(std::string_view name) {
  return name == "internal_cluster_id" || name == "cluster_name" ||
         name == "imported_definition_hash_value" || name.starts_with("lifeboat-");
}

// Sorts the lists of the API's answers into a Reading.
class Sorter {
 public:
  Result<Reading> sort(const Value& definitions, const Value& vhosts) {
    for (const char* name : {"users", "permissions", "topic_permissions", "parameters",
                             "global_parameters", "policies", "queues", "exchanges", "bindings"}) {
      if (!definitions.at(name).is(Value::Type::list)) {
        return fail(Error::Kind::invalid,
                    fmt::format("the broker's definitions have no list '{}'", name),
                    "is it RabbitMQ 3.8 or later?");
      }
    }
    if (!vhosts.is(Value::Type::list)) {
      return fail(Error::Kind::invalid, "the broker's virtual hosts are no list");
    }
    for (const Value& each : vhosts.list()) add_vhost(each);
    for (const Value& each : definitions.at("users").list()) add_user(each);
    for (const Value& each : definitions.at("permissions").list()) {
      add(Kind::permission, each, each.text("user"), pick(each, {"configure", "write", "read"}));
    }
    for (const Value& each : definitions.at("topic_permissions").list()) add_topic(each);
    for (const Value& each : definitions.at("policies").list()) {
      add(Kind::policy, each, each.text("name"), policy(each));
    }
    for (const Value& each : definitions.at("parameters").list()) add_parameter(each);
    for (const Value& each : definitions.at("exchanges").list()) add_exchange(each);
    for (const Value& each : definitions.at("queues").list()) add_queue(each);
    for (const Value& each : definitions.at("bindings").list()) add_binding(each);
    reading_.global = Value(Value::Map{});
    for (const Value& each : definitions.at("global_parameters").list()) add_global(each);
    return std::move(reading_);
  }

 private:
  void add(Kind kind, const Value& from, const std::string& name, Value value) {
    reading_.topology[{kind, from.text("vhost"), name}] = std::move(value);
  }
  void skip(Kind kind, const Value& from, std::string_view why) {
    const ObjectKey key{kind, from.text("vhost"), from.text("name")};
    transient_.insert(key);
    reading_.skipped.push_back(key.text() + ": " + std::string(why));
  }
  static Value policy(const Value& from) {
    return pick(from, {"pattern", "apply-to", "definition", "priority"});
  }

  void add_vhost(const Value& from) {
    Value value{Value::Map{}};
    const Value& metadata = from.at("metadata");
    value.set("description", metadata.text("description", from.text("description")));
    value.set("tags", sorted_tags(metadata.has("tags") ? metadata.at("tags") : from.at("tags")));
    value.set("tracing", from.boolean("tracing", false));
    const std::string type = from.text("default_queue_type");
    if (!type.empty() && type != "undefined") value.set("default_queue_type", type);
    reading_.topology[{Kind::vhost, from.text("name"), ""}] = std::move(value);
  }

  void add_user(const Value& from) {
    Value value = pick(from, {"password_hash", "hashing_algorithm"});
    value.set("tags", sorted_tags(from.at("tags")));
    reading_.topology[{Kind::user, "", from.text("name")}] = std::move(value);
    if (!from.at("limits").is(Value::Type::map)) return;
    for (const auto& [limit, bound] : from.at("limits").map()) {
      reading_.topology[{Kind::user_limit, "", from.text("name") + "/" + limit}] = bound;
    }
  }

  void add_topic(const Value& from) {
    Value& value =
        reading_.topology[{Kind::topic_permission, from.text("vhost"), from.text("user")}];
    value.set(from.text("exchange"), pick(from, {"write", "read"}));
  }

  void add_parameter(const Value& from) {
    const std::string component = from.text("component");
    if (component == "operator_policy") {
      return add(Kind::operator_policy, from, from.text("name"), policy(from.at("value")));
    }
    if (component != "vhost-limits") {
      return add(Kind::parameter, from, component + "/" + from.text("name"), from.at("value"));
    }
    if (!from.at("value").is(Value::Type::map)) return;
    for (const auto& [limit, bound] : from.at("value").map()) {
      add(Kind::vhost_limit, from, limit, bound);
    }
  }

  void add_exchange(const Value& from) {
    if (!from.boolean("durable", true)) return skip(Kind::exchange, from, "transient, skipped");
    add(Kind::exchange, from, from.text("name"),
        pick(from, {"type", "auto_delete", "internal", "arguments"}));
  }

  void add_queue(const Value& from) {
    if (!from.boolean("durable", true)) return skip(Kind::queue, from, "transient, skipped");
    if (from.boolean("exclusive", false) || from.text("name").starts_with("amq.gen-")) {
      return skip(Kind::queue, from, "a connection's own, skipped");
    }
    add(Kind::queue, from, from.text("name"), pick(from, {"auto_delete", "arguments"}));
  }

  void add_binding(const Value& from) {
    const std::string vhost = from.text("vhost");
    const Kind target = from.text("destination_type") == "queue" ? Kind::queue : Kind::exchange;
    if (transient_.contains({Kind::exchange, vhost, from.text("source")}) ||
        transient_.contains({target, vhost, from.text("destination")})) {
      return;  // goes with what it binds
    }
    Value value =
        pick(from, {"source", "destination", "destination_type", "routing_key", "arguments"});
    const std::string name = to_json(value);
    add(Kind::binding, from, name, std::move(value));
  }

  void add_global(const Value& from) {
    const std::string name = from.text("name");
    reading_.global.set(name, from.at("value"));
    if (!is_own_global(name)) {
      reading_.topology[{Kind::global_parameter, "", name}] = from.at("value");
    }
  }

  Reading reading_;
  std::set<ObjectKey> transient_;
};

std::string path_of(std::initializer_list<std::string_view> segments) {
  std::string path = "/api";
  for (const std::string_view segment : segments) path += "/" + url_segment(segment);
  return path;
}

std::pair<std::string, std::string> split_last(const std::string& text, bool from_end) {
  const auto slash = from_end ? text.rfind('/') : text.find('/');
  if (slash == std::string::npos) return {text, ""};
  return {text.substr(0, slash), text.substr(slash + 1)};
}

}  // namespace

std::string_view kind_plural(Kind kind) { return words_of(kind).many; }

const std::vector<Kind>& all_kinds() {
  static const std::vector<Kind> kinds = [] {
    std::vector<Kind> all;
    for (const KindWords& each : words) all.push_back(each.kind);
    return all;
  }();
  return kinds;
}

bool is_immutable(Kind kind) {
  return kind == Kind::exchange || kind == Kind::queue || kind == Kind::binding;
}

std::string ObjectKey::text() const {
  const std::string_view word = words_of(kind).one;
  switch (kind) {
    case Kind::vhost:
      return printable(fmt::format("{} {}", word, vhost));
    case Kind::user:
    case Kind::user_limit:
    case Kind::global_parameter:
      return printable(fmt::format("{} {}", word, name));
    case Kind::permission:
    case Kind::topic_permission:
    case Kind::vhost_limit:
      return printable(fmt::format("{} {} on {}", word, name, vhost));
    case Kind::binding: {
      const auto value = parse_json(name);
      if (!value) break;
      return printable(fmt::format("binding {}: {} -> {} {} ({})", vhost, value->text("source"),
                                   value->text("destination_type"), value->text("destination"),
                                   value->text("routing_key")));
    }
    default:
      break;
  }
  return printable(fmt::format("{} {}/{}", word, vhost, name));
}

Result<Reading> read_topology(const Value& definitions, const Value& vhosts) {
  return Sorter().sort(definitions, vhosts);
}

bool Scope::holds(const ObjectKey& key) const {
  const bool of_a_vhost = !key.vhost.empty();
  if (of_a_vhost && !vhosts.empty() &&
      std::find(vhosts.begin(), vhosts.end(), key.vhost) == vhosts.end()) {
    return false;
  }
  return capture::selected(item_name(key), only, false);
}

std::string Scope::text() const {
  std::string text;
  for (const std::string& vhost : vhosts) text += (text.empty() ? "" : ", ") + vhost;
  if (!text.empty()) text = "virtual hosts " + text;
  for (const std::string& each : only) text += (text.empty() ? "" : ", ") + each;
  return printable(text);
}

std::string item_name(const ObjectKey& key) {
  const std::string_view file = words_of(key.kind).file;
  if (key.vhost.empty()) return fmt::format("broker/{}", file);
  return fmt::format("vhosts/{}/{}", url_segment(key.vhost), file);
}

std::map<std::string, std::string> to_items(const Topology& topology) {
  std::map<std::string, Value> lists;
  for (const auto& [key, value] : topology) {
    Value object{Value::Map{}};
    object.set("kind", std::string(words_of(key.kind).one));
    if (!key.vhost.empty()) object.set("vhost", key.vhost);
    if (key.kind != Kind::vhost && key.kind != Kind::binding) object.set("name", key.name);
    object.set("value", value);
    Value& list = lists[item_name(key)];
    if (list.is_null()) list = Value(Value::List{});
    list.push(std::move(object));
  }
  std::map<std::string, std::string> items;
  for (const auto& [name, list] : lists) {
    items[name] = to_pretty_json(list, Secrets::reveal) + "\n";
  }
  return items;
}

Result<void> from_item(const std::string& name, std::string_view text, Topology& topology) {
  const auto list = parse_json(text);
  if (!list || !list->is(Value::Type::list)) {
    return fail(Error::Kind::corrupt, fmt::format("item {} is no list of broker objects", name));
  }
  for (const Value& object : list->list()) {
    const std::string word = object.text("kind");
    const auto known = std::find_if(words.begin(), words.end(),
                                    [&](const KindWords& each) { return each.one == word; });
    if (known == words.end() || !object.has("value")) {
      return fail(Error::Kind::corrupt,
                  fmt::format("item {}: an object of unknown kind '{}'", name, printable(word)),
                  "was it captured by a later version of Lifeboat?", Error::Code::version_too_new);
    }
    const Value& value = object.at("value");
    const std::string own = known->kind == Kind::binding ? to_json(value) : object.text("name");
    topology[{known->kind, object.text("vhost"), own}] = value;
  }
  return {};
}

Difference difference(const Topology& wanted, const Topology& live) {
  Difference result;
  for (const auto& [key, value] : wanted) {
    const auto found = live.find(key);
    if (found == live.end())
      result.missing.push_back(key);
    else if (!(found->second == value))
      result.different.push_back(key);
  }
  for (const auto& [key, value] : live) {
    if (!wanted.contains(key)) result.extra.push_back(key);
  }
  return result;
}

std::string object_path(const ObjectKey& key) {
  switch (key.kind) {
    case Kind::vhost:
      return path_of({"vhosts", key.vhost});
    case Kind::user:
      return path_of({"users", key.name});
    case Kind::permission:
      return path_of({"permissions", key.vhost, key.name});
    case Kind::topic_permission:
      return path_of({"topic-permissions", key.vhost, key.name});
    case Kind::policy:
      return path_of({"policies", key.vhost, key.name});
    case Kind::operator_policy:
      return path_of({"operator-policies", key.vhost, key.name});
    case Kind::exchange:
      return path_of({"exchanges", key.vhost, key.name});
    case Kind::queue:
      return path_of({"queues", key.vhost, key.name});
    case Kind::binding:
      return path_of({"bindings", key.vhost});
    case Kind::vhost_limit:
      return path_of({"vhost-limits", key.vhost, key.name});
    case Kind::user_limit: {
      const auto [user, limit] = split_last(key.name, true);
      return path_of({"user-limits", user, limit});
    }
    case Kind::parameter: {
      const auto [component, name] = split_last(key.name, false);
      return path_of({"parameters", component, key.vhost, name});
    }
    case Kind::global_parameter:
      return path_of({"global-parameters", key.name});
  }
  return {};
}

std::vector<ApiCall> calls_to_put(const ObjectKey& key, const Value& value) {
  const std::string path = object_path(key);
  Value body = value;
  switch (key.kind) {
    case Kind::vhost:
    case Kind::user:
      body.set("tags", joined(value.at("tags")));
      return {{"PUT", path, body}};
    case Kind::permission:
    case Kind::policy:
    case Kind::operator_policy:
      return {{"PUT", path, body}};
    case Kind::exchange:
    case Kind::queue:
      body.set("durable", true);
      return {{"PUT", path, body}};
    case Kind::topic_permission: {
      std::vector<ApiCall> calls;
      for (const auto& [exchange, pattern] : value.map()) {
        Value each = pattern;
        each.set("exchange", exchange);
        calls.push_back({"PUT", path, std::move(each)});
      }
      return calls;
    }
    case Kind::binding: {
      const std::string end = value.text("destination_type") == "queue" ? "q" : "e";
      return {{"POST",
               path_of({"bindings", key.vhost, "e", value.text("source"), end,
                        value.text("destination")}),
               pick(value, {"routing_key", "arguments"})}};
    }
    case Kind::vhost_limit:
    case Kind::user_limit:
    case Kind::parameter:
    case Kind::global_parameter:
      break;
  }
  Value wrapped{Value::Map{}};
  wrapped.set("value", value);
  return {{"PUT", path, std::move(wrapped)}};
}

ApiCall call_to_import_queue(const ObjectKey& key, const Value& value) {
  Value queue = value, body{Value::Map{}};
  queue.set("name", key.name);
  queue.set("vhost", key.vhost);
  queue.set("durable", true);
  body.set("queues", Value(Value::List{std::move(queue)}));
  return {"POST", "/api/definitions", std::move(body)};
}

ApiCall call_to_remove(const ObjectKey& key) { return {"DELETE", object_path(key), Value()}; }

}  // namespace lifeboat::source::rabbitmq
