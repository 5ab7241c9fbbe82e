// The store contract on real S3 servers: versitygw (testbed/up s3) and moto (testbed/up moto).
#include <algorithm>
#include <atomic>
#include <fstream>
#include <map>

#include "base/temporary_folder.h"
#include "client/process/test_launcher.h"
#include "store/s3_bench.h"
#include "store/store_contract.h"

namespace lifeboat::store {
namespace {

StoreMaker bucket_of(const std::string& name, const std::string& prefix) {
  return {name, [prefix] {
            static std::atomic<int> made = 0;
            auto bench = std::make_shared<Bench>(prefix);
            const std::string below =
                "contract-" + std::to_string(getpid()) + "-" + std::to_string(++made) + "/";
            return StoreWorld{bench, std::make_unique<S3Store>(bench->setup, below)};
          }};
}

INSTANTIATE_STORE_CONTRACT(S3, (std::vector<StoreMaker>{bucket_of("versitygw", "TESTBED_S3_"),
                                                        bucket_of("moto", "TESTBED_MOTO_")}));

const Operation op{.clock = &the_clock};

Bytes noise(std::size_t size) {
  Bytes bytes(size);
  SeededRandom(size).fill(bytes);
  return bytes;
}

class RealBucket : public testing::TestWithParam<std::string> {
 protected:
  Bench bench{GetParam()};
  S3Store store{bench.setup, "real-" + std::to_string(getpid()) + "/"};
};

TEST_P(RealBucket, ALargeObjectTravelsInPartsAndItsNameIsTakenOnce) {
  const Bytes large = noise((11u << 20) + 7), other = noise((11u << 20) + 8);
  ASSERT_EQ(store.put(op, "packs/large", large).value_or(Put::exists), Put::created);
  const auto size = store.size(op, "packs/large");
  ASSERT_TRUE(size) << size.error().what;
  EXPECT_EQ(*size, large.size());
  EXPECT_EQ(store.get(op, "packs/large").value_or(Bytes()), large);
  const auto tail = store.get(op, "packs/large", Range{large.size() - 3, 3});
  ASSERT_TRUE(tail) << tail.error().what;
  EXPECT_TRUE(std::ranges::equal(*tail, ByteView(large).last(3)));
  EXPECT_EQ(store.put(op, "packs/large", large).value_or(Put::exists), Put::created);
  EXPECT_EQ(store.put(op, "packs/large", other).value_or(Put::created), Put::exists);
  EXPECT_EQ(store.get(op, "packs/large").value_or(Bytes()), large);
}

TEST_P(RealBucket, WritersThatRaceForANameHaveOneWinner) {
  const auto proof = prove_put_if_absent(op, store, 8, "attempt-" + std::to_string(getpid()));
  EXPECT_TRUE(proof) << proof.error().what;
}

TEST_P(RealBucket, ABucketThatIsNotThereIsNamed) {
  auto setup = bench.setup;
  setup.address.bucket = "nobody-made-this";
  S3Store absent(setup, "");
  const auto answer = absent.put(op, "config", noise(10));
  ASSERT_FALSE(answer);
  EXPECT_NE(answer.error().what.find("there is no bucket nobody-made-this"), std::string::npos)
      << answer.error().what;
}

INSTANTIATE_TEST_SUITE_P(Servers, RealBucket,
                         testing::Values(std::string("TESTBED_S3_"), std::string("TESTBED_MOTO_")),
                         [](const auto& param) {
                           return param.param == "TESTBED_S3_" ? "versitygw" : "moto";
                         });

// At AWS the bucket stands in the host name, and the signature is for that name.
TEST(S3Servers, ABucketMayStandInTheHostName) {
  Bench bench("TESTBED_S3_");
  bench.setup.address.path_style = false;
  bench.setup.address.endpoint = "http://localhost:" + testbed_variable("TESTBED_S3_PORT");
  const std::string prefix = "host-" + std::to_string(getpid()) + "/";
  EXPECT_EQ(S3Store(bench.setup, prefix).put(op, "config", noise(10)).value_or(Put::exists),
            Put::created);
  Bench by_path("TESTBED_S3_");
  EXPECT_EQ(S3Store(by_path.setup, prefix).get(op, "config").value_or(Bytes()), noise(10));
}

TEST(S3Servers, AWrongKeyIsDeniedByName) {
  Bench bench("TESTBED_S3_");
  FixedCredentials wrong({"testbed", Secret("not the key"), Secret()});
  bench.setup.credentials = &wrong;
  S3Store store(bench.setup, "");
  const auto answer = store.get(op, "config");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().kind, Error::Kind::denied);
  EXPECT_EQ(answer.error().what.find("not the key"), std::string::npos);
}

// Credentials as people have them: a profile that takes on a role, at moto's token service.
TEST(S3Servers, ARoleThatAProfileTakesOnOpensTheBucket) {
  Bench bench("TESTBED_MOTO_");
  const TemporaryFolder home = *TemporaryFolder::make("aws");
  std::ofstream(home.path() + "/config")
      << "[profile backup]\nrole_arn = arn:aws:iam::123456789012:role/backup\n"
         "source_profile = keys\nendpoint_url = "
      << bench.setup.address.endpoint
      << "\n[profile keys]\naws_access_key_id = testbed\naws_secret_access_key = x\n";
  const std::map<std::string, std::string> variables = {
      {"AWS_CONFIG_FILE", home.path() + "/config"}, {"AWS_PROFILE", "backup"}};
  const auto source = aws::find_credentials(
      {bench.http.get(), &test_launcher(), &the_clock, [&](const std::string& name) {
         const auto found = variables.find(name);
         return found == variables.end() ? std::string() : found->second;
       }});
  const auto session = source->get(op);
  ASSERT_TRUE(session) << session.error().what;
  EXPECT_FALSE(session->session_token.empty());
  ASSERT_TRUE(session->expires);
  EXPECT_GT(session->expires->ns, the_clock.wall().ns);
  bench.setup.credentials = source.get();
  S3Store store(bench.setup, "role-" + std::to_string(getpid()) + "/");
  EXPECT_EQ(store.put(op, "config", noise(10)).value_or(Put::exists), Put::created);
  EXPECT_EQ(store.size(op, "config").value_or(0), 10U);
}

}  // namespace
}  // namespace lifeboat::store
