#include "base/descriptor.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cerrno>

namespace lifeboat {
namespace {

bool is_open(int number) { return fcntl(number, F_GETFD) >= 0; }

TEST(Descriptors, CloseOnceWithTheirLastOwner) {
  int number = -1;
  {
    Descriptor first(open("/dev/null", O_RDONLY | O_CLOEXEC));
    number = first.number();
    Descriptor second(std::move(first));
    EXPECT_FALSE(first.open());  // NOLINT(bugprone-use-after-move): that is what is tested
    EXPECT_TRUE(is_open(number));
    Descriptor third;
    third = std::move(second);
    EXPECT_EQ(third.number(), number);
  }
  EXPECT_FALSE(is_open(number));
}

TEST(Descriptors, WhatIsWrittenIsReadToItsEnd) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  const Descriptor reader(ends[0]);
  Descriptor writer(ends[1]);
  const std::string text(40'000, 'x');
  ASSERT_TRUE(write_all(writer.number(), as_bytes(text)));
  writer.close();
  const auto read = read_all(reader.number());
  ASSERT_TRUE(read);
  EXPECT_EQ(*read, text);
}

TEST(Descriptors, AClosedReaderIsAnErrorAndNoSignal) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe(ends.data()), 0);
  Descriptor reader(ends[0]);
  const Descriptor writer(ends[1]);
  reader.close();
  EXPECT_FALSE(write_all(writer.number(), as_bytes("x")));
  EXPECT_EQ(errno, EPIPE);
}

}  // namespace
}  // namespace lifeboat
