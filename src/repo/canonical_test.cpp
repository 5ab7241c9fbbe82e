// There is one encoding of a value: other bytes that would mean the same are refused.
#include <gtest/gtest.h>

#include "crypt/age.h"
#include "repo/index.h"
#include "repo/key_objects.h"
#include "repo/tree.h"

namespace lifeboat::repo {
namespace {

constexpr std::uint64_t beyond_32_bits = (std::uint64_t{1} << 32) + 1;

Id id(std::uint8_t first) {
  Id made;
  made.bytes.fill(first);
  return made;
}

TEST(Canonical, NothingStandsBehindTheHighestTag) {
  Writer out;
  out.message(UINT32_MAX, as_bytes("of a later version"));
  out.message(UINT32_MAX, as_bytes("twice"));
  EXPECT_TRUE(Fields(out.view()).done("message"));
  Bytes cut = out.take();
  cut.pop_back();
  EXPECT_FALSE(Fields(cut).done("message"));
  cut = Bytes{0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 7};
  EXPECT_FALSE(Fields(cut).done("message"));
}

// A segment with one pack, which says that it is of this session.
Bytes segment_with_pack_of(std::uint64_t session) {
  Writer pack, key, out;
  pack.id(1, id(8));
  pack.uint(2, 4096);
  pack.uint(3, 300);
  pack.message(4, Bytes(32, 1));
  pack.uint(5, session);
  key.id(1, id(3));
  key.message(2, Bytes(80, 2));
  for (std::uint32_t tag = 1; tag <= 3; ++tag) out.id(tag, id(3));
  out.message(5, key.view());
  out.message(5, key.view());
  out.message(6, pack.view());
  return out.take();
}

TEST(Canonical, ThePackOfASessionBeyond32BitsIsNotThatOfAnother) {
  EXPECT_TRUE(decode_index_segment(segment_with_pack_of(1)));
  const auto segment = decode_index_segment(segment_with_pack_of(beyond_32_bits));
  ASSERT_FALSE(segment);
  EXPECT_EQ(segment.error().kind, Error::Kind::corrupt);
}

Bytes root_with(const std::optional<Bytes>& moments) {
  Writer out;
  out.message(1, Bytes(16, 1));
  out.uint(2, 1);
  if (moments) out.message(7, *moments);
  return out.take();
}

TEST(Canonical, ASnapshotSaysItsMomentsEvenWhenTheyAreEmpty) {
  EXPECT_TRUE(decode_root(root_with(Bytes{})));
  EXPECT_FALSE(decode_root(root_with(std::nullopt)));
}

TEST(Canonical, MoreRemarksThanAreWrittenAreRefused) {
  capture::Moments moments;
  moments.remarks.resize(remarks_in_root + 5, "a remark");
  EXPECT_TRUE(decode_root(root_with(encode_moments(moments, remarks_in_root))));
  EXPECT_FALSE(decode_root(root_with(encode_moments(moments, remarks_in_root + 1))));
}

// A key object as repositories hold them, with another slot or with something from a later version.
class KeyObjectBytes : public testing::Test {
 protected:
  static constexpr RepositoryId repository{'r'};
  const KeyTree keys_ = KeyTree::derive(crypt::Key(), repository);
  SeededRandom random_{1};
  const crypt::age::NewIdentity person_ = crypt::age::new_identity(random_);
  Config config_;

  KeyObjectBytes() {
    config_.repository = repository;
    config_.root_verify_key = keys_.root.verify_key;
  }

  Result<KeyObject> decoded(std::uint64_t slot, bool later_version) {
    Writer out;
    out.message(1, repository);
    out.uint(2, slot);
    out.uint(3, 2);
    out.bytes(7, *crypt::age::wrap({person_.recipient}, crypt::Key().view(), random_));
    if (later_version) out.text(65, "of a later version");
    const auto head = header(ObjectType::key);
    Bytes object(head.begin(), head.end());
    append(object, out.view());
    const SignedObject covered{"lifeboat/v1/key", repository, "keys/01", crypt::sha256(object)};
    append(object, sign(keys_.root, covered));
    return decode_key_object(config_, 1, object);
  }
};

TEST_F(KeyObjectBytes, NameTheirSlotIn32Bits) {
  EXPECT_TRUE(decoded(1, false));
  EXPECT_FALSE(decoded(beyond_32_bits, false));
}

TEST_F(KeyObjectBytes, OpenWithFieldsThatALaterVersionAdded) {
  const auto plain = decoded(1, false), later = decoded(1, true);
  ASSERT_TRUE(plain && later);
  EXPECT_EQ(later->covered, plain->covered);  // all before the wrapped secret, and no more
  EXPECT_TRUE(unwrap(config_, *later, Identity{person_.identity}));
}

}  // namespace
}  // namespace lifeboat::repo
