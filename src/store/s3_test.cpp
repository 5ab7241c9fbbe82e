// Addresses of buckets; the store itself: s3_e2e.cpp.
#include "store/s3.h"

#include <gtest/gtest.h>

#include <deque>

#include "base/fake_clock.h"

namespace lifeboat::store {
namespace {

const aws::Variables nothing = [](const std::string&) { return std::string(); };

TEST(S3Place, AtAwsEverythingIsFound) {
  const auto place = parse_s3_place("s3://vault/prod/a?region=eu-west-1", nothing);
  ASSERT_TRUE(place) << place.error().what;
  EXPECT_EQ(place->address.bucket, "vault");
  EXPECT_EQ(place->prefix, "prod/a/");
  EXPECT_EQ(place->address.endpoint, "https://s3.eu-west-1.amazonaws.com");
  EXPECT_FALSE(place->address.path_style);
  // The certificate of AWS does not cover it as a host name.
  EXPECT_TRUE(parse_s3_place("s3://vault.example.com", nothing)->address.path_style);
}

TEST(S3Place, AServerOfOnesOwnIsAddressedByPath) {
  const auto place = parse_s3_place(
      "s3://vault?endpoint=https://s3.example.com:9000/&ca_file=/etc/ca.pem", nothing);
  ASSERT_TRUE(place) << place.error().what;
  EXPECT_EQ(place->prefix, "");
  EXPECT_EQ(place->address.endpoint, "https://s3.example.com:9000");
  EXPECT_EQ(place->address.region, "us-east-1");
  EXPECT_EQ(place->address.ca_file, "/etc/ca.pem");
  EXPECT_TRUE(place->address.path_style);
  EXPECT_FALSE(parse_s3_place("s3://vault?endpoint=https://s3.example.com&style=host", nothing)
                   ->address.path_style);
}

TEST(S3Place, TheEnvironmentOfAwsToolsCounts) {
  const aws::Variables variables = [](const std::string& name) {
    if (name == "AWS_REGION") return std::string("eu-central-1");
    if (name == "AWS_ENDPOINT_URL_S3") return std::string("http://127.0.0.1:7070");
    return std::string();
  };
  const auto place = parse_s3_place("s3://vault", variables);
  ASSERT_TRUE(place);
  EXPECT_EQ(place->address.region, "eu-central-1");
  EXPECT_EQ(place->address.endpoint, "http://127.0.0.1:7070");
}

TEST(S3Place, CertificatesAreThoseOfAwsToolsUnlessTheAddressNamesOthers) {
  const aws::Variables variables = [](const std::string& name) {
    return std::string(name == "AWS_CA_BUNDLE" ? "/etc/corp.pem" : "");
  };
  EXPECT_EQ(parse_s3_place("s3://vault", variables)->address.ca_file, "/etc/corp.pem");
  EXPECT_EQ(parse_s3_place("s3://vault?ca_file=/own.pem", variables)->address.ca_file, "/own.pem");
}

// What is signed is what the HTTP client names: no port that is the scheme's own.
TEST(S3Place, AnEndpointIsNamedAsItIsAsked) {
  const auto endpoint = [](const std::string& url) {
    const auto place = parse_s3_place("s3://vault?endpoint=" + url, nothing);
    return place ? place->address.endpoint : place.error().what;
  };
  EXPECT_EQ(endpoint("https://S3.Example.com:443/"), "https://s3.example.com");
  EXPECT_EQ(endpoint("http://127.0.0.1:80"), "http://127.0.0.1");
  EXPECT_EQ(endpoint("http://[::1]:9000"), "http://[::1]:9000");
  EXPECT_EQ(parse_s3_place("s3://vault?region=cn-north-1", nothing)->address.endpoint,
            "https://s3.cn-north-1.amazonaws.com.cn");
}

TEST(S3Place, APrefixMayHaveCapitals) {
  EXPECT_EQ(parse_s3_place("s3://vault/Backups/tmp/Prod/", nothing)->prefix, "Backups/tmp/Prod/");
}

TEST(S3Place, WhatItIsNotIsSaid) {
  for (const char* wrong :
       {"s3://", "s3:///x", "s3://Vault", "s3://vault/../x",
        "s3://vault?region=", "s3://vault?colour=red", "s3://vault?style=virtual", "s3://vault?",
        "s3://vault?endpoint=ftp://x", "s3://vault?endpoint=https://x/path", "s3://vault/a b",
        "s3://vault?ca_file=relative.pem", "s3://vault?region=evil.example/"}) {
    const auto place = parse_s3_place(wrong, nothing);
    ASSERT_FALSE(place) << wrong;
    EXPECT_EQ(exit_status(place.error().effective_code()), 2) << wrong;
  }
  const auto login = parse_s3_place("s3://AKIA:hush@vault", nothing);
  ASSERT_FALSE(login);
  EXPECT_EQ(login.error().what.find("hush"), std::string::npos);
}

// Answers what the test says, one after the other.
class ScriptedClient final : public HttpClient {
 public:
  std::deque<HttpResponse> answers;
  std::vector<std::string> methods;
  Result<HttpResponse> send(const Operation&, const HttpRequest& request) override {
    methods.push_back(request.method);
    if (answers.empty()) return fail(Error::Kind::invalid, "the script is over");
    HttpResponse next = std::move(answers.front());
    answers.pop_front();
    return next;
  }
};

class Keys final : public aws::CredentialSource {
 public:
  Result<aws::Credentials> get(const Operation&) override {
    return aws::Credentials{"KEY", Secret("s"), Secret()};
  }
  void forget(const std::string&) override {}
};

class S3StoreTest : public testing::Test {
 protected:
  S3StoreTest()
      : store({{"vault", "https://h", "r", true, ""}, &http, &keys, &clock, &random}, "") {}
  static HttpResponse answer(int status, const std::string& body = "") {
    HttpResponse made;
    made.status = status;
    made.body = body;
    return made;
  }
  FakeClock clock;
  SeededRandom random{1};
  ScriptedClient http;
  Keys keys;
  S3Store store;
  const Operation op{&clock};
  const Bytes bytes = to_bytes("ours");
};

// C4, C5: the condition failed, and only the bytes can tell for whom.
TEST_F(S3StoreTest, AnObjectThatIsThereIsComparedWithOurs) {
  http.answers = {answer(412), answer(200, "ours"), answer(412), answer(200, "theirs")};
  EXPECT_EQ(store.put(op, "config", bytes).value_or(Put::exists), Put::created);
  EXPECT_EQ(store.put(op, "config", bytes).value_or(Put::created), Put::exists);
}

TEST_F(S3StoreTest, ANameThatIsTakenAndGoneIsAskedForAgain) {
  http.answers = {answer(412), answer(404), answer(200)};
  http.answers.back().headers["etag"] = "\"e\"";
  EXPECT_EQ(store.put(op, "config", bytes).value_or(Put::exists), Put::created);
  http.answers = {answer(412), answer(404), answer(412), answer(404), answer(412), answer(404)};
  const auto given_up = store.put(op, "config", bytes);
  ASSERT_FALSE(given_up);
  EXPECT_EQ(given_up.error().kind, Error::Kind::unavailable);
}

}  // namespace
}  // namespace lifeboat::store
