// Reviews: findings of facts and of people, until somebody closes them. R44.
#include "evidence/review.h"

#include <gmock/gmock.h>

#include "crypt/operator_key.h"
#include "run/fake_engine.h"
#include "schema/json.h"

namespace lifeboat::evidence {
namespace {

using run::FakeEngine;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class ReviewOfARun : public testing::Test {
 protected:
  // A run that missed its RTO, of a platform with these operators.
  void run(const std::string& name, const std::vector<std::string>& operators) {
    auto pins = engine_.pins(run::shop());
    pins.run = name;
    pins.operators.clear();
    for (const std::string& person : operators) {
      if (!engine_.people.contains(person)) engine_.hire(person);
      pins.operators[person] = crypt::verify_key_text(engine_.people.at(person).verify_key);
    }
    pins.objectives.rto = std::chrono::seconds(1);
    pins.origin.time.ns -= std::chrono::nanoseconds(std::chrono::hours(1)).count();
    for (const auto& [effect, made] : engine_.world.effects()) {
      EXPECT_TRUE(engine_.world.remove(effect));
    }
    const auto outcome = engine_.begin(engine_.op(), pins);
    EXPECT_TRUE(outcome && outcome->state.recovered());
    log_.push_back({name, log_.size(), {}, "fake"});
  }
  ReviewOfARun() { run("run-1", {"alice"}); }

  std::unique_ptr<journal::FakeRepository> repository() {
    auto repository = engine_.repository();
    for (const repo::RunRecord& record : log_) repository->announced(record);
    return repository;
  }
  Result<std::string> say(Remark said, const std::string& who = "alice") {
    if (said.by.empty()) said.by = "root@host";
    if (!who.empty() && !engine_.people.contains(who)) engine_.hire(who);
    const auto key = who.empty() ? std::nullopt : std::optional(engine_.people.at(who));
    return remark(engine_.op(), *repository(), "run-1", said, key);
  }
  Review review() {
    const auto repository = this->repository();
    auto read = read_review(engine_.op(), *repository, "run-1");
    EXPECT_TRUE(read) << read.error().what;
    return read ? *read : Review{};
  }
  OpenFindings open() {
    const auto repository = this->repository();
    repository->announced({"run-never-begun", log_.size(), {}, "fake"});
    auto found = open_findings(engine_.op(), *repository);
    EXPECT_TRUE(found) << found.error().what;
    return found ? *found : OpenFindings{};
  }
  static Remark finding(const std::string& text) {
    return {"add", "", text, "bob", "2026-12-31", "", ""};
  }

  FakeEngine engine_{1};
  std::vector<repo::RunRecord> log_;
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
  EXPECT_EQ(*say(finding("nobody knew the key")), "2");
  EXPECT_THAT(open().findings, SizeIs(3));
  EXPECT_EQ(say({"close", "1", "", "", "", "", ""}).error().effective_code(), Error::Code::usage);
  EXPECT_EQ(*say({"close", "1", "", "", "", "it is cached now", ""}), "1");
  EXPECT_EQ(*say({"assign", "rto", "", "ann", "2027-01-15", "", ""}), "rto");
  const Review found = review();
  ASSERT_THAT(found.findings, SizeIs(3));
  EXPECT_EQ(found.findings[0].owner, "ann");
  EXPECT_EQ(rfc3339(*found.findings[0].due), "2027-01-15T23:59:59.999Z");
  EXPECT_FALSE(found.findings[1].open());
  EXPECT_EQ(found.findings[1].reason, "it is cached now");
  EXPECT_EQ(found.findings[1].closed->by, "alice");
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

Remark closing(const std::string& finding) { return {"close", finding, "", "", "", "done", ""}; }

TEST_F(ReviewOfARun, OfARunWithOperatorsNobodyElseSaysAnything) {
  const auto before = engine_.store.objects().size();
  for (const char* who : {"", "mallory"}) {
    for (const Remark& said : {closing("rto"), finding("x"), closing("no such finding")}) {
      const auto answer = say(said, who);
      ASSERT_FALSE(answer);
      EXPECT_EQ(exit_status(answer.error().effective_code()), 6) << answer.error().what;
      EXPECT_THAT(answer.error().what, HasSubstr("operators"));
    }
  }
  EXPECT_EQ(engine_.store.objects().size(), before);
  EXPECT_TRUE(review().findings[0].open());
  EXPECT_TRUE(say(closing("rto"), "alice"));
}

// Who can open the repository can put any words there: they have no effect.
TEST_F(ReviewOfARun, WordsThatWereKeptPastTheCommandHaveNoEffect) {
  Value words;
  words.set("run", "run-1").set("action", "close").set("finding", "rto").set("reason", "trust me");
  const journal::Request unsigned_words{0, to_json(words), "", ""};
  journal::Request forged = unsigned_words;
  forged.key = crypt::verify_key_text(engine_.people.at("alice").verify_key);
  forged.signature = crypt::signature_text(
      crypt::sign(engine_.people.at("alice"), "lifeboat/v1/request", as_bytes(forged.text)));
  for (const journal::Request& said : {unsigned_words, forged}) {
    ASSERT_TRUE(
        journal::put_words(engine_.op(), *repository(), "run-1", {"review", "run-review"}, said));
  }
  EXPECT_THAT(review().refused, SizeIs(2));
  EXPECT_TRUE(review().findings[0].open());
  EXPECT_THAT(open().findings, SizeIs(1));
}

TEST_F(ReviewOfARun, WhoIsAnOperatorNowDealsWithWhatAnOlderRunLeft) {
  EXPECT_TRUE(say(finding("of alice")));
  run("run-2", {"bob"});
  EXPECT_EQ(*say(closing("rto"), "bob"), "rto");
  EXPECT_EQ(review().findings[0].closed->by, "bob");
  run("run-3", {});
  const Review found = review();
  EXPECT_THAT(found.refused, IsEmpty()) << "what counted once counts for ever";
  EXPECT_EQ(found.findings[1].opened->by, "alice");
  EXPECT_FALSE(say(closing("1"), ""));  // the run has operators itself
  // open_findings() says the same: that of alice, and the RTO of the two others.
  const OpenFindings open = this->open();
  ASSERT_THAT(open.findings, SizeIs(3));
  EXPECT_EQ(open.findings[0].finding.id, "1");
  EXPECT_EQ(open.findings[2].run, "run-3");
}

class ReviewWithoutOperators : public ReviewOfARun {
 protected:
  ReviewWithoutOperators() {
    for (const auto& [name, bytes] : engine_.store.objects()) engine_.store.erase_object(name);
    log_.clear();
    run("run-1", {});
  }
};

TEST_F(ReviewWithoutOperators, WhoeverOpensTheRepositorySpeaksUntilOperatorsCome) {
  EXPECT_EQ(*say(finding("one"), ""), "1");
  EXPECT_EQ(review().findings[1].opened->by, "root@host");
  run("run-2", {"alice"});
  EXPECT_FALSE(say(closing("1"), ""));
  EXPECT_FALSE(say(closing("1"), "mallory"));
  EXPECT_EQ(*say(closing("1"), "alice"), "1");
  const Review found = review();
  EXPECT_THAT(found.refused, IsEmpty());
  EXPECT_EQ(found.findings[1].closed->by, "alice");
  EXPECT_TRUE(found.findings[1].closed->is_signed);
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
  const Finding made = review().findings.back();
  EXPECT_FALSE(made.overdue(*parse_rfc3339("2026-12-31T23:00:00Z")));
  EXPECT_TRUE(made.overdue(*parse_rfc3339("2027-01-01T00:00:00Z")));
}

}  // namespace
}  // namespace lifeboat::evidence
