#include "base/clock.h"

#include <gtest/gtest.h>

#include "base/fake_clock.h"
#include "base/operation.h"

namespace lifeboat {
namespace {

using namespace std::chrono_literals;

std::optional<std::int64_t> ns_of(std::string_view text) {
  const auto time = parse_rfc3339(text);
  return time ? std::optional(time->ns) : std::nullopt;
}

TEST(WallTime, ReadsEveryFormThatIsPromised) {
  constexpr std::int64_t second = 1'000'000'000;
  EXPECT_EQ(ns_of("1970-01-01T00:00:00Z"), 0);
  EXPECT_EQ(ns_of("2026-11-21T04:00:00Z"), 1'795'233'600 * second);
  EXPECT_EQ(ns_of("2026-11-21T04:00:00z"), 1'795'233'600 * second);
  EXPECT_EQ(ns_of("2026-11-21T04:00:00"), 1'795'233'600 * second);
  EXPECT_EQ(ns_of("2026-11-21 04:00"), 1'795'233'600 * second);
  EXPECT_EQ(ns_of("2026-11-21T06:30:00+02:30"), 1'795'233'600 * second);
  EXPECT_EQ(ns_of("2026-11-20T23:00:00-05:00"), 1'795'233'600 * second);
  EXPECT_EQ(ns_of("2026-11-21"), (1'795'233'600 - 4 * 3600) * second);
  EXPECT_EQ(ns_of("1970-01-01T00:00:00.123456789Z"), 123'456'789);
  EXPECT_EQ(ns_of("1970-01-01T00:00:00.1234567899Z"), 123'456'789) << "more digits are cut";
  EXPECT_EQ(ns_of("1969-12-31T23:59:59.5Z"), -second / 2);
  EXPECT_EQ(ns_of("2024-02-29"), 1'709'164'800 * second);
  EXPECT_EQ(ns_of("2016-12-31T23:59:60Z"), ns_of("2017-01-01T00:00:00Z")) << "a leap second";
}

TEST(WallTime, RefusesWhatIsNoTime) {
  for (const char* text : {"",
                           "now",
                           "2026",
                           "2026-11",
                           "2026-13-01",
                           "2026-00-01",
                           "2026-02-30",
                           "2025-02-29",
                           "2026-11-31",
                           "2026-11-21T",
                           "2026-11-21T24:01",
                           "2026-11-21T04:60",
                           "2026-11-21T04:00:61Z",
                           "2026-11-21T04:00:00.Z",
                           "2026-11-21T04:00.5",
                           "2026-11-21T04:00:00Zx",
                           "2026-11-21T04:00:00+2:30",
                           "2026-11-21T04:00:00+24:00",
                           "2026-11-21T04:00:00+02:60",
                           "2026-11-21T04:00:00+-1:30",
                           "2026-11-21T04:00:00+ 1:30",
                           "2026-11-21T04:00:00 Z",
                           " 2026-11-21",
                           "2026- 1-21",
                           "+026-11-21",
                           "2026-11-21t04:00:00Z",
                           "2026-1-21",
                           "2026-11-21T4:00"}) {
    EXPECT_EQ(ns_of(text), std::nullopt) << text;
  }
}

TEST(WallTime, RefusesTimesThatDoNotFit) {
  EXPECT_NE(ns_of("2261-12-31T23:59:59Z"), std::nullopt);
  EXPECT_NE(ns_of("1678-01-01"), std::nullopt);
  for (const char* text : {"2263-01-01", "9999-12-31T23:59:59Z", "1676-12-31", "0000-01-01"}) {
    EXPECT_EQ(ns_of(text), std::nullopt) << text;
  }
}

TEST(WallTime, WritesWhatItReads) {
  for (const char* text :
       {"1970-01-01T00:00:00.000Z", "2026-11-21T04:00:00.123Z", "1969-12-31T23:59:59.999Z",
        "1905-02-28T12:00:00.001Z", "2106-02-07T06:28:16.000Z"}) {
    const auto time = parse_rfc3339(text);
    ASSERT_TRUE(time) << text;
    EXPECT_EQ(rfc3339(*time), text);
  }
  EXPECT_EQ(rfc3339({-1}), "1969-12-31T23:59:59.999Z") << "rounded down, also before 1970";
}

TEST(Duration, ReadsSumsOfUnits) {
  EXPECT_EQ(parse_duration("250ms"), 250ms);
  EXPECT_EQ(parse_duration("45s"), 45s);
  EXPECT_EQ(parse_duration("1h30m"), 90min);
  EXPECT_EQ(parse_duration("1d"), 24h);
  EXPECT_EQ(parse_duration("2w1d"), 15 * 24h);
  EXPECT_EQ(parse_duration("1m500ms"), 60'500ms);
  EXPECT_EQ(parse_duration("0s"), 0s);
}

TEST(Duration, RefusesWhatIsNone) {
  for (const char* text : {"", "5", "s", "1h30", "1.5h", "-5s", "+5s", "5 s", " 5s", "5s ", "5y",
                           "5S", "5sm", "99999999999s", "999999999w", "1000000000w"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << text;
  }
  EXPECT_EQ(parse_duration("9000000w9000000w"), std::nullopt) << "a sum that does not fit";
}

TEST(Duration, IsToldToPeople) {
  EXPECT_EQ(human_duration(4200ms), "4.2 s");
  EXPECT_EQ(human_duration(0ms), "0.0 s");
  EXPECT_EQ(human_duration(59'940ms), "59.9 s");
  EXPECT_EQ(human_duration(59'970ms), "1 min 00 s");
  EXPECT_EQ(human_duration(61s), "1 min 01 s");
  EXPECT_EQ(human_duration(3599s), "59 min 59 s");
  EXPECT_EQ(human_duration(90min), "1 h 30 min");
  EXPECT_EQ(human_duration(50h), "50 h 00 min");
}

TEST(SystemClock, BootTimeNeverGoesBack) {
  const SystemClock clock;
  auto last = clock.boot();
  for (int i = 0; i < 1000; ++i) {
    const auto now = clock.boot();
    ASSERT_GE(now, last);
    last = now;
  }
}

TEST(SystemClock, APauseEndsWhenItIsStopped) {
  const SystemClock clock;
  int asked = 0;
  const auto third_time = [](const void* context) {
    return ++*const_cast<int*>(static_cast<const int*>(context)) == 3;
  };
  clock.pause(24h, third_time, &asked);
  EXPECT_EQ(asked, 3);
}

TEST(Operation, GoesOnUntilItsDeadlineHasPassed) {
  FakeClock clock;
  const Operation op = Operation{.clock = &clock}.within(10s);
  EXPECT_EQ(op.remaining(), 10s);
  clock.advance(10s);
  EXPECT_TRUE(op.proceed());
  clock.advance(1ns);
  const auto over = op.proceed();
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().kind, Error::Kind::cancelled);
  EXPECT_EQ(over.error().effective_code(), Error::Code::timeout);
  EXPECT_EQ(op.remaining(), 0s);
}

TEST(Operation, AStopIsToldApartFromATimeout) {
  FakeClock clock;
  std::stop_source stop;
  const Operation op{.clock = &clock, .stop = stop.get_token()};
  EXPECT_TRUE(op.proceed());
  stop.request_stop();
  const auto over = op.proceed();
  ASSERT_FALSE(over);
  EXPECT_EQ(over.error().effective_code(), Error::Code::interrupted);
}

TEST(Operation, WithinNeverProlongs) {
  FakeClock clock;
  const Operation unlimited{.clock = &clock};
  EXPECT_EQ(unlimited.remaining(), std::chrono::nanoseconds::max());
  EXPECT_EQ(unlimited.within(std::chrono::nanoseconds::max()).remaining(),
            std::chrono::nanoseconds::max());
  EXPECT_EQ(unlimited.within(5s).within(9s).remaining(), 5s);
  EXPECT_EQ(unlimited.within(5s).within(2s).remaining(), 2s);
}

TEST(Operation, APauseAnswersWhyItEnded) {
  FakeClock clock;
  const Operation op = Operation{.clock = &clock}.within(10s);
  EXPECT_TRUE(op.pause(4s));
  EXPECT_EQ(op.remaining(), 6s);
  EXPECT_FALSE(op.pause(7s));
}

TEST(FakeClock, WallTimeJumpsAloneAndBootTimeDoesNot) {
  FakeClock clock;
  const auto boot = clock.boot();
  const auto wall = clock.wall();
  clock.jump_wall(-1h);
  EXPECT_EQ(clock.boot(), boot);
  EXPECT_EQ(wall.ns - clock.wall().ns, std::chrono::nanoseconds(1h).count());
}

}  // namespace
}  // namespace lifeboat
