#include "steps/rabbitmq_users/rabbitmq_users_step.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>

#include "base/bytes.h"
#include "client/amqp/amqp.h"
#include "client/process/launcher.h"
#include "schema/json.h"
#include "source/rabbitmq/broker.h"
#include "steps/account_passwords.h"
#include "steps/bundle_path.h"
#include "steps/by_hand/by_hand.h"

namespace lifeboat::steps {
namespace {

using plan::Observation;
using plan::State;
using source::rabbitmq::Broker;
using source::rabbitmq::Kind;
using source::rabbitmq::LiveBroker;
using source::rabbitmq::ObjectKey;
using ErrorKind = Error::Kind;

constexpr const char* rights[] = {"configure", "write", "read"};

ObjectKey user_key(const std::string& name) { return {Kind::user, "", name}; }
ObjectKey permission_key(const std::string& vhost, const std::string& name) {
  return {Kind::permission, vhost, name};
}

// Tags as the broker has them: sorted, each once.
Value wanted_tags(const Value& tags) {
  std::set<std::string> sorted;
  for (const Value& tag : tags.list()) sorted.insert(tag.string());
  Value::List list(sorted.begin(), sorted.end());
  return Value(std::move(list));
}

// A right that is not written is none: "^$" matches the empty name only.
Value wanted_permission(const Value& written) {
  Value value{Value::Map{}};
  for (const char* right : rights) value.set(right, written.text(right, "^$"));
  return value;
}

// Every permission of one user: vhost -> value.
std::map<std::string, Value> permissions_of(const LiveBroker& live, const std::string& user) {
  std::map<std::string, Value> found;
  for (const auto& [key, value] : live.topology) {
    if (key.kind == Kind::permission && key.name == user) found.emplace(key.vhost, value);
  }
  return found;
}
std::map<std::string, Value> wanted_permissions(const Value& written) {
  std::map<std::string, Value> wanted;
  for (const auto& [vhost, value] : written.map()) wanted.emplace(vhost, wanted_permission(value));
  return wanted;
}

std::string permissions_text(const std::map<std::string, Value>& permissions) {
  Value all{Value::Map{}};
  for (const auto& [vhost, value] : permissions) all.set(vhost, value);
  return to_json(all);
}

class RabbitmqUsersStep final : public plan::Step {
 public:
  RabbitmqUsersStep(Value config, plan::StepContext& context)
      : config_(std::move(config)), context_(context), http_(make_http_client(context.clock())) {}

  Result<void> preflight(const Operation& op) override {
    if (!config_.at("url").is(Value::Type::string)) return {};  // another step will tell
    if (!config_.at("password").is(Value::Type::string) && config_.has("password")) return {};
    TRY(Broker broker, open());
    TRY_DO(broker.administrator(op));
    return {};
  }

  Result<Observation> observe(const Operation& op) override {
    TRY(Broker broker, open());
    TRY_DO(broker.administrator(op));
    TRY(const LiveBroker live, broker.read(op));
    TRY(const Value marker, read_marker(op, broker));
    const bool ours = is_ours(marker);
    Observation seen;
    std::size_t there = 0, right = 0;
    Value before{Value::Map{}};
    for (const auto& [name, wanted] : users()) {
      before.set(name, as_it_is(live, name));
      there += live.topology.contains(user_key(name)) ? 1 : 0;
      add_changes(seen.changes, name, live, ours);
      if (!ours) continue;
      TRY(const std::string differs, difference(op, broker, live, name));
      right += differs.empty() ? 1 : 0;
    }
    seen.before.set("users", std::move(before));
    seen.summary = fmt::format("{}: {} of {} users are there, {} as wanted by this run",
                               broker.endpoint(), there, users().size(), right);
    seen.would = "make or change " + names() + ", with passwords of this run";
    if (!ours) return seen;
    seen.generation = static_cast<std::uint64_t>(marker.integer("generation", 0));
    const bool done = marker.boolean("done", false);
    seen.state = !done                     ? State::ours_partial
                 : right == users().size() ? State::ours_done
                                           : State::drifted;
    if (seen.state == State::ours_done) {
      TRY(seen.outputs, outputs(op));
    }
    return seen;
  }

  Result<void> apply(const Operation& op) override {
    TRY(const Value passwords, secrets(op));  // durable before anything changes
    TRY(Broker broker, open());
    TRY_DO(broker.administrator(op));
    TRY(const LiveBroker live, broker.read(op));
    TRY_DO(vhosts_are_there(broker, live));
    TRY_DO(write_marker(op, broker, false));
    std::uint64_t done = 0;
    for (const auto& [name, wanted] : users()) {
      TRY_DO(op.proceed());
      TRY(const std::string differs, difference(op, broker, live, name));
      if (!differs.empty()) TRY_DO(change(op, broker, live, name));
      context_.progress(++done, users().size(), "users");
    }
    TRY_DO(write_marker(op, broker, true));
    context_.log("made or changed " + names());
    return {};
  }

