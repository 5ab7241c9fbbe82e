#include "client/aws/local_endpoints.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "client/secret/secret_file.h"
#include "schema/json.h"

namespace lifeboat::aws {
namespace {

using Kind = Error::Kind;
using Found = Result<std::optional<Credentials>>;

constexpr const char* container_service = "http://169.254.170.2";
constexpr const char* instance_service = "http://169.254.169.254";
constexpr auto local_wait = std::chrono::seconds(2);
constexpr std::size_t answer_limit_bytes = 64u << 10;

bool is_busy(const HttpResponse& response) {
  return response.status >= 500 || response.status == 429;
}

Found read_credentials(const HttpResponse& response, const std::string& place) {
  const auto answer = parse_json(response.body);
  if (response.ok() && answer) {
    Credentials found{answer->text("AccessKeyId"), Secret(answer->text("SecretAccessKey")),
                      Secret(answer->text("Token"))};
    found.expires = parse_rfc3339(answer->text("Expiration"));
    if (!found.access_key.empty() && !found.secret_key.empty()) return std::optional(found);
  }
  return fail(is_busy(response) ? Kind::unavailable : Kind::invalid,
              fmt::format("{}: status {}, and no credentials", place, response.status));
}

// A secret goes there in the clear: only where nobody else listens.
bool may_be_asked(const UrlParts& parts) {
  if (parts.scheme == "https") return true;
  constexpr std::array local = {"169.254.170.2", "169.254.170.23", "[fd00:ec2::23]", "localhost",
                                "[::1]"};
  return std::ranges::find(local, parts.host) != local.end() || parts.host.starts_with("127.");
}

HttpRequest local_request(const std::string& url) {
  HttpRequest request;
  request.url = url;
  request.connect_timeout = request.timeout = local_wait;
  request.max_body_bytes = answer_limit_bytes;
  return request;
}

}  // namespace

Found from_container(const Operation& op, const Surroundings& around) {
  const Variables& variables = around.variables;
  const std::string relative = variables("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
  const std::string url = relative.empty() ? variables("AWS_CONTAINER_CREDENTIALS_FULL_URI")
                                           : container_service + relative;
  if (url.empty()) return std::nullopt;
  TRY(const UrlParts parts, parse_url(url));
  if (!may_be_asked(parts)) {
    return fail(Kind::denied,
                shown_url(url) + ": credentials are not asked for there without encryption",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI has to be https, or on this machine");
  }
  HttpRequest request = local_request(url);
  const std::string file = variables("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
  Secret token(variables("AWS_CONTAINER_AUTHORIZATION_TOKEN"));
  if (!file.empty()) {
    TRY(token, read_secret_file(op, file));
  }
  if (!token.empty()) request.secret_headers["authorization"] = token;
  TRY(const HttpResponse response, around.http->send(op, request));
  return read_credentials(response, shown_url(url));
}

Found from_instance(const Operation& op, const Surroundings& around, InstanceSeen& seen) {
  const Variables& variables = around.variables;
  if (variables("AWS_EC2_METADATA_DISABLED") == "true") return std::nullopt;
  std::string service = variables("AWS_EC2_METADATA_SERVICE_ENDPOINT");
  if (service.empty()) service = instance_service;
  while (service.ends_with('/')) service.pop_back();
  HttpRequest ask = local_request(service + "/latest/api/token");
  ask.method = "PUT";
  ask.headers["x-aws-ec2-metadata-token-ttl-seconds"] = "300";
  const auto token = around.http->send(op, ask);
  TRY_DO(op.proceed());
  if (!token && seen.answered) {
    return fail(Kind::unavailable, "the instance's metadata service: " + token.error().what);
  }
  if (seen.answered && is_busy(*token)) return read_credentials(*token, service);
  if (!token || !token->ok()) return std::nullopt;  // no instance of EC2
  seen.answered = true;
  const auto get = [&](const std::string& path) {
    HttpRequest request =
        local_request(service + "/latest/meta-data/iam/security-credentials/" + path);
    request.secret_headers["x-aws-ec2-metadata-token"] = Secret(token->body);
    return around.http->send(op, request);
  };
  TRY(const HttpResponse roles, get(""));
  if (is_busy(roles)) return read_credentials(roles, service);
  if (!roles.ok()) return std::nullopt;  // an instance without a role
  const std::string role = roles.body.substr(0, roles.body.find_first_of("\r\n"));
  TRY(const HttpResponse response, get(url_segment(role)));
  return read_credentials(response, service);
}

}  // namespace lifeboat::aws
