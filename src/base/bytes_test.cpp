#include "base/bytes.h"

#include <gtest/gtest.h>

#include "base/random.h"

namespace lifeboat {
namespace {

using namespace std::string_literals;

TEST(Hex, DecodingGivesBackWhatWasEncoded) {
  SeededRandom random(1);
  for (std::size_t size = 0; size < 70; ++size) {
    Bytes bytes(size);
    random.fill(bytes);
    EXPECT_EQ(from_hex(to_hex(bytes)), bytes);
  }
  EXPECT_EQ(to_hex(as_bytes("\x00\xff\x0a"s)), "00ff0a");
  EXPECT_EQ(from_hex("00FF0a"), (Bytes{0, 255, 10}));
}

TEST(Hex, RefusesEverythingElse) {
  for (const std::string& text :
       {"0"s, "000"s, "0g"s, "0 "s, " 00"s, "00\n"s, "0x00"s, "00:00"s, "\0\0"s}) {
    EXPECT_EQ(from_hex(text), std::nullopt) << printable(text);
  }
}

TEST(Base64, GivesTheAnswersOfRfc4648) {
  for (const auto& [plain, text] :
       std::vector<std::pair<std::string, std::string>>{{"", ""},
                                                        {"f", "Zg=="},
                                                        {"fo", "Zm8="},
                                                        {"foo", "Zm9v"},
                                                        {"foob", "Zm9vYg=="},
                                                        {"fooba", "Zm9vYmE="},
                                                        {"foobar", "Zm9vYmFy"},
                                                        {"\xff\xef\xbf", "/++/"}}) {
    EXPECT_EQ(to_base64(as_bytes(plain)), text);
    EXPECT_EQ(from_base64(text), to_bytes(plain)) << text;
  }
}

TEST(Base64, IsStrict) {
  for (const std::string& text :
       {"Zg"s, "Zg="s, "Zg==="s, "Zg==Zg=="s, "Zh=="s, "Zm9="s, "Zm8"s, "Zm 9v"s, "Zm9v\n"s,
        " Zm9v"s, "Zm9v "s, "-_-_"s, "="s, "===="s, "Z"s, "Zm9vY"s, "Zm9\0"s, "Zg=a"s}) {
    EXPECT_EQ(from_base64(text), std::nullopt) << printable(text);
  }
}

// The Unicode Standard, table 3-7: the border of each row, and what lies just outside.
TEST(Utf8, IsWellFormedByTheTable) {
  for (const std::string& text :
       {""s, "plain"s, "\0"s, "\x7f"s, "\xc2\x80"s, "\xdf\xbf"s, "\xe0\xa0\x80"s, "\xed\x9f\xbf"s,
        "\xee\x80\x80"s, "\xef\xbf\xbf"s, "\xf0\x90\x80\x80"s, "\xf4\x8f\xbf\xbf"s,
        "a\xc3\xa4\xe2\x82\xac\xf0\x9f\x9b\x9fz"s}) {
    EXPECT_TRUE(is_utf8(text)) << to_hex(as_bytes(text));
  }
  for (const std::string& text :
       {"\x80"s, "\xbf"s, "\xc0\x80"s, "\xc1\xbf"s, "\xc2"s, "\xc2\x7f"s, "\xc2\xc0"s,
        "\xe0\x9f\xbf"s, "\xe0\xa0"s, "\xed\xa0\x80"s, "\xed\xbf\xbf"s, "\xf0\x8f\xbf\xbf"s,
        "\xf0\x90\x80"s, "\xf4\x90\x80\x80"s, "\xf5\x80\x80\x80"s, "\xfe"s, "\xff"s, "ok\xe2\x82"s,
        "\xe2\x28\xa1"s}) {
    EXPECT_FALSE(is_utf8(text)) << to_hex(as_bytes(text));
  }
}

TEST(Printable, KeepsTextAndShowsTheRest) {
  EXPECT_EQ(printable("plain text, \xc3\xa4\xe2\x82\xac\xf0\x9f\x9b\x9f"),
            "plain text, \xc3\xa4\xe2\x82\xac\xf0\x9f\x9b\x9f");
  EXPECT_EQ(printable("a\nb\tc"), "a\\x0ab\\x09c");
  EXPECT_EQ(printable("\x1b[31mred"), "\\x1b[31mred");
  EXPECT_EQ(printable("del\x7f"), "del\\x7f");
  EXPECT_EQ(printable("\xc2\x9b"
                      "31m"),
            "\\xc2\\x9b31m")
      << "CSI as one C1 control";
  EXPECT_EQ(printable("\xc2\xa0"), "\xc2\xa0") << "the first after C1";
  EXPECT_EQ(printable("bad\xff\xc3("), "bad\\xff\\xc3(");
  EXPECT_EQ(printable("\0"s), "\\x00");
}

TEST(Printable, IsAlwaysHarmlessUtf8) {
  SeededRandom random(2);
  for (int round = 0; round < 200; ++round) {
    Bytes bytes(random.below(64));
    random.fill(bytes);
    const std::string shown = printable(as_text(bytes));
    EXPECT_TRUE(is_utf8(shown));
    for (const char c : shown) EXPECT_FALSE((c >= 0 && c < 0x20) || c == 0x7f);
  }
}

TEST(Id, IsMadeOfThirtyTwoBytesOnly) {
  Bytes bytes(32, 0xab);
  const auto id = Id::from(bytes);
  ASSERT_TRUE(id);
  EXPECT_EQ(id->brief(), "abababababab");
  EXPECT_EQ(id->hex().size(), 64u);
  EXPECT_EQ(Id::from(ByteView(bytes).first(31)), std::nullopt);
  bytes.push_back(0);
  EXPECT_EQ(Id::from(bytes), std::nullopt);
}

TEST(Bytes, AWordOfAShellIsQuotedWhereItMustBe) {
  EXPECT_EQ(shell_word("/mnt/usb-1/repo"), "/mnt/usb-1/repo");
  EXPECT_EQ(shell_word(""), "''");
  EXPECT_EQ(shell_word("a b; rm -rf $HOME"), "'a b; rm -rf $HOME'");
  EXPECT_EQ(shell_word("it's"), R"('it'\''s')");
}

}  // namespace
}  // namespace lifeboat
