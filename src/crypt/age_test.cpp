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
