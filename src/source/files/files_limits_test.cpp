// The files source where the system says no: hostile names, missing rights, bad disks, mount
// points, full disks. What needs root says so where it is not done; what a user may not do is tried
// in a child of user 65534.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <functional>

#include "source/files/files_fixture.h"
#include "source/files/tree.h"

namespace {

// A disk that cannot be read from a certain place on, for one file: pread(2) of this program is
// ours. Everything else goes to the kernel.
std::atomic<ino_t> bad_inode = 0;
constexpr off_t bad_from = 1 << 20;

}  // namespace

extern "C" ssize_t pread(int file, void* out, size_t size, off_t offset) {
  struct stat seen = {};
  const ino_t bad = bad_inode.load();
  if (bad != 0 && offset + static_cast<off_t>(size) > bad_from && fstat(file, &seen) == 0 &&
      seen.st_ino == bad) {
    if (offset >= bad_from) {
      errno = EIO;
      return -1;
    }
    size = static_cast<size_t>(bad_from - offset);
  }
  return syscall(SYS_pread64, file, out, size, offset);
}

namespace lifeboat::source::files {
namespace {

using capture::MemoryCapture;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

using FilesLimits = FilesFixture;

TEST_F(FilesLimits, HostileNamesAreRefusedAndNothingIsWritten) {
  using capture::ItemKind;
  const std::string outside = scratch_ / "outside";
  make_folder(outside);
  const auto folder = [](const std::string& name) { return hand_made(name, ItemKind::directory); };
  const auto file = [](const std::string& name) { return hand_made(name, ItemKind::file); };
  const std::vector<std::vector<capture::Item>> attempts = {
      {file("../outside/x")},
      {file("..")},
      {folder("a"), file("a/../../outside/x")},
      {file("/etc/lifeboat-was-here")},
      {file("")},
      {file(std::string("a\0b", 3))},
      {file("a//b")},
      {file("./a")},
      {file(std::string(256, 'x'))},
      {file("a/b")},  // no folder a
      {hand_made("a", ItemKind::symlink, outside), file("a/x")},
      {file("a"), file("a/x")},
      {hand_made("a", ItemKind::hard_link, "../outside/secret")},
      {hand_made("a", ItemKind::hard_link, "/etc/passwd")},
      {hand_made(".", ItemKind::symlink, outside)},
  };
  for (const auto& items : attempts) {
    const auto report = restore_items(items);
    ASSERT_FALSE(report) << items.back().name;
    EXPECT_EQ(report.error().kind, Error::Kind::invalid) << report.error().what;
    EXPECT_FALSE(exists(scratch_ / "target")) << items.back().name;
    EXPECT_FALSE(exists(scratch_ / ".target.lifeboat.json")) << items.back().name;
    EXPECT_THAT(*entries_of(open_root(outside)->number()), IsEmpty()) << items.back().name;
  }
  const auto to_link = restore_items(
      {hand_made("a", ItemKind::symlink, "/etc/passwd"), hand_made("b", ItemKind::hard_link, "a")});
  ASSERT_FALSE(to_link);
  EXPECT_THAT(to_link.error().what, HasSubstr("which is no file"));
}

TEST_F(FilesLimits, AReadErrorIsNamedTheReadPartIsKeptAndTheRestGoesOn) {
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/bad", std::string(3 << 20, 'b'));
  write_file(scratch_ / "from/good", "after it");
  struct stat seen = {};
  ASSERT_EQ(stat((scratch_ / "from/bad").c_str(), &seen), 0);
  bad_inode = seen.st_ino;
  const auto& first = captured("from");
  bad_inode = 0;
  const auto feed = first.feed();
  EXPECT_TRUE(feed->moments().partial);
  EXPECT_THAT(feed->moments().remarks,
              ElementsAre("bad: cannot be read: Input/output error from byte 1048576"));
  EXPECT_EQ(feed->find(op_, "bad")->size_bytes, std::uint64_t{1 << 20});
  EXPECT_EQ(feed->find(op_, "good")->size_bytes, 8u);
  const auto report = restore("to", first);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_THAT(report->remarks, ElementsAre(HasSubstr("bad: was captured in part only")));
  EXPECT_EQ(read_file(scratch_ / "to/bad"), std::string(1 << 20, 'b'));
  // Nothing of it is trusted the next time.
  const auto& second = captured("from", &first);
  EXPECT_FALSE(second.feed()->moments().partial);
  EXPECT_EQ(second.feed()->find(op_, "bad")->size_bytes, std::uint64_t{3 << 20});
}

TEST_F(FilesLimits, AFileThatCannotBeReadAnyMoreDoesNotVerify) {
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/bad", std::string(3 << 20, 'b'));
  const auto& capture = captured("from");
  ASSERT_TRUE(restore("to", capture));
  struct stat seen = {};
  ASSERT_EQ(stat((scratch_ / "to/bad").c_str(), &seen), 0);
  bad_inode = seen.st_ino;
  EXPECT_THAT(failed_checks("to", capture), Contains("bad: content"));
  bad_inode = 0;
}

// A part that only root can do says so where it is not done.
bool root_for(const char* what) {
  if (!running_as_root()) std::printf("not exercised, run as root: %s\n", what);
  return running_as_root();
}

// Runs `body` in a child as user 65534; its exit status says whether all in it held.
int as_nobody(const std::string& scratch, const std::function<bool()>& body) {
  EXPECT_EQ(chmod(scratch.c_str(), 0777), 0);
  const pid_t child = fork();
  if (child == 0) {
    const bool changed = !running_as_root() || (setgid(65534) == 0 && setuid(65534) == 0);
    _exit(changed && body() ? 0 : 1);
  }
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST_F(FilesLimits, AnUnreadableFileIsNamedAndTheRestIsCaptured) {
  make_folder(scratch_ / "from", 0777);
  const int status = as_nobody(scratch_.path(), [this] {
    write_file(scratch_ / "from/a", "readable");
    write_file(scratch_ / "from/locked", "secret");
    make_folder(scratch_ / "from/shut");
    write_file(scratch_ / "from/z", "after it");
    if (chmod((scratch_ / "from/locked").c_str(), 0) != 0) return false;
    if (chmod((scratch_ / "from/shut").c_str(), 0) != 0) return false;
    const auto& capture = captured("from");
    const auto moments = capture.feed()->moments();
    return moments.partial && moments.remarks.size() == 2 &&
           moments.remarks[0] == "locked: cannot be read: Permission denied" &&
           moments.remarks[1].starts_with("shut: cannot be read") &&
           names(capture) == std::vector<std::string>{".", "a", "shut", "z"};
  });
  EXPECT_EQ(status, 0);
}

TEST_F(FilesLimits, WithoutRootWhatCannotBeSetIsARemarkAndSetuidIsDropped) {
  if (!root_for("files of two owners")) return;
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/program", "of root");
  ASSERT_EQ(chmod((scratch_ / "from/program").c_str(), 04755), 0);
  ASSERT_EQ(mknod((scratch_ / "from/device").c_str(), S_IFCHR | 0600, 0x0103), 0);
  const auto& capture = captured("from");
  const int status = as_nobody(scratch_.path(), [&] {
    const auto report = restore("to", capture);
    struct stat seen = {};
    const bool looked = stat((scratch_ / "to/program").c_str(), &seen) == 0;
    return report && report->remarks.size() == 2 &&
           report->remarks[0].starts_with("device: device node could not be put back") &&
           report->remarks[1].find("owner could not be put back") != std::string::npos && looked &&
           (seen.st_mode & 07777) == 0755 && !failed_checks("to", capture).empty();
  });
  EXPECT_EQ(status, 0);
}

// A small file system of its own, for as long as the test.
class MountedFolder {
 public:
  MountedFolder(const std::string& path, const char* size) : path_(path) {
    make_folder(path);
    mounted_ = mount("none", path.c_str(), "tmpfs", 0, size) == 0;
  }
  MountedFolder(const MountedFolder&) = delete;
  MountedFolder& operator=(const MountedFolder&) = delete;
  ~MountedFolder() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  bool mounted() const { return mounted_; }

 private:
  std::string path_;
  bool mounted_ = false;
};

TEST_F(FilesLimits, AMountPointIsFilledInPlace) {
  if (!root_for("mounting")) return;
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/x", "x");
  make_folder(scratch_ / "from/y", 0711);
  const auto& capture = captured("from");
  const MountedFolder target(scratch_ / "to", "size=4m");
  ASSERT_TRUE(target.mounted());
  for (int time = 0; time < 2; ++time) {
    const auto report = restore("to", capture);
    ASSERT_TRUE(report) << report.error().what;
    EXPECT_THAT(failed_checks("to", capture), IsEmpty());
  }
  EXPECT_EQ(restore("to", capture, options("run-2")).error().effective_code(),
            Error::Code::refused);
  const MountedFolder foreign(scratch_ / "foreign", "size=4m");
  write_file(scratch_ / "foreign/theirs", "x");
  RestoreOptions keep = options();
  keep.foreign = Foreign::keep_aside;
  const auto refused = restore("foreign", capture, keep);
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().what, HasSubstr("mount point"));
  EXPECT_EQ(read_file(scratch_ / "foreign/theirs"), "x");
}

TEST_F(FilesLimits, AFullDiskIsToldWithFiguresAndLeavesNothingBehind) {
  if (!root_for("mounting")) return;
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/a", std::string(1 << 20, 'a'));
  write_file(scratch_ / "from/b", std::string(3 << 20, 'b'));
  const auto& capture = captured("from");
  const MountedFolder disk(scratch_ / "disk", "size=2m");
  ASSERT_TRUE(disk.mounted());
  const auto full = restore("disk/to", capture);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().effective_code(), Error::Code::no_space);
  EXPECT_THAT(full.error().hint, HasSubstr("still to be written: "));
  EXPECT_FALSE(exists(scratch_ / "disk/.to.lifeboat-run-1"));
  EXPECT_FALSE(exists(scratch_ / "disk/to"));
  EXPECT_FALSE(source("disk/to").target(op_)->marker->done);
}

}  // namespace
}  // namespace lifeboat::source::files
