// The file-check step over real files and folders.
#include "steps/file_check/file_check_step.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <filesystem>
#include <fstream>

#include "base/fake_clock.h"
#include "base/temporary_folder.h"
#include "plan/step_contract.h"
#include "schema/json.h"

namespace lifeboat::steps {
namespace {

namespace fs = std::filesystem;
using plan::FakeContext;
using plan::State;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

void write(const std::string& path, const std::string& content) {
  fs::create_directories(fs::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << content;
}

// Changed so many seconds before `now`.
void age(const std::string& path, WallTime now, std::int64_t seconds) {
  const timespec at{now.ns / 1'000'000'000 - seconds, 0};
  const timespec times[] = {at, at};
  ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
}

// What people would run by hand.
std::string shell(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  std::array<char, 256> buffer{};
  std::string said;
  while (fgets(buffer.data(), buffer.size(), pipe) != nullptr) said += buffer.data();
  EXPECT_EQ(pclose(pipe), 0) << command;
  return said;
}

class FileCheckWorld final : public plan::StepWorld {
 public:
  FileCheckWorld() {
    write(folder_.path() + "/settings.json", R"({"database": {"host": "db", "port": 5432}})");
    chmod((folder_.path() + "/settings.json").c_str(), 0640);
  }
  const plan::StepType& type() override { return type_; }
  Value config() override {
    return *parse_json(R"({"path": "settings.json", "kind": "file", "mode": "0640", "min_size": 10,
                           "contains": ["database"], "json": {"database.port": "5432"}})");
  }
  FakeContext& context() override { return context_; }
  std::string digest() override { return shell("cd " + folder_.path() + " && sha256sum *"); }
  void alter() override { write(folder_.path() + "/settings.json", R"({"database": null})"); }
  bool make_foreign() override { return false; }

 private:
  SystemClock clock_;
  const TemporaryFolder folder_ = *TemporaryFolder::make_only("filecheck");
  const plan::StepType type_ = file_check_step();
  FakeContext context_{{.clock = &clock_, .bundle_directory = folder_.path()}};
};

LIFEBOAT_STEP_CONTRACT(FileCheckContract, [] { return std::make_unique<FileCheckWorld>(); });

class FileCheckTest : public testing::Test {
 protected:
  std::unique_ptr<plan::Step> step(const std::string& json) {
    Value config = *parse_json(json);
    std::vector<Finding> findings;
    validate(config, type_.fields, {.path = "file-check"}, findings);
    for (const Finding& finding : findings) ADD_FAILURE() << finding.text();
    auto result = type_.make(config, context_);
    EXPECT_TRUE(result) << (result ? "" : result.error().what);
    return *std::move(result);
  }
  std::vector<std::string> failed(const std::string& json) {
    const auto proof = step(json)->verify(op_);
    if (!proof) return {"error: " + proof.error().what};
    std::vector<std::string> names;
    for (const plan::Check& check : proof->checks) {
      if (!check.ok) names.push_back(check.name + ": " + check.expected + " / " + check.actual);
    }
    return names;
  }
  std::string below(const std::string& path) const { return folder_.path() + "/" + path; }
  std::string ago(std::int64_t seconds) const {
    return rfc3339({(clock_.wall().ns / 1'000'000'000 - seconds) * 1'000'000'000});
  }
  // Three files of 10 bytes in all, one of them below; a link and an empty folder, which count not.
  void make_tree() {
    write(below("tree/b"), "1234");
    write(below("tree/a b\n"), "12345");
    write(below("tree/deep/er/c"), "1");
    fs::create_directories(below("tree/empty"));
    fs::create_symlink("/etc/passwd", below("tree/link"));
    for (const char* name : {"tree/b", "tree/a b\n", "tree/deep/er/c"}) {
      age(below(name), clock_.wall(), 7200);
    }
    age(below("tree/b"), clock_.wall(), 1800);
  }

  FakeClock clock_;
  Operation op_{&clock_};
  const TemporaryFolder folder_ = *TemporaryFolder::make_only("filecheck");
  const plan::StepType type_ = file_check_step();
  FakeContext context_{{.clock = &clock_, .bundle_directory = folder_.path()}};
};

TEST_F(FileCheckTest, AFolderIsCountedAndWeighedWithAllThatIsInIt) {
  make_tree();
  const auto proof = step(R"({"path": "tree", "kind": "folder", "min_count": 3, "max_count": 3,
                              "min_size": 10, "max_size": 10, "max_age": "1h"})")
                         ->verify(op_);
  ASSERT_TRUE(proof) << proof.error().what;
  for (const plan::Check& check : proof->checks) EXPECT_TRUE(check.ok) << check.name;
  EXPECT_EQ(proof->outputs.at("size"), Value(10));
  EXPECT_EQ(proof->outputs.at("count"), Value(3));
  EXPECT_EQ(proof->outputs.text("newest"), ago(1800));
  EXPECT_THAT(failed(R"({"path": "tree", "min_count": 4, "max_size": 9, "max_age": "29m"})"),
              ElementsAre("size: at most 9 bytes / 10 bytes", "count: at least 4 / 3",
                          "newest: at most 29m old / of " + ago(1800)));
}

TEST_F(FileCheckTest, TheDigestOfAFolderIsTheOneThatPeopleGetByHand) {
  make_tree();
  const std::string by_hand =
      shell("cd " + below("tree") +
            " && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum -z | sha256sum")
          .substr(0, 64);
  const std::string config = R"({"path": "tree", "sha256": ")" + by_hand + "\"}";
  EXPECT_THAT(failed(config), IsEmpty());
  write(below("tree/deep/er/c"), "2");
  EXPECT_THAT(failed(config), ElementsAre(HasSubstr("sha256: " + by_hand + " / ")));
}

TEST_F(FileCheckTest, TheDigestOfAFileIsItsOwn) {
  write(below("data"), std::string(3'000'000, 'x'));
  const std::string by_hand = shell("sha256sum " + below("data")).substr(0, 64);
  EXPECT_THAT(failed(R"({"path": "data", "sha256": ")" + by_hand + "\"}"), IsEmpty());
}

TEST_F(FileCheckTest, WhatIsNotThereIsOneCheckAndNoError) {
  EXPECT_THAT(failed(R"({"path": "nothing", "mode": "0640", "contains": "x"})"),
              ElementsAre("exists: something / nothing"));
  EXPECT_THAT(failed(R"({"path": "nothing/below", "exists": false})"), IsEmpty());
  write(below("lock"), "");
  EXPECT_THAT(failed(R"({"path": "lock", "exists": false})"),
              ElementsAre("exists: nothing / file"));
  EXPECT_EQ(step(R"({"path": "nothing"})")->observe(op_)->state, State::absent);
}

TEST_F(FileCheckTest, KindsAreToldApart) {
  write(below("file"), "");
  fs::create_symlink("file", below("link"));
  ASSERT_EQ(mkfifo(below("pipe").c_str(), 0600), 0);
  EXPECT_THAT(failed(R"({"path": "link", "kind": "file"})"), IsEmpty());
  EXPECT_THAT(failed(R"({"path": "link", "kind": "link"})"), IsEmpty());
  EXPECT_THAT(failed(R"({"path": "pipe", "kind": "pipe"})"), IsEmpty());
  EXPECT_THAT(failed(R"({"path": "file", "kind": "folder"})"),
              ElementsAre("exists: folder / file"));
  EXPECT_THAT(failed(R"({"path": "/dev/null", "kind": "device"})"), IsEmpty());
  // Never opened for reading: that would wait for a writer.
  EXPECT_THAT(failed(R"({"path": "pipe", "contains": "x"})"),
              ElementsAre(HasSubstr("is a pipe, not a file")));
}

TEST_F(FileCheckTest, PermissionsAndOwnersAreComparedByNameOrNumber) {
  write(below("file"), "");
  chmod(below("file").c_str(), 0640);
  const std::string id = std::to_string(getuid());
  EXPECT_THAT(failed(R"({"path": "file", "mode": "640", "owner": ")" + id + "\"}"), IsEmpty());
  const std::string name = shell("id -un | tr -d '\\n'"), group = shell("id -gn | tr -d '\\n'");
  EXPECT_THAT(failed(R"({"path": "file", "owner": ")" + name + R"(", "group": ")" + group + "\"}"),
              IsEmpty());
  EXPECT_THAT(failed(R"({"path": "file", "mode": "0600", "owner": "nobody-here"})"),
              ElementsAre("mode: 0600 / 0640", "owner: nobody-here / " + name));
}

