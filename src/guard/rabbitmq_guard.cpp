#include "client/http/http.h"
#include "guard/guards.h"
#include "source/rabbitmq/broker.h"

namespace lifeboat::guards {
namespace {

using source::rabbitmq::Broker;

Result<plan::Fingerprint> look(const Operation& op, const Value& config,
                               const plan::GuardSurroundings& around) {
  const auto http = make_http_client(*around.clock);
  std::string ca_file = config.text("ca_file");
  if (!ca_file.empty() && !ca_file.starts_with('/')) ca_file = around.directory + "/" + ca_file;
  TRY(Broker broker, Broker::open(*http, {config.text("url"), config.text("user"),
                                          Secret(config.text("password")), ca_file}));
  TRY(const Value overview, broker.call(op, {"GET", "/api/overview?columns=cluster_name", {}}));
  const std::string name = overview.text("cluster_name");
  if (name.empty()) {
    return fail(Error::Kind::invalid, broker.endpoint() + ": the broker tells no cluster name");
  }
  return plan::Fingerprint{name, broker.endpoint()};
}

}  // namespace

plan::GuardKind rabbitmq_guard() {
  plan::GuardKind kind;
  kind.name = "rabbitmq";
  kind.help = "A RabbitMQ broker, by the name of its cluster.";
  kind.fields.fields = {
      {.name = "url",
       .shape = shape::string(),
       .help = "of the management API: http://HOST:15672",
       .required = true},
      {.name = "user", .shape = shape::string(), .help = "with the tag monitoring or management"},
      {.name = "password", .shape = shape::secret(), .help = "of the user"},
      {.name = "ca_file",
       .shape = shape::string(),
       .help = "certificates to trust instead of the system's"},
      {.name = "cluster_name",
       .shape = shape::string(),
       .help = "as `rabbitmqctl cluster_status` shows it"}};
  kind.expected = "cluster_name";
  kind.look = look;
  return kind;
}

}  // namespace lifeboat::guards
