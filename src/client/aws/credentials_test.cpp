// The chain of places against scripted answers; against moto's token service: store/s3_e2e.cpp.
#include "client/aws/credentials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/fake_clock.h"
#include "base/temporary_folder.h"
#include "client/aws/token_service.h"
#include "client/process/test_launcher.h"

namespace lifeboat::aws {
namespace {

using testing::HasSubstr;

class ScriptedClient final : public HttpClient {
 public:
  std::function<Result<HttpResponse>(const HttpRequest&)> answer = [](const HttpRequest& request) {
    return fail(Error::Kind::unavailable, request.url + " does not answer");
  };
  std::vector<HttpRequest> seen;
  std::atomic<bool> hangs = false;  // until the operation ends
  Result<HttpResponse> send(const Operation& op, const HttpRequest& request) override {
    while (hangs) TRY_DO(op.pause(std::chrono::hours(1)));
    seen.push_back(request);
    if (!request.upload.empty()) seen.back().body = as_text(request.upload);  // a view, of a moment
    seen.back().upload = {};
    return answer(request);
  }
};

HttpResponse response(int status, std::string body) {
  HttpResponse made;
  made.status = status;
  made.body = std::move(body);
  return made;
}

std::string sts_answer(const std::string& key, const std::string& until) {
  return "<AssumeRoleResponse "
         "xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><AssumeRoleResult>"
         "<Credentials><AccessKeyId>" +
         key +
         "</AccessKeyId><SecretAccessKey>s</SecretAccessKey>"
         "<SessionToken>t</SessionToken><Expiration>" +
         until + "</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>";
}

class CredentialsTest : public testing::Test {
 protected:
  explicit CredentialsTest(FakeClock::Pauses pauses = FakeClock::Pauses::self_advancing)
      : clock(pauses) {
    set("HOME", home.path());
  }
  void set(const std::string& name, const std::string& value) { variables[name] = value; }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories(home.path() + "/.aws");
    std::ofstream(home.path() + "/.aws/" + name) << text;
  }
  Surroundings around() {
    return {&http, &test_launcher(), &clock, [this](const std::string& name) {
              const auto found = variables.find(name);
              return found == variables.end() ? std::string() : found->second;
            }};
  }
  Result<Credentials> get() { return find_credentials(around())->get(op); }
  std::string key() {
    const auto found = get();
    return found ? found->access_key : found.error().what;
  }
  // A role by a token, at a service whose sessions KEY1, KEY2, ... last an hour.
  void take_role_for_an_hour() {
    set("AWS_WEB_IDENTITY_TOKEN_FILE", home.path() + "/token");
    set("AWS_ROLE_ARN", "arn:aws:iam::1:role/backup");
    std::ofstream(home.path() + "/token") << "jwt";
    http.answer = [this, asked = 0](const HttpRequest&) mutable {
      const WallTime until{clock.wall().ns + 3'600'000'000'000};
      return response(200, sts_answer("KEY" + std::to_string(++asked), rfc3339(until)));
    };
  }

  FakeClock clock;
  Operation op{&clock};
  TemporaryFolder home = *TemporaryFolder::make("aws");
  std::map<std::string, std::string> variables = {{"AWS_EC2_METADATA_DISABLED", "true"}};
  ScriptedClient http;
};

TEST_F(CredentialsTest, NoneAnywhereSaysWhereWasLooked) {
  const auto none = get();
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().kind, Error::Kind::denied);
  EXPECT_THAT(none.error().what, HasSubstr("profile default"));
}

TEST_F(CredentialsTest, TheEnvironmentComesFirst) {
  write("credentials", "[default]\naws_access_key_id=FILE\naws_secret_access_key=f\n");
  EXPECT_EQ(key(), "FILE");
  set("AWS_ACCESS_KEY_ID", "ENV");
  EXPECT_THAT(key(), HasSubstr("only one of"));
  set("AWS_SECRET_ACCESS_KEY", "e");
  set("AWS_SESSION_TOKEN", "t");
  EXPECT_EQ(get()->session_token.reveal(), "t");
  EXPECT_EQ(key(), "ENV");
}

TEST_F(CredentialsTest, AProfileThatIsNotThereIsNamed) {
  set("AWS_PROFILE", "ops");
  EXPECT_THAT(key(), HasSubstr("there is no profile ops"));
}

