// store/s3_bench.h - A bucket of the testbed (testbed/up s3, moto), for tests.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "base/random.h"
#include "store/s3.h"

namespace lifeboat::store {

inline const SystemClock the_clock;

inline std::string required(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  if (value == nullptr) {
    ADD_FAILURE() << name << " is not set: run it by testbed/with s3 moto -- ...";
    return {};
  }
  return value;
}

class FixedCredentials final : public aws::CredentialSource {
 public:
  explicit FixedCredentials(aws::Credentials known) : known_(std::move(known)) {}
  Result<aws::Credentials> get(const Operation&) override { return known_; }
  void forget() override {}

 private:
  const aws::Credentials known_;
};

// What one bucket store stands on.
struct Ground {
  explicit Ground(const std::string& prefix, const std::string& url = "URL")
      : credentials({required(prefix + "USER"), Secret(required(prefix + "PASSWORD")), Secret()}) {
    setup.address = {required(prefix + "BUCKET"), required(prefix + url), "us-east-1", true, ""};
    setup.http = http.get();
    setup.credentials = &credentials;
    setup.clock = &the_clock;
    setup.random = &random;
    setup.part_bytes = 5u << 20;
  }
  std::unique_ptr<HttpClient> http = make_http_client(the_clock);
  FixedCredentials credentials;
  SystemRandom random;
  s3::BucketSetup setup;
};

}  // namespace lifeboat::store
