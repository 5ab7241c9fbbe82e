// What stands on a page is what is seen, and nothing else.
#include "schema/page_text.h"

#include <gtest/gtest.h>

namespace lifeboat {
namespace {

TEST(PageText, WhatNobodySeesIsShown) {
  EXPECT_EQ(visible("a\xe2\x80\xaegpj.exe"), "a\\u202egpj.exe");
  EXPECT_EQ(visible("\xef\xbb\xbfx \xe2\x82\xac \xff"), "\\ufeffx \xe2\x82\xac \\xff");
  // A soft hyphen, the mark of Arabic letters, a tag: of two and of four bytes.
  EXPECT_EQ(visible("a\xc2\xad"
                    "b\xd8\x9c"),
            "a\\u00adb\\u061c");
  EXPECT_EQ(visible("\xf3\xa0\x81\x81\xf0\x9f\x98\x80"), "\\U000e0041\xf0\x9f\x98\x80");
  EXPECT_EQ(visible("\xc3\xa9"), "\xc3\xa9");
  EXPECT_EQ(visible("a\nb"), "a\\x0ab");
}

TEST(PageText, LinesStayLinesWhereTheyMay) {
  EXPECT_EQ(visible_lines("a\n\x1b\n\xe2\x80\x8b"), "a\n\\x1b\n\\u200b");
  EXPECT_EQ(visible_lines("a\n"), "a\n");
  EXPECT_EQ(markdown_text("a\n- b"), "a - b");
}

TEST(PageText, NothingIsMarkup) {
  EXPECT_EQ(html_text("\"<'&>"), "&quot;&lt;&#39;&amp;&gt;");
  EXPECT_EQ(markdown_text("<b> **x** `y` [z](u) | #1"),
            "&lt;b\\> \\*\\*x\\*\\* \\`y\\` \\[z\\]\\(u\\) \\| \\#1");
}

TEST(PageText, ADashIsMarkupAtTheBeginningOnly) {
  EXPECT_EQ(markdown_text("add --check to new-server"), "add --check to new-server");
  EXPECT_EQ(markdown_text("- item"), "\\- item");
  EXPECT_EQ(markdown_text("  --- "), "  \\--- ");
  EXPECT_EQ(markdown_text("+ item"), "\\+ item");
  EXPECT_EQ(markdown_text("\n- item"), " \\- item");
}

}  // namespace
}  // namespace lifeboat
