#include "client/s3/bucket.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <iterator>
#include <utility>

#include "base/bytes.h"
#include "client/s3/answers.h"
#include "crypt/crypt.h"

namespace lifeboat::s3 {
namespace {

using Kind = Error::Kind;

constexpr auto whole_exchange = std::chrono::minutes(15);
constexpr std::size_t largest_object_bytes = std::size_t{1} << 31;

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

bool passes_by_itself(int status, const std::string& code) {
  if (status >= 500 || status == 429 || status == 408 || status == 409) return true;
  constexpr std::array codes = {"SlowDown",        "RequestTimeout",     "InternalError",
                                "Throttling",      "ServiceUnavailable", "BadDigest",
                                "TooManyRequests", "ThrottlingException"};
  return std::ranges::find(codes, code) != codes.end();
}

bool session_is_over(const std::string& code) {
  return code == "ExpiredToken" || code == "ExpiredTokenException" || code == "RequestExpired" ||
         code == "TokenRefreshRequired";
}

}  // namespace

// What one request has used up.
struct Bucket::Trial {
  bool renewed = false, corrected = false;
};

void Bucket::learn_time(const HttpResponse& response) {
  if (const auto theirs = seconds_of(response.header("date"))) {
    MutexLock lock(mutex_);
    clock_offset_ =
        std::chrono::seconds(*theirs) - std::chrono::nanoseconds(setup_.clock->wall().ns);
  }
}

Result<HttpResponse> Bucket::send_once(const Operation& op, const Call& call) {
  const Address& at = setup_.address;
  TRY(const aws::Credentials credentials, setup_.credentials->get(op));
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
  made.max_body_bytes = call.answer_limit_bytes;
  return setup_.http->send(op, made);
}

std::optional<Error> Bucket::judge(const Call& call, const HttpResponse& response, Trial& trial) {
  const auto refusal =
      response.ok() && !call.body_tells ? std::nullopt : read_refusal(response.body);
  if (response.ok() && !refusal) return std::nullopt;
  const std::string code = refusal ? refusal->code : "";
  // Both are answers for the caller: the name is taken; the object ends before the range.
  if (response.status == 412 || response.status == 416 || code == "PreconditionFailed") {
    return std::nullopt;
  }
  const Address& at = setup_.address;
  const std::string place =
      fmt::format("s3://{}{}{}", at.bucket, call.key.empty() ? "" : "/", call.key);
  const std::string what = fmt::format(
      "{}: {}: {} {}", place, call.action, response.status,
      refusal ? printable(code + ": " + refusal->message) : std::string("without a reason"));
  if (session_is_over(code)) {
    setup_.credentials->forget();
    const bool again = !std::exchange(trial.renewed, true);
    return Error{again ? Kind::unavailable : Kind::denied, what, "log in to AWS again"};
  }
  if (code == "RequestTimeTooSkewed") {
    learn_time(response);
    const bool again = !std::exchange(trial.corrected, true);
    return Error{again ? Kind::unavailable : Kind::invalid, what, "set the clock of this machine"};
  }
  if (code == "NoSuchBucket") {
    return Error{Kind::invalid, fmt::format("there is no bucket {} at {}", at.bucket, at.endpoint),
                 "check its name and the endpoint", Error::Code::repository_missing};
  }
  if (response.status == 404) return Error{Kind::not_found, place + " is not there", ""};
  if (passes_by_itself(response.status, code)) return Error{Kind::unavailable, what, ""};
  std::string region(response.header("x-amz-bucket-region"));
  if (region.empty() && refusal) region = refusal->region;
  if (!region.empty() && region != at.region) {
    return Error{
        Kind::invalid,
        fmt::format("bucket {} is in {}, not in {}", at.bucket, printable(region), at.region),
        "add ?region=" + printable(region) + " to its address"};
  }
  if (code == "InvalidObjectState") {
    return Error{Kind::denied, what, "it is archived: have it restored to a readable class first"};
  }
  if (code == "SignatureDoesNotMatch" || code == "InvalidAccessKeyId") {
    return Error{Kind::denied, what, "the access key and its secret do not fit: check both"};
  }
  if (response.status == 401 || response.status == 403) {
    return Error{Kind::denied, what,
                 fmt::format("who asks needs {} on arn:aws:s3:::{}", call.action, at.bucket)};
  }
  return Error{Kind::invalid, what, "is this the endpoint of an S3 service?"};
}

Result<HttpResponse> Bucket::send(const Operation& op, const Call& call) {
  Trial trial;
  for (unsigned attempt = 1;; ++attempt) {
    auto response = send_once(op, call);
    auto error = response ? judge(call, *response, trial) : std::optional<Error>(response.error());
    if (!error) return response;
    TRY_DO(op.proceed());
    if (error->kind != Kind::unavailable || attempt >= setup_.attempts)
      return fail(*std::move(error));
    const auto most = std::min<std::chrono::nanoseconds>(
        setup_.longest_pause, setup_.first_pause * (1LL << std::min(attempt - 1, 20U)));
    // Full jitter: those who were refused together do not come back together.
    const auto pause = setup_.random->below(static_cast<std::uint64_t>(most.count()) + 1);
    if (!op.pause(std::chrono::nanoseconds(pause))) return fail(*std::move(error));
  }
}

Result<Written> Bucket::put_if_absent(const Operation& op, const std::string& key, ByteView bytes) {
  return bytes.size() > setup_.part_bytes ? put_parts(op, key, bytes) : put_whole(op, key, bytes);
}

Result<Written> Bucket::put_whole(const Operation& op, const std::string& key, ByteView bytes) {
  Call call{"s3:PutObject", key, {.method = "PUT", .body = bytes}};
  call.request.headers = {{"if-none-match", "*"}, {"x-amz-checksum-sha256", checksum(bytes)}};
  TRY(const HttpResponse response, send(op, call));
  return response.ok() ? Written::created : Written::exists;
}

Result<Written> Bucket::put_parts(const Operation& op, const std::string& key, ByteView bytes) {
  Call begin{"s3:PutObject", key, {.method = "POST", .query = {{"uploads", ""}}}};
  begin.request.headers["x-amz-checksum-algorithm"] = "SHA256";
  TRY(const HttpResponse begun, send(op, begin));
  TRY(const std::string upload, read_upload_id(begun.body));
  auto parts = upload_parts(op, key, upload, bytes);
  if (!parts) {
    static_cast<void>(abort(op, key, upload));  // best effort: abort_uploads() finds it later
    return fail(std::move(parts).error());
  }
  Call complete{"s3:PutObject", key, {.method = "POST", .query = {{"uploadId", upload}}}};
  complete.request.headers = {{"if-none-match", "*"}, {"content-type", "application/xml"}};
  complete.request.body = as_bytes(std::string_view(*parts));
  complete.body_tells = true;
  auto response = send(op, complete);
  if (response && response->ok() && !read_refusal(response->body)) return Written::created;
  static_cast<void>(abort(op, key, upload));
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
    part.tag = response.header("etag");
    parts.push_back(std::move(part));
  }
  return complete_body(parts);
}

