// Addresses of buckets; the store itself: s3_e2e.cpp.
#include "store/s3.h"

#include <gtest/gtest.h>

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

TEST(S3Place, WhatItIsNotIsSaid) {
  for (const char* wrong :
       {"s3://", "s3:///x", "s3://Vault", "s3://vault/../x",
        "s3://vault?region=", "s3://vault?colour=red", "s3://vault?style=virtual", "s3://vault?",
        "s3://vault?endpoint=ftp://x"}) {
    const auto place = parse_s3_place(wrong, nothing);
    ASSERT_FALSE(place) << wrong;
    EXPECT_EQ(exit_status(place.error().effective_code()), 2) << wrong;
  }
  const auto login = parse_s3_place("s3://AKIA:hush@vault", nothing);
  ASSERT_FALSE(login);
  EXPECT_EQ(login.error().what.find("hush"), std::string::npos);
}

}  // namespace
}  // namespace lifeboat::store
