#include "capture/item.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace lifeboat::capture {
namespace {

TEST(NameBefore, AFolderComesBeforeWhatIsInItAndThatBeforeLongerNames) {
  const std::vector<std::string> ordered = {"",      "!",     "a",      "a/b",   "a/b/c",
                                            "a/z",   "a\x01", "a b",    "a.b",   "a0",
                                            "a\xff", "b",     "b/\x01", "b/\xff"};
  for (std::size_t left = 0; left < ordered.size(); ++left) {
    for (std::size_t right = 0; right < ordered.size(); ++right) {
      EXPECT_EQ(name_before(ordered[left], ordered[right]), left < right)
          << ordered[left] << " and " << ordered[right];
    }
  }
}

TEST(NameBefore, BytesCompareUnsigned) {
  EXPECT_TRUE(name_before("z", "\x80"));
  EXPECT_FALSE(name_before("\x80", "z"));
}

TEST(NameBefore, ANulByteRanksAboveTheSlash) {
  EXPECT_TRUE(name_before("a/b", std::string("a\0b", 3)));
}

}  // namespace
}  // namespace lifeboat::capture
