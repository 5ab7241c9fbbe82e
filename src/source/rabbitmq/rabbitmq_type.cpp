// The configuration of source type "rabbitmq", and how a restore step turns it to another broker.
#include <fmt/format.h>

#include "source/rabbitmq/rabbitmq_source.h"
#include "source/rabbitmq/stored_definitions.h"

namespace lifeboat::source {
namespace {

Record rabbitmq_fields() {
  return {
      .name = "rabbitmq",
      .help = "The definitions of a RabbitMQ broker, through its management API.",
      .fields = {{.name = "url",
                  .shape = shape::string(),
                  .help = "management API: http://HOST:15672 or https://HOST:15671",
                  .required = true},
                 {.name = "user", .shape = shape::string(), .help = "an administrator"},
                 {.name = "password", .shape = shape::secret(), .help = "its password"},
                 {.name = "vhosts",
                  .shape = shape::list(shape::string()),
                  .help = "virtual hosts to capture; default: all"},
                 {.name = "amqp",
                  .shape = shape::string(),
                  .help = "where queues are asked how many messages they hold: "
                          "amqp://HOST:5672 or amqps://HOST:5671; default: as the broker tells"},
                 {.name = "ca_file",
                  .shape = shape::string(),
                  .help = "certificates to trust instead of the system's"}}};
}

Result<Value> retarget(const Value& config, const std::string& into, const Value& with) {
  Value target = config;
  target.set("url", into);
  target.map().erase("amqp");  // another broker's
  const auto parts = parse_url(into);
  if (parts && !parts->user.empty()) {  // a login in the URL is that of the target
    target.map().erase("user");
    target.map().erase("password");
  }
  if (!with.is(Value::Type::map)) return target;
  const Record fields = rabbitmq_fields();
  for (const auto& [name, value] : with.map()) {
    if (fields.find(name) == nullptr) {
      return fail(Error::Kind::invalid, fmt::format("with: rabbitmq has no field '{}'", name), "",
                  Error::Code::usage);
    }
    target.set(name, value);
  }
  return target;
}

}  // namespace

SourceType rabbitmq_source() {
  SourceType type;
  type.name = "rabbitmq";
  type.help = rabbitmq_fields().help;
  type.fields = rabbitmq_fields();
  type.keeps_aside = KeepsAside::by_capture;
  type.retarget = retarget;
  type.make = [](const Value& config, const Context& context) -> Result<std::unique_ptr<Source>> {
    RabbitmqOptions options;
    options.login = {.url = config.text("url"),
                     .user = config.text("user"),
                     .password = Secret(config.text("password")),
                     .ca_file = config.text("ca_file")};
    const std::string& ca = options.login.ca_file;
    if (!ca.empty() && ca.front() != '/') options.login.ca_file = context.directory + "/" + ca;
    options.vhosts = rabbitmq::text_list(config.at("vhosts"));
    options.amqp = config.text("amqp");
    return make_rabbitmq_source(make_http_client(*context.clock), options);
  };
  type.marker_tells_parts = true;
  type.holds_its_moment = true;
  type.local_paths = [](const Value&) { return std::vector<std::string>{}; };
  return type;
}

}  // namespace lifeboat::source
