// repo/test_world.h - A repository on a store in memory, and captures to put into it: for tests.
//
// Threads: one.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <stdexcept>
#include <string>

#include "base/fake_clock.h"
#include "repo/repository.h"
#include "repo/session.h"
#include "store/memory.h"

namespace lifeboat::repo {

// What a test puts in and expects back: items by name in canonical order, with their bytes.
struct TestItem {
  capture::Item item;
  Bytes content;
  capture::Cut cut = capture::Cut::by_content;
};
using TestItems = std::vector<TestItem>;

inline capture::Item file_item(const std::string& name,
                               capture::ItemKind kind = capture::ItemKind::file) {
  capture::Item item;
  item.name = name;
  item.kind = kind;
  item.file = capture::FileMetadata{};
  item.file->mode = 0644;
  return item;
}

inline Bytes random_bytes(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  SeededRandom(seed).fill(bytes);
  return bytes;
}

struct World {
  static constexpr PassphraseCost cheap{std::uint64_t{8} << 20, 1};

  explicit World(store::Store& its_store, std::uint64_t seed = 1) : store(its_store), random(seed) {
    environment.clock = &clock;
    environment.random = &random;
    environment.host = "test";
    environment.threads = 2;
    environment.memory_bytes = 16u << 20;
  }

  Result<std::unique_ptr<Repository>> create() {
    return Repository::create(op, store, {Passphrase{Secret("correct horse")}}, environment, cheap);
  }
  Result<std::unique_ptr<Repository>> open(const std::string& passphrase = "correct horse") {
    return Repository::open(op, store, Passphrase{Secret(passphrase)}, environment);
  }

  store::Store& store;
  FakeClock clock;
  SeededRandom random;
  Environment environment;
  Operation op{&clock};
};

inline Result<void> write_item(const Operation& op, capture::Sink& sink, const TestItem& it) {
  TRY_DO(sink.begin(op, it.item, it.cut));
  ByteView rest = it.content;
  for (std::size_t piece = 1; !rest.empty(); piece = piece * 7 % 300'007) {
    const ByteView some = rest.first(std::min(piece, rest.size()));
    TRY_DO(sink.write(op, some));
    rest = rest.subspan(some.size());
  }
  return sink.finish(op, it.item);
}

inline Result<Snapshot> back_up(const Operation& op, Session& session, const TestItems& items,
                                const std::string& source = "tree") {
  SnapshotDraft draft;
  draft.source = source;
  draft.source_type = "files";
  TRY(auto sink, session.snapshot(op, draft));
  for (const TestItem& it : items) TRY_DO(write_item(op, *sink, it));
  capture::Moments moments;
  moments.begin = moments.consistent_at = moments.end = op.clock->wall();
  TRY_DO(sink->commit(op, moments));
  return sink->snapshot();
}

// All of one snapshot, read in sequence.
inline Result<TestItems> read_back(const Operation& op, Repository& repository, const Id& id) {
  TRY(const auto feed, repository.feed(op, id));
  TRY(const auto cursor, feed->items(op));
  TestItems items;
  for (;;) {
    TRY(const auto item, cursor->next(op));
    if (!item) return items;
    TestItem it{*item, {}, {}};
    TRY(const auto reader, feed->open(op, *item));
    Bytes buffer(70'001);
    for (;;) {
      TRY(const std::size_t size, reader->read(op, buffer));
      if (size == 0) break;
      append(it.content, ByteView(buffer).first(size));
    }
    items.push_back(std::move(it));
  }
}

inline bool same_content(const TestItems& a, const TestItems& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i].item.name != b[i].item.name || a[i].content != b[i].content) return false;
  }
  return true;
}

// One item of each kind, in canonical order.
inline TestItems every_kind() {
  using capture::ItemKind;
  TestItems items;
  items.push_back({file_item("a", ItemKind::directory), {}, {}});
  items.push_back({file_item("a/empty"), {}, {}});
  items.push_back({file_item("a/large"), random_bytes(9'000'000, 2), {}});
  items.push_back({file_item("a/link", ItemKind::symlink), {}, {}});
  items.back().item.file->link_target = "../b";
  items.push_back({file_item("a/medium"), random_bytes(100'000, 3), {}});
  items.push_back({file_item("a/\xff\xfe"), to_bytes("bytes, not text"), {}});
  items.push_back({file_item("a.b"), to_bytes("small"), {}});
  items.back().item.file->mtime = {-5'000'000'000, 999'999'999};
  items.back().item.file->xattrs = {{"user.x", std::string("\0v", 2)}, {"security.y", ""}};
  items.push_back({file_item("b", ItemKind::hard_link), {}, {}});
  items.back().item.file->link_target = "a/large";
  items.push_back({file_item("c", ItemKind::fifo), {}, {}});
  items.push_back({file_item("d", ItemKind::char_device), {}, {}});
  items.back().item.file->rdev = 0x1234567;
  items.push_back({file_item("image"), random_bytes(1'000'000, 4), capture::Cut::fixed});
  items.push_back({file_item("table", ItemKind::stream), to_bytes("1\t2\n"), {}});
  items.back().item.file.reset();
  items.back().item.facts = {{"rows", "1"}};
  items.back().item.changed_while_read = true;
  return items;
}

// The value of a Result; a failure of the test, and its end, when there is none.
template <class T>
T value(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().what);
  return *std::move(result);
}
template <class T>
void works(const Result<T>& result) {
  if (!result) throw std::runtime_error(result.error().what);
}

// A test with a repository and an open session.
class RepositoryTest : public testing::Test {
 protected:
  store::MemoryStore store_;
  World world_{store_};
  std::unique_ptr<Repository> repository_ = value(world_.create());
  std::unique_ptr<Session> session_ = value(repository_->open_session(world_.op));

  std::uint64_t stored_bytes() const {
    std::uint64_t sum = 0;
    for (const auto& [name, bytes] : store_.objects()) sum += bytes.size();
    return sum;
  }
  std::unique_ptr<SnapshotSink> sink(const std::string& source = "tree") {
    SnapshotDraft draft;
    draft.source = source;
    draft.source_type = "files";
    return value(session_->snapshot(world_.op, draft));
  }
};

}  // namespace lifeboat::repo
