// repo/blob.h - Blobs: named by a keyed hash, compressed, sealed; and packs, which hold them.
//
// Threads: BlobCoder belongs to one thread; PackBuilder says for itself; the rest is pure.
// Source: docs/format.md, "Packs".
#pragma once

#include <memory>
#include <vector>

#include "repo/keys.h"

namespace lifeboat::repo {

enum class BlobType : std::uint8_t {
  filler = 0,
  data = 1,
  list = 2,
  tree = 3,
  root = 4,
  tree_list = 5
};
enum class Codec : std::uint8_t { none = 0, zstd = 1 };

inline constexpr std::uint64_t blob_bytes_most = 16u << 20;
inline constexpr std::uint64_t pack_bytes_most = 1u << 30;
inline constexpr std::size_t footer_bytes = 252;
inline constexpr std::size_t directory_entry_bytes = 42;

struct BlobHead {
  Id id;
  BlobType type = BlobType::data;
  Codec codec = Codec::none;
  std::uint32_t raw = 0;     // length of the plain bytes
  std::uint32_t stored = 0;  // length in the pack, with the tag
  bool operator==(const BlobHead&) const = default;
};

Id blob_id(const KeyTree& keys, const Id& domain, BlobType type, ByteView plain);

// Compresses and opens blobs with contexts that are kept between calls.
class BlobCoder {
 public:
  BlobCoder();
  ~BlobCoder();
  BlobCoder(const BlobCoder&) = delete;
  BlobCoder& operator=(const BlobCoder&) = delete;

  // Fills head's codec and lengths; answers what is to be sealed: `plain` itself, or bytes that
  // stay valid until the next call.
  ByteView compress(ByteView plain, BlobHead& head);
  // Errors: corrupt.
  Result<Bytes> decompress(const BlobHead& head, Bytes payload);

 private:
  struct Contexts;
  std::unique_ptr<Contexts> contexts_;
};

Bytes seal_blob(const KeyTree& keys, const PackKeys& pack, const BlobHead& head, ByteView payload);
// Errors: corrupt.
Result<Bytes> open_blob(const KeyTree& keys, const PackKeys& pack, const BlobHead& head,
                        ByteView stored, BlobCoder& coder);

// What stands in a pack, and where: what its directory says.
struct PackDirectory {
  Id writer, domain, session;
  std::uint64_t ordinal = 0;
  std::uint64_t stream = 0;       // 1 data, 2 metadata
  std::vector<BlobHead> entries;  // in order, from offset 8 on; the last one is filler
};
Bytes encode(const PackDirectory& directory);
Result<PackDirectory> decode_directory(ByteView message);

struct PackFooter {
  std::uint32_t directory_bytes = 0;
  std::array<std::uint8_t, 32> salt{};
  crypt::SealedKey sealed_session{};
  Id commitment, directory_salt;
  crypt::Signature signature{};
};
Bytes encode(const PackFooter& footer);
// Errors: corrupt. The footer is the last `footer_bytes` of a pack.
Result<PackFooter> decode_footer(ByteView bytes);

// The end of a pack: filler, sealed directory, footer. `body` is header and blobs; `directory`
// lists them. Afterwards `body` is the whole object. Answers the length of the sealed directory.
struct PackSeal {
  const KeyTree& keys;
  const PackKeys& pack;
  std::array<std::uint8_t, 32> salt;
  crypt::SealedKey sealed_session;
  Id name;
};
std::uint32_t finish_pack(const PackSeal& seal, PackDirectory directory, Bytes& body);

// Opens and proves the directory of a pack: `tail` is its sealed directory and footer.
// Errors: corrupt.
struct PackTail {
  Id name;
  std::uint64_t size;  // of the whole object
  ByteView bytes;
};
Result<PackDirectory> open_directory(const KeyTree& keys, const Writers& writers,
                                     const PackKeys& pack, const PackTail& tail);

}  // namespace lifeboat::repo
