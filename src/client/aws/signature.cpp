#include "client/aws/signature.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "base/bytes.h"
#include "crypt/crypt.h"

namespace lifeboat::aws {
namespace {

constexpr const char* algorithm = "AWS4-HMAC-SHA256";

// Each segment by itself: the slashes stay.
std::string encoded_path(const std::string& path) {
  std::string encoded;
  std::size_t from = 0;
  for (;;) {
    const std::size_t slash = path.find('/', from);
    encoded += url_segment(std::string_view(path).substr(from, slash - from));
    if (slash == std::string::npos) return encoded.empty() ? "/" : encoded;
    encoded += '/';
    from = slash + 1;
  }
}

// In the order of the encoded names.
std::string encoded_query(const std::map<std::string, std::string>& query) {
  std::vector<std::string> pairs;
  for (const auto& [name, value] : query) {
    pairs.push_back(url_segment(name) + "=" + url_segment(value));
  }
  std::ranges::sort(pairs);
  return fmt::format("{}", fmt::join(pairs, "&"));
}

// Blanks at the ends go, several in a row are one.
std::string trimmed(std::string_view value) {
  std::string out;
  for (const char c : value) {
    if (c == ' ' && (out.empty() || out.back() == ' ')) continue;
    out += c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

struct SignedHeaders {
  std::string lines, names;
};
SignedHeaders canonical(const std::map<std::string, std::string>& headers) {
  SignedHeaders made;
  for (const auto& [name, value] : headers) {
    made.lines += name + ":" + trimmed(value) + "\n";
    made.names += (made.names.empty() ? "" : ";") + name;
  }
  return made;
}

Id signing_key(const Credentials& credentials, const std::string& day, const Scope& scope) {
  const Secret first("AWS4" + std::string(credentials.secret_key.reveal()));
  Id key = crypt::hmac_sha256(as_bytes(first.reveal()), as_bytes(day));
  for (const std::string& part : {scope.region, scope.service, std::string("aws4_request")}) {
    key = crypt::hmac_sha256(key.view(), as_bytes(part));
  }
  return key;
}

}  // namespace

Result<std::string> read_endpoint(const std::string& url) {
  const auto parts = parse_url(url);
  const bool web = parts && (parts->scheme == "https" || parts->scheme == "http");
  if (!web || parts->host.empty() || !parts->user.empty() || !parts->password.empty() ||
      (parts->path != "/" && !parts->path.empty()) ||
      url.find_first_of("?#") != std::string::npos) {
    return fail(Error::Kind::invalid,
                fmt::format("endpoint {}: not https://HOST or https://HOST:PORT", shown_url(url)));
  }
  const int usual = parts->scheme == "https" ? 443 : 80;
  std::string endpoint = parts->scheme + "://" + parts->host;
  if (parts->port != usual) endpoint += ":" + std::to_string(parts->port);
  return endpoint;
}

std::string amz_date(WallTime time) {
  std::string text = rfc3339(time).substr(0, 19);
  std::erase_if(text, [](char c) { return c == '-' || c == ':'; });
  return text + "Z";
}

HttpRequest signed_request(const ApiRequest& request, const Credentials& credentials,
                           const Scope& scope, WallTime now) {
  const std::string date = amz_date(now), day = date.substr(0, 8);
  const std::string path = encoded_path(request.path), query = encoded_query(request.query);
  const std::string payload = crypt::sha256(request.body).hex();
  std::map<std::string, std::string> headers = request.headers;
  headers["host"] = request.endpoint.substr(request.endpoint.find("://") + 3);
  headers["x-amz-date"] = date;
  if (scope.service == "s3") headers["x-amz-content-sha256"] = payload;
  if (!credentials.session_token.empty()) {
    headers["x-amz-security-token"] = std::string(credentials.session_token.reveal());
  }
  const SignedHeaders signs = canonical(headers);
  const std::string canonical_request = fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, path,
                                                    query, signs.lines, signs.names, payload);
  const std::string place = fmt::format("{}/{}/{}/aws4_request", day, scope.region, scope.service);
  const std::string to_sign = fmt::format("{}\n{}\n{}\n{}", algorithm, date, place,
                                          crypt::sha256(as_bytes(canonical_request)).hex());
  const Id signature =
      crypt::hmac_sha256(signing_key(credentials, day, scope).view(), as_bytes(to_sign));

  HttpRequest made;
  made.method = request.method;
  made.url = request.endpoint + path + (query.empty() ? "" : "?" + query);
  headers.erase("host");  // the client makes the same one of the URL
  headers.erase("x-amz-security-token");
  made.headers = std::move(headers);
  made.secret_headers["x-amz-security-token"] = credentials.session_token;
  if (credentials.session_token.empty()) made.secret_headers.clear();
  made.secret_headers["authorization"] =
      Secret(fmt::format("{} Credential={}/{}, SignedHeaders={}, Signature={}", algorithm,
                         credentials.access_key, place, signs.names, signature.hex()));
  made.upload = request.body;
  return made;
}

}  // namespace lifeboat::aws
