// golden-make DIRECTORY - Writes a golden repository of the format's present version.
//
// A deliberate act, once a version: `ninja golden-make && build/.../golden-make tests/golden/vN`.
// What is written is committed and never edited; every later build must read it. Time and
// randomness are fixed, so that a second run tells what a change of code changes in the format.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "base/fake_clock.h"
#include "crypt/age.h"
#include "crypt/crypt.h"
#include "repo/repository.h"
#include "repo/session.h"
#include "store/directory.h"

namespace lifeboat::repo {
namespace {

constexpr char passphrase[] = "golden passphrase";

template <class T>
T value(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().what);
  return *std::move(result);
}
void works(const Result<void>& result) {
  if (!result) throw std::runtime_error(result.error().what);
}

struct GoldenItem {
  capture::Item item;
  Bytes content;
  capture::Cut cut = capture::Cut::by_content;
  std::uint64_t hole_bytes = 0;  // after the content
};

GoldenItem of_kind(const std::string& name, capture::ItemKind kind) {
  GoldenItem it;
  it.item.name = name;
  it.item.kind = kind;
  if (kind == capture::ItemKind::stream) return it;
  it.item.file = capture::FileMetadata{};
  it.item.file->mode = kind == capture::ItemKind::directory ? 0755 : 0640;
  it.item.file->uid = 1000;
  it.item.file->gid = 1001;
  it.item.file->user = "golden";
  it.item.file->mtime = {-1'000'000'000, 5};
  it.item.file->ctime = {1'700'000'000, 999'999'999};
  it.item.file->device = 0xfd00;
  it.item.file->inode = 12'345;
  return it;
}

Bytes pattern(std::size_t size, std::uint64_t seed) {
  Bytes bytes(size);
  SeededRandom(seed).fill(bytes);
  return bytes;
}

std::vector<GoldenItem> golden_items(int generation) {
  using capture::ItemKind;
  std::vector<GoldenItem> items;
  items.push_back(of_kind("folder", ItemKind::directory));
  items.push_back(of_kind("folder/device", ItemKind::char_device));
  items.back().item.file->rdev = 0x0501;
  items.push_back(of_kind("folder/empty", ItemKind::file));
  items.push_back(of_kind("folder/fifo", ItemKind::fifo));
  items.push_back(of_kind("folder/image", ItemKind::file));
  items.back().content = pattern(96u << 10, 1);
  items.back().content.resize(400u << 10);  // zeros that become holes
  items.back().cut = capture::Cut::fixed;
  items.push_back(of_kind("folder/link", ItemKind::symlink));
  items.back().item.file->link_target = "../small";
  items.push_back(of_kind("folder/medium", ItemKind::file));
  items.back().content = pattern(100'000, 2);
  items.push_back(of_kind("folder/name-\xff\x01", ItemKind::file));
  items.back().content = to_bytes("a name that is not text\n");
  items.push_back(of_kind("folder.next", ItemKind::file));
  items.back().content = Bytes(200'000, 'z');
  items.push_back(of_kind("hard", ItemKind::hard_link));
  items.back().item.file->link_target = "folder/medium";
  items.push_back(of_kind("small", ItemKind::file));
  items.back().content = to_bytes("generation " + std::to_string(generation) + "\n");
  items.back().item.file->xattrs = {{"user.golden", std::string("\0\1", 2)}};
  items.push_back(of_kind("sparse", ItemKind::file));
  items.back().content = to_bytes("head");
  items.back().hole_bytes = 8u << 20;
  items.push_back(of_kind("table", ItemKind::stream));
  items.back().content = to_bytes("1\tone\n2\ttwo\n");
  items.back().item.facts = {{"checksum", "abc"}, {"rows", "2"}};
  items.back().item.changed_while_read = true;
  return items;
}

Snapshot capture_items(const Operation& op, Session& session, const SnapshotDraft& draft,
                       int generation) {
  const auto sink = value(session.snapshot(op, draft));
  for (const GoldenItem& it : golden_items(generation)) {
    const auto known = value(sink->previous(op, it.item.name));
    if (known && it.item.name != "small") {
      works(sink->unchanged(op, it.item));
      continue;
    }
    works(sink->begin(op, it.item, it.cut));
    if (!it.content.empty()) works(sink->write(op, it.content));
    if (it.hole_bytes > 0) works(sink->hole(op, it.hole_bytes));
    works(sink->finish(op, it.item));
  }
  capture::Moments moments;
  moments.begin = moments.consistent_at = op.clock->wall();
  moments.end = {moments.begin.ns + 2'000'000'000};
  moments.position = "0/16B3748";
  moments.remarks = {"folder/socket: a socket, skipped"};
  moments.facts = {{"version", "15.6"}};
  works(sink->commit(op, moments));
  return sink->snapshot();
}

std::string hash_of(const Operation& op, capture::Feed& feed, const capture::Item& item) {
  crypt::Sha256 hash;
  const auto reader = value(feed.open(op, item));
  Bytes buffer(1u << 20);
  while (const std::size_t size = value(reader->read(op, buffer))) {
    hash.add(ByteView(buffer).first(size));
  }
  return hash.finish().hex();
}

// One line a snapshot, one an item: what readers of any language compare with.
void write_expected(const Operation& op, Repository& repository, std::ostream& out) {
  for (const Snapshot& snapshot : repository.snapshots()) {
    out << "snapshot " << snapshot.id.hex() << ' ' << static_cast<int>(snapshot.about.kind) << ' '
        << snapshot.about.source << '\n';
    const auto feed = value(repository.feed(op, snapshot.id));
    const auto cursor = value(feed->items(op));
    while (const auto item = value(cursor->next(op))) {
      out << "item " << to_hex(as_bytes(item->name)) << ' ' << static_cast<int>(item->kind) << ' '
          << item->size_bytes << ' ' << hash_of(op, *feed, *item) << '\n';
    }
  }
  for (const Point& point : repository.points()) {
    out << "point " << point.id.hex() << ' ' << point.about.members.size() << '\n';
  }
  for (const RunRecord& run : repository.runs())
    out << "run " << run.run << ' ' << run.plan << '\n';
}

void make(const std::filesystem::path& folder) {
  FakeClock clock;
  SeededRandom random(20'261'121);
  const Operation op{&clock};
  Environment environment;
  environment.clock = &clock;
  environment.random = &random;
  environment.host = "golden-host";
  environment.threads = 1;
  std::filesystem::create_directories(folder);
  const auto store = value(store::open_directory(folder / "repository", true, clock));
  const auto pair = crypt::age::new_identity(random);
  const auto repository = value(Repository::create(
      op, *store, {Passphrase{Secret(passphrase)}, AgeRecipient{pair.recipient}}, environment));
  const auto session = value(repository->open_session(op));
  PointDraft draft;
  SnapshotDraft about;
  about.source = "files";
  about.source_type = "files";
  about.facts = {{"fingerprint", "golden"}};
  for (int generation = 1; generation <= 2; ++generation) {
    clock.advance(std::chrono::hours(1));
    const Snapshot snapshot = capture_items(op, *session, about, generation);
    if (generation == 2) draft.members.push_back({"files", snapshot.id, "", false});
  }
  about.kind = SnapshotKind::bundle;
  about.source = about.source_type = "";
  draft.bundle = capture_items(op, *session, about, 3).id;
  about.kind = SnapshotKind::kept;
  about.source = "kept";
  about.run = "run-1";
  works(session->forget_kept(op, capture_items(op, *session, about, 4).id));
  draft.members.push_back({"broker", std::nullopt, "connection refused", true});
  value(session->commit_point(op, draft));
  value(session->announce_run(op, "run-1", "account-lost"));
  const std::string name = "runs/run-1/golden";
  value(store->put(op, name, value(repository->seal("golden", name, as_bytes("sealed text")))));
  works(session->close(op));

  std::ofstream expected(folder / "expected.txt");
  write_expected(op, *repository, expected);
  std::ofstream(folder / "passphrase.txt") << passphrase << '\n';
  std::ofstream(folder / "identity.txt") << "# the identity of a golden repository: no secret\n"
                                         << pair.identity.reveal() << '\n';
}

}  // namespace
}  // namespace lifeboat::repo

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: golden-make DIRECTORY\n";
    return 2;
  }
  try {
    lifeboat::repo::make(argv[1]);
  } catch (const std::exception& error) {
    std::cerr << "golden-make: " << error.what() << '\n';
    return 1;
  }
  return 0;
}
