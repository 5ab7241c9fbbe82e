#include "base/temporary_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <filesystem>
#include <fstream>

namespace lifeboat {
namespace {

namespace fs = std::filesystem;
using Place = TemporaryFolder::Place;

// TMPDIR is a folder of this test.
class TemporaryFolders : public testing::Test {
 protected:
  TemporaryFolders() {
    std::string pattern = fs::temp_directory_path() / "folders.XXXXXX";
    root_ = mkdtemp(pattern.data());
    const char* before = std::getenv("TMPDIR");
    before_ = before == nullptr ? "" : before;
    setenv("TMPDIR", root_.c_str(), 1);
  }
  ~TemporaryFolders() override {
    before_.empty() ? unsetenv("TMPDIR") : setenv("TMPDIR", before_.c_str(), 1);
    fs::remove_all(root_);
  }

  // A process that makes a folder with a file in it and is killed; the folder's path.
  static std::string left_by_the_killed(Place place) {
    std::array<int, 2> ends{};
    EXPECT_EQ(pipe(ends.data()), 0);
    const pid_t child = fork();
    if (child == 0) {
      const auto folder = TemporaryFolder::make("test", place);
      if (folder) {
        std::ofstream(folder->path() + "/secret") << "plaintext";
        write_all(ends[1], as_bytes(folder->path()));
      }
      kill(getpid(), SIGKILL);
    }
    close(ends[1]);
    const Descriptor told(ends[0]);
    waitpid(child, nullptr, 0);
    return *read_all(told.number());
  }

  std::string root_, before_;
};

TEST_F(TemporaryFolders, ArePrivateAndGoWithTheirOwner) {
  std::string path;
  {
    const auto folder = TemporaryFolder::make("test");
    ASSERT_TRUE(folder) << folder.error().what;
    path = folder->path();
    EXPECT_EQ(fs::path(path).parent_path(), root_);
    EXPECT_EQ(fs::status(path).permissions(), fs::perms::owner_all);
    fs::create_directories(path + "/below/it");
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST_F(TemporaryFolders, WhatAKilledProcessLeftIsRemovedByTheNextOne) {
  for (const Place place : {Place::disk, Place::memory}) {
    const std::string left = left_by_the_killed(place);
    // In memory the folder is the machine's: another program of ours may have been there by now.
    if (place == Place::disk) {
      ASSERT_TRUE(fs::exists(left + "/secret")) << left;
    }
    ASSERT_TRUE(TemporaryFolder::make("other"));
    EXPECT_FALSE(fs::exists(left));
  }
}

TEST_F(TemporaryFolders, WhatIsInUseOrOfSomebodyElseStays) {
  const auto used = TemporaryFolder::make("test");
  ASSERT_TRUE(used);
  for (const char* name : {"lifeboat.test", "lifeboat.XXXXXX", "lifeboat-git.abcdef", "other"}) {
    fs::create_directory(root_ + "/" + name);
  }
  fs::create_directory(root_ + "/precious");
  std::ofstream(root_ + "/precious/file") << "x";
  fs::create_directory_symlink(root_ + "/precious", root_ + "/lifeboat.test.abcdef");
  std::ofstream(root_ + "/lifeboat.test.ghijkl") << "a file";
  const auto before = std::distance(fs::directory_iterator(root_), fs::directory_iterator());
  ASSERT_TRUE(TemporaryFolder::make("test"));
  EXPECT_EQ(std::distance(fs::directory_iterator(root_), fs::directory_iterator()), before);
  EXPECT_TRUE(fs::exists(root_ + "/precious/file"));
  EXPECT_TRUE(fs::exists(used->path()));
}

TEST_F(TemporaryFolders, ARelativeTmpdirIsNotUsed) {
  setenv("TMPDIR", "somewhere", 1);
  const auto folder = TemporaryFolder::make("test");
  ASSERT_TRUE(folder) << folder.error().what;
  EXPECT_EQ(fs::path(folder->path()).parent_path(), "/tmp");
}

TEST_F(TemporaryFolders, AFolderThatCannotBeMadeIsNamed) {
  setenv("TMPDIR", (root_ + "/nowhere").c_str(), 1);
  const auto folder = TemporaryFolder::make("test");
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().kind, Error::Kind::unavailable);
  EXPECT_THAT(folder.error().what, testing::HasSubstr(root_ + "/nowhere"));
}

}  // namespace
}  // namespace lifeboat
