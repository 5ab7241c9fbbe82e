#include "client/s3/bucket.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <ctime>
#include <iterator>
#include <utility>

#include "base/bytes.h"
#include "client/s3/answers.h"
#include "crypt/crypt.h"

namespace lifeboat::s3 {
namespace {

using Kind = Error::Kind;

constexpr auto whole_exchange = std::chrono::hours(1);  // of a large pack on a thin line
constexpr std::size_t largest_object_bytes = std::size_t{1} << 31;
constexpr int most_pages = 100'000;  // of a thousand keys each

std::string checksum(ByteView bytes) { return to_base64(crypt::sha256(bytes).view()); }

// "Thu, 26 Nov 2026 01:15:00 GMT"
std::optional<std::int64_t> seconds_of(std::string_view date) {
  std::tm time{};
  const std::string text(date);
  if (text.empty() || strptime(text.c_str(), "%a, %d %b %Y %H:%M:%S GMT", &time) == nullptr) {
    return std::nullopt;
  }
  return timegm(&time);
}

bool is_one_of(const std::string& code, std::initializer_list<const char*> codes) {
  return std::ranges::find(codes, code) != codes.end();
}

bool passes_by_itself(int status, const std::string& code) {
  return status >= 500 || status == 429 || status == 408 || status == 409 ||
         is_one_of(code, {"SlowDown", "RequestTimeout", "InternalError", "Throttling",
                          "ServiceUnavailable", "TooManyRequests", "ThrottlingException",
                          "BadDigest", "IncompleteBody", "XAmzContentSHA256Mismatch"});
}

bool asks_to_slow_down(int status, const std::string& code) {
  return status == 503 || status == 429 ||
         is_one_of(code, {"SlowDown", "Throttling", "ThrottlingException", "TooManyRequests"});
}

bool session_is_over(const std::string& code) {
  return is_one_of(
      code, {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"});
}

bool is_full(int status, const std::string& code) {
  return status == 507 || is_one_of(code, {"QuotaExceeded", "QuotaExceededException",
                                           "InsufficientStorage", "XMinioStorageFull"});
}

// The whole of "bytes 0-0/1234" and of what a length is.
std::optional<std::uint64_t> read_length(std::string_view text) {
  const std::size_t slash = text.rfind('/');
  if (slash != std::string_view::npos) text.remove_prefix(slash + 1);
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return length;
}

}  // namespace

// What one request has used up, and how it was made.
struct Bucket::Trial {
  bool renewed = false, corrected = false, slow_down = false;
  std::string access_key;
};

std::chrono::nanoseconds Bucket::learn_time(const HttpResponse& response) {
  const auto theirs = seconds_of(response.header("date"));
  if (!theirs) return {};
  const auto offset =
      std::chrono::seconds(*theirs) - std::chrono::nanoseconds(setup_.clock->wall().ns);
  MutexLock lock(mutex_);
  clock_offset_ = offset;
  return offset;
}

Result<HttpResponse> Bucket::send_once(const Operation& op, const Call& call, Trial& trial) {
  const Address& at = setup_.address;
  TRY(const aws::Credentials credentials, setup_.credentials->get(op));
  trial.access_key = credentials.access_key;
  aws::ApiRequest request = call.request;
  // Else the client says that it is a form, and some servers believe it.
  if (!request.body.empty())
    request.headers.try_emplace("content-type", "application/octet-stream");
  request.endpoint = at.endpoint;
  const std::string key = call.key.empty() ? "" : "/" + call.key;
  request.path = at.path_style ? "/" + at.bucket + key : (key.empty() ? "/" : key);
  if (!at.path_style) {
    const std::size_t host = at.endpoint.find("://") + 3;
    request.endpoint = at.endpoint.substr(0, host) + at.bucket + "." + at.endpoint.substr(host);
  }
  std::chrono::nanoseconds offset{};
  {
    MutexLock lock(mutex_);
    offset = clock_offset_;
  }
  const WallTime now{setup_.clock->wall().ns + offset.count()};
  HttpRequest made = signed_request(request, credentials, {at.region, "s3"}, now);
  made.ca_file = at.ca_file;
  made.timeout = whole_exchange;
  made.stall = setup_.stall;
  made.slowest_bytes_per_s = setup_.slowest_bytes_per_s;
  made.max_body_bytes = call.answer_limit_bytes;
  return setup_.http->send(op, made);
}

std::string Bucket::resource(const Call& call) const {
  return fmt::format("{}{}{}", setup_.address.bucket, call.key.empty() ? "" : "/", call.key);
}

std::optional<Error> Bucket::judge(const Call& call, const HttpResponse& response, Trial& trial) {
  const auto refusal =
      response.ok() && !call.body_tells ? std::nullopt : read_refusal(response.body);
  const bool unfinished =
      response.ok() && call.body_tells && !refusal && !tells_completion(response.body);
  if (response.ok() && !refusal && !unfinished) return std::nullopt;
  const std::string code = refusal ? refusal->code : "";
  // Both are answers for the caller: the name is taken; the object ends before the range.
  if (response.status == 412 || response.status == 416 || code == "PreconditionFailed") {
    return std::nullopt;
  }
  const std::string what = fmt::format(
      "s3://{}: {}: {} {}", resource(call), call.action, response.status,
      refusal ? printable(code + ": " + refusal->message) : std::string("without a reason"));
  if (session_is_over(code)) {
    setup_.credentials->forget(trial.access_key);
    const bool again = !std::exchange(trial.renewed, true);
    return Error{again ? Kind::unavailable : Kind::denied, what, "log in to AWS again"};
  }
  if (code == "RequestTimeTooSkewed") {
    const auto offset = learn_time(response);
    const bool again = !std::exchange(trial.corrected, true);
    return Error{again ? Kind::unavailable : Kind::invalid, what,
                 fmt::format("set the clock of this machine: the server's is {} {}",
                             human_duration(std::chrono::abs(offset)),
                             offset.count() < 0 ? "behind" : "ahead")};
  }
  if (unfinished || passes_by_itself(response.status, code)) {
    trial.slow_down = asks_to_slow_down(response.status, code);
    if (response.status != 501 && code != "NotImplemented" && !is_full(response.status, code)) {
      return Error{Kind::unavailable, what, ""};
    }
  }
  return refused(call, response, code, what);
}

// What no second attempt changes.
Error Bucket::refused(const Call& call, const HttpResponse& response, const std::string& code,
                      const std::string& what) const {
  const Address& at = setup_.address;
  if (is_full(response.status, code)) {
    return {Kind::unavailable, what, "the server has no room for more", Error::Code::no_space};
  }
  if (response.status == 501 || code == "NotImplemented") {
    return {
        Kind::invalid, what,
        "a repository needs a server that knows conditional writes (If-None-Match) and checksums",
        Error::Code::refused};
  }
  if (code == "NoSuchBucket") {
    return {
        Kind::invalid, fmt::format("there is no bucket {} at {}", at.bucket, at.endpoint),
        "check its name and the endpoint; a bucket is made by its owner, before `lifeboat init`",
        Error::Code::repository_missing};
  }
  if (response.status == 404 || code == "NoSuchUpload") {
    return {Kind::not_found, fmt::format("s3://{} is not there", resource(call)), ""};
  }
  std::string region(response.header("x-amz-bucket-region"));
  if (region.empty()) {
    if (const auto refusal = read_refusal(response.body)) region = refusal->region;
  }
  // Whom it denies a server tells its region too.
  if (!region.empty() && region != at.region && response.status != 403) {
    return {Kind::invalid,
            fmt::format("bucket {} is in {}, not in {}", at.bucket, printable(region), at.region),
            "add ?region=" + printable(region) + " to its address"};
  }
  if (code == "InvalidObjectState") {
    return {Kind::denied, what, "it is archived: have it restored to a readable class first"};
  }
  if (code == "SignatureDoesNotMatch" || code == "InvalidAccessKeyId") {
    return {Kind::denied, what, "the access key and its secret do not fit: check both"};
  }
  if (response.status == 401 || response.status == 403) {
    // Who may not list is told 403 of an object that is not there.
    const bool reads = call.action == "s3:GetObject";
    return {
        Kind::denied, what,
        fmt::format("who asks needs {} on arn:aws:s3:::{}{}{}", call.action, resource(call),
                    reads ? ", and s3:ListBucket on arn:aws:s3:::" : "", reads ? at.bucket : "")};
  }
  return {Kind::invalid, what, code.empty() ? "is this the endpoint of an S3 service?" : ""};
}

Result<HttpResponse> Bucket::send(const Operation& op, const Call& call) {
  Trial trial;
  for (unsigned attempt = 1;; ++attempt) {
    trial.slow_down = false;
    auto response = send_once(op, call, trial);
    auto error = response ? judge(call, *response, trial) : std::optional<Error>(response.error());
    if (!error) return response;
    TRY_DO(op.proceed());
    if (!is_transient(*error) || attempt >= setup_.attempts) return fail(*std::move(error));
    const auto first = trial.slow_down ? setup_.first_pause_slow_down : setup_.first_pause;
    const auto most = std::min<std::chrono::nanoseconds>(
        setup_.longest_pause, first * (1LL << std::min(attempt - 1, 20U)));
    // Full jitter: those who were refused together do not come back together.
    const auto pause = setup_.random->below(static_cast<std::uint64_t>(most.count()) + 1);
    if (!op.pause(std::chrono::nanoseconds(pause))) {
      TRY_DO(op.proceed());
      return fail(*std::move(error));
    }
  }
}

// What was stored has one; without it somebody else has answered, a login page say.
Result<std::string> Bucket::tag_of(const Call& call, const HttpResponse& response) const {
  std::string tag(response.header("etag"));
  if (!tag.empty()) return tag;
  return fail(Kind::invalid,
              fmt::format("s3://{}: the answer to {} has no ETag", resource(call), call.action),
              "is this the endpoint of an S3 service?");
}

Result<Written> Bucket::put_if_absent(const Operation& op, const std::string& key, ByteView bytes) {
  return bytes.size() > setup_.part_bytes ? put_parts(op, key, bytes) : put_whole(op, key, bytes);
}

Result<Written> Bucket::put_whole(const Operation& op, const std::string& key, ByteView bytes) {
  Call call{"s3:PutObject", key, {.method = "PUT", .body = bytes}};
  call.request.headers = {{"if-none-match", "*"}, {"x-amz-checksum-sha256", checksum(bytes)}};
  TRY(const HttpResponse response, send(op, call));
  if (!response.ok()) return Written::exists;
  TRY_DO(tag_of(call, response));
  return Written::created;
}

Result<Written> Bucket::put_parts(const Operation& op, const std::string& key, ByteView bytes) {
  Call begin{"s3:PutObject", key, {.method = "POST", .query = {{"uploads", ""}}}};
  begin.request.headers["x-amz-checksum-algorithm"] = "SHA256";
  TRY(const HttpResponse begun, send(op, begin));
  TRY(const std::string upload, read_upload_id(begun.body));
  auto parts = upload_parts(op, key, upload, bytes);
  if (!parts) {
    abort(op, key, upload);
    return fail(std::move(parts).error());
  }
  Call complete{"s3:PutObject", key, {.method = "POST", .query = {{"uploadId", upload}}}};
  complete.request.headers = {{"if-none-match", "*"}, {"content-type", "application/xml"}};
  complete.request.body = as_bytes(std::string_view(*parts));
  complete.body_tells = true;
  auto response = send(op, complete);
  if (response && response->ok() && !read_refusal(response->body)) return Written::created;
  abort(op, key, upload);
  if (response) return Written::exists;
  // NoSuchUpload: a completion whose answer was lost has used it up. The caller compares.
  if (response.error().kind == Kind::not_found) return Written::exists;
  return fail(std::move(response).error());
}

// Answers the body of the completion.
Result<std::string> Bucket::upload_parts(const Operation& op, const std::string& key,
                                         const std::string& upload, ByteView bytes) {
  std::vector<Part> parts;
  for (std::size_t from = 0; from < bytes.size(); from += setup_.part_bytes) {
    const ByteView piece = bytes.subspan(from, std::min(setup_.part_bytes, bytes.size() - from));
    Part part{static_cast<int>(parts.size()) + 1, "", checksum(piece)};
    Call call{"s3:PutObject", key, {.method = "PUT", .body = piece}};
    call.request.query = {{"partNumber", std::to_string(part.number)}, {"uploadId", upload}};
    call.request.headers["x-amz-checksum-sha256"] = part.checksum;
    TRY(const HttpResponse response, send(op, call));
    TRY(part.tag, tag_of(call, response));
    parts.push_back(std::move(part));
  }
  return complete_body(parts);
}

// As good as it goes: what stays behind costs room, and no more.
void Bucket::abort(const Operation& op, const std::string& key, const std::string& upload) {
  static_cast<void>(send(
      op, {"s3:AbortMultipartUpload", key, {.method = "DELETE", .query = {{"uploadId", upload}}}}));
}

Result<Bytes> Bucket::get(const Operation& op, const std::string& key,
                          const std::optional<ByteRange>& range) {
  Call call{"s3:GetObject", key, {.method = "GET"}};
  call.answer_limit_bytes = range ? range->length + (1u << 20) : largest_object_bytes;
  if (range) {
    call.request.headers["range"] =
        fmt::format("bytes={}-{}", range->offset, range->offset + range->length - 1);
  }
  TRY(const HttpResponse response, send(op, call));
  if (response.status == 416) return Bytes();
  ByteView body = as_bytes(std::string_view(response.body));
  if (range && response.status == 200) {  // a server may answer a range with everything
    body = body.subspan(std::min<std::uint64_t>(range->offset, body.size()));
    body = body.first(std::min<std::uint64_t>(range->length, body.size()));
  }
  return Bytes(body.begin(), body.end());
}

// By its first byte: HEAD has no body that could say why something is refused.
Result<std::uint64_t> Bucket::size(const Operation& op, const std::string& key) {
  Call call{"s3:GetObject", key, {.method = "GET", .headers = {{"range", "bytes=0-0"}}}};
  TRY(HttpResponse response, send(op, call));
  if (response.status == 416) {  // it is empty, and no byte of it the first
    call.request = {.method = "HEAD"};
    TRY(response, send(op, call));
  }
  const char* header = response.status == 206 ? "content-range" : "content-length";
  if (const auto length = read_length(response.header(header))) return *length;
  return fail(Kind::invalid, fmt::format("s3://{}: no length is told", resource(call)),
              "is this the endpoint of an S3 service?");
}

Result<void> Bucket::remove(const Operation& op, const std::string& key) {
  const auto done = send(op, {"s3:DeleteObject", key, {.method = "DELETE"}});
  if (done || done.error().kind == Kind::not_found) return {};
  return fail(done.error());
}

Result<std::vector<std::string>> Bucket::list(const Operation& op, const std::string& prefix) {
  std::vector<std::string> keys;
  std::string next;
  for (int page_number = 1; page_number <= most_pages; ++page_number) {
    Call call{"s3:ListBucket", "", {.method = "GET"}, 16u << 20};
    call.request.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", prefix}};
    if (!next.empty()) call.request.query["continuation-token"] = next;
    TRY(const HttpResponse response, send(op, call));
    TRY(Page page, read_page(response.body));
    std::ranges::move(page.keys, std::back_inserter(keys));
    if (page.next.empty()) return keys;
    next = std::move(page.next);
  }
  return fail(Kind::invalid,
              fmt::format("s3://{}/{}: a list without an end", setup_.address.bucket, prefix));
}

}  // namespace lifeboat::s3
