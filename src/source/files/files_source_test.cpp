// The files source against the real file system of this machine. What only root may do is tested
// as root (sample_tree.h); what a user may not do, in a child of user 65534.
#include "source/files/files_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "capture/memory_capture.h"
#include "source/files/sample_tree.h"
#include "source/files/tree.h"
#include "source/source_contract.h"

namespace lifeboat::source::files {
namespace {

using capture::MemoryCapture;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class FilesUnderTest final : public System {
 public:
  FilesUnderTest(std::string path, const Clock& clock, std::string victim)
      : path_(std::move(path)), victim_(std::move(victim)), clock_(clock) {}
  std::unique_ptr<Source> open() override {
    return std::make_unique<FilesSource>(path_, WalkOptions(), clock_);
  }
  // One byte, and the time put back: only a look at the content can tell.
  void alter() override {
    const std::string victim = path_ + "/" + victim_;
    struct stat before = {};
    ASSERT_EQ(lstat(victim.c_str(), &before), 0);
    std::fstream file(victim, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(2'000'000);
    file.put('#');
    file.close();
    set_time(victim, before.st_mtim.tv_sec, before.st_mtim.tv_nsec);
  }

 private:
  std::string path_, victim_;
  const Clock& clock_;
};

class FilesWorld final : public World {
 public:
  const Clock& clock() override { return clock_; }
  KeepsAside keeps_aside() const override { return KeepsAside::by_rename; }
  std::unique_ptr<System> filled() override {
    if (!exists(scratch_ / "filled")) {
      make_folder(scratch_ / "filled");
      fill_sample_tree(scratch_ / "filled");
    }
    return system("filled");
  }
  // In turn: absent, and an empty folder.
  std::unique_ptr<System> empty() override {
    const std::string name = "target-" + std::to_string(++made_);
    if (made_ % 2 == 0) make_folder(scratch_ / name);
    return system(name);
  }
  std::unique_ptr<System> foreign() override {
    const std::string name = "foreign-" + std::to_string(++made_);
    make_folder(scratch_ / name);
    write_file(scratch_ / (name + "/large"), "somebody else's");
    write_file(scratch_ / (name + "/other"), "not in the capture");
    return system(name);
  }
  std::unique_ptr<System> huge(std::uint64_t size_bytes) override {
    make_folder(scratch_ / "huge");
    std::ofstream file(scratch_ / "huge/item", std::ios::binary);
    std::string block(1u << 20, 'h');
    for (std::uint64_t at = 0; at < size_bytes; at += block.size()) {
      block.replace(0, 20, std::to_string(at));
      file << block;
    }
    return system("huge");
  }

 private:
  std::unique_ptr<System> system(const std::string& name) {
    return std::make_unique<FilesUnderTest>(scratch_ / name, clock_, "large");
  }
  SystemClock clock_;
  ScratchFolder scratch_;
  int made_ = 0;
};

LIFEBOAT_SOURCE_CONTRACT(FilesContract, [] { return std::make_unique<FilesWorld>(); });

class FilesSourceTest : public testing::Test {
 protected:
  FilesSource source(const std::string& name, WalkOptions options = {}) {
    return FilesSource(scratch_ / name, std::move(options), clock_);
  }
  // Captures `name`; the capture is kept for as long as the test.
  MemoryCapture& captured(const std::string& name, const MemoryCapture* previous = nullptr,
                          WalkOptions options = {}) {
    MemoryCapture::Options setup;
    setup.previous = previous;
    captures_.push_back(std::make_unique<MemoryCapture>(setup));
    const auto done = source(name, std::move(options)).capture(op_, *captures_.back());
    EXPECT_TRUE(done) << (done ? "" : done.error().what);
    return *captures_.back();
  }
  std::vector<std::string> names(const MemoryCapture& capture) {
    std::vector<std::string> all;
    const auto cursor = *capture.feed()->items(op_);
    while (const auto item = *cursor->next(op_)) all.push_back(item->name);
    return all;
  }
  static RestoreOptions options(const std::string& run = "run-1") {
    RestoreOptions options;
    options.marker.run = run;
    options.marker.step = "files";
    options.marker.generation = 1;
    options.marker.snapshot = "4f2a91c05d11";
    return options;
  }
  Result<RestoreReport> restore(const std::string& to, const MemoryCapture& from,
                                const RestoreOptions& with = options()) {
    return source(to).restore(op_, *from.feed(), with);
  }
  std::vector<std::string> failed_checks(const std::string& name, const MemoryCapture& from) {
    std::vector<std::string> failed;
    const auto checks = source(name).verify(op_, *from.feed());
    EXPECT_TRUE(checks) << (checks ? "" : checks.error().what);
    for (const Check& check : *checks) {
      if (!check.ok) failed.push_back(check.name);
    }
    return failed;
  }
  // A capture made by hand, as a hostile writer would.
  static capture::Item hand_made(const std::string& name, capture::ItemKind kind,
                                 const std::string& target = "") {
    capture::Item item;
    item.name = name;
    item.kind = kind;
    item.file = capture::FileMetadata();
    item.file->mode = 0755;
    item.file->uid = geteuid();
    item.file->gid = getegid();
    item.file->link_target = target;
    return item;
  }
  Result<RestoreReport> restore_items(const std::vector<capture::Item>& items) {
    MemoryCapture capture;
    for (const capture::Item& item : items) {
      EXPECT_TRUE(capture.begin(op_, item));
      const bool file = item.kind == capture::ItemKind::file;
      EXPECT_TRUE(!file || capture.write(op_, as_bytes("evil")));
      EXPECT_TRUE(capture.finish(op_, item));
    }
    EXPECT_TRUE(capture.commit(op_, {}));
    return restore("target", capture);
  }

  SystemClock clock_;
  Operation op_{&clock_};
  ScratchFolder scratch_;
  std::vector<std::unique_ptr<MemoryCapture>> captures_;
};

TEST_F(FilesSourceTest, TheSampleTreeComesBackWithEveryHardKind) {
  make_folder(scratch_ / "from");
  fill_sample_tree(scratch_ / "from");
  const auto& capture = captured("from");
  EXPECT_THAT(capture.feed()->moments().remarks, ElementsAre("socket: a socket, skipped"));
  const auto report = restore("to", capture);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_THAT(report->remarks, IsEmpty());
  EXPECT_THAT(failed_checks("to", capture), IsEmpty());
  EXPECT_EQ(*source("from").fingerprint(op_), *source("to").fingerprint(op_));
  struct stat sparse = {};
  ASSERT_EQ(stat((scratch_ / "to/sparse").c_str(), &sparse), 0);
  EXPECT_LT(sparse.st_blocks * 512, 1 << 20);
  EXPECT_EQ(sparse.st_size, (20 << 20) + 3);
  EXPECT_FALSE(exists(scratch_ / ".to.lifeboat-run-1"));
}

TEST_F(FilesSourceTest, UnchangedFilesAreNotReadAgain) {
  make_folder(scratch_ / "from");
  for (const char* name : {"a", "b", "c"}) {
    write_file(scratch_ / ("from/" + std::string(name)), "content");
  }
  // Captured as if much later: the ticks of the file system's clock have long moved on.
  class LaterClock final : public Clock {
   public:
    WallTime wall() const override { return {real_.wall().ns + 3'600'000'000'000}; }
    std::chrono::nanoseconds boot() const override { return real_.boot(); }
    void pause(std::chrono::nanoseconds, bool (*)(const void*), const void*) const override {}

   private:
    SystemClock real_;
  };
  const LaterClock later;
  FilesSource from(scratch_ / "from", {}, later);
  MemoryCapture first;
  ASSERT_TRUE(from.capture(op_, first));
  write_file(scratch_ / "from/b", "changed!");
  MemoryCapture second({.previous = &first, .fail_after_bytes = {}, .failure = {}});
  ASSERT_TRUE(from.capture(op_, second));
  EXPECT_EQ(second.unchanged_items(), 2u);
  EXPECT_EQ(second.written_bytes(), 8u);
  ASSERT_TRUE(restore("to", second));
  EXPECT_EQ(read_file(scratch_ / "to/b"), "changed!");
  EXPECT_EQ(read_file(scratch_ / "to/c"), "content");
}

TEST_F(FilesSourceTest, AFileThatChangedJustBeforeTheLastCaptureIsReadAgain) {
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/fresh", "content");
  const auto& first = captured("from");
  const auto& second = captured("from", &first);
  EXPECT_EQ(second.unchanged_items(), 0u);
  EXPECT_EQ(second.written_bytes(), 7u);
}

// Changes a file while the source reads it: at the first write of its content.
class ChangingSink final : public capture::Sink {
 public:
  ChangingSink(MemoryCapture& sink, std::function<void()> change)
      : sink_(sink), change_(std::move(change)) {}
  Result<void> begin(const Operation& op, const capture::Item& item, capture::Cut cut) override {
    return sink_.begin(op, item, cut);
  }
  Result<void> write(const Operation& op, ByteView bytes) override {
    if (change_) std::exchange(change_, nullptr)();
    return sink_.write(op, bytes);
  }
  Result<void> hole(const Operation& op, std::uint64_t length_bytes) override {
    return sink_.hole(op, length_bytes);
  }
  Result<void> finish(const Operation& op, const capture::Item& item) override {
    return sink_.finish(op, item);
  }
  Result<std::optional<capture::Item>> previous(const Operation& op,
                                                std::string_view name) override {
    return sink_.previous(op, name);
  }
  Result<void> unchanged(const Operation& op, const capture::Item& item) override {
    return sink_.unchanged(op, item);
  }
  Result<void> commit(const Operation& op, const capture::Moments& moments) override {
    return sink_.commit(op, moments);
  }

 private:
  MemoryCapture& sink_;
  std::function<void()> change_;
};

TEST_F(FilesSourceTest, AFileThatGrowsWhileItIsReadIsFlaggedAndTheCapturePartial) {
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/log", std::string(3 << 20, 'l'));
  MemoryCapture capture;
  ChangingSink sink(
      capture, [&] { std::ofstream(scratch_ / "from/log", std::ios::app) << "one line more"; });
  ASSERT_TRUE(source("from").capture(op_, sink));
  const auto& moments = capture.feed()->moments();
  EXPECT_TRUE(moments.partial);
  EXPECT_THAT(moments.remarks, ElementsAre("log: changed while it was read"));
  const auto item = capture.feed()->find(op_, "log");
  EXPECT_TRUE(item->changed_while_read);
  EXPECT_EQ(item->size_bytes, std::uint64_t{3 << 20});
}

TEST_F(FilesSourceTest, AFileThatShrinksWhileItIsReadIsFlaggedAndTheRestGoesOn) {
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/a", std::string(3 << 20, 'l'));
  write_file(scratch_ / "from/b", "after it");
  MemoryCapture capture;
  ChangingSink sink(capture, [&] { ASSERT_EQ(truncate((scratch_ / "from/a").c_str(), 10), 0); });
  ASSERT_TRUE(source("from").capture(op_, sink));
  EXPECT_TRUE(capture.feed()->find(op_, "a")->changed_while_read);
  EXPECT_EQ(capture.feed()->find(op_, "b")->size_bytes, 8u);
}

TEST_F(FilesSourceTest, AFileThatGoesAwayIsNamedAndTheRestGoesOn) {
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/a", "first");
  write_file(scratch_ / "from/b", "gone by then");
  write_file(scratch_ / "from/c", "third");
  MemoryCapture capture;
  ChangingSink sink(capture, [&] { ASSERT_EQ(unlink((scratch_ / "from/b").c_str()), 0); });
  ASSERT_TRUE(source("from").capture(op_, sink));
  EXPECT_TRUE(capture.feed()->moments().partial);
  EXPECT_THAT(capture.feed()->moments().remarks, Contains("b: went away while the capture ran"));
  EXPECT_THAT(names(capture), ElementsAre(".", "a", "c"));
}

TEST_F(FilesSourceTest, ExcludedNamesAreLeftOutAndDoNotCountAsExtra) {
  make_folder(scratch_ / "from");
  make_folder(scratch_ / "from/cache");
  make_folder(scratch_ / "from/keep");
  write_file(scratch_ / "from/cache/x", "x");
  write_file(scratch_ / "from/keep/a.tmp", "x");
  write_file(scratch_ / "from/keep/a.txt", "x");
  write_file(scratch_ / "from/keep/cache2", "x");
  const WalkOptions options{
      .exclude = {"cache", "keep/*.tmp"}, .one_file_system = false, .trouble = {}, .skipped = {}};
  const auto& capture = captured("from", nullptr, options);
  EXPECT_THAT(names(capture), ElementsAre(".", "keep", "keep/a.txt", "keep/cache2"));
  const auto checks = source("from", options).verify(op_, *capture.feed());
  ASSERT_TRUE(checks);
  for (const Check& check : *checks) {
    EXPECT_TRUE(check.ok) << check.name;
  }
}

TEST_F(FilesSourceTest, OnlyRestoresWhatWasNamedWithTheFoldersAbove) {
  make_folder(scratch_ / "from");
  make_folder(scratch_ / "from/a", 0750);
  make_folder(scratch_ / "from/a/b", 0700);
  write_file(scratch_ / "from/a/b/wanted", "yes");
  write_file(scratch_ / "from/a/other", "no");
  write_file(scratch_ / "from/first", "linked");
  ASSERT_EQ(link((scratch_ / "from/first").c_str(), (scratch_ / "from/second").c_str()), 0);
  ASSERT_EQ(link((scratch_ / "from/first").c_str(), (scratch_ / "from/third").c_str()), 0);
  const auto& capture = captured("from");
  RestoreOptions only = options();
  only.only = {"a/b/wanted", "second", "third"};
  const auto report = restore("to", capture, only);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_THAT(names(captured("to")), ElementsAre(".", "a", "a/b", "a/b/wanted", "second", "third"));
  EXPECT_EQ(read_file(scratch_ / "to/second"), "linked");
  struct stat second = {}, third = {}, folder = {};
  ASSERT_EQ(stat((scratch_ / "to/second").c_str(), &second), 0);
  ASSERT_EQ(stat((scratch_ / "to/third").c_str(), &third), 0);
  ASSERT_EQ(stat((scratch_ / "to/a").c_str(), &folder), 0);
  EXPECT_EQ(second.st_ino, third.st_ino);
  EXPECT_EQ(folder.st_mode & 07777, 0750u);
  only.only = {"no-such-thing"};
  EXPECT_EQ(restore("to2", capture, only).error().kind, Error::Kind::not_found);
}

TEST_F(FilesSourceTest, HostileNamesAreRefusedAndNothingIsWritten) {
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

TEST_F(FilesSourceTest, AModifiedModeOwnerTimeLinkOrAttributeIsNamed) {
  make_folder(scratch_ / "from");
  for (const char* name : {"attribute", "content", "mode", "size", "time"}) {
    write_file(scratch_ / ("from/" + std::string(name)), "content");
  }
  ASSERT_EQ(symlink("here", (scratch_ / "from/link").c_str()), 0);
  const auto& capture = captured("from");
  ASSERT_TRUE(restore("to", capture));
  EXPECT_THAT(failed_checks("to", capture), IsEmpty());
  struct stat before = {};
  ASSERT_EQ(stat((scratch_ / "to/content").c_str(), &before), 0);
  write_file(scratch_ / "to/content", "CONTENT");
  set_time(scratch_ / "to/content", before.st_mtim.tv_sec, before.st_mtim.tv_nsec);
  set_attribute(scratch_ / "to/attribute", "user.new", "x");
  ASSERT_EQ(chmod((scratch_ / "to/mode").c_str(), 0601), 0);
  write_file(scratch_ / "to/size", "content and more");
  set_time(scratch_ / "to/time", 1, 0);
  ASSERT_EQ(unlink((scratch_ / "to/link").c_str()), 0);
  ASSERT_EQ(symlink("there", (scratch_ / "to/link").c_str()), 0);
  const auto failed = failed_checks("to", capture);
  for (const char* expected : {"content: content", "attribute: extended attributes", "mode: mode",
                               "size: size", "time: time", "link: link target"}) {
    EXPECT_THAT(failed, Contains(expected));
  }
  EXPECT_THAT(failed, Contains(scratch_ / "to" + ": content"));
}

TEST_F(FilesSourceTest, AtMostFiftyDifferencesAreNamedAndAllAreCounted) {
  make_folder(scratch_ / "from");
  for (int number = 0; number < 120; ++number) {
    write_file(scratch_ / ("from/" + std::to_string(number)), "x");
  }
  const auto& capture = captured("from");
  ASSERT_TRUE(restore("to", capture));
  for (int number = 0; number < 120; ++number) {
    ASSERT_EQ(unlink((scratch_ / ("to/" + std::to_string(number))).c_str()), 0);
  }
  const auto checks = *source("to").verify(op_, *capture.feed());
  std::size_t named = 0;
  for (const Check& check : checks) {
    if (!check.name.starts_with(scratch_.path())) ++named;
    if (check.name == scratch_ / "to" + ": present") {
      EXPECT_EQ(check.expected, "121 equal");
      EXPECT_EQ(check.actual, "1 equal");
    }
  }
  EXPECT_EQ(named, 50u);
}

TEST_F(FilesSourceTest, ANameEndingInBeforeThatWeDidNotMakeIsNotOursToRemove) {
  make_folder(scratch_ / "data");
  make_folder(scratch_ / "data_before_migration");
  EXPECT_THAT(*source("data").kept(op_), IsEmpty());
  EXPECT_FALSE(source("data").remove_kept(op_, "data_before_migration"));
  EXPECT_TRUE(exists(scratch_ / "data_before_migration"));
}

TEST_F(FilesSourceTest, TheMarkerIsForItsOwnerOnlyAndTellsTheRun) {
  make_folder(scratch_ / "from");
  ASSERT_TRUE(restore("to", captured("from")));
  struct stat seen = {};
  ASSERT_EQ(stat((scratch_ / ".to.lifeboat.json").c_str(), &seen), 0);
  EXPECT_EQ(seen.st_mode & 07777, 0600u);
  EXPECT_EQ(Marker::parse(read_file(scratch_ / ".to.lifeboat.json"))->run, "run-1");
}

TEST_F(FilesSourceTest, ATreeThatReplacedOursIsForeign) {
  make_folder(scratch_ / "from");
  const auto& capture = captured("from");
  ASSERT_TRUE(restore("to", capture));
  ASSERT_EQ(rename((scratch_ / "to").c_str(), (scratch_ / "away").c_str()), 0);
  make_folder(scratch_ / "to");
  write_file(scratch_ / "to/x", "by hand");
  EXPECT_EQ(source("to").target(op_)->occupancy, Occupancy::foreign);
  EXPECT_EQ(restore("to", capture).error().effective_code(), Error::Code::refused);
}

TEST_F(FilesSourceTest, AFileInTheWayIsForeignAndCanBeKeptAside) {
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/x", "x");
  const auto& capture = captured("from");
  write_file(scratch_ / "to", "a file, not a folder");
  EXPECT_EQ(restore("to", capture).error().effective_code(), Error::Code::refused);
  RestoreOptions keep = options();
  keep.foreign = Foreign::keep_aside;
  const auto report = restore("to", capture, keep);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_THAT(report->kept_aside, ElementsAre("to_before_run-1"));
  EXPECT_EQ(read_file(scratch_ / "to_before_run-1"), "a file, not a folder");
  EXPECT_EQ(read_file(scratch_ / "to/x"), "x");
}

TEST_F(FilesSourceTest, TheUnfinishedTreeOfAnotherRunIsKeptAndNotWiped) {
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/x", std::string(100, 'x'));
  const auto& capture = captured("from");
  std::stop_source stop;
  RestoreOptions first = options("run-a");
  first.progress = [&](std::uint64_t, std::uint64_t) { stop.request_stop(); };
  const auto cut = source("to").restore({&clock_, stop.get_token()}, *capture.feed(), first);
  ASSERT_FALSE(cut);
  EXPECT_EQ(restore("to", capture, options("run-b")).error().effective_code(),
            Error::Code::refused);
  RestoreOptions second = options("run-b");
  second.foreign = Foreign::keep_aside;
  const auto report = restore("to", capture, second);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_THAT(report->kept_aside, ElementsAre(".to.lifeboat-run-a"));
  ASSERT_THAT(*source("to").kept(op_), SizeIs(1));
  EXPECT_TRUE(source("to").remove_kept(op_, ".to.lifeboat-run-a"));
  EXPECT_FALSE(exists(scratch_ / ".to.lifeboat-run-a"));
}

TEST_F(FilesSourceTest, PreflightNamesTheFolderThatIsMissing) {
  const auto done = source("nowhere").preflight(op_);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().kind, Error::Kind::not_found);
  EXPECT_THAT(done.error().what, HasSubstr("nowhere"));
  EXPECT_FALSE(done.error().hint.empty());
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

TEST_F(FilesSourceTest, AnUnreadableFileIsNamedAndTheRestIsCaptured) {
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

TEST_F(FilesSourceTest, WithoutRootWhatCannotBeSetIsARemarkAndSetuidIsDropped) {
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

TEST_F(FilesSourceTest, AMountPointIsFilledInPlace) {
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

TEST_F(FilesSourceTest, AFullDiskIsToldWithFiguresAndLeavesNothingBehind) {
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

TEST(FilesType, TakesAPathAloneAndPutsItElsewhereForARestore) {
  const SourceType type = files_source();
  Value config;
  config.set("path", "uploads");
  Value with;
  with.set("one_file_system", true);
  const auto target = type.retarget(config, "/srv/restored", with);
  ASSERT_TRUE(target);
  EXPECT_EQ(target->text("path"), "/srv/restored");
  EXPECT_TRUE(target->boolean("one_file_system", false));
  EXPECT_EQ(type.fields.short_form, "path");
  SystemClock clock;
  ScratchFolder scratch;
  make_folder(scratch / "uploads");
  const auto made =
      type.make(config, {.clock = &clock, .launcher = nullptr, .directory = scratch.path()});
  ASSERT_TRUE(made);
  EXPECT_TRUE((*made)->preflight(Operation{&clock}));
}

}  // namespace
}  // namespace lifeboat::source::files
