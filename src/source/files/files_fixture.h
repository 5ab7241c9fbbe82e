// source/files/files_fixture.h - What every test of the files source stands on.
//
// A scratch folder, and short words to capture, restore and compare folders in it.
// Threads: one.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "capture/memory_capture.h"
#include "source/files/files_source.h"
#include "source/files/sample_tree.h"

namespace lifeboat::source::files {

class FilesFixture : public testing::Test {
 protected:
  FilesSource source(const std::string& name, WalkOptions options = {}) {
    return FilesSource(scratch_ / name, std::move(options), clock_);
  }
  // Captures `name`; the capture is kept for as long as the test.
  capture::MemoryCapture& captured(const std::string& name,
                                   const capture::MemoryCapture* previous = nullptr,
                                   WalkOptions options = {}) {
    capture::MemoryCapture::Options setup;
    setup.previous = previous;
    captures_.push_back(std::make_unique<capture::MemoryCapture>(setup));
    const auto done = source(name, std::move(options)).capture(op_, *captures_.back());
    EXPECT_TRUE(done) << (done ? "" : done.error().what);
    return *captures_.back();
  }
  std::vector<std::string> names(const capture::MemoryCapture& capture) {
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
  Result<RestoreReport> restore(const std::string& to, const capture::MemoryCapture& from,
                                const RestoreOptions& with = options()) {
    return source(to).restore(op_, *from.feed(), with);
  }
  std::vector<std::string> failed_checks(const std::string& name,
                                         const capture::MemoryCapture& from) {
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
    capture::MemoryCapture capture;
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
  std::vector<std::unique_ptr<capture::MemoryCapture>> captures_;
};

}  // namespace lifeboat::source::files
