// client/aws/signature.h - AWS Signature Version 4: who asks, proven with every request.
//
// A request is given by its parts, unencoded; what is signed and what is sent are made from the
// same parts, so that they cannot differ. The path is encoded once, as S3 wants it; other services
// are asked at "/".
//
// Threads: functions and values.
// Source: "Signature Version 4 for API requests", AWS documentation; the tests are its vectors.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/secret.h"
#include "client/http/http.h"

namespace lifeboat::aws {

struct Credentials {
  std::string access_key;
  Secret secret_key;
  Secret session_token;                  // "" for those that last
  std::optional<WallTime> expires = {};  // when they end
};

struct Scope {
  std::string region, service;  // "eu-west-1", "s3"
};

struct ApiRequest {
  std::string method = "GET";
  std::string endpoint = {};  // as read_endpoint() answers it
  std::string path = "/";
  std::map<std::string, std::string> query = {};
  std::map<std::string, std::string> headers = {};  // names in lower case
  ByteView body = {};                               // outlives the HttpRequest
};

// The HTTP request that carries the signature; valid for some minutes from `now`.
HttpRequest signed_request(const ApiRequest& request, const Credentials& credentials,
                           const Scope& scope, WallTime now);

// The endpoint of a URL that people wrote: scheme, host, and the port unless it is the scheme's
// own, which is what an HTTP client names and thus what is signed. Errors: invalid (not http or
// https; a path, a login or a query in it).
Result<std::string> read_endpoint(const std::string& url);

// "20261126T011500Z"
std::string amz_date(WallTime time);

}  // namespace lifeboat::aws
