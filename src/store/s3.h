// store/s3.h - A repository in an S3 bucket.
//
//   s3://BUCKET/PREFIX?region=eu-west-1&endpoint=https://s3.example.com&style=path&ca_file=PATH
//
// All behind the `?` may be left out: region and endpoint come from where AWS's tools find them,
// buckets are addressed by host name at AWS and by path elsewhere; without ca_file AWS_CA_BUNDLE
// counts. Credentials are never part of the address; they are found as client/aws/credentials.h
// says, and renewed while we work.
//
// put() is a conditional write (If-None-Match: *): a server that ignores the condition would let
// two writers have one name, so prove_put_if_absent() is asked before a bucket is used for a
// repository.
//
// Threads: all methods from any thread.  Ownership: the setup's parts outlive it.
#pragma once

#include <memory>
#include <string>

#include "client/aws/credentials.h"
#include "client/s3/bucket.h"
#include "store/store.h"

namespace lifeboat::store {

bool is_s3_place(const std::string& place);

struct S3Place {
  s3::Address address;
  std::string prefix;  // "" or "backups/prod/"
};
// Errors: invalid (usage), with what an address looks like.
Result<S3Place> parse_s3_place(const std::string& place, const aws::Variables& variables);

class S3Store : public Store {
 public:
  S3Store(s3::BucketSetup setup, std::string prefix)
      : bucket_(std::move(setup)), prefix_(std::move(prefix)) {}

  Result<Put> put(const Operation& op, const std::string& name, ByteView bytes) override;
  Result<Bytes> get(const Operation& op, const std::string& name,
                    std::optional<Range> range = std::nullopt) override;
  Result<std::uint64_t> size(const Operation& op, const std::string& name) override;
  Result<void> remove(const Operation& op, const std::string& name) override;
  Result<std::vector<std::string>> list(const Operation& op, const std::string& prefix) override;
  std::string describe() const override;

 private:
  s3::Bucket bucket_;
  const std::string prefix_;
};

// Everything that a bucket needs, made of this process's surroundings; `launcher` is for
// credential_process and outlives the store.
Result<std::unique_ptr<Store>> open_s3(const std::string& place, Launcher& launcher,
                                       const Clock& clock);

}  // namespace lifeboat::store
