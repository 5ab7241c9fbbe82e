// repo/blob_reader.h - Blobs, read back: located by the index, fetched in few ranges, opened.
//
// Threads: free functions from any thread, each thread with a BlobCoder of its own.
#pragma once

#include <functional>
#include <span>

#include "repo/core.h"

namespace lifeboat::repo {

// Errors: corrupt, when the index does not know it or knows it as something else.
Result<Found> locate(const Core& core, const Id& blob, BlobType type);

// Neighbours in one pack that are fetched with one request.
struct BlobRange {
  PackPlace pack;
  crypt::SealedKey sealed_session{};
  std::uint64_t offset = 0, length = 0;
  std::vector<IndexEntry> entries;  // ascending by offset, each once
};
// Orders by pack and offset and joins what lies close together, up to `range_bytes_most`.
std::vector<BlobRange> plan_ranges(std::vector<Found> found, std::uint64_t range_bytes_most);

// Fetches a range and hands out each of its blobs, opened.  Errors: corrupt, naming the pack;
// those of the store; the first of `visit`.
using VisitBlob = std::function<Result<void>(const IndexEntry&, Bytes plain)>;
Result<void> read_range(const Operation& op, Core& core, const BlobRange& range, BlobCoder& coder,
                        const VisitBlob& visit);

Result<Bytes> read_blob(const Operation& op, Core& core, const Id& blob, BlobType type);
// Several at once, in the order asked for.
Result<std::vector<Bytes>> read_blobs(const Operation& op, Core& core, std::span<const Id> blobs,
                                      BlobType type);

}  // namespace lifeboat::repo
