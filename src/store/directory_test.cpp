// What a directory adds to the contract: its files, its modes, and what others may have left in it.
// A system call that fails is played by a seccomp filter in a child process.
#include "store/directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <latch>
#include <thread>

#include "base/fake_clock.h"

namespace lifeboat::store {
namespace {

namespace fs = std::filesystem;

class Directory : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NE(::mkdtemp(root_.data()), nullptr);
    store_ = opened();
    ASSERT_NE(store_, nullptr);
  }
  void TearDown() override { fs::remove_all(root_); }

  std::unique_ptr<Store> opened() {
    auto store = open_directory(root_, false, clock_);
    return store ? *std::move(store) : nullptr;
  }
  Result<Put> put(const std::string& name, std::string_view text) {
    return store_->put(op_, name, as_bytes(text));
  }
  fs::path at(const std::string& name) const { return fs::path(root_) / name; }
  void make_temporary(const std::string& name, std::chrono::hours age) {
    fs::create_directories(at("tmp"));
    std::ofstream(at(name)) << "half";
    const timespec then{clock_.wall().ns / 1'000'000'000 - age / std::chrono::seconds(1), 0};
    const timespec times[2] = {then, then};
    ASSERT_EQ(::utimensat(AT_FDCWD, at(name).c_str(), times, 0), 0);
  }

  std::string root_ = "/tmp/lifeboat-directory.XXXXXX";
  SystemClock clock_;
  Operation op_{.clock = &clock_};
  std::unique_ptr<Store> store_;
};

mode_t mode_of(const fs::path& path) {
  struct stat status{};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 07777 : 0;
}

// From here on this process's `number` fails with `error`. Only for a child that ends soon.
void fail_system_call(unsigned number, unsigned error) {
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{4, filter};
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    std::_Exit(100);
  }
}

TEST_F(Directory, AnObjectIsTheFileOfItsName) {
  ASSERT_TRUE(put("packs/0a/1", "content"));
  std::ifstream file(at("packs/0a/1"));
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(file), {}), "content");
  EXPECT_EQ(mode_of(at("packs/0a/1")), 0400u);
  EXPECT_EQ(mode_of(at("packs")), 0700u);
  EXPECT_EQ(mode_of(at("packs/0a")), 0700u);
  EXPECT_TRUE(fs::is_empty(at("tmp"))) << "no temporary is left";
}

TEST_F(Directory, ModesDoNotDependOnTheUmask) {
  const mode_t before = ::umask(0777);
  const auto stored = put("config", "x");
  ::umask(before);
  ASSERT_TRUE(stored) << stored.error().what;
  EXPECT_EQ(mode_of(at("config")), 0400u);
}

TEST_F(Directory, TheNextProcessFindsWhatWasPut) {
  ASSERT_TRUE(put("log/0", "content"));
  const auto later = opened();
  EXPECT_EQ(later->get(op_, "log/0").value_or(Bytes{}), to_bytes("content"));
  EXPECT_EQ(later->put(op_, "log/0", as_bytes("content")), Put::created);
  EXPECT_EQ(later->put(op_, "log/0", as_bytes("other")), Put::exists);
}

// Temporaries of two processes with one process id must not meet.
TEST_F(Directory, SeveralOpenStoresDoNotDisturbEachOther) {
  constexpr std::size_t stores = 6;
  std::array<int, stores> wrong{};
  std::latch start(stores);
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < stores; ++i) {
      threads.emplace_back([&, i] {
        const auto mine = opened();
        start.arrive_and_wait();
        for (int n = 0; n < 40; ++n) {
          const std::string name = "packs/" + std::to_string(i) + "-" + std::to_string(n);
          const Bytes bytes(3000 + i, static_cast<std::uint8_t>(i * 40 + 1));
          const auto stored = mine->put(op_, name, bytes);
          const auto back = mine->get(op_, name);
          wrong[i] += !stored || *stored != Put::created || !back || *back != bytes;
        }
      });
    }
  }
  EXPECT_EQ(wrong, (std::array<int, stores>{}));
}

