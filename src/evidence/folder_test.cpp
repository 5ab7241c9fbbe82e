// A bundle on disk: whole, or not there.
#include "evidence/folder.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "base/temporary_folder.h"

namespace lifeboat::evidence {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

class EvidenceFolder : public testing::Test {
 protected:
  std::string at(const std::string& name) const { return place_->path() + "/" + name; }
  std::vector<std::string> names(const std::string& folder = "") const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::directory_iterator(at(folder))) {
      found.push_back(entry.path().filename().string());
    }
    return found;
  }
  static int mode(const std::string& path) {
    struct stat status{};
    return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : -1;
  }

  const Result<TemporaryFolder> place_ = TemporaryFolder::make("evidence");
  const Files files_ = {{"manifest.json", to_bytes("m")},
                        {"signatures.json", to_bytes("s")},
                        {"evidence.json", to_bytes(std::string(50'000, 'e'))}};
};

TEST_F(EvidenceFolder, IsMadeWholeAndReadAgain) {
  for (const char* name : {"new", "slash/"}) {
    ASSERT_TRUE(write_folder(at(name), files_)) << name;
    EXPECT_EQ(*read_folder(at(name)), files_);
    EXPECT_EQ(mode(at(name)), 0700);
    EXPECT_EQ(mode(at(name) + "/manifest.json"), 0600);
  }
  EXPECT_THAT(names(), UnorderedElementsAre("new", "slash"));
}

TEST_F(EvidenceFolder, AnEmptyFolderThatIsThereIsFilled) {
  std::filesystem::create_directory(at("there"));
  ASSERT_TRUE(write_folder(at("there"), files_));
  EXPECT_EQ(*read_folder(at("there")), files_);
  EXPECT_THAT(names(), ElementsAre("there"));
}

TEST_F(EvidenceFolder, WhatIsThereIsNeverWrittenOver) {
  std::filesystem::create_directories(at("full/inner"));
  std::ofstream(at("empty file"));
  std::filesystem::create_symlink("nowhere", at("link"));
  for (const char* name : {"full", "empty file", "link"}) {
    const auto answer = write_folder(at(name), files_);
    ASSERT_FALSE(answer) << name;
    EXPECT_EQ(exit_status(answer.error().effective_code()), 6) << answer.error().what;
    EXPECT_THAT(answer.error().what, HasSubstr("is not an empty folder"));
  }
  EXPECT_THAT(names(), UnorderedElementsAre("full", "empty file", "link"));
  EXPECT_THAT(names("full"), ElementsAre("inner"));
  EXPECT_FALSE(write_folder(at("no/such/parent"), files_));
}

TEST_F(EvidenceFolder, AHostileNameIsRefusedBeforeAnythingIsWritten) {
  Files files = files_;
  files["../escape"] = {};
  EXPECT_EQ(write_folder(at("new"), files).error().kind, Error::Kind::corrupt);
  EXPECT_THAT(names(), IsEmpty());
}

// Files cannot grow beyond a limit: as on a disk that is full.
TEST_F(EvidenceFolder, WhatWasHalfWrittenIsTakenAwayAgain) {
  std::filesystem::create_directory(at("there"));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small{10'000, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  const auto fresh = write_folder(at("new"), files_);
  const auto there = write_folder(at("there"), files_);
  ::setrlimit(RLIMIT_FSIZE, &before);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(fresh);
  EXPECT_FALSE(there);
  EXPECT_THAT(names(), ElementsAre("there"));
  EXPECT_THAT(names("there"), IsEmpty());
}

}  // namespace
}  // namespace lifeboat::evidence