TEST_F(CredentialsTest, AProfileTakesARoleOnWithTheKeysOfAnother) {
  write("config",
        "[profile ops]\nrole_arn=arn:aws:iam::1:role/ops\nsource_profile=default\n"
        "external_id=x y\nregion=eu-west-1\n");
  write("credentials", "[default]\naws_access_key_id=BASE\naws_secret_access_key=f\n");
  set("AWS_PROFILE", "ops");
  http.answer = [](const HttpRequest&) { return response(200, sts_answer("ROLE", "")); };
  EXPECT_EQ(key(), "ROLE");
  ASSERT_EQ(http.seen.size(), 1U);
  EXPECT_EQ(http.seen[0].url, "https://sts.eu-west-1.amazonaws.com/");
  EXPECT_THAT(http.seen[0].body, HasSubstr("ExternalId=x%20y"));
  EXPECT_THAT(std::string(http.seen[0].secret_headers.at("authorization").reveal()),
              HasSubstr("Credential=BASE/"));
  http.answer = [](const HttpRequest&) {
    return response(403,
                    "<ErrorResponse><Error><Code>AccessDenied</Code><Message>no</Message></Error>"
                    "</ErrorResponse>");
  };
  EXPECT_THAT(key(), HasSubstr("role arn:aws:iam::1:role/ops: status 403 AccessDenied: no"));
}

TEST_F(CredentialsTest, TheServiceSaysWhoseAccountTheyAre) {
  set("AWS_REGION", "eu-west-1");
  const Credentials caller{"KEY", Secret("s"), {}};
  http.answer = [](const HttpRequest&) {
    return response(200,
                    "<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012"
                    "</Account></GetCallerIdentityResult></GetCallerIdentityResponse>");
  };
  const auto account = caller_account({&clock}, around(), caller, "");
  ASSERT_TRUE(account) << account.error().what;
  EXPECT_EQ(*account, "123456789012");
  EXPECT_EQ(http.seen[0].url, "https://sts.eu-west-1.amazonaws.com/");
  EXPECT_THAT(http.seen[0].body, HasSubstr("Action=GetCallerIdentity"));
  ASSERT_TRUE(caller_account({&clock}, around(), caller, "http://127.0.0.1:5000"));
  EXPECT_EQ(http.seen[1].url, "http://127.0.0.1:5000/");
  http.answer = [](const HttpRequest&) {
    return response(403,
                    "<ErrorResponse><Error><Code>InvalidClientTokenId</Code></Error>"
                    "</ErrorResponse>");
  };
  const auto refused = caller_account({&clock}, around(), caller, "");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Error::Kind::denied);
  EXPECT_THAT(refused.error().what, HasSubstr("status 403 InvalidClientTokenId"));
  http.answer = [](const HttpRequest&) { return response(200, "<html/>"); };
  EXPECT_EQ(caller_account({&clock}, around(), caller, "").error().kind, Error::Kind::invalid);
}

TEST_F(CredentialsTest, ProfilesThatGoInACircleAreRefused) {
  write("config",
        "[profile a]\nrole_arn=x\nsource_profile=b\n[profile b]\nrole_arn=y\nsource_profile=a\n");
  set("AWS_PROFILE", "a");
  EXPECT_THAT(key(), HasSubstr("in a circle"));
}

TEST_F(CredentialsTest, SessionsOfSsoAndSecondFactorsAreRefusedByName) {
  write("config", "[profile sso]\nsso_session=corp\n[profile mfa]\nrole_arn=x\nmfa_serial=y\n");
  set("AWS_PROFILE", "sso");
  EXPECT_THAT(key(), HasSubstr("sso login"));
  set("AWS_PROFILE", "mfa");
  EXPECT_THAT(key(), HasSubstr("second factor"));
}

TEST_F(CredentialsTest, AServiceAccountOfKubernetesShowsItsToken) {
  const std::string file = home.path() + "/token";
  std::ofstream(file) << "jwt-of-the-pod";
  set("AWS_WEB_IDENTITY_TOKEN_FILE", file);
  set("AWS_ROLE_ARN", "arn:aws:iam::1:role/backup");
  http.answer = [](const HttpRequest&) { return response(200, sts_answer("POD", "")); };
  EXPECT_EQ(key(), "POD");
  EXPECT_THAT(http.seen[0].body, HasSubstr("WebIdentityToken=jwt-of-the-pod"));
  EXPECT_TRUE(http.seen[0].secret_headers.empty());
}

TEST_F(CredentialsTest, APodsOwnRoleGoesBeforeTheDefaultProfileAndAfterANamedOne) {
  std::ofstream(home.path() + "/token") << "jwt";
  set("AWS_WEB_IDENTITY_TOKEN_FILE", home.path() + "/token");
  set("AWS_ROLE_ARN", "arn:aws:iam::1:role/backup");
  write("credentials",
        "[default]\naws_access_key_id=FILE\naws_secret_access_key=f\n"
        "[ops]\naws_access_key_id=OPS\naws_secret_access_key=f\n");
  http.answer = [](const HttpRequest&) { return response(200, sts_answer("POD", "")); };
  EXPECT_EQ(key(), "POD");
  set("AWS_PROFILE", "ops");
  EXPECT_EQ(key(), "OPS");
}

