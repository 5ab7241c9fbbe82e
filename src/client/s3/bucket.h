// client/s3/bucket.h - One S3 bucket: objects that are written once, read in ranges, removed.
//
// A thin client of the S3 REST API for AWS and for servers that speak it. Whatever may pass by
// itself is tried again with full jitter: 5xx and 429, broken connections, answers that stall, 409
// (another conditional write is under way), a 200 whose body tells an error, an expired session
// (once, with new credentials) and a clock that is off (once, with the server's). The rest is an
// error that says which right is missing, or which region is the right one.
//
// Bodies carry their SHA-256, which the server checks. Objects larger than `part_bytes` travel in
// parts; both ways the name is taken only if nobody has it.
//
// Threads: all methods from any thread.  Ownership: http, credentials, clock and random outlive it.
// Source: Amazon S3 API reference, 2006-03-01.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "base/random.h"
#include "client/aws/credentials.h"

namespace lifeboat::s3 {

struct Address {
  std::string bucket;
  std::string endpoint;  // "https://s3.eu-west-1.amazonaws.com", "http://127.0.0.1:7070"
  std::string region;
  bool path_style = false;  // "https://host/bucket/key" instead of "https://bucket.host/key"
  std::string ca_file;      // "" = the system's certificates
};

struct BucketSetup {
  Address address;
  HttpClient* http = nullptr;
  aws::CredentialSource* credentials = nullptr;
  const Clock* clock = nullptr;
  Random* random = nullptr;
  std::size_t part_bytes = 32u << 20;  // at least 5 MiB
  unsigned attempts = 8;               // of one request
  std::chrono::nanoseconds first_pause = std::chrono::milliseconds(100);
  std::chrono::nanoseconds longest_pause = std::chrono::seconds(10);
  std::chrono::nanoseconds stall = std::chrono::seconds(20);  // without a byte: tried again
};

struct ByteRange {
  std::uint64_t offset = 0, length = 0;
};

// What a conditional write came to.
enum class Written { created, exists };

class Bucket {
 public:
  explicit Bucket(BucketSetup setup) : setup_(std::move(setup)) {}

  // Errors of all: unavailable (may work later), denied (names the action), not_found (no such
  // object), invalid (no such bucket, code repository_missing; another region, an answer that is no
  // S3), cancelled; code no_space.

  // Writes the object unless the name is taken. `exists` may also be the answer to our own write
  // whose answer was lost: compare.
  Result<Written> put_if_absent(const Operation& op, const std::string& key, ByteView bytes);
  // Of a range as much as there is; `length` is at least 1.
  Result<Bytes> get(const Operation& op, const std::string& key,
                    const std::optional<ByteRange>& range = std::nullopt);
  Result<std::uint64_t> size(const Operation& op, const std::string& key);
  Result<void> remove(const Operation& op, const std::string& key);  // absent is success
  // Keys that begin with the prefix, in the order of the server.
  Result<std::vector<std::string>> list(const Operation& op, const std::string& prefix);
  // Ends uploads in parts of such keys that were begun and never ended; answers how many.
  Result<std::size_t> abort_uploads(const Operation& op, const std::string& prefix);

  const Address& address() const { return setup_.address; }

 private:
  struct Call {
    std::string action;  // of IAM: "s3:PutObject"
    std::string key;
    aws::ApiRequest request;
    std::size_t answer_limit_bytes = 1u << 20;
    bool body_tells = false;  // a 200 may hold an error
  };
  struct Trial;
  Result<HttpResponse> send(const Operation& op, const Call& call);
  Result<HttpResponse> send_once(const Operation& op, const Call& call);
  // Whether another attempt makes sense; nothing when the answer is one for the caller.
  std::optional<Error> judge(const Call& call, const HttpResponse& response, Trial& trial);
  void learn_time(const HttpResponse& response);
  Result<Written> put_whole(const Operation& op, const std::string& key, ByteView bytes);
  Result<Written> put_parts(const Operation& op, const std::string& key, ByteView bytes);
  Result<std::string> upload_parts(const Operation& op, const std::string& key,
                                   const std::string& upload, ByteView bytes);
  Result<void> abort(const Operation& op, const std::string& key, const std::string& upload);

  const BucketSetup setup_;
  Mutex mutex_;
  std::chrono::nanoseconds clock_offset_ GUARDED_BY(mutex_){};  // server's time minus ours
};

}  // namespace lifeboat::s3
