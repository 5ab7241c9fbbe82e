#include "client/aws/token_service.h"

#include <fmt/format.h>

#include <pugixml.hpp>

#include "base/bytes.h"

namespace lifeboat::aws {
namespace {

using Kind = Error::Kind;

std::string region_of(const Surroundings& around) {
  const std::string region = find_region(around.variables);
  return region.empty() ? "us-east-1" : region;
}

std::string form(std::map<std::string, std::string> fields, const Role& role) {
  fields["Version"] = "2011-06-15";
  fields["RoleArn"] = role.arn;
  fields["RoleSessionName"] = role.session_name.empty() ? "lifeboat" : role.session_name;
  if (!role.external_id.empty()) fields["ExternalId"] = role.external_id;
  if (!role.duration_s.empty()) fields["DurationSeconds"] = role.duration_s;
  std::string text;
  for (const auto& [name, value] : fields) {
    text += (text.empty() ? "" : "&") + url_segment(name) + "=" + url_segment(value);
  }
  return text;
}

Result<Credentials> read_answer(const HttpResponse& response, const Role& role,
                                const std::string& endpoint) {
  pugi::xml_document document;
  const bool parsed = document.load_buffer(response.body.data(), response.body.size());
  if (!response.ok()) {
    const pugi::xml_node error = document.select_node("//Error").node();
    const std::string code = error.child_value("Code");
    const bool later =
        response.status >= 500 || code == "Throttling" || code == "IDPCommunicationError";
    return fail(
        later ? Kind::unavailable : Kind::denied,
        fmt::format("{}: role {}: status {} {}: {}", endpoint, printable(role.arn), response.status,
                    printable(code), printable(error.child_value("Message"))),
        "may this identity take the role on (sts:AssumeRole, its trust policy)?");
  }
  const pugi::xml_node found = document.select_node("//Credentials").node();
  Credentials made{found.child_value("AccessKeyId"), Secret(found.child_value("SecretAccessKey")),
                   Secret(found.child_value("SessionToken"))};
  made.expires = parse_rfc3339(found.child_value("Expiration"));
  if (parsed && !made.access_key.empty() && !made.secret_key.empty()) return made;
  return fail(Kind::invalid, endpoint + ": the answer holds no credentials");
}

HttpRequest signed_form(const std::string& endpoint, const std::string& body,
                        const Credentials& caller, const Surroundings& around) {
  HttpRequest request =
      signed_request({.method = "POST",
                      .endpoint = endpoint,
                      .headers = {{"content-type", "application/x-www-form-urlencoded"}},
                      .body = as_bytes(std::string_view(body))},
                     caller, {region_of(around), "sts"}, around.clock->wall());
  request.ca_file = find_ca_file(around.variables);
  return request;
}

}  // namespace

Result<Credentials> assume_role(const Operation& op, const Surroundings& around, const Role& role,
                                const Credentials& caller) {
  TRY(const Endpoint endpoint, find_endpoint(around.variables, "sts", region_of(around)));
  const std::string body = form({{"Action", "AssumeRole"}}, role);
  TRY(const HttpResponse response,
      around.http->send(op, signed_form(endpoint.url, body, caller, around)));
  return read_answer(response, role, endpoint.url);
}

Result<std::string> caller_account(const Operation& op, const Surroundings& around,
                                   const Credentials& caller, const std::string& given) {
  std::string endpoint = given;
  if (endpoint.empty()) {
    TRY(const Endpoint found, find_endpoint(around.variables, "sts", region_of(around)));
    endpoint = found.url;
  } else {
    TRY(endpoint, read_endpoint(given));
  }
  TRY(const HttpResponse response,
      around.http->send(op, signed_form(endpoint, "Action=GetCallerIdentity&Version=2011-06-15",
                                        caller, around)));
  pugi::xml_document document;
  const bool parsed = document.load_buffer(response.body.data(), response.body.size());
  if (!response.ok()) {
    const pugi::xml_node error = document.select_node("//Error").node();
    const std::string code = error.child_value("Code");
    const bool later = response.status >= 500 || code == "Throttling";
    return fail(
        later ? Kind::unavailable : Kind::denied,
        fmt::format("{}: who these credentials are: status {} {}: {}", endpoint, response.status,
                    printable(code), printable(error.child_value("Message"))),
        "are these the credentials that were meant, and still valid?");
  }
  const std::string account = document.select_node("//Account").node().child_value();
  if (parsed && !account.empty()) return account;
  return fail(Kind::invalid, endpoint + ": the answer names no account");
}

Result<Credentials> assume_role_with_token(const Operation& op, const Surroundings& around,
                                           const Role& role, const Secret& token) {
  TRY(const Endpoint endpoint, find_endpoint(around.variables, "sts", region_of(around)));
  HttpRequest request;
  request.method = "POST";
  request.url = endpoint.url + "/";
  request.ca_file = find_ca_file(around.variables);
  request.headers["content-type"] = "application/x-www-form-urlencoded";
  request.body = form(
      {{"Action", "AssumeRoleWithWebIdentity"}, {"WebIdentityToken", std::string(token.reveal())}},
      role);
  TRY(const HttpResponse response, around.http->send(op, request));
  return read_answer(response, role, endpoint.url);
}

}  // namespace lifeboat::aws