TEST_F(FileCheckTest, TextsAndValuesOfJsonAreCompared) {
  write(below("settings.json"), R"({"a": {"b": [1, "two"]}, "on": true})");
  EXPECT_THAT(failed(R"({"path": "settings.json", "contains": ["two", "on"],
                         "json": {"a.b[1]": "two", "/a/b/0": 1, "on": "true"}})"),
              IsEmpty());
  EXPECT_THAT(failed(R"({"path": "settings.json", "contains": "three", "json": {"a.c": 1}})"),
              ElementsAre("text: contains three / does not contain it", "a.c: 1 / null"));
  write(below("settings.json"), "{");
  EXPECT_THAT(failed(R"({"path": "settings.json", "json": {"a": 1}})"),
              ElementsAre("a: 1 / the file is not JSON"));
}

TEST_F(FileCheckTest, ASecretThatIsComparedIsNotShown) {
  write(below("settings.json"), R"({"password": "of-the-file"})");
  Value json, config;
  json.set("password", Value("of-the-plan").taint());
  config.set("path", "settings.json").set("json", json);
  const auto proof = (*type_.make(config, context_))->verify(op_);
  ASSERT_TRUE(proof);
  EXPECT_EQ(proof->checks.back().expected + proof->checks.back().actual, "******");
}

