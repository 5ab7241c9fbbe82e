// Both ways with the real `age`: what one seals, the other opens.
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "crypt/age.h"
#include "crypt/crypt.h"

namespace lifeboat::crypt::age {
namespace {

class Age : public testing::Test {
 protected:
  void SetUp() override {
    umask_ = ::umask(077);
    ASSERT_NE(::mkdtemp(folder_.data()), nullptr);
    ASSERT_EQ(run("age-keygen -o key.txt 2> told"), 0) << "is the package `age` installed?";
    recipient_ = read("told").substr(std::string("Public key: ").size());
    recipient_.pop_back();
  }
  void TearDown() override {
    std::filesystem::remove_all(folder_);
    ::umask(umask_);
  }

  int run(const std::string& command) {
    return std::system(("cd " + folder_ + " && " + command).c_str());
  }
  std::string read(const std::string& name) {
    std::ifstream file(folder_ + "/" + name, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
  }
  void write(const std::string& name, ByteView bytes) {
    std::ofstream file(folder_ + "/" + name, std::ios::binary);
    file << as_text(bytes);
  }
  std::vector<Secret> identities() { return *identities_in(Secret(read("key.txt"))); }

  std::string folder_ = "/tmp/lifeboat-age.XXXXXX";
  std::string recipient_;
  mode_t umask_ = 0;
  SystemRandom random_;
};

TEST_F(Age, OpensWhatWeSeal) {
  for (const std::size_t size : {0, 1, 32, 65535, 65536}) {
    Bytes plain(size);
    random_.fill(plain);
    write("sealed", *wrap({recipient_}, plain, random_));
    ASSERT_EQ(run("age -d -i key.txt sealed > plain"), 0) << size;
    EXPECT_EQ(read("plain"), as_text(plain)) << size;
  }
}

TEST_F(Age, SealsWhatWeOpen) {
  for (const std::size_t size : {0, 1, 32, 65535, 65536, 65537, 200000}) {
    Bytes plain(size);
    random_.fill(plain);
    write("plain", plain);
    ASSERT_EQ(run("age -r " + recipient_ + " -o sealed plain"), 0);
    const auto opened = unwrap(identities(), as_bytes(read("sealed")));
    ASSERT_TRUE(opened) << opened.error().what;
    EXPECT_EQ(*opened, plain);
    std::filesystem::remove(folder_ + "/sealed");
  }
}

TEST_F(Age, TellsTheSameRecipientForAnIdentity) {
  EXPECT_EQ(*recipient_of(identities().front()), recipient_);
}

TEST_F(Age, AcceptsAnIdentityThatWeMade) {
  const NewIdentity made = new_identity(random_);
  write("ours.txt", as_bytes(made.identity.reveal()));
  write("plain", as_bytes("hello"));
  ASSERT_EQ(run("age -r " + made.recipient + " -o sealed plain"), 0);
  ASSERT_EQ(run("age -d -i ours.txt sealed > back"), 0);
  EXPECT_EQ(read("back"), "hello");
}

TEST_F(Age, SealsForSeveralRecipientsAndEachOpens) {
  const NewIdentity other = new_identity(random_);
  write("plain", as_bytes("for two"));
  ASSERT_EQ(run("age -r " + other.recipient + " -r " + recipient_ + " -o sealed plain"), 0);
  EXPECT_TRUE(unwrap(identities(), as_bytes(read("sealed"))));
  EXPECT_TRUE(unwrap({other.identity}, as_bytes(read("sealed"))));
}

TEST_F(Age, PassesOverRecipientsOfOtherKinds) {
  // An SSH public key is its kind and the Ed25519 key, each after its length, big-endian.
  Bytes key{0, 0, 0, 11};
  append(key, as_bytes("ssh-ed25519"));
  append(key, Bytes{0, 0, 0, 32});
  append(key, SigningKey::from(Key::random(random_)).verify_key);
  write("plain", as_bytes("hello"));
  ASSERT_EQ(
      run("age -r 'ssh-ed25519 " + to_base64(key) + "' -r " + recipient_ + " -o sealed plain"), 0);
  EXPECT_NE(read("sealed").find("-> ssh-ed25519 "), std::string::npos);
  EXPECT_EQ(unwrap(identities(), as_bytes(read("sealed"))).value_or(Bytes{}), to_bytes("hello"));
}

TEST_F(Age, AnotherIdentityIsTheWrongKeyForBoth) {
  const NewIdentity other = new_identity(random_);
  write("plain", as_bytes("not for everybody"));
  ASSERT_EQ(run("age -r " + other.recipient + " -o sealed plain"), 0);
  const auto opened = unwrap(identities(), as_bytes(read("sealed")));
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().effective_code(), Error::Code::wrong_key);
  write("ours", *wrap({other.recipient}, as_bytes("x"), random_));
  EXPECT_NE(run("age -d -i key.txt ours > back 2> told"), 0);
  EXPECT_NE(read("told").find("no identity matched"), std::string::npos);
}

TEST_F(Age, AnyAlteredByteOfItsFilesIsFound) {
  write("plain", as_bytes("root secret"));
  ASSERT_EQ(run("age -r " + recipient_ + " -o sealed plain"), 0);
  const Bytes sealed = to_bytes(read("sealed"));
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    for (const unsigned bit : {0x01u, 0x20u, 0x80u}) {
      Bytes altered = sealed;
      altered[at] = static_cast<std::uint8_t>(altered[at] ^ bit);
      const auto opened = unwrap(identities(), altered);
      ASSERT_FALSE(opened) << at;
      EXPECT_TRUE(opened.error().kind == Error::Kind::corrupt ||
                  opened.error().kind == Error::Kind::denied)
          << at;
    }
  }
}

TEST_F(Age, SeesWhatWasAlteredInOurFiles) {
  const Bytes sealed = *wrap({recipient_}, as_bytes("root secret"), random_);
  for (std::size_t at = 0; at < sealed.size(); at += 7) {
    Bytes altered = sealed;
    altered[at] ^= 1;
    write("sealed", altered);
    EXPECT_NE(run("age -d -i key.txt sealed > back 2> told"), 0) << at;
  }
}

}  // namespace
}  // namespace lifeboat::crypt::age
