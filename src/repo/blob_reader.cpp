#include "repo/blob_reader.h"

#include <algorithm>
#include <unordered_map>

namespace lifeboat::repo {
namespace {

constexpr std::uint64_t gap_bytes_most = 256u << 10;  // cheaper to read than to ask again
constexpr std::uint64_t range_bytes_usual = 8u << 20;

}  // namespace

Result<Found> locate(const Core& core, const Id& blob, BlobType type) {
  auto found = core.index.find(blob);
  if (!found) {
    const auto broken = core.broken_segments();
    const std::string why = broken.empty() ? "" : " (" + broken.begin()->second.what + ")";
    return fail(Error::Kind::corrupt, "blob " + blob.brief() + " is not in the index" + why,
                "run `lifeboat check --read-data`", Error::Code::integrity);
  }
  if (found->entry.head.type != type) {
    return fail(Error::Kind::corrupt, "blob " + blob.brief() + " is of another type", "",
                Error::Code::integrity);
  }
  return *found;
}

std::vector<BlobRange> plan_ranges(std::vector<Found> found, std::uint64_t range_bytes_most) {
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return std::pair(a.entry.pack, a.entry.offset) < std::pair(b.entry.pack, b.entry.offset);
  });
  std::vector<BlobRange> ranges;
  std::uint32_t pack = 0;
  for (const Found& it : found) {
    BlobRange* last = ranges.empty() || pack != it.entry.pack ? nullptr : &ranges.back();
    if (last != nullptr && last->entries.back().offset == it.entry.offset) continue;
    const std::uint64_t end = std::uint64_t{it.entry.offset} + it.entry.head.stored;
    const bool joins = last != nullptr && end - last->offset <= range_bytes_most &&
                       it.entry.offset - (last->offset + last->length) <= gap_bytes_most;
    if (!joins) {
      ranges.push_back({it.pack, it.sealed_session, it.entry.offset, 0, {}});
      last = &ranges.back();
      pack = it.entry.pack;
    }
    last->entries.push_back(it.entry);
    last->length = end - last->offset;
  }
  return ranges;
}

Result<void> read_range(const Operation& op, Core& core, const BlobRange& range, BlobCoder& coder,
                        const VisitBlob& visit) {
  TRY_DO(op.proceed());
  const std::string path = pack_path(range.pack.name);
  const auto session = core.session_key(range.sealed_session);
  if (!session) return wrap(session.error(), path);
  const PackKeys keys = PackKeys::derive(*session, range.pack.salt, core.keys.repository);
  auto stored = core.store.get(op, path, store::Range{range.offset, range.length});
  if (!stored && stored.error().kind == Error::Kind::not_found) {
    return fail(Error::Kind::corrupt, path + ": is missing",
                "run `lifeboat check`; fetch this object from a second copy of the repository",
                Error::Code::integrity);
  }
  if (!stored) return wrap(stored.error(), path);
  for (const IndexEntry& entry : range.entries) {
    const ByteView sealed = ByteView(*stored).subspan(
        static_cast<std::size_t>(entry.offset - range.offset), entry.head.stored);
    auto plain = open_blob(core.keys, keys, entry.head, sealed, coder);
    if (!plain) return wrap(plain.error(), path);
    TRY_DO(visit(entry, *std::move(plain)));
  }
  return {};
}

Result<Bytes> read_blob(const Operation& op, Core& core, const Id& blob, BlobType type) {
  TRY(std::vector<Bytes> blobs, read_blobs(op, core, std::span(&blob, 1), type));
  return std::move(blobs.front());
}

Result<std::vector<Bytes>> read_blobs(const Operation& op, Core& core, std::span<const Id> blobs,
                                      BlobType type) {
  std::vector<Found> found;
  std::unordered_map<Id, std::vector<std::size_t>> wanted;
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    TRY(const Found place, locate(core, blobs[i], type));
    found.push_back(place);
    wanted[blobs[i]].push_back(i);
  }
  std::vector<Bytes> out(blobs.size());
  BlobCoder coder;
  for (const BlobRange& range : plan_ranges(std::move(found), range_bytes_usual)) {
    TRY_DO(read_range(op, core, range, coder,
                      [&](const IndexEntry& entry, Bytes plain) -> Result<void> {
                        const auto& places = wanted[entry.head.id];
                        for (std::size_t i = 1; i < places.size(); ++i) out[places[i]] = plain;
                        out[places.front()] = std::move(plain);
                        return {};
                      }));
  }
  return out;
}

}  // namespace lifeboat::repo
