// Packs: their directory and footer. Blobs themselves are in blob.cpp.
#include <algorithm>

#include "base/guard.h"
#include "repo/blob.h"
#include "repo/padme.h"
#include "repo/wire.h"

namespace lifeboat::repo {
namespace {

constexpr std::string_view pack_context = "lifeboat/v1/pack";
constexpr std::size_t signed_footer_bytes = 180;

Bytes directory_aad(const KeyTree& keys, const std::string& path) {
  Bytes aad(keys.repository.begin(), keys.repository.end());
  append(aad, header(ObjectType::pack));
  append_u16(aad, static_cast<std::uint16_t>(path.size()));
  append(aad, as_bytes(path));
  return aad;
}

crypt::Key directory_key(const PackKeys& pack, const Id& salt) {
  return crypt::hkdf(pack.pack, salt.view(), "lifeboat/v1/pack/directory");
}

Id signed_hash(ByteView sealed_directory, ByteView footer) {
  crypt::Sha256 hash;
  hash.add(sealed_directory);
  hash.add(footer.first(signed_footer_bytes));
  return hash.finish();
}

// Filler of such a length that the whole object stands on the ladder.
void append_filler(const PackSeal& seal, PackDirectory& directory, Bytes& body) {
  directory.entries.push_back({Id{}, BlobType::filler, Codec::none, 0, crypt::tag_bytes});
  const std::uint64_t sealed_directory =
      pad(encode(directory)).size() + crypt::tag_bytes;  // does not depend on the filler's length
  const std::uint64_t size = body.size() + crypt::tag_bytes + sealed_directory + footer_bytes;
  BlobHead& filler = directory.entries.back();
  filler.raw = static_cast<std::uint32_t>(padme(size) - size);
  filler.stored = static_cast<std::uint32_t>(filler.raw + crypt::tag_bytes);
  append(body, seal_blob(seal.keys, seal.pack, filler, Bytes(filler.raw, 0)));
}

}  // namespace

Bytes encode(const PackDirectory& directory) {
  Bytes entries;
  entries.reserve(directory.entries.size() * directory_entry_bytes);
  for (const BlobHead& head : directory.entries) {
    append(entries, head.id.view());
    entries.push_back(static_cast<std::uint8_t>(head.type));
    entries.push_back(static_cast<std::uint8_t>(head.codec));
    append_u32(entries, head.raw);
    append_u32(entries, head.stored);
  }
  Writer out;
  out.id(1, directory.writer);
  out.id(2, directory.domain);
  out.id(3, directory.session);
  out.uint(4, directory.ordinal);
  out.uint(5, directory.stream);
  out.bytes(6, entries);
  return out.take();
}

Result<PackDirectory> decode_directory(ByteView message) {
  Fields fields(message);
  PackDirectory directory;
  directory.writer = fields.id(1);
  directory.domain = fields.id(2);
  directory.session = fields.id(3);
  directory.ordinal = fields.uint(4);
  directory.stream = fields.uint(5);
  const ByteView entries = fields.bytes(6);
  if (entries.size() % directory_entry_bytes != 0) fields.refuse("has entries cut short");
  TRY_DO(fields.done("directory"));
  for (std::size_t at = 0; at < entries.size(); at += directory_entry_bytes) {
    const std::uint8_t* entry = entries.data() + at;
    BlobHead head;
    std::memcpy(head.id.bytes.data(), entry, 32);
    head.type = static_cast<BlobType>(entry[32]);
    head.codec = static_cast<Codec>(entry[33]);
    head.raw = read_u32(entry + 34);
    head.stored = read_u32(entry + 38);
    const bool known = entry[32] <= 5 && entry[33] <= 1;
    if (!known || head.stored < crypt::tag_bytes || head.raw > blob_bytes_most * 4) {
      return fail(Error::Kind::corrupt, "directory has an entry that makes no sense");
    }
    directory.entries.push_back(head);
  }
  return directory;
}

Bytes encode(const PackFooter& footer) {
  Bytes out;
  out.reserve(footer_bytes);
  append_u32(out, footer.directory_bytes);
  append(out, footer.salt);
  append(out, footer.sealed_session);
  append(out, footer.commitment.view());
  append(out, footer.directory_salt.view());
  append(out, footer.signature);
  append(out, header(ObjectType::pack));
  ASSERT(out.size() == footer_bytes);
  return out;
}

Result<PackFooter> decode_footer(ByteView bytes) {
  const auto expected = header(ObjectType::pack);
  if (bytes.size() != footer_bytes ||
      !std::equal(expected.begin(), expected.end(), bytes.end() - header_bytes)) {
    return fail(Error::Kind::corrupt, "does not end as a pack does", "", Error::Code::integrity);
  }
  PackFooter footer;
  const std::uint8_t* at = bytes.data();
  const auto take = [&at](std::uint8_t* to, std::size_t size) {
    std::memcpy(to, at, size);
    at += size;
  };
  footer.directory_bytes = read_u32(at);
  at += 4;
  take(footer.salt.data(), footer.salt.size());
  take(footer.sealed_session.data(), footer.sealed_session.size());
  take(footer.commitment.bytes.data(), 32);
  take(footer.directory_salt.bytes.data(), 32);
  take(footer.signature.data(), footer.signature.size());
  return footer;
}

std::uint32_t finish_pack(const PackSeal& seal, PackDirectory directory, Bytes& body) {
  append_filler(seal, directory, body);
  const Bytes padded = pad(encode(directory));
  const std::string path = pack_path(seal.name);
  PackFooter footer;
  footer.salt = seal.salt;
  footer.sealed_session = seal.sealed_session;
  footer.commitment = seal.pack.commitment;
  footer.directory_salt =
      crypt::hmac_sha256(seal.pack.nonces, {as_bytes("directory"), ByteView(padded)});
  const Bytes sealed = crypt::seal(directory_key(seal.pack, footer.directory_salt), crypt::Nonce{},
                                   directory_aad(seal.keys, path), padded);
  footer.directory_bytes = static_cast<std::uint32_t>(sealed.size());
  const Id hash = signed_hash(sealed, encode(footer));
  footer.signature = sign(seal.keys.writer, {pack_context, seal.keys.repository, path, hash});
  append(body, sealed);
  append(body, encode(footer));
  ASSERT(padme(body.size()) == body.size());
  return footer.directory_bytes;
}

Result<PackDirectory> open_directory(const KeyTree& keys, const Writers& writers,
                                     const PackKeys& pack, const PackTail& tail) {
  const std::string path = pack_path(tail.name);
  const auto broken = [&path](std::string_view how) {
    return fail(Error::Kind::corrupt, path + ": " + std::string(how), "", Error::Code::integrity);
  };
  if (tail.bytes.size() < footer_bytes) return broken("is cut short");
  const ByteView end = tail.bytes.last(footer_bytes);
  auto footer = decode_footer(end);
  if (!footer) return broken(footer.error().what);
  const ByteView sealed = tail.bytes.first(tail.bytes.size() - footer_bytes);
  if (sealed.size() != footer->directory_bytes) return broken("directory of another length");
  if (!crypt::equal(footer->commitment.view(), pack.commitment.view())) {
    return broken("its key commitment does not fit");
  }
  const auto padded = crypt::open(directory_key(pack, footer->directory_salt), crypt::Nonce{},
                                  directory_aad(keys, path), sealed);
  if (!padded) return broken("its directory does not authenticate");
  const auto message = unpad(*padded);
  if (!message) return broken(message.error().what);
  auto directory = decode_directory(*message);
  if (!directory) return wrap(directory.error(), path);

  const Certificate* writer = writers.find(directory->writer);
  if (writer == nullptr) return broken("is of a writer without certificate");
  const SignedObject object{pack_context, keys.repository, path, signed_hash(sealed, end)};
  if (!verify(writer->verify_key, object, footer->signature)) {
    return broken("its signature does not fit");
  }
  if (object_name(keys, "pack", directory->session, directory->ordinal) != tail.name) {
    return broken("says that it is another pack");
  }
  std::uint64_t blobs = header_bytes;
  for (const BlobHead& head : directory->entries) blobs += head.stored;
  if (blobs + tail.bytes.size() != tail.size) return broken("its blobs do not fill it");
  return directory;
}

}  // namespace lifeboat::repo
