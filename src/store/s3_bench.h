// store/s3_bench.h - A bucket of the testbed (testbed/up s3, moto), for tests.
#pragma once

#include <unistd.h>

#include <memory>
#include <string>

#include "base/random.h"
#include "base/testbed_variable.h"
#include "store/s3.h"

namespace lifeboat::store {

inline const SystemClock the_clock;

class FixedCredentials final : public aws::CredentialSource {
 public:
  explicit FixedCredentials(aws::Credentials known) : known_(std::move(known)) {}
  Result<aws::Credentials> get(const Operation&) override { return known_; }
  void forget(const std::string&) override {}

 private:
  const aws::Credentials known_;
};

// What one bucket store stands on.
struct Bench {
  explicit Bench(const std::string& prefix, const std::string& url = "URL")
      : credentials({testbed_variable(prefix + "USER"),
                     Secret(testbed_variable(prefix + "PASSWORD")), Secret()}) {
    setup.address = {testbed_variable(prefix + "BUCKET"), testbed_variable(prefix + url),
                     "us-east-1", true, ""};
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
