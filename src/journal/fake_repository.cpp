#include "journal/fake_repository.h"

#include "crypt/crypt.h"
#include "repo/keys.h"

namespace lifeboat::journal {
namespace {

auto not_here(std::string_view what) {
  return fail(Error::Kind::invalid, "a FakeRepository has no " + std::string(what));
}

class FakeSession final : public repo::Session {
 public:
  explicit FakeSession(FakeRepository& repository) : repository_(repository) {}
  Result<std::unique_ptr<repo::SnapshotSink>> snapshot(const Operation&,
                                                       const repo::SnapshotDraft&) override {
    return not_here("snapshots");
  }
  Result<repo::Point> commit_point(const Operation&, const repo::PointDraft&) override {
    return not_here("points");
  }
  Result<repo::RunRecord> announce_run(const Operation& op, const std::string& run,
                                       const std::string& plan) override {
    return repository_.announced({run, 0, op.clock->wall(), plan});
  }
  Result<void> forget_kept(const Operation&, const Id&) override { return not_here("snapshots"); }
  Result<void> close(const Operation&) override { return {}; }

 private:
  FakeRepository& repository_;
};

// A tree whose root secret is the hash of the name: known to everybody.
repo::KeyTree tree_of(const std::string& id) {
  repo::RepositoryId number{};
  const Id hash = crypt::sha256(as_bytes(id));
  std::copy_n(hash.bytes.begin(), number.size(), number.begin());
  return repo::KeyTree::derive(crypt::Key(hash.bytes), number);
}

}  // namespace

FakeRepository::FakeRepository(store::Store& store, repo::Environment environment, std::string id)
    : store_(store), environment_(std::move(environment)), id_(std::move(id)) {}

Result<repo::Head> FakeRepository::refresh(const Operation&) {
  MutexLock lock(mutex_);
  return repo::Head{runs_.size(), {}, {}, false};
}

std::vector<repo::RunRecord> FakeRepository::runs() const {
  MutexLock lock(mutex_);
  return runs_;
}

repo::RunRecord FakeRepository::announced(repo::RunRecord run) {
  MutexLock lock(mutex_);
  run.slot = runs_.size();
  runs_.push_back(run);
  return run;
}

Result<std::unique_ptr<repo::Session>> FakeRepository::open_session(const Operation&) {
  return std::unique_ptr<repo::Session>(std::make_unique<FakeSession>(*this));
}

Result<std::shared_ptr<capture::Feed>> FakeRepository::feed(const Operation&, const Id&) {
  return not_here("snapshots");
}
Result<std::vector<repo::KeyRecord>> FakeRepository::keys(const Operation&) {
  return not_here("keys");
}
Result<repo::KeyRecord> FakeRepository::add_key(const Operation&, const repo::NewKey&,
                                                const std::string&, repo::PassphraseCost) {
  return not_here("keys");
}
Result<void> FakeRepository::remove_key(const Operation&, unsigned) { return not_here("keys"); }

Bytes FakeRepository::associated(std::string_view kind, std::string_view name) const {
  return to_bytes(id_ + '\n' + std::string(kind) + '\n' + std::string(name));
}

// The key is known to everybody: this double hides nothing, it only proves.
Result<Bytes> FakeRepository::seal(std::string_view kind, std::string_view name, ByteView plain) {
  const auto nonce = environment_.random->array<12>();
  Bytes sealed(nonce.begin(), nonce.end());
  append(sealed, crypt::seal(crypt::Key(), nonce, associated(kind, name), plain));
  return sealed;
}

Result<Bytes> FakeRepository::unseal(std::string_view kind, std::string_view name,
                                     ByteView sealed) {
  crypt::Nonce nonce;
  if (sealed.size() < nonce.size()) {
    return fail(Error::Kind::corrupt, std::string(name) + ": too short");
  }
  std::copy_n(sealed.begin(), nonce.size(), nonce.begin());
  auto plain =
      crypt::open(crypt::Key(), nonce, associated(kind, name), sealed.subspan(nonce.size()));
  if (!plain) return wrap(plain.error(), name);
  return plain;
}

crypt::Signature FakeRepository::sign(std::string_view context, ByteView message) {
  return crypt::sign(tree_of(id_).writer, context, message);
}

repo::Signer FakeRepository::signer() const {
  const repo::KeyTree keys = tree_of(id_);
  return {keys.repository, keys.writer.verify_key, keys.root.verify_key,
          repo::encode(repo::certify(keys))};
}

}  // namespace lifeboat::journal
