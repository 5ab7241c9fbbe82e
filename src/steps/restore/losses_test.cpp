#include "steps/restore/losses.h"

#include <gmock/gmock.h>

namespace lifeboat::steps {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

repo::Snapshot snapshot(std::uint8_t id, std::int64_t at_s, const char* rows) {
  repo::Snapshot made;
  made.id = *Id::from(Bytes(32, id));
  made.slot = id;
  made.about.source = "orders";
  made.moments.consistent_at = {at_s * 1'000'000'000};
  if (*rows != '\0') made.moments.facts["rows"] = rows;
  return made;
}

WallTime second(std::int64_t at_s) { return {at_s * 1'000'000'000}; }

TEST(Losses, RowsWrittenAfterTheCaptureAreEstimatedFromThePaceBeforeIt) {
  const std::vector<repo::Snapshot> log{snapshot(1, 100, "1000"), snapshot(2, 110, "1500")};
  EXPECT_THAT(losses_of(log, log[1].id, second(114)),
              ElementsAre("about 200 rows, written in the 4.0 s after the capture (estimated: 50.0 "
                          "rows a second before it)"));
}

TEST(Losses, ThePaceIsThatOfTheNearestCaptureOfTheSameSource) {
  auto other = snapshot(3, 190, "7");
  other.about.source = "catalog";
  auto kept = snapshot(4, 191, "7");
  kept.about.kind = repo::SnapshotKind::kept;
  const std::vector<repo::Snapshot> log{
      snapshot(1, 100, "0"),    snapshot(2, 180, "1000"), other, kept,
      snapshot(5, 200, "1020"), snapshot(6, 300, "9999")};
  EXPECT_THAT(losses_of(log, log[4].id, second(210)), ElementsAre(HasSubstr("about 10 rows")));
}

TEST(Losses, WithoutAnEarlierCaptureThePaceIsNotInvented) {
  const std::vector<repo::Snapshot> log{snapshot(1, 100, "1000")};
  EXPECT_THAT(
      losses_of(log, log[0].id, second(102)),
      ElementsAre(HasSubstr("rows written in the 2.0 s after the capture (how many is not")));
}

TEST(Losses, ATableThatShrankLosesNoNegativeRows) {
  const std::vector<repo::Snapshot> log{snapshot(1, 100, "1000"), snapshot(2, 110, "10")};
  EXPECT_THAT(losses_of(log, log[1].id, second(114)), ElementsAre(HasSubstr("about 0 rows")));
}

TEST(Losses, WhatTheSourceItselfNamedIsToldAndASourceWithoutRowsIsNotEstimated) {
  auto broker = snapshot(1, 100, "");
  broker.moments.facts["lost.queue a/b"] = "3 messages, not captured";
  EXPECT_THAT(losses_of({broker}, broker.id, second(102)),
              ElementsAre("queue a/b: 3 messages, not captured"));
  EXPECT_THAT(losses_of({snapshot(1, 100, "not a number")}, broker.id, second(102)), IsEmpty());
}

}  // namespace
}  // namespace lifeboat::steps
