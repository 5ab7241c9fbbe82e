#include "app/written_page.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/descriptor.h"
#include "base/temporary_folder.h"

namespace lifeboat::app {
namespace {

namespace fs = std::filesystem;

class WrittenPage : public testing::Test {
 protected:
  std::string place(const std::string& name) const { return folder_.path() + "/" + name; }
  static std::string read(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path).rdbuf();
    return text.str();
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder_.path()), fs::directory_iterator()));
  }

  TemporaryFolder folder_ = *TemporaryFolder::make("page");
};

TEST_F(WrittenPage, APageTakesThePlaceOfTheOneBefore) {
  for (const std::string text : {"one, longer", "two"}) {
    ASSERT_TRUE(write_page(place("page"), text));
    EXPECT_EQ(read(place("page")), text);
  }
  EXPECT_EQ(files(), 1u);
  EXPECT_EQ(fs::status(place("page")).permissions(), fs::perms(0600));
}

TEST_F(WrittenPage, ALinkStaysALink) {
  std::ofstream(place("page")) << "old";
  fs::create_symlink("page", place("link"));
  ASSERT_TRUE(write_page(place("link"), "new"));
  EXPECT_TRUE(fs::is_symlink(place("link")));
  EXPECT_EQ(read(place("page")), "new");
  // One that leads to nothing yet makes what it leads to.
  fs::create_symlink("later", place("dangling"));
  ASSERT_TRUE(write_page(place("dangling"), "new"));
  EXPECT_TRUE(fs::is_symlink(place("dangling")));
  EXPECT_EQ(read(place("later")), "new");
}

TEST_F(WrittenPage, APipeStaysAPipe) {
  ASSERT_EQ(::mkfifo(place("pipe").c_str(), 0600), 0);
  std::string got;
  {
    const std::jthread reader([&] {
      const Descriptor pipe(::open(place("pipe").c_str(), O_RDONLY | O_CLOEXEC));
      got = read_all(pipe.number()).value_or("nothing");
    });
    EXPECT_TRUE(write_page(place("pipe"), "text"));
  }
  EXPECT_EQ(got, "text");
  EXPECT_TRUE(fs::is_fifo(place("pipe")));
  EXPECT_EQ(files(), 1u);
}

TEST_F(WrittenPage, WhatLiesInTheWayOfTheDraftIsLeftAlone) {
  std::ofstream(place("other")) << "mine";
  fs::create_symlink("other", place("page.part"));
  ASSERT_TRUE(write_page(place("page"), "text"));
  EXPECT_EQ(read(place("other")), "mine");
  EXPECT_EQ(read(place("page")), "text");
}

TEST_F(WrittenPage, AFullDiskHasItsOwnExitStatus) {
  const auto full = write_page("/dev/full", "text");
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code, Error::Code::no_space);
  EXPECT_EQ(file_error("x", EDQUOT).code, Error::Code::no_space);
}

TEST_F(WrittenPage, AFolderThatIsNotThereIsNamed) {
  const auto written = write_page(place("none/page"), "text");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().kind, Error::Kind::not_found);
  EXPECT_THAT(written.error().what, testing::HasSubstr("none/page"));
  EXPECT_EQ(write_page(folder_.path(), "text").error().kind, Error::Kind::invalid);
}

}  // namespace
}  // namespace lifeboat::app
