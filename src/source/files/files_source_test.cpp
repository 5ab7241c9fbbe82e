// The files source against the real file system of this machine.
#include "source/files/files_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "capture/memory_capture.h"
#include "capture/partial_feed.h"
#include "source/files/files_fixture.h"
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
  // What is kept aside stands beside its folder.
  std::string look(const std::string& kept) override {
    const std::string place = kept.empty() ? path_ : path_.substr(0, path_.rfind('/') + 1) + kept;
    std::string all;
    for (const char* name : {"large", "other"}) {
      if (exists(place + "/" + name)) all += name + (":" + read_file(place + "/" + name)) + "\n";
    }
    return all;
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

using FilesSourceTest = FilesFixture;

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
  // As a part of the capture it is equal, as the whole it is not; one byte, and it is not either.
  const auto holds = [&](capture::Feed& feed) {
    const auto checks = source("to").verify(op_, feed);
    EXPECT_TRUE(checks);
    return checks && std::ranges::all_of(*checks, &Check::ok);
  };
  const auto whole = capture.feed();
  capture::PartialFeed part(*whole, only.only);
  EXPECT_TRUE(holds(part));
  EXPECT_FALSE(holds(*whole));
  write_file(scratch_ / "to/second", "linkeb");
  EXPECT_FALSE(holds(part));
  only.only = {"no-such-thing"};
  EXPECT_EQ(restore("to2", capture, only).error().kind, Error::Kind::not_found);
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

TEST_F(FilesSourceTest, AForeignFolderIsRenamedWithEveryByteOfIt) {
  make_folder(scratch_ / "from");
  write_file(scratch_ / "from/x", "x");
  const auto& capture = captured("from");
  make_folder(scratch_ / "to");
  fill_sample_tree(scratch_ / "to");
  const auto before = source("to").fingerprint(op_);
  ASSERT_TRUE(before) << before.error().what;
  RestoreOptions keep = options();
  keep.foreign = Foreign::keep_aside;
  const auto report = restore("to", capture, keep);
  ASSERT_TRUE(report) << report.error().what;
  EXPECT_THAT(report->kept_aside, ElementsAre("to_before_run-1"));
  EXPECT_EQ(*source("to_before_run-1").fingerprint(op_), *before);
  EXPECT_THAT(names(captured("to")), ElementsAre(".", "x"));
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
