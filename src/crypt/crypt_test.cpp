// Known answers come from the RFCs and from NIST, or were made with Python's `cryptography` and
// `argon2-cffi` (the libraries of tools/unpack.py) where the construction is the format's own.
#include "crypt/crypt.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <thread>

namespace lifeboat::crypt {
namespace {

template <std::size_t N>
std::array<std::uint8_t, N> bytes_of(std::string_view hex) {
  const Bytes bytes = from_hex(hex).value_or(Bytes{});
  EXPECT_EQ(bytes.size(), N);
  std::array<std::uint8_t, N> out{};
  std::copy_n(bytes.begin(), std::min(N, bytes.size()), out.begin());
  return out;
}

Key key_of(std::string_view hex) { return Key(bytes_of<32>(hex)); }
// HMAC pads its key with zeros, so a shorter key of a test vector may be padded beforehand.
Key padded_key(std::string_view text) {
  std::array<std::uint8_t, 32> bytes{};
  std::ranges::copy(as_bytes(text), bytes.begin());
  return Key(bytes);
}
Bytes counted(std::size_t count, std::uint8_t first = 0) {
  Bytes bytes(count);
  for (std::size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::uint8_t>(first + i);
  return bytes;
}

constexpr std::string_view alice_secret =
    "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a";
constexpr std::string_view bob_secret =
    "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb";
constexpr std::string_view signing_seed =
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const Nonce gcm_nonce = bytes_of<12>("cafebabefacedbaddecaf888");

TEST(Sha256, GivesTheAnswersOfFips180) {
  EXPECT_EQ(sha256(as_bytes("abc")).hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256({}).hex(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST(Sha256, InPartsEqualsAtOnce) {
  const Bytes bytes = counted(1000);
  for (const std::size_t cut : {0, 1, 63, 64, 65, 999, 1000}) {
    Sha256 running;
    running.add(ByteView(bytes).first(cut));
    running.add(ByteView(bytes).subspan(cut));
    EXPECT_EQ(running.finish(), sha256(bytes)) << cut;
  }
}

TEST(Hmac, GivesTheAnswersOfRfc4231) {
  EXPECT_EQ(hmac_sha256(padded_key(std::string(20, '\x0b')), as_bytes("Hi There")).hex(),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(hmac_sha256(padded_key("Jefe"), as_bytes("what do ya want for nothing?")).hex(),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(hmac_sha256(padded_key(std::string(20, '\xaa')), Bytes(50, 0xdd)).hex(),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
}

TEST(Hmac, PartsCountAsTheirConcatenation) {
  const Key key = padded_key("Jefe");
  EXPECT_EQ(hmac_sha256(key, {as_bytes("what do ya "), {}, as_bytes("want for nothing?")}),
            hmac_sha256(key, as_bytes("what do ya want for nothing?")));
  EXPECT_EQ(hmac_sha256(key, std::initializer_list<ByteView>{}), hmac_sha256(key, ByteView{}));
}

// The context is kept per thread: neither the key before nor another thread may shine through.
TEST(Hmac, CallsAndThreadsDoNotDisturbEachOther) {
  const Key first = padded_key("first"), second = padded_key("second");
  const Id of_first = hmac_sha256(first, as_bytes("x"));
  const Id of_second = hmac_sha256(second, as_bytes("x"));
  EXPECT_NE(of_first, of_second);
  std::array<bool, 4> right{};
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < right.size(); ++i) {
      threads.emplace_back([&, i] {
        right[i] = true;
        for (int n = 0; n < 1000; ++n) {
          right[i] = right[i] && hmac_sha256(first, as_bytes("x")) == of_first &&
                     hmac_sha256(second, as_bytes("x")) == of_second;
        }
      });
    }
  }
  EXPECT_EQ(right, (std::array<bool, 4>{true, true, true, true}));
}

TEST(Hkdf, GivesTheAnswersOfRfc5869) {
  const auto hex = [](const Key& key) { return to_hex(key.view()); };
  EXPECT_EQ(hex(hkdf(Bytes(22, 0x0b), counted(13), as_text(counted(10, 0xf0)))),
            "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf");
  EXPECT_EQ(hex(hkdf(counted(80), counted(80, 0x60), as_text(counted(80, 0xb0)))),
            "b11e398dc80327a1c8e7f78c596a49344f012eda2d4efad8a050cc4c19afa97c");
  EXPECT_EQ(hex(hkdf(Bytes(22, 0x0b), {}, "")),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

TEST(Gcm, GivesTheAnswersOfNist) {
  EXPECT_EQ(to_hex(seal(Key(), Nonce{}, {}, {})), "530f8afbc74536b9a963b4f1c4cb738b");
  EXPECT_EQ(to_hex(seal(Key(), Nonce{}, {}, Bytes(16, 0))),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
  const Key key = key_of("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const auto plain = bytes_of<60>(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449"
      "a6b525b16aedf5aa0de657ba637b39");
  const auto associated = bytes_of<20>("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const Bytes sealed = seal(key, gcm_nonce, associated, plain);
  EXPECT_EQ(to_hex(sealed),
            "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b"
            "1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b");
  EXPECT_EQ(open(key, gcm_nonce, associated, sealed).value_or(Bytes{}),
            Bytes(plain.begin(), plain.end()));
}

TEST(Gcm, OpensNothingThatWasAltered) {
  const Key key = padded_key("key");
  const Bytes associated = counted(5), plain = counted(100);
  const Bytes sealed = seal(key, gcm_nonce, associated, plain);
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    Bytes altered = sealed;
    altered[at] ^= 1;
    const auto opened = open(key, gcm_nonce, associated, altered);
    ASSERT_FALSE(opened) << at;
    EXPECT_EQ(opened.error().kind, Error::Kind::corrupt);
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) {
    EXPECT_FALSE(open(key, gcm_nonce, associated, ByteView(sealed).first(size))) << size;
  }
  EXPECT_FALSE(open(padded_key("other"), gcm_nonce, associated, sealed));
  EXPECT_FALSE(open(key, Nonce{}, associated, sealed));
  EXPECT_FALSE(open(key, gcm_nonce, counted(6), sealed));
  EXPECT_FALSE(open(key, gcm_nonce, {}, sealed));
}

TEST(Aead, SealsManyAndAppendsEach) {
  const Key key = padded_key("key");
  Aead aead(key);
  Bytes joined, opened;
  std::vector<std::size_t> ends;
  for (std::uint8_t i = 0; i < 10; ++i) {
    aead.seal(Nonce{i}, {}, counted(i * std::size_t{7}), joined);
    ends.push_back(joined.size());
  }
  std::size_t start = 0;
  for (std::uint8_t i = 0; i < 10; ++i) {
    const ByteView blob = ByteView(joined).subspan(start, ends[i] - start);
    ASSERT_TRUE(aead.open(Nonce{i}, {}, blob, opened));
    EXPECT_EQ(opened, counted(i * std::size_t{7}));
    EXPECT_EQ(seal(key, Nonce{i}, {}, opened), Bytes(blob.begin(), blob.end()));
    start = ends[i];
  }
}

TEST(Aead, AFailedOpenHandsOutNothingAndDoesNoHarm) {
  Aead aead(padded_key("key"));
  Bytes sealed;
  aead.seal(gcm_nonce, {}, counted(100), sealed);
  Bytes altered = sealed, out = counted(7);
  altered.back() ^= 1;
  EXPECT_FALSE(aead.open(gcm_nonce, {}, altered, out));
  EXPECT_TRUE(out.empty());
  ASSERT_TRUE(aead.open(gcm_nonce, {}, sealed, out));
  EXPECT_EQ(out, counted(100));
}

TEST(Exchange, GivesThePublicKeysOfRfc7748) {
  EXPECT_EQ(to_hex(ExchangeKey::from(key_of(alice_secret)).public_key),
            "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
  EXPECT_EQ(to_hex(ExchangeKey::from(key_of(bob_secret)).public_key),
            "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f");
}

TEST(SealKey, OpensWhatPythonSealed) {
  const auto sealed = bytes_of<80>(
      "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6ab69c0987f55fb447891d5e456e6a"
      "f93803a89a5cfc4aa27d5e45eabee112ee2c7b2a40d4af2d4ca3eebf877af958e7b4");
  const auto key = open_key(ExchangeKey::from(key_of(bob_secret)), sealed, "lifeboat/v1/session");
  ASSERT_TRUE(key);
  EXPECT_EQ(to_hex(key->view()), to_hex(counted(32)));
}

TEST(SealKey, OnlyTheRecipientOpensItUnderTheSameWords) {
  SeededRandom random(1);
  const ExchangeKey bob = ExchangeKey::from(key_of(bob_secret));
  const Key key = Key::random(random);
  const SealedKey sealed = seal_key(bob.public_key, key, "a", random);
  const auto opened = open_key(bob, sealed, "a");
  ASSERT_TRUE(opened);
  EXPECT_TRUE(equal(opened->view(), key.view()));
  EXPECT_FALSE(open_key(bob, sealed, "b"));
  EXPECT_FALSE(open_key(ExchangeKey::from(key_of(alice_secret)), sealed, "a"));
  EXPECT_NE(sealed, seal_key(bob.public_key, key, "a", random)) << "each has its own share";
}

TEST(SealKey, OpensNothingThatWasAltered) {
  SeededRandom random(2);
  const ExchangeKey bob = ExchangeKey::from(key_of(bob_secret));
  const SealedKey sealed = seal_key(bob.public_key, Key::random(random), "a", random);
  for (std::size_t at = 0; at < sealed.size(); ++at) {
    SealedKey altered = sealed;
    altered[at] ^= 1;
    const auto opened = open_key(bob, altered, "a");
    ASSERT_FALSE(opened) << at;
    EXPECT_EQ(opened.error().kind, Error::Kind::corrupt);
  }
}

// RFC 7748, section 7: shares for which the result does not depend on the secret.
TEST(SealKey, SharesOfLowOrderAreRefused) {
  const ExchangeKey bob = ExchangeKey::from(key_of(bob_secret));
  EXPECT_TRUE(usable_public_key(bob.public_key));
  for (const std::string_view point :
       {"0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
        "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"}) {
    EXPECT_FALSE(usable_public_key(bytes_of<32>(point))) << point;
    SealedKey sealed{};
    std::ranges::copy(bytes_of<32>(point), sealed.begin());
    const auto opened = open_key(bob, sealed, "a");
    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().what.find("low-order"), std::string::npos);
  }
}

TEST(Sign, GivesTheVerifyKeysOfRfc8032) {
  EXPECT_EQ(to_hex(SigningKey::from(key_of(signing_seed)).verify_key),
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
  const Key second = key_of("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
  EXPECT_EQ(to_hex(SigningKey::from(second).verify_key),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
}

TEST(Sign, SignsWhatTheHeaderSays) {
  const SigningKey key = SigningKey::from(key_of(signing_seed));
  EXPECT_EQ(to_hex(sign(key, "lifeboat/v1/log", as_bytes("slot 17"))),
            "430439625d992b5572ae4b48965b89c021e24af35c40c937e71a982a376abfa82dde7b0d888870359b6d25"
            "7bc22bbfbe6e857c0a777dcad2bafc42c247e84308");
  EXPECT_EQ(to_hex(sign(key, "", {})),
            "ee0db8b2be69ee741c847521e5f2fda8973fd46ac6570f6066724a9b4329fb6da12f2e403433414c6bc503"
            "a15c632dfe5676ad00905b8f6a1cc09b06e3780700");
}

TEST(Sign, VerifiesNothingElse) {
  const SigningKey key = SigningKey::from(key_of(signing_seed));
  const Signature signature = sign(key, "log", as_bytes("slot 17"));
  EXPECT_TRUE(verify(key.verify_key, "log", as_bytes("slot 17"), signature));
  const auto refused = verify(key.verify_key, "log", as_bytes("slot 18"), signature);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().kind, Error::Kind::corrupt);
  EXPECT_FALSE(verify(key.verify_key, "logs", as_bytes("lot 17"), signature))
      << "the border between context and message is signed too";
  EXPECT_FALSE(verify(SigningKey::from(key_of(bob_secret)).verify_key, "log", as_bytes("slot 17"),
                      signature));
  for (std::size_t at = 0; at < signature.size(); ++at) {
    Signature altered = signature;
    altered[at] ^= 1;
    EXPECT_FALSE(verify(key.verify_key, "log", as_bytes("slot 17"), altered)) << at;
  }
}

TEST(Argon2id, GivesTheAnswersOfTheReferenceImplementation) {
  const Bytes counted_salt = counted(16);
  const std::span<const std::uint8_t, 16> salt(counted_salt.data(), 16);
  const auto hex = [&](std::string_view passphrase, std::uint64_t memory, std::uint32_t passes) {
    const auto key = argon2id(passphrase, salt, memory, passes);
    return key ? to_hex(key->view()) : key.error().what;
  };
  EXPECT_EQ(hex("correct horse battery staple", 8192 << 10, 3),
            "947312f62e4ac86f63c9b622f147b0061846739f53dd00f2d2236cd03db413ac");
  EXPECT_EQ(hex("", 8 << 10, 1),
            "31ed41e2d73f27fdfe4eb4bec651341e58ba43477051c6fe4adad735d82ee08a");
  EXPECT_EQ(hex("p\xc3\xa4ssword", 64 << 10, 2),
            "b9b0ede61e2fb01051fed4ce8e9b2a8bdf8ab3cd74eaf3909e4c02a28ef2aa46");
}

TEST(Argon2id, RefusesCostsOutOfRange) {
  const std::array<std::uint8_t, 16> salt{};
  for (const std::uint64_t memory : {std::uint64_t{0}, std::uint64_t{1024}, std::uint64_t{8191},
                                     std::uint64_t{8193}, std::uint64_t{1} << 42}) {
    const auto key = argon2id("x", salt, memory, 1);
    ASSERT_FALSE(key) << memory;
    EXPECT_EQ(key.error().kind, Error::Kind::invalid);
  }
  EXPECT_FALSE(argon2id("x", salt, 8192, 0));
}

// In a child of its own, for the filter cannot be taken back: mmap() of 512 MiB or more fails.
TEST(Argon2idDeathTest, SaysThatMemoryIsShort) {
  const auto unlock_in_little_memory = [] {
    constexpr std::uint32_t length = offsetof(seccomp_data, args) + sizeof(std::uint64_t);
    sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mmap, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, length),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 512u << 20, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOMEM),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{6, filter};
    const bool limited = ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
                         ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
    const auto key = argon2id("x", std::array<std::uint8_t, 16>{}, std::uint64_t{1} << 30, 1);
    const bool said = !key && key.error().kind == Error::Kind::unavailable &&
                      key.error().what.find("1024 MiB") != std::string::npos;
    std::_Exit(limited && said ? 0 : 1);
  };
  EXPECT_EXIT(unlock_in_little_memory(), testing::ExitedWithCode(0), "");
}

TEST(Equal, ComparesLengthAndContent) {
  EXPECT_TRUE(equal({}, {}));
  EXPECT_TRUE(equal(counted(5), counted(5)));
  EXPECT_FALSE(equal(counted(5), counted(6)));
  EXPECT_FALSE(equal(counted(5), counted(5, 1)));
}

}  // namespace
}  // namespace lifeboat::crypt