TEST_F(Directory, LinksAreNotFollowed) {
  const fs::path outside = root_ + ".outside";
  fs::create_directory(outside);
  std::ofstream(outside / "secret") << "not ours";
  fs::create_directory_symlink(outside, at("packs"));
  fs::create_symlink(outside / "secret", at("config"));
  const auto stored = put("packs/1", "x");
  ASSERT_FALSE(stored);
  EXPECT_EQ(stored.error().kind, Error::Kind::denied);
  EXPECT_NE(stored.error().what.find("packs"), std::string::npos);
  EXPECT_FALSE(put("config", "x"));
  EXPECT_FALSE(store_->get(op_, "packs/secret"));
  EXPECT_FALSE(store_->get(op_, "config"));
  EXPECT_TRUE(store_->remove(op_, "packs/secret"));
  EXPECT_TRUE(fs::exists(outside / "secret"));
  EXPECT_FALSE(fs::exists(outside / "1"));
  EXPECT_TRUE(store_->list(op_, "").value_or(std::vector<std::string>{"failed"}).empty());
  fs::remove_all(outside);
}

TEST_F(Directory, ALinkedFolderForTemporariesIsNotFollowed) {
  const fs::path outside = root_ + ".outside";
  fs::create_directory(outside);
  fs::create_directory_symlink(outside, at("tmp"));
  EXPECT_FALSE(put("config", "x"));
  EXPECT_TRUE(fs::is_empty(outside));
  fs::remove_all(outside);
}

TEST_F(Directory, WhatIsNoFileHoldsNobodyUp) {
  ASSERT_EQ(::mkfifo(at("config").c_str(), 0600), 0);
  const auto got = store_->get(op_, "config");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().kind, Error::Kind::denied);
  EXPECT_FALSE(put("config", "x"));
}

TEST_F(Directory, AFolderIsNoObject) {
  ASSERT_TRUE(put("log/0", "x"));
  EXPECT_EQ(store_->get(op_, "log").error().kind, Error::Kind::not_found);
  EXPECT_EQ(store_->size(op_, "log").error().kind, Error::Kind::not_found);
  EXPECT_EQ(store_->get(op_, "log/0/x").error().kind, Error::Kind::not_found);
  EXPECT_TRUE(store_->remove(op_, "log"));
  EXPECT_TRUE(store_->get(op_, "log/0"));
  EXPECT_FALSE(put("log", "x"));
  EXPECT_FALSE(put("log/0/x", "x"));
}

TEST_F(Directory, AFileThatNoObjectCanBeIsNotReadIntoMemory) {
  ASSERT_TRUE(put("log/1", "x"));
  fs::permissions(at("log/1"), fs::perms::owner_read | fs::perms::owner_write);
  fs::resize_file(at("log/1"), (256u << 20) + 1);  // a hole: takes no room
  const auto read = store_->get(op_, "log/1");
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().kind, Error::Kind::corrupt) << read.error().what;
  EXPECT_TRUE(store_->get(op_, "log/1", Range{256u << 20, 1}));
}

TEST_F(Directory, ForeignFilesAreNotListed) {
  ASSERT_TRUE(put("log/0", "x"));
  std::ofstream(at("README.TXT")) << "hello";
  std::ofstream(at("log/0 (copy)")) << "x";
  fs::create_directory(at("lost+found"));
  EXPECT_EQ(store_->list(op_, "").value_or(std::vector<std::string>{}),
            std::vector<std::string>{"log/0"});
}

TEST_F(Directory, OnlyTemporariesThatAreADayOldAreRemoved) {
  make_temporary("tmp/old", std::chrono::hours(25));
  make_temporary("tmp/young", std::chrono::hours(23));
  ASSERT_NE(opened(), nullptr);
  EXPECT_FALSE(fs::exists(at("tmp/old")));
  EXPECT_TRUE(fs::exists(at("tmp/young")));
}

