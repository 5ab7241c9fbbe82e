// When a file is not read again: size, mtime, ctime and inode must all be those of the last time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>

#include "source/files/files_fixture.h"

namespace lifeboat::source::files {
namespace {

using capture::Item;
using capture::MemoryCapture;

// As if much later: the ticks of the file system's clock have long moved on.
class LaterClock final : public Clock {
 public:
  WallTime wall() const override { return {real_.wall().ns + 3'600'000'000'000}; }
  std::chrono::nanoseconds boot() const override { return real_.boot(); }
  void pause(std::chrono::nanoseconds, bool (*)(const void*), const void*) const override {}

 private:
  SystemClock real_;
};

// Remembers each earlier item a little wrongly.
class MisrememberingSink final : public capture::Sink {
 public:
  using Twist = std::function<void(Item&)>;
  MisrememberingSink(MemoryCapture& sink, Twist twist) : sink_(sink), twist_(std::move(twist)) {}
  Result<void> begin(const Operation& op, const Item& item, capture::Cut cut) override {
    return sink_.begin(op, item, cut);
  }
  Result<void> write(const Operation& op, ByteView bytes) override {
    return sink_.write(op, bytes);
  }
  Result<void> hole(const Operation& op, std::uint64_t length_bytes) override {
    return sink_.hole(op, length_bytes);
  }
  Result<void> finish(const Operation& op, const Item& item) override {
    return sink_.finish(op, item);
  }
  Result<std::optional<Item>> previous(const Operation& op, std::string_view name) override {
    TRY(std::optional<Item> before, sink_.previous(op, name));
    if (before) twist_(*before);
    return before;
  }
  Result<void> unchanged(const Operation& op, const Item& item) override {
    return sink_.unchanged(op, item);
  }
  Result<void> commit(const Operation& op, const capture::Moments& moments) override {
    return sink_.commit(op, moments);
  }

 private:
  MemoryCapture& sink_;
  const Twist twist_;
};

struct stat seen(const std::string& path) {
  struct stat status = {};
  EXPECT_EQ(lstat(path.c_str(), &status), 0) << path;
  return status;
}

bool same_time(const timespec& a, const timespec& b) {
  return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

class UnchangedFilesTest : public FilesFixture {
 protected:
  void SetUp() override {
    make_folder(scratch_ / "from");
    for (const char* name : {"a", "b", "c"}) {
      write_file(scratch_ / ("from/" + std::string(name)), "content");
    }
    ASSERT_TRUE(from_.capture(op_, first_));
  }
  // A file with these bytes and the size and mtime of `like`; its ctime is later than that one's.
  void write_like(const std::string& path, const std::string& content, const struct stat& like) {
    do {
      write_file(path, content);
      set_time(path, like.st_mtim.tv_sec, like.st_mtim.tv_nsec);
    } while (same_time(seen(path).st_ctim, like.st_ctim));
    ASSERT_EQ(seen(path).st_size, like.st_size);
    ASSERT_TRUE(same_time(seen(path).st_mtim, like.st_mtim));
  }
  // `b` alone is read again, and what is captured of it are these bytes.
  void expect_only_b_read_again(const std::string& content) {
    MemoryCapture second(after_first());
    ASSERT_TRUE(from_.capture(op_, second));
    EXPECT_EQ(second.unchanged_items(), 2u);
    EXPECT_EQ(second.written_bytes(), content.size());
    ASSERT_TRUE(restore("to", second));
    EXPECT_EQ(read_file(scratch_ / "to/b"), content);
    EXPECT_EQ(read_file(scratch_ / "to/c"), "content");
  }
  std::uint64_t unchanged_when(const MisrememberingSink::Twist& twist) {
    MemoryCapture second(after_first());
    MisrememberingSink sink(second, twist);
    EXPECT_TRUE(from_.capture(op_, sink));
    return second.unchanged_items();
  }
  MemoryCapture::Options after_first() const {
    return {.previous = &first_, .fail_after_bytes = {}, .failure = {}};
  }

  const LaterClock later_;
  FilesSource from_{scratch_ / "from", {}, later_};
  MemoryCapture first_;
};

TEST_F(UnchangedFilesTest, UnchangedFilesAreNotReadAgain) {
  write_file(scratch_ / "from/b", "changed!");
  expect_only_b_read_again("changed!");
}

TEST_F(UnchangedFilesTest, AFileOfTheSameSizeWhoseTimeWasPutBackIsReadAgain) {
  const std::string path = scratch_ / "from/b";
  const struct stat before = seen(path);
  write_like(path, "CONTENT", before);
  EXPECT_EQ(seen(path).st_ino, before.st_ino);
  expect_only_b_read_again("CONTENT");
}

TEST_F(UnchangedFilesTest, AFileOfTheSameSizeAndTimeThatTookTheNameIsReadAgain) {
  const std::string path = scratch_ / "from/b";
  const struct stat before = seen(path);
  write_like(scratch_ / "new", "CONTENT", before);
  ASSERT_EQ(rename((scratch_ / "new").c_str(), path.c_str()), 0);
  EXPECT_NE(seen(path).st_ino, before.st_ino);
  expect_only_b_read_again("CONTENT");
}

// Where a real file cannot have one of them other and the rest the same.
TEST_F(UnchangedFilesTest, EachOfSizeMtimeCtimeAndInodeCountsByItself) {
  EXPECT_EQ(unchanged_when([](Item&) {}), 3u);
  const std::vector<std::pair<const char*, MisrememberingSink::Twist>> twists = {
      {"size", [](Item& item) { ++item.size_bytes; }},
      {"seconds of mtime", [](Item& item) { --item.file->mtime.seconds; }},
      {"nanoseconds of mtime", [](Item& item) { item.file->mtime.nanoseconds ^= 1; }},
      {"seconds of ctime", [](Item& item) { --item.file->ctime.seconds; }},
      {"nanoseconds of ctime", [](Item& item) { item.file->ctime.nanoseconds ^= 1; }},
      {"inode", [](Item& item) { ++item.file->inode; }},
  };
  for (const auto& [what, twist] : twists) EXPECT_EQ(unchanged_when(twist), 0u) << what;
}

TEST_F(UnchangedFilesTest, AFileThatChangedJustBeforeTheLastCaptureIsReadAgain) {
  make_folder(scratch_ / "now");
  write_file(scratch_ / "now/fresh", "content");
  const auto& first = captured("now");
  const auto& second = captured("now", &first);
  EXPECT_EQ(second.unchanged_items(), 0u);
  EXPECT_EQ(second.written_bytes(), 7u);
}

}  // namespace
}  // namespace lifeboat::source::files
