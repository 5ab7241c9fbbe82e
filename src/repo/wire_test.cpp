#include "repo/wire.h"

#include <gtest/gtest.h>
#include <rapidcheck/gtest.h>

#include "base/random.h"
#include "repo/padme.h"

namespace lifeboat::repo {
namespace {

// A message with one field of each type, written and read by the same tags.
struct Sample {
  std::uint64_t uint = 0;
  std::int64_t sint = 0;
  bool flag = false;
  std::string text;
  std::vector<std::string> repeated;
  std::map<std::string, std::string> map;
  bool operator==(const Sample&) const = default;
};

Bytes encode(const Sample& it) {
  Writer out;
  out.uint(1, it.uint);
  out.sint(2, it.sint);
  out.flag(3, it.flag);
  out.text(4, it.text);
  for (const std::string& part : it.repeated) out.message(5, as_bytes(part));
  out.map(7, it.map);
  return out.take();
}

Result<Sample> decode(ByteView bytes) {
  Fields fields(bytes);
  Sample it;
  it.uint = fields.uint(1);
  it.sint = fields.sint(2);
  it.flag = fields.flag(3);
  it.text = fields.text(4);
  while (const auto part = fields.message(5)) it.repeated.emplace_back(as_text(*part));
  it.map = fields.map(7);
  TRY_DO(fields.done("sample"));
  return it;
}

RC_GTEST_PROP(Wire, WhatIsEncodedDecodesToItself, ()) {
  Sample it;
  it.uint = *rc::gen::arbitrary<std::uint64_t>();
  it.sint = *rc::gen::arbitrary<std::int64_t>();
  it.flag = *rc::gen::arbitrary<bool>();
  it.text = *rc::gen::arbitrary<std::string>();
  it.repeated = *rc::gen::arbitrary<std::vector<std::string>>();
  it.map = *rc::gen::arbitrary<std::map<std::string, std::string>>();
  const auto back = decode(encode(it));
  RC_ASSERT(back.has_value());
  RC_ASSERT(*back == it);
}

RC_GTEST_PROP(Wire, WhateverDecodesEncodesToTheSameBytes, (Bytes noise)) {
  // Noise alone hardly ever decodes: begin from something that does, and disturb it.
  Sample it;
  it.uint = *rc::gen::arbitrary<std::uint64_t>();
  it.text = *rc::gen::arbitrary<std::string>();
  it.map = *rc::gen::arbitrary<std::map<std::string, std::string>>();
  Bytes bytes = encode(it);
  const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size() + 1);
  for (std::size_t i = 0; i < noise.size() && at + i < bytes.size() && i < 3; ++i) {
    bytes[at + i] = noise[i];
  }
  const auto back = decode(bytes);
  if (back) RC_ASSERT(encode(*back) == bytes);
}

RC_GTEST_PROP(Wire, EveryNumberHasOneVarint, (std::uint64_t number)) {
  Bytes bytes;
  append_varint(bytes, number);
  ByteView view = bytes;
  RC_ASSERT(take_varint(view) == number);
  RC_ASSERT(view.empty());
}

TEST(Wire, LongerFormsOfANumberAreRefused) {
  for (const Bytes& bytes : {Bytes{0x80, 0x00}, Bytes{0xff, 0x80, 0x00}, Bytes{0x80},
                             Bytes{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}}) {
    ByteView view = bytes;
    EXPECT_FALSE(take_varint(view).has_value()) << to_hex(bytes);
  }
}

TEST(Wire, ZeroValuesFieldsOutOfOrderAndRepeatsAreRefused) {
  EXPECT_FALSE(decode(Bytes{1, 1, 0}).has_value());                           // a zero written out
  EXPECT_FALSE(decode(Bytes{4, 0}).has_value());                              // an empty text
  EXPECT_FALSE(decode(Bytes{3, 1, 2}).has_value());                           // a flag of 2
  EXPECT_FALSE(decode(Bytes{2, 1, 2, 1, 1, 1}).has_value());                  // descending tags
  EXPECT_FALSE(decode(Bytes{1, 1, 1, 1, 1, 1}).has_value());                  // twice
  EXPECT_FALSE(decode(Bytes{4, 9, 'a'}).has_value());                         // longer than it is
  EXPECT_FALSE(decode(Bytes{7, 3, 1, 1, 'b', 7, 3, 1, 1, 'a'}).has_value());  // map descends
  EXPECT_TRUE(decode(Bytes{7, 3, 1, 1, 'a', 7, 3, 1, 1, 'b'}).has_value());
}

TEST(Wire, UnknownFieldsBelow64SayThatANewerVersionWroteThem) {
  const auto refused = decode(Bytes{6, 1, 1});
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, Error::Code::version_too_new);
  const auto passed = decode(Bytes{1, 1, 5, 64, 1, 1, 100, 2, 9, 9});
  ASSERT_TRUE(passed.has_value());
  EXPECT_EQ(passed->uint, 5u);
}

RC_GTEST_PROP(Padme, NeverShrinksIsStableAndCostsLittle, (std::uint32_t number)) {
  const std::uint64_t size = std::uint64_t{number} + 2;
  const std::uint64_t padded = padme(size);
  RC_ASSERT(padded >= size);
  RC_ASSERT(padme(padded) == padded);
  RC_ASSERT(static_cast<double>(padded - size) <= 0.12 * static_cast<double>(size));
}

RC_GTEST_PROP(Padme, PaddedMessagesComeBackAndAnyOtherPaddingIsRefused, (Bytes message)) {
  Bytes padded = pad(message);
  RC_ASSERT(padded.size() >= 256u);
  RC_ASSERT(padme(padded.size()) == padded.size());
  const auto back = unpad(padded);
  RC_ASSERT(back.has_value());
  RC_ASSERT(Bytes(back->begin(), back->end()) == message);
  if (padded.size() > message.size() + 4) {
    padded.back() = 1;
    RC_ASSERT(!unpad(padded).has_value());
  }
  padded.push_back(0);
  RC_ASSERT(!unpad(padded).has_value());
}

TEST(Padme, LengthsThatAreCloseLookTheSame) {
  EXPECT_EQ(padme(1'000'000), padme(1'010'000));
  EXPECT_EQ(padme(256), 256u);
  EXPECT_EQ(padme(257), 272u);
}

}  // namespace
}  // namespace lifeboat::repo