Result<void> Bucket::abort(const Operation& op, const std::string& key, const std::string& upload) {
  const Call call{
      "s3:AbortMultipartUpload", key, {.method = "DELETE", .query = {{"uploadId", upload}}}};
  const auto done = send(op, call);
  if (done || done.error().kind == Kind::not_found) return {};
  return fail(done.error());
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
  const ByteView body = as_bytes(std::string_view(response.body));
  return Bytes(body.begin(), body.end());
}

Result<std::uint64_t> Bucket::size(const Operation& op, const std::string& key) {
  TRY(const HttpResponse response, send(op, {"s3:GetObject", key, {.method = "HEAD"}}));
  const std::string length(response.header("content-length"));
  if (length.empty() || length.find_first_not_of("0123456789") != std::string::npos) {
    return fail(Kind::invalid, "s3://" + setup_.address.bucket + "/" + key + ": no length is told",
                "is this the endpoint of an S3 service?");
  }
  return std::stoull(length);
}

Result<void> Bucket::remove(const Operation& op, const std::string& key) {
  const auto done = send(op, {"s3:DeleteObject", key, {.method = "DELETE"}});
  if (done || done.error().kind == Kind::not_found) return {};
  return fail(done.error());
}

Result<std::vector<std::string>> Bucket::list(const Operation& op, const std::string& prefix) {
  std::vector<std::string> keys;
  std::string next;
  do {
    Call call{"s3:ListBucket", "", {.method = "GET"}, 16u << 20};
    call.request.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"prefix", prefix}};
    if (!next.empty()) call.request.query["continuation-token"] = next;
    TRY(const HttpResponse response, send(op, call));
    TRY(Page page, read_page(response.body));
    std::ranges::move(page.keys, std::back_inserter(keys));
    next = std::move(page.next);
  } while (!next.empty());
  return keys;
}

Result<std::size_t> Bucket::abort_uploads(const Operation& op, const std::string& prefix) {
  std::size_t ended = 0;
  std::string key, id;
  do {
    Call call{"s3:ListBucketMultipartUploads", "", {.method = "GET"}, 16u << 20};
    call.request.query = {{"uploads", ""}, {"prefix", prefix}};
    if (!key.empty()) call.request.query["key-marker"] = key;
    if (!id.empty()) call.request.query["upload-id-marker"] = id;
    TRY(const HttpResponse response, send(op, call));
    TRY(const Uploads page, read_uploads(response.body));
    for (const Uploads::Upload& each : page.uploads) {
      TRY_DO(abort(op, each.key, each.id));
      ++ended;
    }
    key = page.next_key;
    id = page.next_id;
  } while (!key.empty());
  return ended;
}

}  // namespace lifeboat::s3
