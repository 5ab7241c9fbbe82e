#include "client/postgres/connection.h"
#include "guard/by_hand.h"
#include "guard/guards.h"

namespace lifeboat::guards {
namespace {

Result<plan::Fingerprint> look(const Operation& op, const Value& config,
                               const plan::GuardSurroundings&) {
  TRY(const auto address, postgres::parse_url(config.text("url"), Secret(config.text("password"))));
  TRY(const auto connection, postgres::Connection::open(op, address));
  TRY(const auto rows,
      connection->query(op, "SELECT system_identifier FROM pg_catalog.pg_control_system()"));
  return plan::Fingerprint{rows.text(0, 0), address.shown()};
}

}  // namespace

plan::GuardKind postgres_guard() {
  plan::GuardKind kind;
  kind.name = "postgres";
  kind.help = "A PostgreSQL server, by the system identifier that its cluster was made with.";
  kind.fields.fields = {
      {.name = "url",
       .shape = shape::string(),
       .help = "postgresql://USER@HOST:PORT/DATABASE",
       .required = true},
      {.name = "password", .shape = shape::secret(), .help = "of the user of the URL"},
      {.name = "system_identifier",
       .shape = shape::string(),
       .help = "as `SELECT system_identifier FROM pg_control_system()` answers it"}};
  kind.expected = "system_identifier";
  kind.look = look;
  kind.by_hand = by_hand::postgres;
  return kind;
}

}  // namespace lifeboat::guards
