// client/http/http.h - One HTTP exchange: a request, and an answer within bounds or an Error.
//
// An answer of any status is an answer: what 401 or 404 means is the caller's to say. An Error
// means that no complete answer of the server came. Certificates are always verified; a CA of one's
// own is given with `ca_file`. The proxy variables of the environment are honoured, but never for
// loopback and link-local addresses: passed_by_proxies(). Whatever of a URL can be a secret
// (user:password@, the query) is in no error: shown_url().
//
// Life: make one HttpClient a process (or a source); send() as often as needed, connections are
// kept open and used again. libcurl does the work behind this header.
// Threads: send() from any thread, several at once.  Ownership: the client outlives its calls.
#pragma once

#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/operation.h"
#include "base/secret.h"

namespace lifeboat {

// The cookies of one visitor: given to the requests that name them, kept from their answers, as a
// browser does it (domain, path, Secure, expiry).
//
// Threads: one request at a time.  Ownership: outlives the requests that name it.
class HttpCookies {
 public:
  HttpCookies();
  HttpCookies(const HttpCookies&) = delete;
  HttpCookies& operator=(const HttpCookies&) = delete;
  ~HttpCookies();
  // The value of the cookie of that name that came last; nullopt: there is none.
  std::optional<std::string> find(std::string_view name) const;

 private:
  friend struct CookieAccess;
  std::unique_ptr<void, void (*)(void*)> jar_;
};

struct HttpRequest {
  std::string method = "GET";
  std::string url = {};  // http or https; user:password@ in it is used when `user` is empty
  std::map<std::string, std::string> headers = {};
  // Sent like `headers`; not together with follow_redirects: another host would be told.
  std::map<std::string, Secret> secret_headers = {};
  std::string body = {};
  ByteView upload = {};   // sent instead of `body` when not empty; outlives the call
  std::string user = {};  // basic authentication when not empty
  Secret password = {};
  std::string ca_file = {};  // certificates to trust instead of the system's; "" = the system's
  HttpCookies* cookies = nullptr;  // null: none are sent, none are kept
  bool follow_redirects = false;   // at most 5; from https only to https
  std::chrono::nanoseconds connect_timeout = std::chrono::seconds(10);
  std::chrono::nanoseconds timeout = std::chrono::minutes(2);  // of the whole exchange
  // An exchange that is slower than `slowest_bytes_per_s` for `stall` has ended.
  std::chrono::nanoseconds stall = std::chrono::seconds(60);
  std::size_t slowest_bytes_per_s = 1;
  std::size_t max_body_bytes = 64u << 20;  // of the answer
};

struct HttpResponse {
  int status = 0;
  // Of the last answer; names in lower case, repeated ones joined by ", ".
  std::map<std::string, std::string, std::less<>> headers;
  std::string body;

  bool ok() const { return status >= 200 && status < 300; }
  // "" when there is no such header; `name` in lower case.
  std::string_view header(std::string_view name) const;
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  // One exchange; nothing is tried again.
  // Errors: unavailable (does not answer, no such host, connection broke; code timeout when
  // `timeout` or `stall` passed), denied (certificate not trusted; a proxy that asks for a login or
  // does not let us through), invalid (no URL, not HTTP, no TLS there, answer too large), cancelled
  // (the operation was stopped or its deadline passed).
  virtual Result<HttpResponse> send(const Operation& op, const HttpRequest& request) = 0;
};

std::unique_ptr<HttpClient> make_http_client(const Clock& clock);

// The parts of a URL that a program decides by; without secrets.
struct UrlParts {
  std::string scheme;  // lower case
  std::string host;    // lower case; IPv6 in brackets
  int port = 0;        // the scheme's own when not written; 0 when it has none
  std::string path;
  std::string user;
  Secret password;
};
// Errors: invalid (without the text: it may hold a password).
Result<UrlParts> parse_url(std::string_view url);

// The URL for people: scheme, host, port as written and path, nothing that may be a secret.
std::string shown_url(std::string_view url);
// "https://host:port", always with the port.
std::string endpoint_of(const UrlParts& parts);

// Whether no proxy is ever asked for this host (of UrlParts): loopback, and the link-local
// addresses where machines and containers are handed their credentials.
bool passed_by_proxies(const std::string& host);

// One segment of a path, or a value of a query, percent-encoded: "/" becomes "%2F".
std::string url_segment(std::string_view text);

}  // namespace lifeboat