  Result<plan::Verification> verify(const Operation& op) override {
    TRY(Broker broker, open());
    TRY_DO(broker.administrator(op));
    TRY(const LiveBroker live, broker.read(op));
    plan::Verification proof;
    for (const auto& [name, wanted] : users()) {
      TRY_DO(add_checks(op, broker, live, {name, wanted, proof}));
    }
    TRY(proof.outputs, outputs(op));
    return proof;
  }

  Result<void> undo(const Operation& op, const Value& before) override {
    TRY(Broker broker, open());
    TRY_DO(broker.administrator(op));
    TRY(const Value marker, read_marker(op, broker));
    if (!is_ours(marker)) return {};  // undone already, or never done
    TRY(const LiveBroker live, broker.read(op));
    for (const auto& [name, wanted] : users()) {
      const Value& was = before.at("users").at(name);
      for (const auto& [vhost, value] : permissions_of(live, name)) {
        if (!was.at("permissions").has(vhost)) {
          TRY_DO(broker.remove(op, permission_key(vhost, name), value));
        }
      }
      if (was.is_null()) {
        TRY_DO(broker.remove(op, user_key(name), Value()));
        continue;
      }
      TRY_DO(broker.put(op, user_key(name), was.at("user")));
      for (const auto& [vhost, value] : was.at("permissions").map()) {
        TRY_DO(broker.put(op, permission_key(vhost, name), value));
      }
    }
    return broker.remove(op, marker_key(), Value());
  }

 private:
  // A password of this run is set in any case: neither it nor the one before is to be shown.
  void add_changes(std::vector<plan::Change>& changes, const std::string& name,
                   const LiveBroker& live, bool ours) const {
    const Value& wanted = users().at(name);
    const std::string user = "user " + printable(name);
    const auto found = live.topology.find(user_key(name));
    const bool there = found != live.topology.end();
    if (!there) changes.push_back({user, "", "made"});
    if (wanted.at("tags").is(Value::Type::list)) {
      const Value tags = wanted_tags(wanted.at("tags"));
      const Value is = there ? found->second.at("tags") : Value(Value::List{});
      if (!(is == tags)) {
        changes.push_back({user + ": tags", there ? to_json(is) : "", to_json(tags)});
      }
    }
    if (wanted.at("permissions").is(Value::Type::map)) {
      const auto is = permissions_of(live, name);
      const auto to = wanted_permissions(wanted.at("permissions"));
      if (is != to) {
        changes.push_back(
            {user + ": permissions", is.empty() ? "" : permissions_text(is), permissions_text(to)});
      }
    }
    if (!ours) changes.push_back({user + ": password", "", "a new one"});
  }

  struct Proving {
    const std::string& name;
    const Value& wanted;
    plan::Verification& proof;
  };

  const Value::Map& users() const { return config_.at("users").map(); }
  std::string names() const {
    std::string all;
    for (const auto& [name, wanted] : users()) all += (all.empty() ? "user " : ", ") + name;
    return printable(all);
  }
  ObjectKey marker_key() const { return Broker::users_parameter(context_.step()); }

  Result<Broker> open() {
    return Broker::open(*http_, {.url = config_.text("url"),
                                 .user = config_.text("user"),
                                 .password = Secret(config_.text("password")),
                                 .ca_file = ca_file()});
  }
  std::string ca_file() const { return below_bundle(context_, config_.text("ca_file")); }

  Result<Value> secrets(const Operation& op) { return account_passwords(op, context_, users()); }
  Result<Value> outputs(const Operation& op) {
    TRY(Value passwords, secrets(op));
    return passwords_output(std::move(passwords));
  }

  Result<Value> read_marker(const Operation& op, Broker& broker) const {
    auto answer = broker.call(
        op, {"GET", "/api/global-parameters/" + url_segment(marker_key().name), Value()});
    if (!answer && answer.error().kind == ErrorKind::not_found) return Value();
    TRY(const Value parameter, std::move(answer));
    return parameter.at("value");
  }
  bool is_ours(const Value& marker) const {
    return marker.text("run") == context_.run() && marker.text("step") == context_.step();
  }
  Result<void> write_marker(const Operation& op, Broker& broker, bool done) const {
    Value marker{Value::Map{}};
    marker.set("run", context_.run());
    marker.set("step", context_.step());
    marker.set("generation", context_.generation());
    marker.set("done", done);
    Value::List list;
    for (const auto& [name, wanted] : users()) list.emplace_back(name);
    marker.set("users", Value(std::move(list)));
    return broker.put(op, marker_key(), marker);
  }

