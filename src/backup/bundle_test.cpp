// Bundles there and back, and bundles that a hostile writer made.
#include "backup/bundle.h"

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "repo/test_world.h"

namespace lifeboat::backup {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;

class BundleTest : public repo::RepositoryTest {
 protected:
  void SetUp() override {
    fs::remove_all(root_);
    fs::create_directories(root_ + "/here");
  }
  void TearDown() override { fs::remove_all(root_); }

  void put(const std::string& name, const std::string& content, mode_t mode = 0644) {
    const fs::path path = fs::path(root_) / "here" / name;
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << content;
    ASSERT_EQ(chmod(path.c_str(), mode), 0);
    options_.bundle[name] = path;
  }
  static std::string text_of(const std::string& path) {
    std::stringstream text;
    text << std::ifstream(path, std::ios::binary).rdbuf();
    return text.str();
  }
  static mode_t mode_of(const std::string& path) {
    struct stat status{};
    EXPECT_EQ(stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 0777;
  }
  Result<std::vector<std::string>> unpack(const Id& bundle) {
    return unpack_bundle(world_.op, *repository_, bundle, there());
  }
  std::string there() const { return root_ + "/out/there"; }
  // A bundle that holds just these, as somebody with the key could have written it.
  Id hand_made(const std::vector<capture::Item>& items) {
    repo::SnapshotDraft draft;
    draft.kind = repo::SnapshotKind::bundle;
    auto sink = repo::value(session_->snapshot(world_.op, draft));
    for (const capture::Item& item : items) {
      const bool file = item.kind == capture::ItemKind::file;
      const repo::TestItem it{item, file ? to_bytes("evil") : Bytes(), {}};
      repo::works(repo::write_item(world_.op, *sink, it));
    }
    repo::works(sink->commit(world_.op, {}));
    return sink->snapshot().id;
  }
  // Everything below the root of the test, sorted.
  std::vector<std::string> everything() const {
    std::vector<std::string> found;
    for (const auto& each : fs::recursive_directory_iterator(root_)) {
      found.push_back(each.path().lexically_relative(root_));
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  const std::string root_ = testing::TempDir() + "lifeboat-bundle-" + std::to_string(getpid());
  BackupOptions options_;
};

TEST_F(BundleTest, ComesBackByteForByteForItsOwnerAlone) {
  const std::string bytes("\0\xff\r\n", 4);
  put("lifeboat.yaml", "platform: shop\n");
  put("plans/rebuild.yaml", "steps: {}\n", 0600);
  put("plans.d/more.yaml", "");
  put("scripts/switch.sh", "#!/bin/sh\n", 0755);
  put("scripts/deep/er/data.bin", bytes + std::string(3'000'000, 'x'));
  options_.platform = "shop";
  const auto bundle = repo::value(store_bundle(world_.op, *session_, options_));
  EXPECT_EQ(bundle.about.kind, repo::SnapshotKind::bundle);
  EXPECT_EQ(bundle.about.facts.at("platform"), "shop");
  EXPECT_THAT(repo::value(unpack(bundle.id)),
              ElementsAre("lifeboat.yaml", "plans/rebuild.yaml", "plans.d/more.yaml",
                          "scripts/deep/er/data.bin", "scripts/switch.sh"));
  for (const auto& [name, path] : options_.bundle) {
    EXPECT_EQ(text_of(there() + "/" + name), text_of(path)) << name;
    EXPECT_EQ(mode_of(there() + "/" + name), name == "scripts/switch.sh" ? 0700 : 0600) << name;
  }
  for (const char* folder : {"", "/plans", "/scripts/deep/er"}) {
    EXPECT_EQ(mode_of(there() + folder), 0700) << folder;
  }
}

TEST_F(BundleTest, AnEmptyBundleIsAnEmptyFolder) {
  const auto bundle = repo::value(store_bundle(world_.op, *session_, options_));
  EXPECT_THAT(repo::value(unpack(bundle.id)), testing::IsEmpty());
  EXPECT_EQ(mode_of(there()), 0700);
}

TEST_F(BundleTest, AFileOfTheClosureThatCannotBeTakenIsNamedAndNothingIsStored) {
  const std::string missing = root_ + "/here/missing.sh";
  options_.bundle["missing.sh"] = missing;
  const auto absent = store_bundle(world_.op, *session_, options_);
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().kind, Error::Kind::not_found);
  EXPECT_THAT(absent.error().what, HasSubstr(missing));

  fs::create_directories(missing);
  const auto folder = store_bundle(world_.op, *session_, options_);
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().effective_code(), Error::Code::usage) << folder.error().what;

  fs::remove(missing);
  std::ofstream(missing) << "";
  fs::resize_file(missing, (64u << 20) + 1);
  const auto huge = store_bundle(world_.op, *session_, options_);
  ASSERT_FALSE(huge);
  EXPECT_THAT(huge.error().what, HasSubstr("at most 64 MiB"));
  EXPECT_THAT(repository_->snapshots(), testing::IsEmpty());
}

TEST_F(BundleTest, HostileNamesAreRefusedAndNothingIsWrittenOutside) {
  const std::vector<std::string> hostile = {"../evil",    "a/../../evil",         "..",
                                            "a/..",       root_ + "/here/evil",   "a/./b",
                                            ".",          std::string("a\0b", 3), "../here/evil",
                                            "there/../.."};
  const auto before = everything();
  for (const std::string& name : hostile) {
    const auto refused = unpack(hand_made({repo::file_item(name)}));
    ASSERT_FALSE(refused) << printable(name);
    EXPECT_EQ(refused.error().kind, Error::Kind::corrupt);
    EXPECT_THAT(refused.error().what, HasSubstr("hostile name"));
    fs::remove_all(root_ + "/out");
    EXPECT_EQ(everything(), before) << printable(name);
  }
}

TEST_F(BundleTest, WhatIsNoFileIsRefusedAndNothingIsWrittenThroughIt) {
  auto link = repo::file_item("link", capture::ItemKind::symlink);
  link.file->link_target = root_ + "/here";
  const auto before = everything();
  for (const auto& items : {std::vector{link}, std::vector{link, repo::file_item("link/evil")},
                            std::vector{repo::file_item("f", capture::ItemKind::fifo)},
                            std::vector{repo::file_item("d", capture::ItemKind::char_device)}}) {
    const auto refused = unpack(hand_made(items));
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, Error::Kind::corrupt) << refused.error().what;
    EXPECT_THAT(refused.error().what, HasSubstr("something that is no file: "));
    fs::remove_all(root_ + "/out");
    EXPECT_EQ(everything(), before);
  }
}

// What lies in the folder already is not followed out of it.
TEST_F(BundleTest, ALinkThatWaitsInTheFolderIsNotFollowed) {
  put("lifeboat.yaml", "platform: shop\n");
  const auto bundle = repo::value(store_bundle(world_.op, *session_, options_));
  std::ofstream(root_ + "/here/precious") << "precious";
  fs::create_directories(there());
  fs::create_symlink(root_ + "/here/precious", there() + "/lifeboat.yaml");
  EXPECT_FALSE(unpack(bundle.id));
  EXPECT_EQ(text_of(root_ + "/here/precious"), "precious");
}

}  // namespace
}  // namespace lifeboat::backup
