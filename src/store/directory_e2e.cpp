// The directory store on a file system that is really full, and as a user who really may not.
// Needs root: each test plays in a child process with a mount namespace or a user of its own.
#include <gtest/gtest.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <functional>

#include "base/random.h"
#include "store/directory.h"

namespace lifeboat::store {
namespace {

namespace fs = std::filesystem;

const SystemClock clock_of_the_machine;
const Operation op{.clock = &clock_of_the_machine};

Bytes noise(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  SeededRandom(seed).fill(bytes);
  return bytes;
}

class RealDirectory : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_EQ(::getuid(), 0u) << "these tests mount file systems and change users";
    ASSERT_NE(::mkdtemp(root_.data()), nullptr);
  }
  void TearDown() override { fs::remove_all(root_); }
  std::string root_ = "/tmp/lifeboat-real.XXXXXX";
};

// For children: says what was expected, and ends.
void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "%s\n", what);
  std::_Exit(1);
}

void fill_a_small_disk(const std::string& root) {
  require(::unshare(CLONE_NEWNS) == 0, "a mount namespace");
  require(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
  require(::mount("tmpfs", root.c_str(), "tmpfs", 0, "size=1m") == 0, "a tmpfs of 1 MiB");
  auto store = open_directory(root, false, clock_of_the_machine);
  require(store.has_value(), "the store opens");
  int stored = 0;
  for (;; ++stored) {
    const auto put = (*store)->put(op, "packs/" + std::to_string(stored), noise(100'000, 1));
    if (put) continue;
    require(put.error().effective_code() == Error::Code::no_space, "the code no_space");
    require(put.error().what.find("100000 bytes needed") != std::string::npos, "figures");
    require(!put.error().hint.empty(), "a hint");
    break;
  }
  require(stored >= 5 && stored <= 10, "a disk of 1 MiB holds a few");
  const auto names = (*store)->list(op, "");
  require(names && names->size() == static_cast<std::size_t>(stored), "no half object");
  for (const std::string& name : *names) {
    const auto bytes = (*store)->get(op, name);
    require(bytes && *bytes == noise(100'000, 1), "what was stored is whole");
  }
  require(fs::is_empty(root + "/tmp"), "no temporary takes up what is left");
  require((*store)->remove(op, "packs/0").has_value(), "room can be made");
  const auto again = (*store)->put(op, "packs/again", noise(100'000, 2));
  require(again && *again == Put::created, "and used");
  std::_Exit(0);
}

TEST_F(RealDirectory, AFullDiskLosesNothingAndSaysWhatIsMissing) {
  EXPECT_EXIT(fill_a_small_disk(root_), testing::ExitedWithCode(0), "");
}

void visit_as_nobody(const std::string& root) {
  require(::setgid(65534) == 0 && ::setuid(65534) == 0, "another user");
  auto store = open_directory(root, false, clock_of_the_machine);
  require(store.has_value(), "who may enter the folder can open it");
  const auto put = (*store)->put(op, "log/1", noise(10, 1));
  require(!put && put.error().kind == Error::Kind::denied, "put is denied");
  const auto got = (*store)->get(op, "log/0");
  require(!got && got.error().kind == Error::Kind::denied, "get is denied");
  require(!open_directory(root + "/log", false, clock_of_the_machine), "log/ does not open");
  std::_Exit(0);
}

TEST_F(RealDirectory, AnotherUserIsDeniedAndToldSo) {
  {
    auto store = open_directory(root_, false, clock_of_the_machine);
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->put(op, "log/0", noise(10, 1)));
  }
  ASSERT_EQ(::chmod(root_.c_str(), 0755), 0);
  EXPECT_EXIT(visit_as_nobody(root_), testing::ExitedWithCode(0), "");
}

void write_to_a_read_only_disk(const std::string& root) {
  require(::unshare(CLONE_NEWNS) == 0, "a mount namespace");
  require(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "private mounts");
  require(::mount(root.c_str(), root.c_str(), nullptr, MS_BIND, nullptr) == 0, "a bind mount");
  require(::mount(nullptr, root.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr) == 0,
          "read-only");
  auto store = open_directory(root, false, clock_of_the_machine);
  require(store.has_value(), "a read-only repository opens");
  require((*store)->get(op, "log/0").has_value(), "and is read");
  const auto put = (*store)->put(op, "log/1", noise(10, 1));
  require(!put && put.error().kind == Error::Kind::denied, "put is denied");
  std::_Exit(0);
}

TEST_F(RealDirectory, AReadOnlyDiskCanBeReadFrom) {
  {
    auto store = open_directory(root_, false, clock_of_the_machine);
    ASSERT_TRUE(store);
    ASSERT_TRUE((*store)->put(op, "log/0", noise(10, 1)));
  }
  EXPECT_EXIT(write_to_a_read_only_disk(root_), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace lifeboat::store
