// seed-corpus DIRECTORY - Writes the binary seeds of the fuzz targets: DIRECTORY/NAME/SEED.
//
// A deliberate act, when a format grows: `ninja seed-corpus && build/.../seed-corpus
// tests/fuzz/corpus`. Seeds are small and few; none has the property that the planted bugs wait
// for. Time and randomness are fixed: a second run writes the same bytes.
#include <filesystem>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "crypt/age.h"
#include "crypt/bech32.h"
#include "journal/segment.h"
#include "repo/index.h"
#include "repo/key_objects.h"
#include "repo/padme.h"
#include "repo/tree.h"
#include "run/events.h"
#include "tests/fuzz/signed_by_root.h"

namespace lifeboat::fuzz {
namespace {

std::filesystem::path corpus;

void seed(const std::string& target, const std::string& name, ByteView bytes) {
  std::filesystem::create_directories(corpus / target);
  std::ofstream file(corpus / target / name, std::ios::binary);
  file << as_text(bytes);
  file.close();
  if (!file) throw std::runtime_error("cannot write " + (corpus / target / name).string());
}

Id id(std::uint8_t first) {
  Id made;
  made.bytes.fill(first);
  return made;
}

void wire() {
  repo::Writer flat;
  flat.uint(1, 300);
  flat.sint(2, -5);
  flat.flag(3, true);
  flat.text(4, "bytes");
  flat.text(5, "text");
  flat.id(6, id(6));
  flat.map(8, {{"key", "value"}});
  seed("wire", "flat", flat.view());
  repo::Writer nested;
  nested.uint(1, 1);
  nested.message(7, flat.view());
  seed("wire", "nested", nested.view());
  seed("envelope", "message", repo::pad(to_bytes("\x01\x01\x05\x02\x01\x07")));
  seed("envelope", "none", repo::pad({}));
}

void packs() {
  repo::PackDirectory directory{id(1), id(2), id(3), 4, 1, {}};
  directory.entries = {{id(5), repo::BlobType::data, repo::Codec::zstd, 100, 60},
                       {Id{}, repo::BlobType::filler, repo::Codec::none, 10, 26}};
  seed("directory", "data", encode(directory));
  directory.stream = 2;
  directory.entries.insert(directory.entries.begin() + 1,
                           {id(6), repo::BlobType::tree, repo::Codec::none, 44, 60});
  seed("directory", "tree", encode(directory));
  seed("directory", "footer", encode(repo::PackFooter{}));
  repo::IndexSegment segment{id(1), id(2), id(3), 7, {}, {}, {}};
  seed("index", "empty", encode(segment));
  segment.sessions = {{id(3), {}}};
  segment.packs = {{id(8), 4096, 300, {}, 0}};
  segment.entries = {{directory.entries[0], 0, 8}, {directory.entries[1], 0, 68}};
  seed("index", "two-blobs", encode(segment));
}

repo::SnapshotDraft draft() {
  return {repo::SnapshotKind::source, "orders", "postgres", "run-1", {{"version", "15"}}};
}

capture::Moments moments() {
  capture::Moments made;
  made.begin = made.consistent_at = made.end = WallTime{1'700'000'000'000'000'000};
  made.position = "0/16B3748";
  made.remarks = {"one remark"};
  made.facts = {{"fact", "1"}};
  return made;
}

repo::LogRecord record(repo::LogBody body) {
  repo::LogRecord made;
  made.slot = 3;
  made.previous = id(1);
  made.writer = id(2);
  made.session = id(3);
  made.sequence = 2;
  made.time = WallTime{1'700'000'000'000'000'000};
  made.body = std::move(body);
  return made;
}

void log() {
  seed("log", "open", encode(record(repo::SessionOpen{id(4), "host", "lifeboat 0.1"})));
  seed("log", "close", encode(record(repo::SessionClose{id(4)})));
  seed("log", "run", encode(record(repo::RunAnnounced{{"run-1", 3, {}, "lost"}})));
  seed("log", "forget", encode(record(repo::Forget{id(5), "kept 30 days"})));
  seed("log", "later", encode(record(repo::Optional{64})));
  repo::SnapshotCommit commit;
  commit.snapshot.id = id(6);
  commit.snapshot.about = draft();
  commit.snapshot.moments = moments();
  commit.snapshot.host = "host";
  commit.snapshot.clock_offset_ns = -3;
  commit.snapshot.items = 2;
  commit.snapshot.previous = id(7);
  commit.index_segments = 1;
  seed("log", "snapshot", encode(record(commit)));
  repo::PointCommit point;
  point.point.id = id(8);
  point.point.about.members = {{"orders", id(6), "", false}, {"broker", {}, "no answer", false}};
  point.point.about.groups = {{"shop",
                               {"orders", "broker"},
                               std::chrono::nanoseconds(5),
                               std::chrono::seconds(2),
                               true,
                               ""}};
  point.point.about.bundle = id(9);
  point.point.earliest = point.point.latest = WallTime{1};
  seed("log", "point", encode(record(point)));
}

repo::StoredItem item(const std::string& name, capture::ItemKind kind) {
  repo::StoredItem made;
  made.item.name = name;
  made.item.kind = kind;
  if (kind == capture::ItemKind::stream) return made;
  made.item.file = capture::FileMetadata{};
  made.item.file->mode = 0644;
  made.item.file->mtime = {-5, 999'999'999};
  return made;
}

void snapshots() {
  repo::SnapshotRoot root;
  root.about = draft();
  root.moments = moments();
  root.items = 2;
  root.ids = {id(1), id(2)};
  seed("snapshot", "root", encode(root));
  repo::TreeWriter tree;
  tree.add(encode(item("a", capture::ItemKind::directory)));
  repo::StoredItem file = item("a/file", capture::ItemKind::file);
  file.item.size_bytes = 9;
  file.item.file->xattrs = {{"user.x", "v"}};
  file.content = {{id(4), 1, 9}};
  tree.add(encode(file));
  repo::StoredItem table = item("table", capture::ItemKind::stream);
  table.item.facts = {{"rows", "1"}};
  table.lists = {id(5)};
  tree.add(encode(table));
  seed("snapshot", "tree", tree.take());
  seed("snapshot", "content", repo::encode_content({{id(4), 1, 9}, {{}, 0, 65'536}}));
}

void config() {
  repo::Config made;
  made.repository = repository_id;
  made.created = WallTime{1'700'000'000'000'000'000};
  made.data_public_key = root_keys().data.public_key;
  made.root_verify_key = root_keys().root.verify_key;
  made.writers = {certify(root_keys())};
  const Bytes object = encode_config(made, root_keys().root);
  const ByteView message = ByteView(object).subspan(repo::header_bytes);
  seed("config", "config", message.first(message.size() - repo::signature_bytes));
}

void keys() {
  SeededRandom random(1);
  const auto identity = crypt::age::new_identity(random);
  const auto message = [&](const repo::NewKey& key, const std::string& name) {
    const repo::PassphraseCost cheap{8u << 10, 1};
    const auto object =
        make_key_object(root_keys(), crypt::Key(), {key, 0, "by hand", WallTime{5}, cheap}, random);
    if (!object) throw std::runtime_error(object.error().what);
    const ByteView inside = ByteView(*object).subspan(repo::header_bytes);
    seed("key", name, inside.first(inside.size() - repo::signature_bytes));
  };
  message(repo::Passphrase{Secret("a passphrase")}, "passphrase");
  message(repo::AgeRecipient{identity.recipient}, "age");
  seed("age", "identity", as_bytes(identity.identity.reveal()));
  seed("age", "recipient", as_bytes(identity.recipient));
  const auto other = crypt::age::new_identity(random);
  seed("age", "ours", *crypt::age::wrap({identity.recipient}, as_bytes("plain"), random));
  seed("age", "of-two", *crypt::age::wrap({other.recipient, other.recipient}, {}, random));
  seed("bech32", "identity", as_bytes(identity.identity.reveal()));
  seed("bech32", "recipient", as_bytes(identity.recipient));
  seed("bech32", "short", as_bytes(crypt::bech32_encode("x", as_bytes("ab"))));
}

void journal() {
  run::Pins pins;
  pins.run = "run-1";
  pins.plan.name = "lost";
  pins.inputs = pins.sources = Value::Map{};
  pins.point.snapshots = {{"orders", id(1).hex()}};
  for (const char* name : {"db", "app"}) {
    plan::StepNode step;
    step.name = name;
    step.type = "exec";
    step.config.set("run", "true");
    step.timeout = std::chrono::minutes(1);
    step.outputs["url"] = shape::string();
    pins.plan.steps.push_back(step);
  }
  pins.plan.steps[1].after = {"db"};
  const journal::Driver driver{"a", "host", 1, "boot"};
  journal::Segment segment{"run-1", 1, {}, driver, {run::event::run_begin(pins, driver)}};
  seed("journal", "begin", journal::encode(segment));
  const auto add = [&](journal::Event event) { segment.events.push_back(std::move(event)); };
  const Error error{Error::Kind::unavailable, "no answer", "wait", Error::Code::general};
  add(run::event::driver_joined(driver, ""));
  add(run::event::started("db", 1));
  add(run::event::retry("db", error, std::chrono::seconds(1)));
  add(run::event::intent("db", 1));
  add(run::event::done("db", {}, Value(), std::chrono::seconds(2)));
  add(run::event::failed("app", error, {}, std::chrono::seconds(1)));
  add(run::event::secret_kept("db", "password", "handle-1"));
  add(run::event::run_remark("a remark"));
  add(run::event::driver_joined(driver, "silent"));
  add(run::event::awaits("app"));
  add(run::event::skipped("app", "db"));
  add(run::event::run_end({"done", {}, WallTime{9}}));
  segment.previous = id(7);
  seed("journal", "whole", journal::encode(segment));
}

}  // namespace
}  // namespace lifeboat::fuzz

int main(int count, char** words) {
  if (count != 2) {
    std::cerr << "usage: seed-corpus DIRECTORY\n";
    return 2;
  }
  using namespace lifeboat::fuzz;
  corpus = words[1];
  wire();
  packs();
  log();
  snapshots();
  config();
  keys();
  journal();
  return 0;
}
