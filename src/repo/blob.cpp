#include "repo/blob.h"

#include <zstd.h>

#include <algorithm>

#include "base/guard.h"
#include "repo/wire.h"

namespace lifeboat::repo {
namespace {

constexpr int level = 3, probe_level = 1;
constexpr std::size_t probe_from_bytes = 64u << 10, probe_sample_bytes = 8u << 10;

// AES-GCM's inputs that follow from a blob's head.
crypt::Nonce nonce_of(const PackKeys& pack, const BlobHead& head) {
  Bytes rest{static_cast<std::uint8_t>(head.codec)};
  append_u32(rest, head.raw);
  append_u32(rest, head.stored);
  const Id mac = crypt::hmac_sha256(pack.nonces, {head.id.view(), ByteView(rest)});
  crypt::Nonce nonce{};
  std::copy_n(mac.bytes.begin(), nonce.size(), nonce.begin());
  return nonce;
}

Bytes associated(const KeyTree& keys, const BlobHead& head) {
  Bytes aad(keys.repository.begin(), keys.repository.end());
  aad.push_back(static_cast<std::uint8_t>(head.type));
  append(aad, head.id.view());
  aad.push_back(static_cast<std::uint8_t>(head.codec));
  append_u32(aad, head.raw);
  return aad;
}

}  // namespace

Id blob_id(const KeyTree& keys, const Id& domain, BlobType type, ByteView plain) {
  const auto kind = static_cast<std::uint8_t>(type);
  return crypt::hmac_sha256(keys.ids, {domain.view(), ByteView(&kind, 1), plain});
}

struct BlobCoder::Contexts {
  ZSTD_CCtx* compress = ZSTD_createCCtx();
  ZSTD_DCtx* decompress = ZSTD_createDCtx();
  Bytes buffer, probe;

  Contexts() { ASSERT(compress != nullptr && decompress != nullptr); }
  ~Contexts() {
    ZSTD_freeCCtx(compress);
    ZSTD_freeDCtx(decompress);
  }
  Contexts(const Contexts&) = delete;
  Contexts& operator=(const Contexts&) = delete;

  // Compressed size at `at_level`, in buffer; 0: not smaller than `limit`.
  std::size_t squeeze(ByteView plain, int at_level, std::size_t limit) {
    if (buffer.size() < limit) buffer.resize(limit);
    const std::size_t size =
        ZSTD_compressCCtx(compress, buffer.data(), limit, plain.data(), plain.size(), at_level);
    return ZSTD_isError(size) != 0 ? 0 : size;
  }

  // Media, archives and ciphertext are found by three samples, before all of it is tried in vain.
  bool looks_incompressible(ByteView plain) {
    if (plain.size() < probe_from_bytes) return false;
    probe.clear();
    const std::size_t last = plain.size() - probe_sample_bytes;
    for (const std::size_t at : {std::size_t{0}, last / 2, last}) {
      append(probe, plain.subspan(at, probe_sample_bytes));
    }
    return squeeze(probe, probe_level, probe.size() - probe.size() / 32) == 0;
  }
};

BlobCoder::BlobCoder() : contexts_(std::make_unique<Contexts>()) {}
BlobCoder::~BlobCoder() = default;

ByteView BlobCoder::compress(ByteView plain, BlobHead& head) {
  ASSERT(plain.size() <= blob_bytes_most);
  head.raw = static_cast<std::uint32_t>(plain.size());
  const std::size_t worth = plain.size() - plain.size() / 64;  // saves at least a 64th
  const std::size_t size = plain.empty() || contexts_->looks_incompressible(plain)
                               ? 0
                               : contexts_->squeeze(plain, level, worth);
  head.codec = size == 0 ? Codec::none : Codec::zstd;
  const ByteView payload = size == 0 ? plain : ByteView(contexts_->buffer).first(size);
  head.stored = static_cast<std::uint32_t>(payload.size() + crypt::tag_bytes);
  return payload;
}

Result<Bytes> BlobCoder::decompress(const BlobHead& head, Bytes payload) {
  if (head.codec == Codec::none) {
    if (payload.size() != head.raw) return fail(Error::Kind::corrupt, "blob has another length");
    return payload;
  }
  if (head.codec != Codec::zstd) return fail(Error::Kind::corrupt, "blob of an unknown codec");
  Bytes plain(head.raw);
  const std::size_t size = ZSTD_decompressDCtx(contexts_->decompress, plain.data(), plain.size(),
                                               payload.data(), payload.size());
  if (ZSTD_isError(size) != 0 || size != plain.size()) {
    return fail(Error::Kind::corrupt, "blob does not decompress");
  }
  return plain;
}

Bytes seal_blob(const KeyTree& keys, const PackKeys& pack, const BlobHead& head, ByteView payload) {
  return crypt::seal(pack.blobs, nonce_of(pack, head), associated(keys, head), payload);
}

Result<Bytes> open_blob(const KeyTree& keys, const PackKeys& pack, const BlobHead& head,
                        ByteView stored, BlobCoder& coder) {
  if (stored.size() != head.stored || head.raw > blob_bytes_most) {
    return fail(Error::Kind::corrupt, "blob " + head.id.brief() + " has another length");
  }
  auto payload = crypt::open(pack.blobs, nonce_of(pack, head), associated(keys, head), stored);
  if (!payload) {
    return fail(Error::Kind::corrupt, "blob " + head.id.brief() + " does not authenticate", "",
                Error::Code::integrity);
  }
  return coder.decompress(head, *std::move(payload));
}

}  // namespace lifeboat::repo
