#include "client/aws/profiles.h"

#include <gtest/gtest.h>

namespace lifeboat::aws {
namespace {

TEST(Profiles, AreReadAsTheToolsOfAwsReadThem) {
  Profiles profiles;
  read_profiles(
      "# a comment\n[default]\nregion = eu-west-1 # where we live\n\n[profile ops]\r\n"
      "role_arn=arn:aws:iam::1:role/ops\r\nsource_profile = default\ns3 =\n  addressing_style = "
      "path\n"
      "[sso-session corp]\nsso_region = x\n[services local]\ns3 =\n  endpoint_url = y\nno equals "
      "sign\n",
      true, profiles);
  EXPECT_EQ(profiles.size(), 2U);
  EXPECT_EQ(profiles["default"]["region"], "eu-west-1");
  EXPECT_EQ(profiles["ops"]["role_arn"], "arn:aws:iam::1:role/ops");
  EXPECT_EQ(profiles["ops"]["source_profile"], "default");
  EXPECT_FALSE(profiles["ops"].contains("addressing_style"));
}

TEST(Profiles, TheCredentialsFileHasNoWordBeforeTheName) {
  Profiles profiles;
  read_profiles("[ops]\naws_access_key_id = A\naws_secret_access_key = b=c#d\n", false, profiles);
  EXPECT_EQ(profiles["ops"]["aws_access_key_id"], "A");
  EXPECT_EQ(profiles["ops"]["aws_secret_access_key"], "b=c#d");
}

TEST(Profiles, GarbageIsNoError) {
  Profiles profiles;
  read_profiles("[", true, profiles);
  read_profiles("x=y\n[profile]\na=b\n[profile ]\n=\n]", true, profiles);
  EXPECT_EQ(profiles.size(), 0U);
}

}  // namespace
}  // namespace lifeboat::aws
