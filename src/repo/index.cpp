// Tables are merged like the levels of a log-structured tree: a new one is merged with its
// neighbour while that is not more than twice as large, so there are at most about log2(n) of them
// and each entry is moved about log2(n) times in the life of a process.
#include "repo/index.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <string>

#include "base/guard.h"

namespace lifeboat::repo {
namespace {

// As it lies in the mapping. Ids are uniform, so their first eight bytes are a fine guess.
struct Row {
  std::array<std::uint8_t, 32> id;
  std::uint32_t pack, offset, stored, raw;
  std::uint8_t type, codec, unused[2];
};
static_assert(sizeof(Row) == 52);

Row row_of(const IndexEntry& entry, std::uint32_t pack) {
  return {entry.head.id.bytes,
          pack,
          entry.offset,
          entry.head.stored,
          entry.head.raw,
          static_cast<std::uint8_t>(entry.head.type),
          static_cast<std::uint8_t>(entry.head.codec),
          {}};
}

IndexEntry entry_of(const Row& row) {
  IndexEntry entry;
  entry.head = {Id{row.id}, static_cast<BlobType>(row.type), static_cast<Codec>(row.codec), row.raw,
                row.stored};
  entry.pack = row.pack;
  entry.offset = row.offset;
  return entry;
}

// A file without a name, whose blocks exist (a full disk must show here, not as a SIGBUS later);
// -1: not to be had.
int nameless_file(const std::filesystem::path& folder, std::size_t bytes) {
  if (folder.empty()) return -1;
  std::error_code made;
  std::filesystem::create_directories(folder, made);
  std::string name = (folder / "index-XXXXXX").string();
  const int fd = ::mkostemp(name.data(), O_CLOEXEC);
  if (fd < 0) return -1;
  ::unlink(name.c_str());
  if (::posix_fallocate(fd, 0, static_cast<off_t>(bytes)) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

class Index::Table {
 public:
  Table(const std::filesystem::path& cache, std::size_t room) : bytes_(room * sizeof(Row)) {
    if (bytes_ == 0) return;
    const int fd = nameless_file(cache, bytes_);
    const int flags = fd >= 0 ? MAP_SHARED : MAP_PRIVATE | MAP_ANONYMOUS;
    void* mapped = ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, flags, fd, 0);
    if (fd >= 0) ::close(fd);
    ASSERT(mapped != MAP_FAILED);
    rows_ = static_cast<Row*>(mapped);
  }
  ~Table() {
    if (rows_ != nullptr) ::munmap(rows_, bytes_);
  }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // In order; a repeated id is dropped.
  void push(const Row& row) {
    if (size_ > 0 && rows_[size_ - 1].id == row.id) return;
    rows_[size_++] = row;
  }
  const Row* begin() const { return rows_; }
  const Row* end() const { return rows_ + size_; }
  std::size_t size() const { return size_; }

  const Row* find(const Id& id) const {
    const Row* at = std::lower_bound(
        begin(), end(), id, [](const Row& row, const Id& key) { return row.id < key.bytes; });
    return at != end() && at->id == id.bytes ? at : nullptr;
  }

 private:
  Row* rows_ = nullptr;
  std::size_t size_ = 0, bytes_;
};

Index::Index(std::filesystem::path cache)
    : cache_(std::move(cache)), tables_(std::make_shared<const Tables>()) {}
Index::~Index() = default;

std::shared_ptr<const Index::Table> Index::merged(const Tables& tables) const {
  std::size_t room = 0;
  std::vector<const Row*> heads, ends;
  for (const auto& table : tables) {
    room += table->size();
    heads.push_back(table->begin());
    ends.push_back(table->end());
  }
  auto result = std::make_shared<Table>(cache_, room);
  for (;;) {
    std::size_t least = heads.size();
    for (std::size_t i = 0; i < heads.size(); ++i) {
      if (heads[i] == ends[i]) continue;
      if (least == heads.size() || heads[i]->id < heads[least]->id) least = i;
    }
    if (least == heads.size()) return result;
    result->push(*heads[least]++);
  }
}

// The numbers that the segment's packs have here.
void Index::number_packs(const IndexSegment& segment, std::vector<std::uint32_t>& numbers) {
  MutexLock lock(mutex_);
  const auto first_session = static_cast<std::uint32_t>(sessions_.size());
  sessions_.insert(sessions_.end(), segment.sessions.begin(), segment.sessions.end());
  for (PackPlace pack : segment.packs) {
    const auto next = static_cast<std::uint32_t>(packs_.size());
    const auto [place, added] = pack_numbers_.try_emplace(pack.name, next);
    numbers.push_back(place->second);
    if (!added) continue;
    pack.session += first_session;
    packs_.push_back(pack);
  }
}

void Index::add(const IndexSegment& segment) {
  std::vector<std::uint32_t> numbers;
  number_packs(segment, numbers);
  auto fresh = std::make_shared<Table>(cache_, segment.entries.size());
  for (const IndexEntry& entry : segment.entries) fresh->push(row_of(entry, numbers[entry.pack]));

  MutexLock lock(mutex_);
  Tables tables = *tables_;
  Tables joining{std::move(fresh)};
  std::size_t size = joining.front()->size();
  while (!tables.empty() && tables.back()->size() <= 2 * size) {
    size += tables.back()->size();
    joining.push_back(std::move(tables.back()));
    tables.pop_back();
  }
  tables.push_back(joining.size() == 1 ? joining.front() : merged(joining));
  tables_ = std::make_shared<const Tables>(std::move(tables));
}

std::optional<IndexEntry> Index::locate(const Id& blob) const {
  std::shared_ptr<const Tables> tables;
  {
    MutexLock lock(mutex_);
    tables = tables_;
  }
  for (const auto& table : *tables) {
    if (const Row* row = table->find(blob)) return entry_of(*row);
  }
  return std::nullopt;
}

std::optional<Found> Index::find(const Id& blob) const {
  const auto entry = locate(blob);
  if (!entry) return std::nullopt;
  MutexLock lock(mutex_);
  Found found;
  found.entry = *entry;
  found.pack = packs_[entry->pack];
  found.sealed_session = sessions_[found.pack.session].sealed;
  return found;
}

std::uint64_t Index::blobs() const {
  MutexLock lock(mutex_);
  std::uint64_t count = 0;
  for (const auto& table : *tables_) count += table->size();
  return count;
}

std::vector<PackPlace> Index::packs() const {
  MutexLock lock(mutex_);
  return packs_;
}

std::optional<Id> Index::session_of(const PackPlace& pack) const {
  MutexLock lock(mutex_);
  if (pack.session >= sessions_.size()) return std::nullopt;
  return sessions_[pack.session].session;
}

crypt::SealedKey Index::sealed_session_of(const PackPlace& pack) const {
  MutexLock lock(mutex_);
  return sessions_[pack.session].sealed;
}

Result<void> Index::each(const std::function<Result<void>(const IndexEntry&)>& visit) const {
  std::shared_ptr<const Tables> tables;
  {
    MutexLock lock(mutex_);
    tables = tables_;
  }
  const auto all = merged(*tables);
  for (const Row& row : *all) TRY_DO(visit(entry_of(row)));
  return {};
}

}  // namespace lifeboat::repo
