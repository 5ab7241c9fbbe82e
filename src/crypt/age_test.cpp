#include "crypt/age.h"

#include <gtest/gtest.h>

#include "crypt/bech32.h"

namespace lifeboat::crypt::age {
namespace {

TEST(Age, AnotherIdentityIsTheWrongKey) {
  SeededRandom random(1);
  const NewIdentity ours = new_identity(random), other = new_identity(random);
  const Bytes file = *wrap({ours.recipient}, as_bytes("root secret"), random);
  const auto opened = unwrap({other.identity}, file);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().effective_code(), Error::Code::wrong_key);
}

TEST(Age, AnyAlteredByteIsFound) {
  SeededRandom random(2);
  const NewIdentity ours = new_identity(random);
  const Bytes file = *wrap({ours.recipient}, as_bytes("root secret"), random);
  for (std::size_t at = 0; at < file.size(); ++at) {
    for (const unsigned bit : {0x01u, 0x20u, 0x80u}) {
      Bytes altered = file;
      altered[at] = static_cast<std::uint8_t>(altered[at] ^ bit);
      EXPECT_FALSE(unwrap({ours.identity}, altered)) << "byte " << at;
    }
  }
}

// A file whose header was rebuilt around other stanzas: only parsing stands before the MAC then.
class AgeHeader : public testing::Test {
 protected:
  std::string opened_with(const std::string& stanzas) {
    const std::string text(as_text(file_));
    const std::size_t start = text.find("-> ");
    const auto opened =
        unwrap({ours_.identity}, as_bytes(text.substr(0, start) + stanzas + text.substr(start)));
    if (opened) return "opened";
    EXPECT_EQ(opened.error().kind, Error::Kind::corrupt);
    return opened.error().what;
  }
  const std::string altered_ = "age file: its header was altered";
  SeededRandom random_{7};
  NewIdentity ours_ = new_identity(random_);
  Bytes file_ = *wrap({ours_.recipient}, as_bytes("root secret"), random_);
  const std::string body_ = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
};

TEST_F(AgeHeader, StanzasOfOtherKindsArePassedOverAndTheMacCoversThem) {
  EXPECT_EQ(opened_with(""), "opened");
  EXPECT_EQ(opened_with("-> scrypt c2FsdHNhbHRzYWx0c2FsdA 18\n" + body_), altered_);
  EXPECT_EQ(opened_with("-> X25519-grease a b c\n\n"), altered_);
}

TEST_F(AgeHeader, AMalformedStanzaIsCorrupt) {
  const std::string share(43, 'A');
  for (const std::string& stanzas :
       {"-> X25519 " + share + "\n" + body_,                  // low order
        "-> X25519 " + std::string(42, 'A') + "B\n" + body_,  // not canonical
        "-> X25519 " + std::string(42, 'A') + "\n" + body_,   // too short
        "-> X25519 " + share + "=\n" + body_,                 // padded
        "-> X25519\n" + body_, "-> X25519 " + share + " more\n" + body_, "-> \n" + body_,
        "->  a\n" + body_, "-> a \n" + body_, std::string("-> a\x01\n\n"), std::string("\n"),
        std::string("-> a\n") + std::string(65, 'A') + "\n\n", std::string("-> a\nA\n"),
        std::string("-> a\n!!!!\n"), std::string("->a\n\n")}) {
    const std::string answer = opened_with(stanzas);
    EXPECT_NE(answer, altered_) << "it came as far as the MAC: " << printable(stanzas);
    EXPECT_NE(answer, "opened");
  }
}

TEST_F(AgeHeader, AHeaderWithoutEndIsRefusedEarly) {
  std::string endless;
  while (endless.size() < (1u << 20)) endless += "-> a\n\n";
  EXPECT_EQ(opened_with(endless), "age file: its header has no end");
}

TEST_F(AgeHeader, AnyBytesAtAllAreRefusedWithoutHarm) {
  for (int round = 0; round < 2000; ++round) {
    Bytes mangled = file_;
    for (std::uint64_t edits = 1 + random_.below(4); edits > 0; --edits) {
      const auto at = static_cast<std::ptrdiff_t>(random_.below(mangled.size()));
      const auto kind = random_.below(3);
      if (kind == 0) mangled[static_cast<std::size_t>(at)] = random_.array<1>()[0];
      if (kind == 1) mangled.erase(mangled.begin() + at);
      if (kind == 2) mangled.insert(mangled.begin() + at, random_.array<1>()[0]);
    }
    if (mangled == file_) continue;
    EXPECT_FALSE(unwrap({ours_.identity}, mangled)) << round;
  }
}

TEST(Age, WhatIsOpenedIsWhatWasWrapped) {
  SeededRandom random(8);
  const NewIdentity first = new_identity(random), second = new_identity(random);
  for (const std::size_t size : {0, 1, 32, 65535, 65536}) {
    Bytes plain(size);
    random.fill(plain);
    const Bytes file = *wrap({first.recipient, second.recipient}, plain, random);
    EXPECT_EQ(unwrap({second.identity}, file).value_or(Bytes{9}), plain) << size;
    EXPECT_EQ(unwrap({new_identity(random).identity, first.identity}, file).value_or(Bytes{9}),
              plain);
  }
}

TEST(Age, AnyCutIsFound) {
  SeededRandom random(3);
  const NewIdentity ours = new_identity(random);
  const Bytes file = *wrap({ours.recipient}, as_bytes("root secret"), random);
  for (std::size_t size = 0; size < file.size(); ++size) {
    EXPECT_FALSE(unwrap({ours.identity}, ByteView(file).first(size))) << size;
  }
}

TEST(Age, TrailingBytesAreFound) {
  SeededRandom random(4);
  const NewIdentity ours = new_identity(random);
  Bytes file = *wrap({ours.recipient}, as_bytes("root secret"), random);
  file.push_back(0);
  EXPECT_FALSE(unwrap({ours.identity}, file));
}

TEST(Age, IdentityFilesMayHoldCommentsAndBlankLines) {
  SeededRandom random(5);
  const NewIdentity ours = new_identity(random);
  const std::string text = "# created by hand\n\n" + std::string(ours.identity.reveal()) + "\r\n";
  const auto found = identities_in(Secret(text));
  ASSERT_TRUE(found);
  EXPECT_EQ(*recipient_of(found->front()), ours.recipient);
}

TEST(Age, WhatIsNoIdentitySaysSoWithItsLineAndNotItsText) {
  const auto found = identities_in(Secret("# comment\nhunter2-is-my-password\n"));
  ASSERT_FALSE(found);
  EXPECT_NE(found.error().what.find("line 2"), std::string::npos);
  EXPECT_EQ(found.error().what.find("hunter2"), std::string::npos);
}

TEST(Age, EncryptedAndEmptyIdentityFilesAreNamedAsSuch) {
  EXPECT_NE(
      identities_in(Secret("age-encryption.org/v1\n-> scrypt")).error().what.find("encrypted"),
      std::string::npos);
  EXPECT_FALSE(identities_in(Secret("# nothing\n")));
}

TEST(Age, RecipientsOfLowOrderAndOfOtherKindsAreRefused) {
  EXPECT_FALSE(check_recipient(bech32_encode("age", Bytes(32, 0))));
  EXPECT_FALSE(check_recipient("ssh-ed25519 AAAA"));
  EXPECT_FALSE(check_recipient(""));
}

TEST(Bech32, KeepsTheVectorsOfBip173) {
  // BIP 173, valid strings (those whose payload is whole bytes or empty), and invalid ones.
  EXPECT_TRUE(bech32_decode("A12UEL5L"));
  EXPECT_TRUE(
      bech32_decode("an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcha"
                    "ractersbio1tt5tgs"));
  for (const char* bad : {"pzry9x0s0muk", "1pzry9x0s0muk", "x1b4n0q5v", "li1dgmt3", "A1G7SGD8",
                          "10a06t8", "1qzzfhee", "a12UEL5L"}) {
    EXPECT_FALSE(bech32_decode(bad)) << bad;
  }
}

TEST(Bech32, DecodingGivesBackWhatWasEncoded) {
  SeededRandom random(6);
  for (std::size_t size = 0; size < 70; ++size) {
    Bytes bytes(size);
    random.fill(bytes);
    const auto decoded = bech32_decode(bech32_encode("age", bytes));
    ASSERT_TRUE(decoded) << size;
    EXPECT_EQ(decoded->bytes, bytes);
  }
}

}  // namespace
}  // namespace lifeboat::crypt::age
