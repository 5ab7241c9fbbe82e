// What each answer of a server leads to; against real servers: store/s3_e2e.cpp.
#include "client/s3/bucket.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>

#include "base/fake_clock.h"

namespace lifeboat::s3 {
namespace {

using testing::HasSubstr;

class ScriptedClient final : public HttpClient {
 public:
  std::deque<Result<HttpResponse>> answers;
  std::optional<HttpResponse> forever;  // what is answered then
  std::vector<HttpRequest> seen;
  Result<HttpResponse> send(const Operation&, const HttpRequest& request) override {
    if (answers.empty() && forever) return *forever;
    seen.push_back(request);
    seen.back().upload = {};  // a view, of a moment
    if (answers.empty()) return fail(Error::Kind::invalid, "the script is over");
    auto next = std::move(answers.front());
    answers.pop_front();
    return next;
  }
};

class CountingCredentials final : public aws::CredentialSource {
 public:
  Result<aws::Credentials> get(const Operation&) override {
    return aws::Credentials{"KEY" + std::to_string(forgotten), Secret("s"), Secret()};
  }
  void forget(const std::string& access_key) override {
    EXPECT_EQ(access_key, "KEY" + std::to_string(forgotten));
    ++forgotten;
  }
  int forgotten = 0;
};

HttpResponse answer(int status, std::string body = {},
                    std::map<std::string, std::string, std::less<>> headers = {}) {
  HttpResponse made;
  made.status = status;
  made.body = std::move(body);
  made.headers = std::move(headers);
  return made;
}

HttpResponse refusal(int status, const std::string& code, const std::string& more = {}) {
  return answer(status, "<?xml version=\"1.0\"?><Error><Code>" + code +
                            "</Code><Message>because</Message>" + more + "</Error>");
}

class BucketTest : public testing::Test {
 protected:
  BucketTest() {
    setup.address = {"vault", "https://s3.eu-west-1.amazonaws.com", "eu-west-1", false, ""};
    setup.http = &http;
    setup.credentials = &credentials;
    setup.clock = &clock;
    setup.random = &random;
    setup.attempts = 4;
    setup.part_bytes = 8;
  }
  Error get_error() {
    const auto got = Bucket(setup).get(op, "config");
    EXPECT_FALSE(got);
    return got ? Error{} : got.error();
  }
  FakeClock clock;
  Operation op{&clock};
  SeededRandom random{1};
  ScriptedClient http;
  CountingCredentials credentials;
  BucketSetup setup;
  const Bytes few = to_bytes("1234"), many = to_bytes("0123456789abcdef0");
};

TEST_F(BucketTest, WhatPassesByItselfIsTriedAgainWithPauses) {
  const auto before = clock.boot();
  http.answers = {refusal(503, "SlowDown"), refusal(500, "InternalError"),
                  fail(Error::Kind::unavailable, "the connection broke"), answer(200, "there")};
  const auto got = Bucket(setup).get(op, "config");
  ASSERT_TRUE(got) << got.error().what;
  EXPECT_EQ(as_text(*got), "there");
  EXPECT_EQ(http.seen.size(), 4U);
  EXPECT_GT(clock.boot(), before);
  EXPECT_EQ(http.seen[0].url, "https://vault.s3.eu-west-1.amazonaws.com/config");
}

TEST_F(BucketTest, ItGivesUpWithTheLastReason) {
  for (int i = 0; i < 5; ++i) http.answers.push_back(refusal(503, "SlowDown"));
  const Error error = get_error();
  EXPECT_EQ(error.kind, Error::Kind::unavailable);
  EXPECT_THAT(error.what, HasSubstr("s3://vault/config: s3:GetObject: 503 SlowDown: because"));
  EXPECT_EQ(http.seen.size(), 4U);
}

TEST_F(BucketTest, AnExpiredSessionIsRenewedOnce) {
  http.answers = {refusal(400, "ExpiredToken"), answer(200, "there")};
  ASSERT_TRUE(Bucket(setup).get(op, "config"));
  EXPECT_EQ(credentials.forgotten, 1);
  EXPECT_THAT(std::string(http.seen[1].secret_headers.at("authorization").reveal()),
              HasSubstr("Credential=KEY1/"));
  http.answers = {refusal(400, "ExpiredToken"), refusal(400, "ExpiredToken")};
  EXPECT_EQ(get_error().kind, Error::Kind::denied);
}

TEST_F(BucketTest, AClockThatIsOffIsCorrectedByTheServers) {
  auto skewed = refusal(403, "RequestTimeTooSkewed");
  skewed.headers["date"] = "Thu, 26 Nov 2026 01:15:00 GMT";
  http.answers = {skewed, answer(200, "there")};
  ASSERT_TRUE(Bucket(setup).get(op, "config"));
  EXPECT_EQ(http.seen[1].headers.at("x-amz-date").substr(0, 13), "20261126T0115");
  http.answers = {skewed, skewed};
  const Error error = get_error();
  EXPECT_EQ(error.kind, Error::Kind::invalid);
  EXPECT_THAT(error.hint, HasSubstr(" ahead"));
}

TEST_F(BucketTest, WhatAPersonMustMendIsNamed) {
  http.answers = {refusal(403, "AccessDenied")};
  Error error = get_error();
  EXPECT_EQ(error.kind, Error::Kind::denied);
  EXPECT_THAT(error.hint, HasSubstr("s3:GetObject on arn:aws:s3:::vault/config, and s3:ListBucket "
                                    "on arn:aws:s3:::vault"));
  http.answers = {refusal(404, "NoSuchBucket")};
  EXPECT_THAT(get_error().what, HasSubstr("there is no bucket vault"));
  http.answers = {answer(301, "", {{"x-amz-bucket-region", "us-east-2"}})};
  EXPECT_THAT(get_error().hint, HasSubstr("?region=us-east-2"));
  http.answers = {refusal(400, "AuthorizationHeaderMalformed", "<Region>ap-south-1</Region>")};
  EXPECT_THAT(get_error().what, HasSubstr("vault is in ap-south-1, not in eu-west-1"));
  http.answers = {answer(403, "", {{"x-amz-bucket-region", "default"}})};
  EXPECT_THAT(get_error().hint, HasSubstr("s3:GetObject"));
  http.answers = {refusal(403, "InvalidObjectState")};
  EXPECT_THAT(get_error().hint, HasSubstr("archived"));
  http.answers = {answer(404, "<html>")};
  EXPECT_EQ(get_error().kind, Error::Kind::not_found);
}

const HttpResponse stored = answer(200, "", {{"etag", "\"e\""}});

TEST_F(BucketTest, AWriteIsConditionalAndCarriesItsChecksum) {
  http.answers = {stored, answer(412), refusal(409, "ConditionalRequestConflict"), answer(412)};
  Bucket bucket(setup);
  EXPECT_EQ(bucket.put_if_absent(op, "config", few).value_or(Written::exists), Written::created);
  EXPECT_EQ(http.seen[0].headers.at("if-none-match"), "*");
  EXPECT_EQ(http.seen[0].headers.at("x-amz-checksum-sha256"),
            "A6xnQhbz4Vx2HuGl4lXwZ5U2I8iziLRFnhP5eNfIRvQ=");
  EXPECT_EQ(bucket.put_if_absent(op, "config", few).value_or(Written::created), Written::exists);
  EXPECT_EQ(bucket.put_if_absent(op, "config", few).value_or(Written::created), Written::exists);
}

TEST_F(BucketTest, AnAnswerThatIsNotOfS3StoresNothing) {
  http.answers = {answer(200, "<html>please log in</html>")};
  const auto answered = Bucket(setup).put_if_absent(op, "config", few);
  ASSERT_FALSE(answered);
  EXPECT_EQ(answered.error().kind, Error::Kind::invalid);
}

const char* begun =
    "<InitiateMultipartUploadResult><UploadId>u-1</UploadId></InitiateMultipartUploadResult>";

TEST_F(BucketTest, ALargeObjectTravelsInPartsUnderTheSameCondition) {
  http.answers = {answer(200, begun), answer(200, "", {{"etag", "\"a\""}}),
                  answer(200, "", {{"etag", "\"b\""}}), answer(200, "", {{"etag", "\"c\""}}),
                  answer(200, "<CompleteMultipartUploadResult/>")};
  EXPECT_EQ(Bucket(setup).put_if_absent(op, "pack", many).value_or(Written::exists),
            Written::created);
  ASSERT_EQ(http.seen.size(), 5U);
  EXPECT_THAT(http.seen[3].url, HasSubstr("partNumber=3&uploadId=u-1"));
  EXPECT_EQ(http.seen[4].headers.at("if-none-match"), "*");
}

// AWS begins a long completion with 200 and tells in the body how it ended.
TEST_F(BucketTest, A200WhoseBodyTellsAnErrorIsTriedAgain) {
  http.answers = {answer(200, begun),
                  answer(200, "", {{"etag", "a"}}),
                  answer(200, "", {{"etag", "b"}}),
                  answer(200, "", {{"etag", "c"}}),
                  refusal(200, "InternalError"),
                  answer(200, "   "),
                  answer(200, "<?xml version=\"1.0\"?>\n   \n<CompleteMultipartUploadResult/>")};
  EXPECT_EQ(Bucket(setup).put_if_absent(op, "pack", many).value_or(Written::exists),
            Written::created);
  EXPECT_EQ(http.seen.size(), 7U);
}

TEST_F(BucketTest, ACompletionMayLoseItsRace) {
  const std::deque<Result<HttpResponse>> parts = {
      answer(200, begun), answer(200, "", {{"etag", "a"}}), answer(200, "", {{"etag", "b"}}),
      answer(200, "", {{"etag", "c"}})};
  for (const auto& lost : {refusal(412, "PreconditionFailed"), refusal(200, "PreconditionFailed"),
                           refusal(404, "NoSuchUpload"), refusal(200, "NoSuchUpload")}) {
    http.answers = parts;
    http.answers.push_back(lost);
    http.answers.push_back(answer(204));
    EXPECT_EQ(Bucket(setup).put_if_absent(op, "pack", many).value_or(Written::created),
              Written::exists);
    EXPECT_EQ(http.seen.back().method, "DELETE");
  }
}

TEST_F(BucketTest, PartsThatCannotBeSentLeaveNoUploadBehind) {
  http.answers = {answer(200, begun), answer(200, "", {{"etag", "a"}}),
                  refusal(403, "AccessDenied"), answer(204)};
  EXPECT_FALSE(Bucket(setup).put_if_absent(op, "pack", many));
  EXPECT_EQ(http.seen.back().method, "DELETE");
  EXPECT_THAT(http.seen.back().url, HasSubstr("uploadId=u-1"));
}

TEST_F(BucketTest, PagesOfAListAreReadToTheLast) {
  http.answers = {
      answer(200,
             "<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>true</IsTruncated>"
             "<NextContinuationToken>more/+=</NextContinuationToken>"
             "<Contents><Key>a%2Fb+c</Key></Contents></ListBucketResult>"),
      answer(200,
             "<ListBucketResult><IsTruncated>false</IsTruncated>"
             "<Contents><Key>d</Key></Contents></ListBucketResult>")};
  const auto keys = Bucket(setup).list(op, "");
  ASSERT_TRUE(keys) << keys.error().what;
  EXPECT_EQ(*keys, (std::vector<std::string>{"a/b c", "d"}));
  EXPECT_THAT(http.seen[1].url, HasSubstr("continuation-token=more%2F%2B%3D"));
  http.answers = {answer(200, "<html>a login page</html>")};
  EXPECT_EQ(Bucket(setup).list(op, "").error().kind, Error::Kind::invalid);
}

TEST_F(BucketTest, AListWithoutAnEndIsNoList) {
  http.forever = answer(200,
                        "<ListBucketResult><IsTruncated>true</IsTruncated>"
                        "<NextContinuationToken>again</NextContinuationToken></ListBucketResult>");
  EXPECT_THAT(Bucket(setup).list(op, "packs/").error().what, HasSubstr("a list without an end"));
}

// HEAD has no body: what is refused there would be refused without a reason.
TEST_F(BucketTest, ASizeIsAskedSoThatARefusalHasItsReason) {
  http.answers = {refusal(400, "ExpiredToken"),
                  answer(206, "x", {{"content-range", "bytes 0-0/1234"}})};
  EXPECT_EQ(Bucket(setup).size(op, "pack").value_or(0), 1234U);
  EXPECT_EQ(credentials.forgotten, 1);
  http.answers = {answer(416), answer(200, "", {{"content-length", "0"}})};
  EXPECT_EQ(Bucket(setup).size(op, "pack").value_or(1), 0U);
  EXPECT_EQ(http.seen.back().method, "HEAD");
  http.answers = {answer(200, "whole", {{"content-length", "5"}})};
  EXPECT_EQ(Bucket(setup).size(op, "pack").value_or(0), 5U);
  for (const char* wrong : {"", "bytes 0-0/*", "bytes 0-0/-1", "bytes 0-0/99999999999999999999"}) {
    http.answers = {answer(206, "x", {{"content-range", wrong}})};
    EXPECT_EQ(Bucket(setup).size(op, "pack").error().kind, Error::Kind::invalid) << wrong;
  }
}

TEST_F(BucketTest, ARangeIsCutOutOfAWholeObject) {
  Bucket bucket(setup);
  const auto got = [&](std::uint64_t offset, std::uint64_t length) {
    http.answers = {answer(200, "0123456789")};
    return std::string(as_text(bucket.get(op, "pack", ByteRange{offset, length}).value_or(few)));
  };
  EXPECT_EQ(got(2, 3), "234");
  EXPECT_EQ(got(8, 5), "89");
  EXPECT_EQ(got(11, 5), "");
}

// C6: some servers refuse the header that they do not know.
TEST_F(BucketTest, WhatTheServerCannotDoIsNotAskedTwice) {
  http.answers = {refusal(501, "NotImplemented")};
  const auto refused = Bucket(setup).put_if_absent(op, "config", few);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Error::Code::refused);
  EXPECT_THAT(refused.error().hint, HasSubstr("conditional writes"));
  EXPECT_EQ(http.seen.size(), 1U);
}

TEST_F(BucketTest, AServerThatIsFullIsNotAskedTwice) {
  http.answers = {refusal(507, "InsufficientStorage")};
  EXPECT_EQ(Bucket(setup).put_if_absent(op, "config", few).error().code, Error::Code::no_space);
  http.answers = {refusal(403, "QuotaExceeded")};
  EXPECT_EQ(Bucket(setup).put_if_absent(op, "config", few).error().code, Error::Code::no_space);
}

// The pauses of the same seed, for one error and for the other.
TEST_F(BucketTest, WhoIsToSlowDownPausesLonger) {
  const auto paused = [this](const char* code, int status) {
    SeededRandom same{7};
    setup.random = &same;
    const auto before = clock.boot();
    http.answers = {refusal(status, code), refusal(status, code), answer(200, "there")};
    EXPECT_TRUE(Bucket(setup).get(op, "config"));
    return clock.boot() - before;
  };
  EXPECT_GT(paused("SlowDown", 503), paused("InternalError", 500));
}

TEST_F(BucketTest, PathStyleKeepsTheHost) {
  setup.address.path_style = true;
  setup.address.ca_file = "/etc/corp.pem";
  http.answers = {answer(200, "x")};
  ASSERT_TRUE(Bucket(setup).get(op, "a b", ByteRange{5, 10}));
  EXPECT_EQ(http.seen[0].url, "https://s3.eu-west-1.amazonaws.com/vault/a%20b");
  EXPECT_EQ(http.seen[0].headers.at("range"), "bytes=5-14");
  EXPECT_EQ(http.seen[0].ca_file, "/etc/corp.pem");
}

}  // namespace
}  // namespace lifeboat::s3