TEST_F(Directory, SaysWhatItCannotOpen) {
  const auto missing = open_directory(at("absent"), false, clock_);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().effective_code(), Error::Code::repository_missing);
  EXPECT_NE(missing.error().what.find("absent"), std::string::npos);
  std::ofstream(at("file")) << "x";
  const auto file = open_directory(at("file"), false, clock_);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().kind, Error::Kind::invalid);
  EXPECT_FALSE(open_directory(at("file"), true, clock_));
}

TEST_F(Directory, MakesOneLevelWhenAsked) {
  EXPECT_TRUE(open_directory(at("new"), true, clock_));
  EXPECT_EQ(mode_of(at("new")), 0700u);
  EXPECT_TRUE(open_directory(at("new"), true, clock_)) << "one that exists is fine";
  const auto deep = open_directory(at("a/b"), true, clock_);
  ASSERT_FALSE(deep);
  EXPECT_EQ(deep.error().kind, Error::Kind::not_found);
}

// The Linux calls that a put makes, and how each may fail.
struct Failure {
  unsigned number, error;
  Error::Kind kind;
  Error::Code code;
};

class FailingDirectory : public Directory, public testing::WithParamInterface<Failure> {};

TEST_P(FailingDirectory, APutFailsAndLeavesNothing) {
  const Failure failure = GetParam();
  ASSERT_TRUE(put("log/0", "before"));
  const auto put_in_child = [&] {
    fail_system_call(failure.number, failure.error);
    const auto stored = put("log/1", "content");
    const bool right = !stored && stored.error().kind == failure.kind &&
                       stored.error().effective_code() == failure.code &&
                       stored.error().what.find("log/1") != std::string::npos;
    if (!right) std::fputs(stored ? "it worked" : stored.error().what.c_str(), stderr);
    std::_Exit(right ? 0 : 1);
  };
  EXPECT_EXIT(put_in_child(), testing::ExitedWithCode(0), "");
  EXPECT_FALSE(fs::exists(at("log/1")));
  EXPECT_TRUE(fs::is_empty(at("tmp")));
  EXPECT_EQ(put("log/1", "content"), Put::created);
  EXPECT_EQ(store_->get(op_, "log/0").value_or(Bytes{}), to_bytes("before"));
}

INSTANTIATE_TEST_SUITE_P(
    SystemCalls, FailingDirectory,
    testing::Values(Failure{SYS_write, ENOSPC, Error::Kind::unavailable, Error::Code::no_space},
                    Failure{SYS_write, EDQUOT, Error::Kind::unavailable, Error::Code::no_space},
                    Failure{SYS_write, EIO, Error::Kind::unavailable, Error::Code::unreachable},
                    Failure{SYS_fsync, EIO, Error::Kind::unavailable, Error::Code::unreachable},
                    Failure{SYS_fsync, ENOSPC, Error::Kind::unavailable, Error::Code::no_space},
                    Failure{SYS_linkat, ENOSPC, Error::Kind::unavailable, Error::Code::no_space},
                    Failure{SYS_linkat, EACCES, Error::Kind::denied, Error::Code::denied},
                    Failure{SYS_linkat, EROFS, Error::Kind::denied, Error::Code::denied}));

TEST_F(Directory, ReadErrorsAreNotCorruption) {
  ASSERT_TRUE(put("log/0", "content"));
  const auto get_in_child = [&] {
    fail_system_call(SYS_pread64, EIO);
    const auto got = store_->get(op_, "log/0");
    const bool right = !got && got.error().kind == Error::Kind::unavailable &&
                       got.error().hint.find("kernel") != std::string::npos;
    std::_Exit(right ? 0 : 1);
  };
  EXPECT_EXIT(get_in_child(), testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace lifeboat::store
