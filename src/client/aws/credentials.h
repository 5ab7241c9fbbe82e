// client/aws/credentials.h - Credentials as the tools of AWS find them, renewed before they end.
//
// Looked for in this order, the first that is there counts:
//   AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN
//   the profile that AWS_PROFILE names in ~/.aws/config and ~/.aws/credentials: role_arn with
//     source_profile, credential_source or web_identity_token_file; keys; credential_process
//   AWS_WEB_IDENTITY_TOKEN_FILE with AWS_ROLE_ARN (a service account of Kubernetes)
//   the profile "default", when AWS_PROFILE names none
//   AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or _FULL_URI (ECS, EKS Pod Identity)
//   the instance's metadata service, version 2
// A session of `aws sso login` is refused by name.
//
// Each place is asked for what it alone shall know: a token only its own service, and what hands
// out credentials over plain HTTP only on this machine.
//
// Threads: get() from any thread; one asks, nobody holds a lock meanwhile.  Ownership: http,
// launcher and clock outlive it.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "client/aws/signature.h"
#include "client/process/launcher.h"

namespace lifeboat::aws {

// A variable of the environment; nothing or "" when it is not set.
using Variables = std::function<std::string(const std::string& name)>;
Variables own_environment();

struct Surroundings {
  HttpClient* http = nullptr;
  Launcher* launcher = nullptr;  // for credential_process
  const Clock* clock = nullptr;
  Variables variables = own_environment();
};

class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  // Ones that are good for five minutes and more, if there are such. While those that are known are
  // good, a renewal takes at most three seconds of one caller's time; when it does not succeed,
  // they are answered. Without any, who does not ask waits for who does, as long as `op` allows.
  // Errors: denied (none are found: says where was looked; or refused), unavailable, invalid,
  // cancelled.
  virtual Result<Credentials> get(const Operation& op) = 0;
  // What get() answered with this key was refused as expired: it is not to be answered again.
  virtual void forget(const std::string& access_key) = 0;
};

std::unique_ptr<CredentialSource> find_credentials(const Surroundings& around);

// AWS_REGION, AWS_DEFAULT_REGION, the profile's; "" when none says.
std::string find_region(const Variables& variables);
// AWS_ENDPOINT_URL_<SERVICE>, AWS_ENDPOINT_URL, the profile's, else AWS's own of that region. "s3",
// "sts".  Errors: invalid (those of read_endpoint(); a region that is none).
struct Endpoint {
  std::string url;
  bool of_aws = false;  // and not one that was named
};
Result<Endpoint> find_endpoint(const Variables& variables, const std::string& service,
                               const std::string& region);
// Certificates to trust: AWS_CA_BUNDLE, the profile's; "" for the system's.
std::string find_ca_file(const Variables& variables);

}  // namespace lifeboat::aws
