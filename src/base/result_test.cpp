#include "base/result.h"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <set>
#include <stdexcept>

#include "base/guard.h"

namespace lifeboat {
namespace {

using Code = Error::Code;
using Kind = Error::Kind;

Result<int> positive(int number) {
  if (number > 0) return number;
  return fail(Kind::invalid, "not positive", "give more", Code::usage);
}
Result<void> check(int number) {
  TRY_DO(positive(number));
  return {};
}
Result<int> sum(int a, int b) {
  TRY(const int first, positive(a));
  TRY(const int second, positive(b));
  return first + second;
}

TEST(Result, TryBindsTheValueOrReturnsTheWholeError) {
  EXPECT_EQ(sum(1, 2).value(), 3);
  const auto failed = sum(1, -2);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().kind, Kind::invalid);
  EXPECT_EQ(failed.error().what, "not positive");
  EXPECT_EQ(failed.error().hint, "give more");
  EXPECT_EQ(failed.error().code, Code::usage);
}

TEST(Result, TryDoPassesOnAndReturns) {
  EXPECT_TRUE(check(1));
  ASSERT_FALSE(check(0));
  EXPECT_EQ(check(0).error().what, "not positive");
}

TEST(Result, TryMovesAndEvaluatesOnce) {
  int calls = 0;
  const auto make = [&]() -> Result<std::unique_ptr<int>> {
    ++calls;
    return std::make_unique<int>(7);
  };
  const auto take = [&]() -> Result<int> {
    TRY(const std::unique_ptr<int> owned, make());
    return *owned;
  };
  EXPECT_EQ(take().value(), 7);
  EXPECT_EQ(calls, 1);
}

TEST(Result, WrapPutsTheContextBeforeTheCause) {
  const Result<void> wrapped = wrap(positive(0).error(), "pack 4f2a");
  EXPECT_EQ(wrapped.error().what, "pack 4f2a: not positive");
  EXPECT_EQ(wrapped.error().hint, "give more");
  EXPECT_EQ(wrapped.error().code, Code::usage);
}

TEST(Guard, TurnsExceptionsOfLibrariesIntoErrors) {
  const auto broken =
      guard(Kind::corrupt, "index", []() -> Result<int> { throw std::runtime_error("bad magic"); });
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().kind, Kind::corrupt);
  EXPECT_EQ(broken.error().what, "index: bad magic");
  EXPECT_EQ(guard(Kind::corrupt, "index", [] { return positive(3); }).value(), 3);
}

TEST(Guard, LetsAFailedAllocationEndTheProcess) {
  const auto starved = [] {
    return guard(Kind::corrupt, "index", []() -> Result<int> { throw std::bad_alloc(); });
  };
  EXPECT_THROW((void)starved(), std::bad_alloc);
}

TEST(AssertDeathTest, ABrokenInvariantEndsTheProcess) {
  EXPECT_DEATH(ASSERT(1 + 1 == 3), "1 \\+ 1 == 3");
}

TEST(ExitStatus, EveryCodeHasItsOwn) {
  constexpr std::array<std::pair<Code, int>, 16> expected{{{Code::general, 1},
                                                           {Code::usage, 2},
                                                           {Code::partial, 3},
                                                           {Code::not_ready, 4},
                                                           {Code::needs_person, 5},
                                                           {Code::refused, 6},
                                                           {Code::repository_missing, 10},
                                                           {Code::lease_held, 11},
                                                           {Code::wrong_key, 12},
                                                           {Code::integrity, 13},
                                                           {Code::no_space, 14},
                                                           {Code::denied, 15},
                                                           {Code::unreachable, 16},
                                                           {Code::version_too_new, 17},
                                                           {Code::timeout, 124},
                                                           {Code::interrupted, 130}}};
  std::set<int> seen;
  for (const auto& [code, status] : expected) {
    EXPECT_EQ(exit_status(code), status);
    EXPECT_TRUE(seen.insert(status).second) << status;
  }
}

TEST(ExitStatus, AnAutomaticCodeFollowsTheKind) {
  const auto status = [](Kind kind, Code code = Code::automatic) {
    return exit_status(Error{kind, "", "", code}.effective_code());
  };
  EXPECT_EQ(status(Kind::invalid), 1);
  EXPECT_EQ(status(Kind::not_found), 1);
  EXPECT_EQ(status(Kind::conflict), 1);
  EXPECT_EQ(status(Kind::denied), 15);
  EXPECT_EQ(status(Kind::unavailable), 16);
  EXPECT_EQ(status(Kind::corrupt), 13);
  EXPECT_EQ(status(Kind::cancelled), 130);
  EXPECT_EQ(status(Kind::unavailable, Code::no_space), 14) << "a code that was set wins";
}

TEST(IsTransient, OnlyWhatIsUnavailableAndNoFullDisk) {
  EXPECT_TRUE(is_transient({Kind::unavailable, "", "", Code::automatic}));
  EXPECT_TRUE(is_transient({Kind::unavailable, "", "", Code::unreachable}));
  EXPECT_FALSE(is_transient({Kind::unavailable, "", "", Code::no_space}));
  for (const Kind kind : {Kind::invalid, Kind::not_found, Kind::conflict, Kind::denied,
                          Kind::corrupt, Kind::cancelled}) {
    EXPECT_FALSE(is_transient({kind, "", "", Code::automatic})) << kind_name(kind);
  }
}

TEST(KindName, IsTheWordOfTheEnumeration) {
  EXPECT_EQ(kind_name(Kind::invalid), "invalid");
  EXPECT_EQ(kind_name(Kind::not_found), "not_found");
  EXPECT_EQ(kind_name(Kind::conflict), "conflict");
  EXPECT_EQ(kind_name(Kind::denied), "denied");
  EXPECT_EQ(kind_name(Kind::unavailable), "unavailable");
  EXPECT_EQ(kind_name(Kind::corrupt), "corrupt");
  EXPECT_EQ(kind_name(Kind::cancelled), "cancelled");
}

}  // namespace
}  // namespace lifeboat