TEST_F(CredentialsTest, AProgramMayGiveThem) {
  write("config",
        "[default]\ncredential_process = printf '%s' "
        "'{\"Version\":1,\"AccessKeyId\":\"TOLD\",\"SecretAccessKey\":\"s\"}'\n"
        "[profile bad]\ncredential_process = echo hush\n"
        "[profile gone]\ncredential_process = /nowhere/to/be/found\n");
  EXPECT_EQ(key(), "TOLD");
  set("AWS_PROFILE", "bad");
  EXPECT_THAT(key(), HasSubstr("credential_process of profile bad printed no credentials"));
  EXPECT_EQ(key().find("hush"), std::string::npos);
  set("AWS_PROFILE", "gone");
  EXPECT_THAT(key(), HasSubstr("credential_process of profile gone"));
}

TEST_F(CredentialsTest, TheTokenServiceIsAskedWhereAwsToolsAskIt) {
  write("config",
        "[default]\nrole_arn=arn:aws:iam::1:role/ops\ncredential_source=Environment\n"
        "ca_bundle=/etc/corp.pem\nendpoint_url=https://aws.example.com:443/\n");
  set("AWS_PROFILE", "default");
  set("AWS_ACCESS_KEY_ID", "ENV");
  set("AWS_SECRET_ACCESS_KEY", "e");
  http.answer = [](const HttpRequest&) { return response(200, sts_answer("ROLE", "")); };
  EXPECT_EQ(key(), "ENV") << "keys of the environment come before any profile";
  ASSERT_TRUE(http.seen.empty());
  write("config",
        "[default]\nrole_arn=arn:aws:iam::1:role/ops\nsource_profile=keys\n"
        "ca_bundle=/etc/corp.pem\nendpoint_url=https://aws.example.com:443/\n"
        "[profile keys]\naws_access_key_id=BASE\naws_secret_access_key=f\n");
  set("AWS_ACCESS_KEY_ID", "");
  set("AWS_SECRET_ACCESS_KEY", "");
  EXPECT_EQ(key(), "ROLE");
  ASSERT_EQ(http.seen.size(), 1U);
  EXPECT_EQ(http.seen[0].url, "https://aws.example.com/");
  EXPECT_EQ(http.seen[0].ca_file, "/etc/corp.pem");
}

TEST_F(CredentialsTest, AContainerIsAskedOnlyWhereNobodyElseListens) {
  set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://metadata.example/creds");
  EXPECT_THAT(key(), HasSubstr("without encryption"));
  EXPECT_TRUE(http.seen.empty());
  set("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1/creds");
  set("AWS_CONTAINER_AUTHORIZATION_TOKEN", "hush");
  http.answer = [](const HttpRequest&) {
    return response(200, R"({"AccessKeyId":"BOX","SecretAccessKey":"s","Token":"t"})");
  };
  EXPECT_EQ(key(), "BOX");
  EXPECT_EQ(http.seen[0].secret_headers.at("authorization").reveal(), "hush");
}

TEST_F(CredentialsTest, AnInstanceIsAskedBySecondVersion) {
  set("AWS_EC2_METADATA_DISABLED", "");
  set("AWS_EC2_METADATA_SERVICE_ENDPOINT", "http://127.0.0.1:1");
  http.answer = [](const HttpRequest& request) -> Result<HttpResponse> {
    if (request.method == "PUT") return response(200, "imds-token");
    EXPECT_EQ(request.secret_headers.at("x-aws-ec2-metadata-token").reveal(), "imds-token");
    if (request.url.ends_with("/security-credentials/")) return response(200, "backup-role\n");
    EXPECT_TRUE(request.url.ends_with("/backup-role"));
    return response(200, R"({"AccessKeyId":"VM","SecretAccessKey":"s","Token":"t"})");
  };
  EXPECT_EQ(key(), "VM");
}

