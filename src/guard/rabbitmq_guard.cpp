#include "client/http/http.h"
#include "guard/by_hand.h"
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
  // The cluster's name is no identity: most are rabbit@HOST. This is made once, at the first boot.
  TRY(const Value parameter,
      broker.call(op, {"GET", "/api/global-parameters/internal_cluster_id", {}}));
  const std::string id = parameter.text("value");
  if (id.empty()) {
    return fail(Error::Kind::invalid, broker.endpoint() + ": the broker tells no cluster id",
                "RabbitMQ 3.9 and later have one");
  }
  return plan::Fingerprint{id, broker.endpoint()};
}

}  // namespace

plan::GuardKind rabbitmq_guard() {
  plan::GuardKind kind;
  kind.name = "rabbitmq";
  kind.help = "A RabbitMQ broker, by the id that its cluster got at its first boot.";
  kind.fields.fields = {{.name = "url",
                         .shape = shape::string(),
                         .help = "of the management API: http://HOST:15672",
                         .required = true},
                        {.name = "user",
                         .shape = shape::string(),
                         .help = "with the tag policymaker or administrator"},
                        {.name = "password", .shape = shape::secret(), .help = "of the user"},
                        {.name = "ca_file",
                         .shape = shape::string(),
                         .help = "certificates to trust instead of the system's"},
                        {.name = "cluster_id",
                         .shape = shape::string(),
                         .help = "internal_cluster_id of `rabbitmqctl list_global_parameters`"}};
  kind.expected = "cluster_id";
  kind.look = look;
  kind.by_hand = by_hand::rabbitmq;
  return kind;
}

}  // namespace lifeboat::guards
