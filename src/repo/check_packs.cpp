// check(), packs: size, footer, directory against the index; with read_data every blob.
#include <algorithm>
#include <thread>

#include "repo/checker.h"

namespace lifeboat::repo {

Result<void> Checker::packs(const Operation& op) {
  places_ = core_.index.packs();
  listed_.assign(places_.size(), 0);
  TRY_DO(core_.index.each([this](const IndexEntry& entry) -> Result<void> {
    ++listed_[entry.pack];
    return {};
  }));
  for (const PackPlace& place : places_) {
    total_bytes_ += options_.read_data ? place.size : place.directory_bytes + footer_bytes;
  }
  // Each thread holds one pack at a time.
  const std::uint64_t room = core_.environment.memory_bytes / (core_.config.pack_target_bytes + 1);
  const auto threads = std::clamp<std::uint64_t>(room, 1, core_.threads());
  std::atomic<std::uint32_t> next = 0;
  Mutex mutex;
  std::optional<Error> failure;
  const auto work = [&] {
    BlobCoder coder;
    for (;;) {
      const std::uint32_t number = next.fetch_add(1);
      if (number >= places_.size()) return;
      const auto checked = check_pack(op, number, coder);
      if (checked) continue;
      MutexLock lock(mutex);
      failure = checked.error();
      next = static_cast<std::uint32_t>(places_.size());
      return;
    }
  };
  {
    std::vector<std::jthread> others;
    for (std::uint64_t i = 1; i < threads; ++i) others.emplace_back(work);
    work();
  }
  MutexLock lock(mutex_);
  report_.packs = places_.size();
  report_.objects += places_.size();
  if (failure) return fail(*failure);
  return {};
}

// Errors: only those that end the check.
Result<void> Checker::check_pack(const Operation& op, std::uint32_t number, BlobCoder& coder) {
  TRY_DO(op.proceed());
  const PackPlace& place = places_[number];
  const std::string path = pack_path(place.name);
  const auto size = core_.store.size(op, path);
  if (!size && size.error().kind != Error::Kind::not_found) return wrap(size.error(), path);
  if (!size || *size != place.size) {
    broken(path, size ? "is " + std::to_string(*size) + " bytes long instead of " +
                            std::to_string(place.size)
                      : "is missing");
    MutexLock lock(mutex_);
    lost_from_[number] = size.value_or(0);
    return {};
  }
  const auto session = core_.session_key(core_.index.sealed_session_of(place));
  if (!session) {
    broken(path, session.error().what);
    return {};
  }
  auto tail = read_tail(op, place);
  if (!tail) return fail(tail.error());
  const PackKeys keys = PackKeys::derive(*session, place.salt, core_.keys.repository);
  const auto directory =
      open_directory(core_.keys, core_.writers, keys, {place.name, place.size, *tail});
  if (!directory) {
    broken(directory.error(), path);
    broken(path, "", "nothing yet: its blobs are still found by the index");
  }
  const auto same = directory ? compare(number, *directory) : Result<void>();
  if (!same) broken(path, same.error().what);
  if (!options_.read_data) return {};
  TRY(const std::vector<IndexEntry> blobs, blobs_of(number, directory ? &*directory : nullptr));
  return check_blobs(op, number, blobs, coder);
}

// What stands in the pack, as its directory says; as the index says, when that is broken.
Result<std::vector<IndexEntry>> Checker::blobs_of(std::uint32_t number,
                                                  const PackDirectory* directory) {
  std::vector<IndexEntry> blobs;
  if (directory == nullptr) {
    TRY_DO(core_.index.each([&](const IndexEntry& entry) -> Result<void> {
      if (entry.pack == number) blobs.push_back(entry);
      return {};
    }));
    return blobs;
  }
  std::uint64_t offset = header_bytes;
  for (const BlobHead& head : directory->entries) {
    blobs.push_back({head, number, static_cast<std::uint32_t>(offset)});
    offset += head.stored;
  }
  return blobs;
}

Result<Bytes> Checker::read_tail(const Operation& op, const PackPlace& place) {
  const std::uint64_t length = place.directory_bytes + footer_bytes;
  const std::string path = pack_path(place.name);
  auto tail = core_.store.get(op, path, store::Range{place.size - length, length});
  if (!tail) return wrap(tail.error(), path);
  if (!options_.read_data) progressed(length);
  return tail;
}

// The directory is the truth; the index must say the same.
Result<void> Checker::compare(std::uint32_t number, const PackDirectory& directory) {
  std::uint64_t offset = header_bytes, matched = 0;
  for (const BlobHead& head : directory.entries) {
    const std::uint64_t at = offset;
    offset += head.stored;
    if (head.type == BlobType::filler) continue;
    const auto found = core_.index.find(head.id);
    if (!found) return fail(Error::Kind::corrupt, "holds a blob that the index does not know");
    if (found->entry.pack != number) continue;  // stored twice, by two sessions
    if (found->entry.offset != at || found->entry.head != head) {
      return fail(Error::Kind::corrupt, "its directory and the index differ");
    }
    ++matched;
  }
  if (matched != listed_[number]) {
    return fail(Error::Kind::corrupt, "the index names blobs that its directory does not");
  }
  return {};
}

Result<void> Checker::check_blobs(const Operation& op, std::uint32_t number,
                                  const std::vector<IndexEntry>& blobs, BlobCoder& coder) {
  const PackPlace& place = places_[number];
  const std::string path = pack_path(place.name);
  auto stored = core_.store.get(op, path);
  if (!stored) return wrap(stored.error(), path);
  TRY(const crypt::Key session, core_.session_key(core_.index.sealed_session_of(place)));
  const PackKeys keys = PackKeys::derive(session, place.salt, core_.keys.repository);
  const auto head_bytes = header(ObjectType::pack);
  if (!std::equal(head_bytes.begin(), head_bytes.end(), stored->begin())) {
    broken(path, "does not begin as a pack does", "nothing: its blobs are not touched by that");
  }
  for (const IndexEntry& entry : blobs) {
    TRY_DO(op.proceed());
    const BlobHead& head = entry.head;
    const std::uint64_t end = std::uint64_t{entry.offset} + head.stored;
    const auto plain = end <= stored->size()
                           ? open_blob(core_.keys, keys, head,
                                       ByteView(*stored).subspan(entry.offset, head.stored), coder)
                           : Result<Bytes>(fail(Error::Kind::corrupt, "is cut short"));
    std::string why = plain ? "" : plain.error().what;
    const bool filler = head.type == BlobType::filler;
    if (plain && !filler && blob_id(core_.keys, core_.keys.domain, head.type, *plain) != head.id) {
      why = "blob " + head.id.brief() + " is not what its id says";
    }
    progressed(head.stored);
    if (!why.empty()) broken(path, why);
    MutexLock lock(mutex_);
    ++report_.blobs;
    if (!why.empty() && !filler) broken_blobs_.emplace(head.id, path);
  }
  return {};
}

}  // namespace lifeboat::repo
