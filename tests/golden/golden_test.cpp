// Every build reads the golden repositories of every version: by passphrase and by age identity,
// each item to its last byte.
#include <filesystem>
#include <fstream>
#include <sstream>

#include "crypt/crypt.h"
#include "repo/test_world.h"
#include "store/directory.h"
#include "test_places.h"

namespace lifeboat::repo {
namespace {

const std::filesystem::path folder = LIFEBOAT_SOURCE_DIR "/tests/golden/v1";

std::string text_of(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

class Golden : public testing::Test {
 protected:
  FakeClock clock_;
  SeededRandom random_{1};
  const Operation op_{&clock_};
  std::unique_ptr<store::Store> store_ =
      value(store::open_directory(folder / "repository", false, clock_));

  std::unique_ptr<Repository> open(const Unlock& unlock) {
    Environment environment;
    environment.clock = &clock_;
    environment.random = &random_;
    environment.host = "test";
    auto repository = value(Repository::open(op_, *store_, unlock, environment));
    works(repository->refresh(op_));
    return repository;
  }
  Unlock passphrase() const {
    std::string text = text_of(folder / "passphrase.txt");
    text.pop_back();
    return Passphrase{Secret(text)};
  }
  Unlock identity() const { return Identity{Secret(text_of(folder / "identity.txt"))}; }

  // As tests/golden/make.cpp writes expected.txt.
  std::string listing(Repository& repository) {
    std::ostringstream out;
    for (const Snapshot& snapshot : repository.snapshots()) {
      out << "snapshot " << snapshot.id.hex() << ' ' << static_cast<int>(snapshot.about.kind) << ' '
          << snapshot.about.source << '\n';
      const auto feed = value(repository.feed(op_, snapshot.id));
      const auto cursor = value(feed->items(op_));
      while (const auto item = value(cursor->next(op_))) {
        crypt::Sha256 hash;
        const auto reader = value(feed->open(op_, *item));
        Bytes buffer(1u << 20);
        while (const std::size_t size = value(reader->read(op_, buffer))) {
          hash.add(ByteView(buffer).first(size));
        }
        out << "item " << to_hex(as_bytes(item->name)) << ' ' << static_cast<int>(item->kind) << ' '
            << item->size_bytes << ' ' << hash.finish().hex() << '\n';
      }
    }
    for (const Point& point : repository.points()) {
      out << "point " << point.id.hex() << ' ' << point.about.members.size() << '\n';
    }
    for (const RunRecord& run : repository.runs())
      out << "run " << run.run << ' ' << run.plan << '\n';
    return out.str();
  }
};

TEST_F(Golden, Version1IsReadByPassphraseToTheLastByte) {
  EXPECT_EQ(listing(*open(passphrase())), text_of(folder / "expected.txt"));
}

TEST_F(Golden, Version1IsReadByAgeIdentityToo) {
  EXPECT_EQ(listing(*open(identity())), text_of(folder / "expected.txt"));
}

TEST_F(Golden, Version1ChecksCleanAndItsSealedRecordOpens) {
  const auto repository = open(identity());
  const CheckReport report = value(check(op_, *repository, {true, {}}));
  EXPECT_TRUE(report.broken.empty());
  const std::string name = "runs/run-1/golden";
  const Bytes sealed = value(store_->get(op_, name));
  EXPECT_EQ(value(repository->unseal("golden", name, sealed)), to_bytes("sealed text"));
}

TEST_F(Golden, Version1KeepsItsMetadata) {
  const auto repository = open(identity());
  const std::vector<Snapshot> snapshots = repository->snapshots();
  ASSERT_EQ(snapshots.size(), 3u);
  const Snapshot& second = snapshots[1];
  EXPECT_EQ(second.host, "golden-host");
  EXPECT_EQ(second.moments.position, "0/16B3748");
  EXPECT_EQ(second.moments.remarks.size(), 1u);
  EXPECT_EQ(second.previous, repository->snapshots()[0].id);
  const auto feed = value(repository->feed(op_, second.id));
  const capture::Item small = value(feed->find(op_, "small"));
  ASSERT_TRUE(small.file.has_value());
  EXPECT_EQ(small.file->mtime.seconds, -1'000'000'000);
  EXPECT_EQ(small.file->xattrs.at("user.golden"), std::string("\0\1", 2));
  EXPECT_EQ(value(feed->find(op_, "table")).facts.at("rows"), "2");
  EXPECT_EQ(value(feed->find(op_, "hard")).file->link_target, "folder/medium");
}

}  // namespace
}  // namespace lifeboat::repo