TEST_F(CredentialsTest, TheyAreRenewedBeforeTheyEndAndAfterARefusal) {
  take_role_for_an_hour();
  const auto source = find_credentials(around());
  EXPECT_EQ(source->get(op)->access_key, "KEY1");
  clock.advance(std::chrono::minutes(50));
  EXPECT_EQ(source->get(op)->access_key, "KEY1");
  clock.advance(std::chrono::minutes(6));
  EXPECT_EQ(source->get(op)->access_key, "KEY2");
  source->forget("KEY1");  // somebody who comes late with what was renewed long ago
  EXPECT_EQ(source->get(op)->access_key, "KEY2");
  source->forget("KEY2");
  EXPECT_EQ(source->get(op)->access_key, "KEY3");
  // Nobody answers for a while: what is known is good to its end.
  http.answer = [](const HttpRequest&) { return fail(Error::Kind::unavailable, "away"); };
  http.seen.clear();
  clock.advance(std::chrono::minutes(57));
  EXPECT_EQ(source->get(op)->access_key, "KEY3");
  EXPECT_EQ(source->get(op)->access_key, "KEY3");
  EXPECT_EQ(http.seen.size(), 1U) << "not with every request";
  clock.advance(std::chrono::minutes(5));
  EXPECT_FALSE(source->get(op));
}

TEST_F(CredentialsTest, AnInstanceThatOnceAnsweredIsAwayForAMomentAndNotAbsent) {
  set("AWS_EC2_METADATA_DISABLED", "");
  EXPECT_EQ(get().error().kind, Error::Kind::denied) << "no instance of EC2";
  bool away = false;
  http.answer = [&away](const HttpRequest& request) -> Result<HttpResponse> {
    if (away) return fail(Error::Kind::unavailable, "a hiccup");
    if (request.method == "PUT") return response(200, "imds-token");
    if (request.url.ends_with("/security-credentials/")) return response(200, "backup-role");
    return response(200, R"({"AccessKeyId":"VM","SecretAccessKey":"s","Token":"t"})");
  };
  const auto source = find_credentials(around());
  EXPECT_EQ(source->get(op)->access_key, "VM");
  source->forget("VM");
  away = true;
  const auto hiccup = source->get(op);
  ASSERT_FALSE(hiccup);
  EXPECT_EQ(hiccup.error().kind, Error::Kind::unavailable) << hiccup.error().what;
  away = false;
  EXPECT_EQ(source->get(op)->access_key, "VM");
}

// Pauses last until the test moves the clock on, or the operation ends.
class CredentialsWaitTest : public CredentialsTest {
 protected:
  CredentialsWaitTest() : CredentialsTest(FakeClock::Pauses::wait_for_advance) {}
  // A thread that asks, and has come to where it hangs.
  std::jthread ask_and_hang(CredentialSource& source, std::string& told) {
    http.hangs = true;
    std::jthread asking([this, &source, &told](const std::stop_token& stop) {
      const auto found = source.get(Operation{&clock, stop});
      told = found ? found->access_key : found.error().what;
    });
    while (clock.paused() == 0) std::this_thread::yield();
    return asking;
  }
};

TEST_F(CredentialsWaitTest, WhatIsGoodIsAnsweredWhileTheTokenServiceHangs) {
  take_role_for_an_hour();
  const auto source = find_credentials(around());
  EXPECT_EQ(source->get(op)->access_key, "KEY1");
  clock.advance(std::chrono::minutes(56));
  std::string told;
  std::jthread renewing = ask_and_hang(*source, told);
  EXPECT_EQ(source->get(op)->access_key, "KEY1") << "another one asks meanwhile";
  clock.advance(std::chrono::seconds(5));  // of a heartbeat
  renewing.join();
  EXPECT_EQ(told, "KEY1") << "who renews does not wait for long either";
  http.hangs = false;
  EXPECT_EQ(source->get(op)->access_key, "KEY1") << "not with every request";
  clock.advance(std::chrono::seconds(30));
  EXPECT_EQ(source->get(op)->access_key, "KEY2");
}

TEST_F(CredentialsWaitTest, WhoWaitsForTheFirstOnesStopsWhenAsked) {
  take_role_for_an_hour();
  const auto source = find_credentials(around());
  std::string told;
  std::jthread first = ask_and_hang(*source, told);
  const Operation brief = op.within(std::chrono::seconds(10));
  std::string late, stopped, served;
  std::jthread waits_briefly([&] { late = source->get(brief).error().what; });
  std::jthread waits_long([&](const std::stop_token& stop) {
    stopped = source->get(Operation{&clock, stop}).error().what;
  });
  clock.advance(std::chrono::seconds(11));
  waits_briefly.join();
  EXPECT_THAT(late, HasSubstr("deadline passed"));
  waits_long.request_stop();
  waits_long.join();
  EXPECT_THAT(stopped, HasSubstr("stopped by request"));
  std::jthread waits_well([&] { served = source->get(op)->access_key; });
  http.hangs = false;
  first.request_stop();
  waits_well.join();
  first.join();
  EXPECT_THAT(told, HasSubstr("stopped by request"));
  EXPECT_EQ(served, "KEY1") << "the next one asks instead";
}

}  // namespace
}  // namespace lifeboat::aws
