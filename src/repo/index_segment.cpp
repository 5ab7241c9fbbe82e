// Index segments as they are stored. The table that look-ups use is in index.cpp.
#include <algorithm>

#include "repo/index.h"
#include "repo/wire.h"

namespace lifeboat::repo {
namespace {

constexpr std::size_t entry_bytes = 50;

void append_entry(Bytes& to, const IndexEntry& entry) {
  append(to, entry.head.id.view());
  append_u32(to, entry.pack);
  append_u32(to, entry.offset);
  append_u32(to, entry.head.stored);
  append_u32(to, entry.head.raw);
  to.push_back(static_cast<std::uint8_t>(entry.head.type));
  to.push_back(static_cast<std::uint8_t>(entry.head.codec));
}

IndexEntry read_entry(const std::uint8_t* at) {
  IndexEntry entry;
  std::memcpy(entry.head.id.bytes.data(), at, 32);
  entry.pack = read_u32(at + 32);
  entry.offset = read_u32(at + 36);
  entry.head.stored = read_u32(at + 40);
  entry.head.raw = read_u32(at + 44);
  entry.head.type = static_cast<BlobType>(at[48]);
  entry.head.codec = static_cast<Codec>(at[49]);
  return entry;
}

bool sensible(const IndexEntry& entry, const IndexSegment& segment) {
  if (entry.pack >= segment.packs.size()) return false;
  const auto type = static_cast<std::uint8_t>(entry.head.type);
  const std::uint64_t end = std::uint64_t{entry.offset} + entry.head.stored;
  return type >= 1 && type <= 5 && static_cast<std::uint8_t>(entry.head.codec) <= 1 &&
         entry.head.raw <= blob_bytes_most && entry.head.stored >= crypt::tag_bytes &&
         entry.offset >= header_bytes && end <= segment.packs[entry.pack].size;
}

Result<PackPlace> decode_pack(ByteView encoded, std::size_t sessions) {
  Fields fields(encoded);
  PackPlace pack;
  pack.name = fields.id(1);
  pack.size = fields.uint(2);
  pack.directory_bytes = fields.uint(3);
  pack.salt = fields.array<32>(4);
  const std::uint64_t session = fields.uint(5);
  pack.session = static_cast<std::uint32_t>(session);
  const bool fits = pack.size <= pack_bytes_most && session < sessions &&
                    pack.directory_bytes + footer_bytes + header_bytes <= pack.size;
  if (!fits) fields.refuse("makes no sense");
  TRY_DO(fields.done("pack in index"));
  return pack;
}

}  // namespace

Bytes encode(IndexSegment& segment) {
  std::sort(segment.entries.begin(), segment.entries.end(),
            [](const IndexEntry& a, const IndexEntry& b) { return a.head.id < b.head.id; });
  Writer out;
  out.id(1, segment.writer);
  out.id(2, segment.domain);
  out.id(3, segment.session);
  out.uint(4, segment.ordinal);
  for (const SessionKeyPlace& session : segment.sessions) {
    Writer encoded;
    encoded.id(1, session.session);
    encoded.message(2, session.sealed);
    out.message(5, encoded.view());
  }
  for (const PackPlace& pack : segment.packs) {
    Writer encoded;
    encoded.id(1, pack.name);
    encoded.uint(2, pack.size);
    encoded.uint(3, pack.directory_bytes);
    encoded.message(4, pack.salt);
    encoded.uint(5, pack.session);
    out.message(6, encoded.view());
  }
  Bytes entries;
  entries.reserve(segment.entries.size() * entry_bytes);
  for (const IndexEntry& entry : segment.entries) append_entry(entries, entry);
  out.bytes(7, entries);
  return out.take();
}

Result<IndexSegment> decode_index_segment(ByteView message) {
  Fields fields(message);
  IndexSegment segment;
  segment.writer = fields.id(1);
  segment.domain = fields.id(2);
  segment.session = fields.id(3);
  segment.ordinal = fields.uint(4);
  while (const auto encoded = fields.message(5)) {
    Fields inner(*encoded);
    SessionKeyPlace session;
    session.session = inner.id(1);
    session.sealed = inner.array<80>(2);
    TRY_DO(inner.done("session in index"));
    segment.sessions.push_back(session);
  }
  while (const auto encoded = fields.message(6)) {
    TRY(PackPlace pack, decode_pack(*encoded, segment.sessions.size()));
    segment.packs.push_back(pack);
  }
  const ByteView entries = fields.bytes(7);
  if (entries.size() % entry_bytes != 0) fields.refuse("has entries cut short");
  TRY_DO(fields.done("index segment"));
  segment.entries.reserve(entries.size() / entry_bytes);
  for (std::size_t at = 0; at < entries.size(); at += entry_bytes) {
    const IndexEntry entry = read_entry(entries.data() + at);
    const bool ascending =
        segment.entries.empty() || segment.entries.back().head.id < entry.head.id;
    if (!ascending || !sensible(entry, segment)) {
      return fail(Error::Kind::corrupt, "index segment has an entry that makes no sense");
    }
    segment.entries.push_back(entry);
  }
  return segment;
}

}  // namespace lifeboat::repo
