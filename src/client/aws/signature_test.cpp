// AWS's published vectors: "Signature Calculations for the Authorization Header" of the S3 API
// reference, and get-vanilla and post-vanilla of the Signature Version 4 test suite.
#include "client/aws/signature.h"

#include <gtest/gtest.h>

namespace lifeboat::aws {
namespace {

const Credentials s3_example{"AKIAIOSFODNN7EXAMPLE",
                             Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"), Secret()};
const Credentials suite{"AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
                        Secret()};

std::string signature(const HttpRequest& request) {
  const std::string all(request.secret_headers.at("authorization").reveal());
  return all.substr(all.rfind("Signature=") + 10);
}

HttpRequest signed_for_s3(ApiRequest request) {
  request.endpoint = "https://examplebucket.s3.amazonaws.com";
  return signed_request(request, s3_example, {"us-east-1", "s3"},
                        *parse_rfc3339("2013-05-24T00:00:00Z"));
}

HttpRequest signed_for_suite(ApiRequest request) {
  request.endpoint = "https://example.amazonaws.com";
  return signed_request(request, suite, {"us-east-1", "service"},
                        *parse_rfc3339("2015-08-30T12:36:00Z"));
}

TEST(Signature, GetObjectWithARange) {
  const HttpRequest made =
      signed_for_s3({.path = "/test.txt", .headers = {{"range", "bytes=0-9"}}});
  EXPECT_EQ(signature(made), "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41");
  EXPECT_EQ(made.url, "https://examplebucket.s3.amazonaws.com/test.txt");
  EXPECT_EQ(made.headers.at("x-amz-date"), "20130524T000000Z");
  EXPECT_EQ(
      made.secret_headers.at("authorization").reveal().substr(0, 85),
      "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, ");
}

TEST(Signature, PutObjectWhoseNameIsEncoded) {
  const std::string text = "Welcome to Amazon S3.";
  const HttpRequest made =
      signed_for_s3({.method = "PUT",
                     .path = "/test$file.text",
                     .headers = {{"date", "Fri, 24 May 2013 00:00:00 GMT"},
                                 {"x-amz-storage-class", "REDUCED_REDUNDANCY"}},
                     .body = as_bytes(std::string_view(text))});
  EXPECT_EQ(signature(made), "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
  EXPECT_EQ(made.url, "https://examplebucket.s3.amazonaws.com/test%24file.text");
}

TEST(Signature, AParameterWithoutAValue) {
  EXPECT_EQ(signature(signed_for_s3({.query = {{"lifecycle", ""}}})),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543");
}

TEST(Signature, ListObjects) {
  EXPECT_EQ(signature(signed_for_s3({.query = {{"prefix", "J"}, {"max-keys", "2"}}})),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

TEST(Signature, GetVanilla) {
  EXPECT_EQ(signature(signed_for_suite({})),
            "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31");
}

TEST(Signature, PostVanilla) {
  EXPECT_EQ(signature(signed_for_suite({.method = "POST"})),
            "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b");
}

TEST(Signature, GetVanillaQueryOrder) {
  EXPECT_EQ(signature(signed_for_suite({.query = {{"Param2", "value2"}, {"Param1", "value1"}}})),
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500");
}

TEST(Signature, ASessionTokenIsSignedAndSecret) {
  Credentials session = suite;
  session.session_token = Secret("token");
  const HttpRequest made = signed_request({.endpoint = "https://example.amazonaws.com"}, session,
                                          {"us-east-1", "service"}, WallTime{});
  EXPECT_EQ(made.secret_headers.at("x-amz-security-token").reveal(), "token");
  EXPECT_FALSE(made.headers.contains("x-amz-security-token"));
  EXPECT_NE(made.secret_headers.at("authorization").reveal().find("x-amz-security-token"),
            std::string_view::npos);
}

}  // namespace
}  // namespace lifeboat::aws
