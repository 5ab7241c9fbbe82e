// Sealing, replaced by nothing: what goes in stays readable. Linked in place of crypt::seal() and
// crypt::open() by `--wrap`, into test programs only, to show that the tests which seek planted
// secrets in a repository find them when sealing is broken. No release target names this file.
#include <atomic>

#include "crypt/crypt.h"

namespace lifeboat::crypt {

// While true, one bit of what is sealed is lost: a processor or memory that fails.
std::atomic<bool> sealing_loses_a_bit = false;

Bytes unsealed_seal(const Key&, const Nonce&, ByteView, ByteView plain) __asm__(
    "__wrap__ZN8lifeboat5crypt4sealERKNS0_3KeyERKSt5arrayIhLm12EESt4spanIKhLm18446744073709551615"
    "EESA_");
Result<Bytes> unsealed_open(const Key&, const Nonce&, ByteView, ByteView sealed) __asm__(
    "__wrap__ZN8lifeboat5crypt4openERKNS0_3KeyERKSt5arrayIhLm12EESt4spanIKhLm18446744073709551615"
    "EESA_");

Bytes unsealed_seal(const Key&, const Nonce&, ByteView, ByteView plain) {
  Bytes sealed(plain.begin(), plain.end());
  sealed.resize(sealed.size() + tag_bytes);
  if (sealing_loses_a_bit) sealed[plain.size() / 2] ^= 1;
  return sealed;
}

Result<Bytes> unsealed_open(const Key&, const Nonce&, ByteView, ByteView sealed) {
  if (sealed.size() < tag_bytes) return fail(Error::Kind::corrupt, "too short");
  const ByteView plain = sealed.first(sealed.size() - tag_bytes);
  return Bytes(plain.begin(), plain.end());
}

}  // namespace lifeboat::crypt