  static Value as_it_is(const LiveBroker& live, const std::string& name) {
    const auto found = live.topology.find(user_key(name));
    if (found == live.topology.end()) return Value();
    Value was{Value::Map{}};
    Value user = found->second;
    user.taint();  // its password's hash
    was.set("user", std::move(user));
    Value permissions{Value::Map{}};
    for (const auto& [vhost, value] : permissions_of(live, name)) permissions.set(vhost, value);
    was.set("permissions", std::move(permissions));
    return was;
  }

  Result<void> vhosts_are_there(const Broker& broker, const LiveBroker& live) const {
    for (const auto& [name, wanted] : users()) {
      if (!wanted.at("permissions").is(Value::Type::map)) continue;
      for (const auto& [vhost, value] : wanted.at("permissions").map()) {
        if (live.topology.contains({Kind::vhost, vhost, ""})) continue;
        return fail(ErrorKind::not_found,
                    fmt::format("{}: there is no virtual host '{}' for user '{}'",
                                broker.endpoint(), printable(vhost), printable(name)),
                    "let this step come after the one that restores the broker: `after: [...]`");
      }
    }
    return {};
  }

  // Into a virtual host that is the user's own, if it has one.
  Result<AmqpAnswer> log_in(const Operation& op, Broker& broker, const LiveBroker& live,
                            const std::string& name) {
    if (!door_) {  // the same for all users
      TRY(door_, broker.amqp_door(op, config_.text("amqp")));
    }
    AmqpDoor where = *door_;
    TRY(const Value passwords, secrets(op));
    where.user = name;
    where.password = Secret(passwords.text(name));
    const auto permissions = permissions_of(live, name);
    if (!permissions.empty()) where.vhost = permissions.begin()->first;
    return try_amqp_login(op, where);
  }

  // What about the user is not as it shall be, in words; "" = nothing.
  Result<std::string> difference(const Operation& op, Broker& broker, const LiveBroker& live,
                                 const std::string& name) {
    const Value& wanted = users().at(name);
    const auto found = live.topology.find(user_key(name));
    if (found == live.topology.end()) return std::string("absent");
    if (wanted.at("tags").is(Value::Type::list) &&
        !(found->second.at("tags") == wanted_tags(wanted.at("tags")))) {
      return std::string("tags");
    }
    if (wanted.at("permissions").is(Value::Type::map) &&
        permissions_of(live, name) != wanted_permissions(wanted.at("permissions"))) {
      return std::string("permissions");
    }
    TRY(const AmqpAnswer answer, log_in(op, broker, live, name));
    return std::string(answer == AmqpAnswer::login_refused ? "password" : "");
  }

  Result<void> change(const Operation& op, Broker& broker, const LiveBroker& live,
                      const std::string& name) {
    const Value& wanted = users().at(name);
    TRY(const Value passwords, secrets(op));
    Value user{Value::Map{}};
    user.set("password", passwords.at(name));
    const auto found = live.topology.find(user_key(name));
    const bool tags_written = wanted.at("tags").is(Value::Type::list);
    user.set("tags", tags_written                   ? wanted_tags(wanted.at("tags"))
                     : found != live.topology.end() ? found->second.at("tags")
                                                    : Value(Value::List{}));
    TRY_DO(broker.put(op, user_key(name), user));
    if (!wanted.at("permissions").is(Value::Type::map)) return {};
    const auto permissions = wanted_permissions(wanted.at("permissions"));
    for (const auto& [vhost, value] : permissions_of(live, name)) {
      if (!permissions.contains(vhost)) {
        TRY_DO(broker.remove(op, permission_key(vhost, name), value));
      }
    }
    for (const auto& [vhost, value] : permissions) {
      TRY_DO(broker.put(op, permission_key(vhost, name), value));
    }
    return {};
  }

