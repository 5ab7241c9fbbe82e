#include "client/http/http.h"

#include <curl/curl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <mutex>
#include <optional>
#include <vector>

#include "base/bytes.h"
#include "base/guard.h"
#include "base/mutex.h"
#include "client/http/curl_handles.h"
#include "client/http/proxy.h"

namespace lifeboat {

struct CookieAccess {
  static CURLSH* jar(const HttpCookies& cookies) { return cookies.jar_.get(); }
};

namespace {

using Kind = Error::Kind;
using curl::Easy;
using curl::List;
using curl::Multi;

struct FreeUrl {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
using Url = std::unique_ptr<CURLU, FreeUrl>;

// libcurl wants one global start before any thread uses it.
void start_curl() {
  static std::once_flag once;
  std::call_once(once, [] { ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK); });
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

std::string part(CURLU* url, CURLUPart which, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, which, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string out(text);
  curl_free(text);
  return out;
}

Url read_url(std::string_view text) {
  start_curl();
  Url url(curl_url());
  const std::string copy(text);
  if (!url || copy.find('\0') != std::string::npos ||
      curl_url_set(url.get(), CURLUPART_URL, copy.c_str(),
                   CURLU_NON_SUPPORT_SCHEME | CURLU_PATH_AS_IS) != CURLUE_OK) {
    return nullptr;
  }
  return url;
}

// Everything that the callbacks of one exchange need.
struct Exchange {
  const HttpRequest* request = nullptr;
  HttpResponse response;
  bool too_large = false;
  std::array<char, CURL_ERROR_SIZE> detail{};
};

std::size_t on_body(char* bytes, std::size_t, std::size_t length, void* context) {
  auto& exchange = *static_cast<Exchange*>(context);
  if (exchange.response.body.size() + length > exchange.request->max_body_bytes) {
    exchange.too_large = true;
    return 0;
  }
  exchange.response.body.append(bytes, length);
  return length;
}

std::size_t on_header(char* bytes, std::size_t, std::size_t length, void* context) {
  auto& headers = static_cast<Exchange*>(context)->response.headers;
  std::string_view line(bytes, length);
  if (line.starts_with("HTTP/")) headers.clear();  // a redirect's or an interim answer's are past
  const auto colon = line.find(':');
  if (colon == std::string_view::npos) return length;
  std::string_view value = line.substr(colon + 1);
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!value.empty() && blank(value.front())) value.remove_prefix(1);
  while (!value.empty() && blank(value.back())) value.remove_suffix(1);
  std::string& known = headers[lower(line.substr(0, colon))];
  known += known.empty() ? std::string(value) : ", " + std::string(value);
  return length;
}

long milliseconds(std::chrono::nanoseconds time) {
  return static_cast<long>(
      std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::milliseconds>(time).count()));
}

// A connection that is used by one exchange at a time; reset between two, its sockets stay open.
struct Lane {
  Multi multi;
  Easy easy;
};

template <class T>
void set(const Lane& lane, CURLoption option, T value) {
  curl_easy_setopt(lane.easy.get(), option, value);
}

Result<List> header_lines(const HttpRequest& request) {
  // No "Expect: 100-continue": it costs a second with servers that ignore it.
  List owned;
  curl::append(owned, "Expect:");
  const auto add = [&owned](const std::string& name, std::string_view value) -> Result<void> {
    const auto breaks = [](std::string_view text) {
      return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
    };
    if (name.empty() || breaks(name) || breaks(value)) {
      return fail(Kind::invalid, fmt::format("header '{}': a line break in it", printable(name)));
    }
    // "Name;" is libcurl's way to say a header without a value.
    const std::string line =
        value.empty() ? name + ";" : fmt::format("{}: {}", name, std::string(value));
    curl::append(owned, line);
    return {};
  };
  for (const auto& [name, value] : request.headers) TRY_DO(add(name, value));
  for (const auto& [name, value] : request.secret_headers) TRY_DO(add(name, value.reveal()));
  return owned;
}

void set_method(const Lane& lane, const HttpRequest& request) {
  const ByteView body = request.upload.empty() ? as_bytes(request.body) : request.upload;
  const bool has_body = !body.empty() || request.method == "POST" || request.method == "PUT" ||
                        request.method == "PATCH";
  if (has_body) {
    set(lane, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    set(lane, CURLOPT_POSTFIELDS, body.empty() ? "" : as_text(body).data());
  }
  if (request.method == "HEAD")
    set(lane, CURLOPT_NOBODY, 1L);
  else if (request.method != "GET" || has_body)
    set(lane, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

void set_safety(const Lane& lane, const HttpRequest& request, const UrlParts& parts) {
  set(lane, CURLOPT_PROTOCOLS_STR, "http,https");
  set(lane, CURLOPT_REDIR_PROTOCOLS_STR, parts.scheme == "https" ? "https" : "http,https");
  set(lane, CURLOPT_FOLLOWLOCATION, request.follow_redirects ? 1L : 0L);
  set(lane, CURLOPT_MAXREDIRS, 5L);
  set(lane, CURLOPT_SSL_VERIFYPEER, 1L);
  set(lane, CURLOPT_SSL_VERIFYHOST, 2L);
  set(lane, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
  if (!request.ca_file.empty()) set(lane, CURLOPT_CAINFO, request.ca_file.c_str());
  if (passed_by_proxies(parts.host)) set(lane, CURLOPT_PROXY, "");
  set(lane, CURLOPT_NOSIGNAL, 1L);
  set(lane, CURLOPT_CONNECTTIMEOUT_MS, milliseconds(request.connect_timeout));
  set(lane, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(request.slowest_bytes_per_s));
  set(lane, CURLOPT_LOW_SPEED_TIME, std::max(1L, milliseconds(request.stall) / 1000));
  // The length that HEAD tells is that of a body which does not come.
  const std::size_t most = request.method == "HEAD" ? 0 : request.max_body_bytes;
  set(lane, CURLOPT_MAXFILESIZE_LARGE, static_cast<curl_off_t>(most));
}

std::string refused_reason(CURL* handle) {
  long number = 0;
  curl_easy_getinfo(handle, CURLINFO_OS_ERRNO, &number);
  return number == 0 ? std::string()
                     : fmt::format(" ({})", std::strerror(static_cast<int>(number)));
}

Error too_large(const HttpRequest& request) {
  return {Kind::invalid,
          fmt::format("{}: the answer is larger than {} bytes", shown_url(request.url),
                      request.max_body_bytes),
          ""};
}

Error broke(const std::string& place, const std::string& detail) {
  return {Kind::unavailable, fmt::format("{}: the connection broke: {}", place, detail), ""};
}

// What libcurl's code means to the caller. `lane` still holds the failed exchange.
Error translate(CURLcode code, const Lane& lane, const Exchange& exchange, const UrlParts& parts) {
  const std::string place = endpoint_of(parts);
  long tunnel = 0;  // what a proxy has answered to CONNECT
  curl_easy_getinfo(lane.easy.get(), CURLINFO_HTTP_CONNECTCODE, &tunnel);
  if (tunnel >= 300) return refused_by_proxy(parts, static_cast<int>(tunnel));
  const std::string detail =
      exchange.detail[0] != 0 ? exchange.detail.data() : curl_easy_strerror(code);
  switch (code) {
    case CURLE_COULDNT_CONNECT:
      return {Kind::unavailable, place + " does not answer" + refused_reason(lane.easy.get()),
              "is it running, and reachable from here?"};
    case CURLE_COULDNT_RESOLVE_HOST:
      return {Kind::unavailable, fmt::format("{}: no address is known for this name", parts.host),
              "check the name, and the name servers of this machine"};
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Kind::unavailable, fmt::format("{}: the proxy's name has no address", place),
              "check the variables http_proxy, https_proxy and no_proxy"};
    case CURLE_OPERATION_TIMEDOUT:
      return {Kind::unavailable, fmt::format("{} does not answer in time ({})", place, detail),
              "is it overloaded, or behind a firewall?", Error::Code::timeout};
    case CURLE_PEER_FAILED_VERIFICATION:
      return {Kind::denied, fmt::format("{}: its certificate is not trusted: {}", place, detail),
              "give the certificate of its authority as CA file"};
    case CURLE_SSL_CACERT_BADFILE:
      return {Kind::invalid,
              fmt::format("CA file '{}' cannot be read as certificates", exchange.request->ca_file),
              "it has to hold PEM certificates"};
    case CURLE_SSL_CONNECT_ERROR:
      // libcurl's words when it is the connection that failed, and not what was said on it.
      if (detail.find(" SSL_connect: ") != std::string::npos) return broke(place, detail);
      return {Kind::invalid, fmt::format("{}: no TLS connection: {}", place, detail),
              "is this port one of https?"};
    case CURLE_GOT_NOTHING:
    case CURLE_RECV_ERROR:
    case CURLE_SEND_ERROR:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
      return broke(place, detail);
    case CURLE_FILESIZE_EXCEEDED:
      return too_large(*exchange.request);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
      return {Kind::invalid, fmt::format("{} does not speak HTTP: {}", place, detail),
              "is this the right port?"};
    case CURLE_TOO_MANY_REDIRECTS:
      return {Kind::invalid, fmt::format("{} redirects more than 5 times", place), ""};
    default:
      return {Kind::invalid, fmt::format("{}: {}", place, detail), ""};
  }
}

class CurlClient final : public HttpClient {
 public:
  explicit CurlClient(const Clock& clock) : clock_(clock) { start_curl(); }

  Result<HttpResponse> send(const Operation& op, const HttpRequest& request) override {
    TRY_DO(op.proceed());
    TRY(const UrlParts parts, parse_url(request.url));
    if (parts.scheme != "http" && parts.scheme != "https") {
      return fail(Kind::invalid,
                  fmt::format("'{}' is no http or https URL", shown_url(request.url)));
    }
    if (request.follow_redirects && !request.secret_headers.empty()) {
      return fail(Kind::invalid,
                  shown_url(request.url) +
                      ": secret headers and following redirects "
                      "exclude each other",
                  "another host would be told the secret");
    }
    Exchange exchange;
    exchange.request = &request;
    TRY(List headers, header_lines(request));
    std::optional<Lane> lane = take();
    if (!lane) return fail(Kind::unavailable, "libcurl cannot be started: out of memory?");
    set_up(*lane, exchange, parts, headers.get());
    auto done = perform(op, *lane, exchange, parts);
    curl_multi_remove_handle(lane->multi.get(), lane->easy.get());
    // No reset lets go of cookies, nor of the list of their files; those that are shared stay.
    set(*lane, CURLOPT_COOKIEFILE, nullptr);
    set(*lane, CURLOPT_SHARE, nullptr);
    if (!done) return fail(std::move(done).error());  // the lane and its connection are dropped
    long status = 0;
    curl_easy_getinfo(lane->easy.get(), CURLINFO_RESPONSE_CODE, &status);
    // Without a tunnel a proxy says it where the server's answer would stand.
    if (status == 407 && parts.scheme == "http" && !proxy_variable(parts).empty()) {
      return fail(refused_by_proxy(parts, 407));
    }
    exchange.response.status = static_cast<int>(status);
    give_back(std::move(*lane));
    return std::move(exchange.response);
  }

 private:
  static constexpr std::size_t idle_limit = 16;

  std::optional<Lane> take() EXCLUDES(mutex_) {
    {
      MutexLock lock(mutex_);
      if (!idle_.empty()) {
        Lane lane = std::move(idle_.back());
        idle_.pop_back();
        return lane;
      }
    }
    Lane lane{Multi(curl_multi_init()), Easy(curl_easy_init())};
    if (!lane.multi || !lane.easy) return std::nullopt;
    return lane;
  }

  void give_back(Lane lane) EXCLUDES(mutex_) {
    curl_easy_reset(lane.easy.get());  // forgets passwords and bodies, keeps the connections
    MutexLock lock(mutex_);
    if (idle_.size() < idle_limit) idle_.push_back(std::move(lane));
  }

  static void set_up(const Lane& lane, Exchange& exchange, const UrlParts& parts,
                     curl_slist* headers) {
    const HttpRequest& request = *exchange.request;
    // Without user and password: libcurl then has no text that could put them into a message.
    Url url = read_url(request.url);
    curl_url_set(url.get(), CURLUPART_USER, nullptr, 0);
    curl_url_set(url.get(), CURLUPART_PASSWORD, nullptr, 0);
    set(lane, CURLOPT_PATH_AS_IS, 1L);  // "%2F" and ".." of names stay what they are
    set(lane, CURLOPT_URL, part(url.get(), CURLUPART_URL).c_str());
    set(lane, CURLOPT_HTTPHEADER, headers);
    set(lane, CURLOPT_ERRORBUFFER, exchange.detail.data());
    set(lane, CURLOPT_WRITEFUNCTION, &on_body);
    set(lane, CURLOPT_WRITEDATA, &exchange);
    set(lane, CURLOPT_HEADERFUNCTION, &on_header);
    set(lane, CURLOPT_HEADERDATA, &exchange);
    set(lane, CURLOPT_USERAGENT, "lifeboat");
    if (request.cookies != nullptr) {
      set(lane, CURLOPT_SHARE, CookieAccess::jar(*request.cookies));
      set(lane, CURLOPT_COOKIEFILE, "");  // no file: begins to heed cookies
    }
    set_method(lane, request);
    set_safety(lane, request, parts);
    const bool own = !request.user.empty();
    const std::string user = own ? request.user : parts.user;
    if (user.empty()) return;
    set(lane, CURLOPT_HTTPAUTH, static_cast<long>(CURLAUTH_BASIC));
    set(lane, CURLOPT_USERNAME, user.c_str());
    set(lane, CURLOPT_PASSWORD,
        std::string((own ? request.password : parts.password).reveal()).c_str());
  }

  Result<void> perform(const Operation& op, const Lane& lane, const Exchange& exchange,
                       const UrlParts& parts) const {
    const HttpRequest& request = *exchange.request;
    const auto end = clock_.boot() + request.timeout;
    curl_multi_add_handle(lane.multi.get(), lane.easy.get());
    for (;;) {
      int running = 0;
      curl_multi_perform(lane.multi.get(), &running);
      if (running == 0) break;
      TRY_DO(op.proceed());
      if (clock_.boot() > end) {
        return fail(Kind::unavailable,
                    fmt::format("{} does not answer within {}", endpoint_of(parts),
                                human_duration(request.timeout)),
                    "is it overloaded, or behind a firewall?", Error::Code::timeout);
      }
      curl_multi_poll(lane.multi.get(), nullptr, 0, 100, nullptr);
    }
    int left = 0;
    const CURLMsg* message = curl_multi_info_read(lane.multi.get(), &left);
    if (message == nullptr) return fail(Kind::unavailable, "libcurl ended without an answer");
    if (exchange.too_large) return fail(too_large(request));
    if (message->data.result != CURLE_OK) {
      return fail(translate(message->data.result, lane, exchange, parts));
    }
    return {};
  }

  const Clock& clock_;
  Mutex mutex_;
  std::vector<Lane> idle_ GUARDED_BY(mutex_);
};

}  // namespace

HttpCookies::HttpCookies()
    : jar_((start_curl(), curl_share_init()),
           [](void* jar) { curl_share_cleanup(static_cast<CURLSH*>(jar)); }) {
  ASSERT(jar_ != nullptr);
  curl_share_setopt(jar_.get(), CURLSHOPT_SHARE, CURL_LOCK_DATA_COOKIE);
}

HttpCookies::~HttpCookies() = default;

std::optional<std::string> HttpCookies::find(std::string_view name) const {
  const Easy reader(curl_easy_init());
  curl_easy_setopt(reader.get(), CURLOPT_SHARE, jar_.get());
  curl_slist* lines = nullptr;
  curl_easy_getinfo(reader.get(), CURLINFO_COOKIELIST, &lines);
  const List owned(lines);
  std::optional<std::string> value;
  // Lines of seven fields: domain, whether below it, path, secure, expiry, name, value.
  for (const curl_slist* line = lines; line != nullptr; line = line->next) {
    std::vector<std::string_view> fields;
    for (std::string_view rest = line->data; fields.size() < 7;) {
      const std::size_t end = fields.size() == 6 ? rest.size() : rest.find('\t');
      fields.push_back(rest.substr(0, end));
      if (end >= rest.size()) break;
      rest.remove_prefix(end + 1);
    }
    // The second after the epoch: the last answer took it back.
    if (fields.size() == 7 && fields[5] == name && fields[4] != "1") value = fields[6];
  }
  return value;
}

std::string_view HttpResponse::header(std::string_view name) const {
  const auto found = headers.find(name);
  return found == headers.end() ? std::string_view() : std::string_view(found->second);
}

std::unique_ptr<HttpClient> make_http_client(const Clock& clock) {
  return std::make_unique<CurlClient>(clock);
}

Result<UrlParts> parse_url(std::string_view text) {
  const Url url = read_url(text);
  if (!url) return fail(Kind::invalid, "not a URL", "the form is scheme://host:port/path");
  UrlParts parts;
  parts.scheme = lower(part(url.get(), CURLUPART_SCHEME));
  parts.host = lower(part(url.get(), CURLUPART_HOST));
  parts.path = part(url.get(), CURLUPART_PATH);
  parts.user = part(url.get(), CURLUPART_USER, CURLU_URLDECODE);
  parts.password = Secret(part(url.get(), CURLUPART_PASSWORD, CURLU_URLDECODE));
  const std::string port = part(url.get(), CURLUPART_PORT, CURLU_DEFAULT_PORT);
  if (!port.empty()) parts.port = std::stoi(port);  // libcurl has proven it to be a port
  return parts;
}

std::string shown_url(std::string_view text) {
  const Url url = read_url(text);
  if (!url) return "(not a URL)";
  for (const auto which :
       {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS, CURLUPART_QUERY, CURLUPART_FRAGMENT})
    curl_url_set(url.get(), which, nullptr, 0);
  return printable(part(url.get(), CURLUPART_URL));
}

std::string endpoint_of(const UrlParts& parts) {
  return parts.port == 0 ? fmt::format("{}://{}", parts.scheme, parts.host)
                         : fmt::format("{}://{}:{}", parts.scheme, parts.host, parts.port);
}

bool passed_by_proxies(const std::string& host) {
  return host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") ||
         host == "[::1]" || host.starts_with("169.254.") || host.starts_with("[fe80:") ||
         host == "[fd00:ec2::254]" || host == "[fd00:ec2::23]";  // AWS's of IPv6
}

std::string url_segment(std::string_view text) {
  if (text.empty()) return {};
  start_curl();
  char* escaped = curl_easy_escape(nullptr, text.data(), static_cast<int>(text.size()));
  if (escaped == nullptr) return {};
  std::string out(escaped);
  curl_free(escaped);
  return out;
}

}  // namespace lifeboat
