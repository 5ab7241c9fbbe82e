#include "client/aws/token_service.h"
#include "guard/by_hand.h"
#include "guard/guards.h"

namespace lifeboat::guards {
namespace {

Result<plan::Fingerprint> look(const Operation& op, const Value& config,
                               const plan::GuardSurroundings& around) {
  const auto http = make_http_client(*around.clock);
  const aws::Surroundings surroundings{http.get(), around.launcher, around.clock};
  const auto source = aws::find_credentials(surroundings);
  TRY(const aws::Credentials credentials, source->get(op));
  TRY(const std::string account,
      aws::caller_account(op, surroundings, credentials, config.text("endpoint")));
  return plan::Fingerprint{account, "AWS with access key " + credentials.access_key};
}

}  // namespace

plan::GuardKind aws_account_guard() {
  plan::GuardKind kind;
  kind.name = "aws-account";
  kind.help = "The AWS account that the credentials of this machine belong to.";
  kind.fields.fields = {
      {.name = "id", .shape = shape::string(), .help = "its number, of 12 digits"},
      {.name = "endpoint",
       .shape = shape::string(),
       .help = "of the token service (STS); AWS's own when nothing is said"}};
  kind.expected = "id";
  kind.look = look;
  kind.by_hand = by_hand::aws_account;
  return kind;
}

}  // namespace lifeboat::guards