  Result<void> add_checks(const Operation& op, Broker& broker, const LiveBroker& live,
                          const Proving& of) {
    const auto found = live.topology.find(user_key(of.name));
    const bool there = found != live.topology.end();
    const std::string who = "user " + printable(of.name) + ": ";
    if (of.wanted.at("tags").is(Value::Type::list)) {
      const std::string expected = to_json(wanted_tags(of.wanted.at("tags")));
      const std::string actual = there ? to_json(found->second.at("tags")) : "absent";
      of.proof.checks.push_back({who + "tags", expected, actual, expected == actual});
    }
    if (of.wanted.at("permissions").is(Value::Type::map)) {
      const std::string expected =
          permissions_text(wanted_permissions(of.wanted.at("permissions")));
      const std::string actual = permissions_text(permissions_of(live, of.name));
      of.proof.checks.push_back({who + "permissions", expected, actual, expected == actual});
    }
    TRY(const AmqpAnswer answer, log_in(op, broker, live, of.name));
    const bool accepted = answer != AmqpAnswer::login_refused;
    // A user without a virtual host is let in by its password, and then has nowhere to go.
    const bool has_vhost = !permissions_of(live, of.name).empty();
    const bool ok = has_vhost ? answer == AmqpAnswer::accepted : accepted;
    of.proof.checks.push_back({who + "AMQP login with its password", "accepted",
                               ok         ? "accepted"
                               : accepted ? "virtual host refused"
                                          : "refused",
                               ok});
    return {};
  }

  const Value config_;
  plan::StepContext& context_;
  std::unique_ptr<HttpClient> http_;
  std::optional<AmqpDoor> door_;
};

Record user_fields() {
  Record permission;
  permission.name = "rabbitmq-users.users.permissions";
  permission.help = "Regular expressions of names; what is not written is nothing.";
  for (const char* right : rights) {
    permission.fields.push_back({.name = right,
                                 .shape = shape::string(),
                                 .help = "names that the user may " + std::string(right)});
  }
  Record user;
  user.name = "rabbitmq-users.users";
  user.help = "One user: what is not written stays as it is.";
  user.fields = {{.name = "password",
                  .shape = shape::secret(),
                  .help = "its password; default: a generated one"},
                 {.name = "generate",
                  .shape = shape::boolean(),
                  .help = "a generated password (the default when there is no `password`)"},
                 {.name = "tags",
                  .shape = shape::list(shape::string()),
                  .help = "management, policymaker, monitoring, administrator"},
                 {.name = "permissions",
                  .shape = shape::map(shape::record(permission)),
                  .help = "virtual host -> what the user may there"}};
  return user;
}

Record rabbitmq_users_fields() {
  return {.name = "rabbitmq-users",
          .help = "Makes users of a RabbitMQ broker, with passwords of this recovery.",
          .fields = {{.name = "url",
                      .shape = shape::string(),
                      .help = "management API: http://HOST:15672 or https://HOST:15671",
                      .required = true},
                     {.name = "user", .shape = shape::string(), .help = "an administrator"},
                     {.name = "password", .shape = shape::secret(), .help = "its password"},
                     {.name = "ca_file",
                      .shape = shape::string(),
                      .help = "certificates to trust instead of the system's"},
                     {.name = "amqp",
                      .shape = shape::string(),
                      .help = "where users log in: amqp(s)://HOST:PORT; default: as it tells"},
                     {.name = "users",
                      .shape = shape::map(shape::record(user_fields())),
                      .help = "name of the user -> what it shall be",
                      .required = true}}};
}

Result<std::unique_ptr<plan::Step>> make(const Value& config, plan::StepContext& context) {
  if (!config.at("users").is(Value::Type::map) || config.at("users").map().empty()) {
    return fail(ErrorKind::invalid, "rabbitmq-users: `users` names nobody", "", Error::Code::usage);
  }
  for (const auto& [name, user] : config.at("users").map()) {
    if (user.boolean("generate", false) && !user.at("password").is_null()) {
      return fail(
          ErrorKind::invalid,
          fmt::format("rabbitmq-users: user {} has both password and generate", printable(name)),
          "write one of them", Error::Code::usage);
    }
    if (name == config.text("user")) {
      return fail(
          ErrorKind::invalid,
          fmt::format("rabbitmq-users: {} is the user that this step logs in as", printable(name)),
          "its password cannot change under the step", Error::Code::usage);
    }
  }
  return std::make_unique<RabbitmqUsersStep>(config, context);
}

}  // namespace

plan::StepType rabbitmq_users_step() {
  plan::StepType type;
  type.name = "rabbitmq-users";
  type.usually = {std::chrono::seconds(1), std::chrono::seconds(3), std::chrono::seconds(20)};
  type.fields = rabbitmq_users_fields();
  type.help = type.fields.help;
  type.outputs = {{"passwords", shape::map(shape::string())}};
  type.secret_outputs = {"passwords"};
  type.effects = [](const Value& config) {
    const auto parts = parse_url(config.text("url"));
    return std::vector<std::string>{parts ? "rabbitmq users of " + endpoint_of(*parts)
                                          : "(not known yet)"};
  };
  type.by_hand = by_hand::rabbitmq_users;
  type.make = make;
  return type;
}

}  // namespace lifeboat::steps
