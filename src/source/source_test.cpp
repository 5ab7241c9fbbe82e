#include "source/source.h"

#include <gtest/gtest.h>

namespace lifeboat::source {
namespace {

const Marker sample = {"r7f3a", "shop/orders", 2, "4f2a91c05d11", true};

TEST(Marker, WhatItWritesItReads) {
  EXPECT_EQ(Marker::parse(sample.text()), sample);
  Marker odd = sample;
  odd.step = "quote \" backslash \\ newline \n ü";
  odd.done = false;
  EXPECT_EQ(Marker::parse(odd.text()), odd);
}

TEST(Marker, IsOneLine) { EXPECT_EQ(sample.text().find('\n'), std::string::npos); }

TEST(Marker, WhatSomebodyElseWroteIsNoMarker) {
  for (const char* text : {"", "null", "[]", "{}", "created by hand", "{\"run\":\"r7f3a\"}",
                           "{\"lifeboat\":2,\"run\":\"r\",\"step\":\"s\",\"generation\":1,"
                           "\"snapshot\":\"x\",\"done\":true}",
                           "{\"lifeboat\":1,\"run\":\"r\",\"step\":\"s\",\"generation\":-1,"
                           "\"snapshot\":\"x\",\"done\":true}",
                           "{\"lifeboat\":1,\"run\":7,\"step\":\"s\",\"generation\":1,"
                           "\"snapshot\":\"x\",\"done\":true}"}) {
    EXPECT_EQ(Marker::parse(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace lifeboat::source
