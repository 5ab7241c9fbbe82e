#include "client/secret/secret_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "base/temporary_folder.h"

namespace lifeboat {
namespace {

using testing::HasSubstr;

class SecretFile : public testing::Test {
 protected:
  std::string path(const std::string& name) const { return folder_.path() + "/" + name; }
  std::string put(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  Result<Secret> read(const std::string& from) const { return read_secret_file(op_, from); }
  Error::Kind refusal(const std::string& from) const {
    const auto secret = read(from);
    EXPECT_FALSE(secret);
    EXPECT_THAT(secret.error().what, HasSubstr(from));
    return secret.error().kind;
  }

  TemporaryFolder folder_ = *TemporaryFolder::make("test");
  SystemClock clock_;
  Operation op_{&clock_};
};

TEST_F(SecretFile, IsWholeButForOneNewline) {
  EXPECT_EQ(read(put("a", "treasure\n"))->reveal(), "treasure");
  EXPECT_EQ(read(put("b", "two\n\n"))->reveal(), "two\n");
  EXPECT_EQ(read(put("c", std::string("\0x", 2)))->reveal(), std::string("\0x", 2));
  EXPECT_EQ(read(put("d", ""))->reveal(), "");
  EXPECT_EQ(read(put("e", std::string(1u << 20, 'x')))->reveal().size(), 1u << 20);
}

TEST_F(SecretFile, WhatIsNoneIsNamed) {
  EXPECT_EQ(refusal(path("absent")), Error::Kind::not_found);
  EXPECT_EQ(refusal(folder_.path()), Error::Kind::invalid);
  EXPECT_EQ(refusal(put("large", std::string((1u << 20) + 1, 'x'))), Error::Kind::invalid);
}

TEST_F(SecretFile, APipeIsReadToItsEnd) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  const std::jthread writer([this] {
    std::ofstream pipe(path("pipe"));
    pipe << "trea" << std::flush << "sure\n";
  });
  const auto secret = read(path("pipe"));
  ASSERT_TRUE(secret) << secret.error().what;
  EXPECT_EQ(secret->reveal(), "treasure");
}

TEST_F(SecretFile, APipeThatNobodyWritesToIsWaitedForNoLongerThanTheOperationLasts) {
  ASSERT_EQ(mkfifo(path("pipe").c_str(), 0600), 0);
  std::stop_source stop;
  op_.stop = stop.get_token();
  const std::jthread person([&stop] { stop.request_stop(); });
  const auto secret = read(path("pipe"));
  ASSERT_FALSE(secret);
  EXPECT_EQ(secret.error().kind, Error::Kind::cancelled);
}

}  // namespace
}  // namespace lifeboat
