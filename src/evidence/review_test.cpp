// Reviews: findings of facts and of people, until somebody closes them. R44.
#include "evidence/review.h"

#include <gmock/gmock.h>

#include "run/fake_engine.h"

namespace lifeboat::evidence {
namespace {

using run::FakeEngine;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ReviewOfARun : public testing::Test {
 protected:
  ReviewOfARun() {
    engine_.hire("alice");
    auto pins = engine_.pins(run::shop());
    pins.objectives.rto = std::chrono::seconds(1);
    pins.origin.time.ns -= std::chrono::nanoseconds(std::chrono::hours(1)).count();
    const auto outcome = engine_.begin(engine_.op(), pins);
    EXPECT_TRUE(outcome && outcome->state.recovered());
  }
  Result<std::string> say(Remark said, bool signs = false) {
    if (said.by.empty()) said.by = "root@host";
    const auto repository = engine_.repository();
    const auto key = signs ? std::optional(engine_.people.at("alice")) : std::nullopt;
    return remark(engine_.op(), *repository, "run-1", said, key);
  }
  Review review() {
    const auto repository = engine_.repository();
    auto read = read_review(engine_.op(), *repository, "run-1");
    EXPECT_TRUE(read) << read.error().what;
    return read ? *read : Review{};
  }
  OpenFindings open() {
    const auto repository = engine_.repository();
    // As the log of a real repository would tell it.
    repository->announced({"run-1", 0, {}, "fake"});
    repository->announced({"run-2", 1, {}, "fake"});  // never begun
    auto found = open_findings(engine_.op(), *repository);
    EXPECT_TRUE(found) << found.error().what;
    return found ? *found : OpenFindings{};
  }
  static Remark finding(const std::string& text) {
    return {"add", "", text, "bob", "2026-12-31", "", ""};
  }

  FakeEngine engine_{1};
};

TEST_F(ReviewOfARun, AMissedObjectiveIsOpenWithoutAnybodysDoing) {
  const Review found = review();
  ASSERT_THAT(found.findings, SizeIs(1));
  EXPECT_EQ(found.findings[0].id, "rto");
  EXPECT_TRUE(found.findings[0].open() && found.findings[0].from_facts);
  EXPECT_TRUE(found.findings[0].owner.empty());
  EXPECT_THAT(open().findings, SizeIs(1));
}

TEST_F(ReviewOfARun, R44AFindingStaysOpenUntilItIsClosedWithAReason) {
  EXPECT_EQ(*say(finding("the DNS step was slow")), "1");
  EXPECT_EQ(*say(finding("nobody knew the key"), true), "2");
  EXPECT_THAT(open().findings, SizeIs(3));
  EXPECT_EQ(say({"close", "1", "", "", "", "", ""}).error().effective_code(), Error::Code::usage);
  EXPECT_EQ(*say({"close", "1", "", "", "", "it is cached now", ""}), "1");
  EXPECT_EQ(*say({"assign", "rto", "", "ann", "2027-01-15", "", ""}, true), "rto");
  const Review found = review();
  ASSERT_THAT(found.findings, SizeIs(3));
  EXPECT_EQ(found.findings[0].owner, "ann");
  EXPECT_EQ(rfc3339(*found.findings[0].due), "2027-01-15T23:59:59.999Z");
  EXPECT_FALSE(found.findings[1].open());
  EXPECT_EQ(found.findings[1].reason, "it is cached now");
  EXPECT_EQ(found.findings[1].closed->by, "root@host");
  EXPECT_EQ(found.findings[2].opened->by, "alice");
  EXPECT_TRUE(found.findings[2].opened->is_signed);
  EXPECT_THAT(open().findings, SizeIs(2));
  EXPECT_THAT(found.refused, IsEmpty());
}

TEST_F(ReviewOfARun, WhatMakesNoSenseIsRefusedAndKeptNowhere) {
  const auto before = engine_.store.objects().size();
  for (const Remark& said :
       std::vector<Remark>{{"add", "", "", "bob", "2026-12-31", "", ""},
                           {"add", "", "x", "", "2026-12-31", "", ""},
                           {"add", "", "x", "bob", "soon", "", ""},
                           {"add", "", std::string(5000, 'x'), "bob", "2026-12-31", "", ""},
                           {"close", "7", "", "", "", "done", ""},
                           {"assign", "rto", "", "", "", "", ""},
                           {"open", "rto", "", "", "", "", ""}}) {
    const auto answer = say(said);
    ASSERT_FALSE(answer);
    EXPECT_EQ(exit_status(answer.error().effective_code()), 2) << answer.error().what;
  }
  EXPECT_EQ(engine_.store.objects().size(), before);
}

TEST_F(ReviewOfARun, AClosedFindingIsClosedAndCountsOnce) {
  ASSERT_TRUE(say({"close", "rto", "", "", "", "images are cached", ""}));
  const auto again = say({"close", "rto", "", "", "", "again", ""});
  ASSERT_FALSE(again);
  EXPECT_THAT(again.error().what, HasSubstr("is closed"));
  EXPECT_EQ(review().findings[0].reason, "images are cached");
  EXPECT_THAT(open().findings, IsEmpty());
}

TEST_F(ReviewOfARun, AnAlteredRecordHasNoEffectAndIsSaid) {
  ASSERT_TRUE(say(finding("one")));
  ASSERT_TRUE(say(finding("two")));
  const std::string object = "runs/run-1/review/0000000000000000";
  Bytes bytes = engine_.store.objects().at(object);
  bytes[bytes.size() / 2] ^= 1;
  engine_.store.set_object(object, bytes);
  const Review found = review();
  EXPECT_THAT(found.refused, ElementsAre(HasSubstr("remark 0")));
  ASSERT_THAT(found.findings, SizeIs(2));
  EXPECT_EQ(found.findings[1].text, "two");
}

TEST_F(ReviewOfARun, ADayIsOverAtItsEnd) {
  ASSERT_TRUE(say(finding("x")));
  const Finding& made = review().findings.back();
  EXPECT_FALSE(made.overdue(*parse_rfc3339("2026-12-31T23:00:00Z")));
  EXPECT_TRUE(made.overdue(*parse_rfc3339("2027-01-01T00:00:00Z")));
}

}  // namespace
}  // namespace lifeboat::evidence
