// client/s3/bucket.h - One S3 bucket: objects that are written once, read in ranges, removed.
//
// A thin client of the S3 REST API for AWS and for servers that speak it. Whatever may pass by
// itself is tried again with full jitter: 5xx, broken connections, answers that stall or trickle,
// 409 (another conditional write is under way), a 200 whose body tells an error; 503 and 429 (slow
// down) after longer pauses; an expired session once, with new credentials; a clock that is off
// once, with the server's. The rest is an error that says which right is missing, or which region
// is right.
//
// Bodies carry their SHA-256, which the server checks. Objects larger than `part_bytes` travel in
// parts; both ways the name is taken only if nobody has it. Parts that a killed process leaves
// behind are the bucket's lifecycle rule to remove: nobody here can tell whose they are.
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
  // At least 5 MiB. Packs of the usual size fit into one part: fewer requests, and what `init`
  // proved about writes is about theirs.
  std::size_t part_bytes = 64u << 20;
  unsigned attempts = 8;  // of one request
  std::chrono::nanoseconds first_pause = std::chrono::milliseconds(100);
  std::chrono::nanoseconds first_pause_slow_down = std::chrono::milliseconds(500);
  std::chrono::nanoseconds longest_pause = std::chrono::seconds(10);
  // Slower than that for so long: tried again.
  std::chrono::nanoseconds stall = std::chrono::seconds(20);
  std::size_t slowest_bytes_per_s = 64;
};

struct ByteRange {
  std::uint64_t offset = 0, length = 0;
};

// What a conditional write came to.
enum class Written { created, exists };

class Bucket {
 public:
  explicit Bucket(BucketSetup setup) : setup_(std::move(setup)) {}

  // Errors of all: unavailable (may work later; code no_space: the server is full), denied (names
  // the action), not_found (no such object), invalid (no such bucket, code repository_missing; what
  // the server cannot do, code refused; another region, an answer that is no S3), cancelled.

  // Writes the object unless the name is taken. `exists` may also be the answer to our own write
  // whose answer was lost: compare. not_found: the upload in parts was ended by somebody; again.
  Result<Written> put_if_absent(const Operation& op, const std::string& key, ByteView bytes);
  // Of a range as much as there is; `length` is at least 1.
  Result<Bytes> get(const Operation& op, const std::string& key,
                    const std::optional<ByteRange>& range = std::nullopt);
  Result<std::uint64_t> size(const Operation& op, const std::string& key);
  Result<void> remove(const Operation& op, const std::string& key);  // absent is success
  // Keys that begin with the prefix, in the order of the server.
  Result<std::vector<std::string>> list(const Operation& op, const std::string& prefix);

  const Address& address() const { return setup_.address; }

 private:
  struct Call {
    std::string action;  // of IAM: "s3:PutObject"
    std::string key;
    aws::ApiRequest request;
    std::size_t answer_limit_bytes = 1u << 20;
    bool body_tells = false;  // a 200 may hold an error; it ends the upload when it holds none
  };
  struct Trial;
  Result<HttpResponse> send(const Operation& op, const Call& call);
  Result<HttpResponse> send_once(const Operation& op, const Call& call, Trial& trial);
  // What was refused, and whether another attempt makes sense; nothing when the answer is one for
  // the caller.
  std::optional<Error> judge(const Call& call, const HttpResponse& response, Trial& trial);
  Error refused(const Call& call, const HttpResponse& response, const std::string& code,
                const std::string& what) const;
  std::chrono::nanoseconds learn_time(const HttpResponse& response);
  Result<Written> put_whole(const Operation& op, const std::string& key, ByteView bytes);
  Result<Written> put_parts(const Operation& op, const std::string& key, ByteView bytes);
  Result<std::string> upload_parts(const Operation& op, const std::string& key,
                                   const std::string& upload, ByteView bytes);
  void abort(const Operation& op, const std::string& key, const std::string& upload);
  std::string resource(const Call& call) const;
  Result<std::string> tag_of(const Call& call, const HttpResponse& response) const;

  const BucketSetup setup_;
  Mutex mutex_;
  std::chrono::nanoseconds clock_offset_ GUARDED_BY(mutex_){};  // server's time minus ours
};

}  // namespace lifeboat::s3