TEST_F(FileCheckTest, ItLooksAgainUntilTheFileIsThere) {
  // A clock at whose third pause the file appears.
  class Arrival final : public Clock {
   public:
    Arrival(FakeClock& inner, std::string path) : inner_(inner), path_(std::move(path)) {}
    WallTime wall() const override { return inner_.wall(); }
    std::chrono::nanoseconds boot() const override { return inner_.boot(); }
    void pause(std::chrono::nanoseconds time, bool (*stop)(const void*),
               const void* context) const override {
      if (++pauses_ == 3) write(path_, "here");
      inner_.pause(time, stop, context);
    }

   private:
    FakeClock& inner_;
    const std::string path_;
    mutable int pauses_ = 0;
  };
  const Arrival clock(clock_, below("late"));
  const auto check = step(R"({"path": "late", "within": "1m"})");
  ASSERT_TRUE(check->apply(Operation{&clock}));
  EXPECT_EQ(check->observe(op_)->state, State::ours_done);
}

TEST_F(FileCheckTest, WhatCanNeverBeLookedAtIsAnErrorOfObserve) {
  fs::create_symlink(below("loop"), below("loop"));
  const auto seen = step(R"({"path": "loop"})")->observe(op_);
  ASSERT_FALSE(seen);
  EXPECT_EQ(seen.error().kind, Error::Kind::invalid);
  EXPECT_THAT(seen.error().what, HasSubstr("loop"));
}

TEST_F(FileCheckTest, WordsThatCannotBeAreRefused) {
  for (const char* json : {R"({"path": "a", "mode": "9"})", R"({"path": "a", "mode": "rw-r--r--"})",
                           R"({"path": "a", "sha256": "abc"})", R"({"path": "a", "min_size": -1})",
                           R"({"path": "a", "exists": false, "mode": "0640"})"}) {
    const auto refused = type_.make(*parse_json(json), context_);
    ASSERT_FALSE(refused) << json;
    EXPECT_EQ(refused.error().effective_code(), Error::Code::usage);
  }
  EXPECT_FALSE(step(R"({"path": ""})")->preflight(op_));
  EXPECT_FALSE(step(R"({"path": "a", "json": {".x": 1}})")->preflight(op_));
}

}  // namespace
}  // namespace lifeboat::steps
