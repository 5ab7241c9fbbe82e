// journal/fake_repository.h - A repository that only seals: enough for journals and runs in tests.
//
// What is sealed is bound to kind, name and repository as the real one binds it, and anything
// altered, cut or moved is refused; sizes and signatures of records are not imitated. Runs are
// announced in memory. Everything about snapshots, points and keys answers `invalid`.
//
// Threads: all methods from any thread.  Ownership: store and environment outlive it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "repo/repository.h"
#include "repo/session.h"

namespace lifeboat::journal {

class FakeRepository final : public repo::Repository {
 public:
  // Equal `id`s open each other's objects: reopen by making another one over the same store.
  FakeRepository(store::Store& store, repo::Environment environment, std::string id = "fake");

  std::string id() const override { return id_; }
  store::Store& store() const override { return store_; }
  const repo::Environment& environment() const override { return environment_; }
  Result<repo::Head> refresh(const Operation& op) override;
  repo::Head head() const override { return {}; }
  std::vector<repo::Snapshot> snapshots() const override { return {}; }
  std::vector<repo::Point> points() const override { return {}; }
  std::vector<repo::RunRecord> runs() const override;
  Result<std::unique_ptr<repo::Session>> open_session(const Operation& op) override;
  Result<std::shared_ptr<capture::Feed>> feed(const Operation& op, const Id& snapshot) override;
  Result<std::vector<repo::KeyRecord>> keys(const Operation& op) override;
  Result<repo::KeyRecord> add_key(const Operation& op, const repo::NewKey& key,
                                  const std::string& label, repo::PassphraseCost cost) override;
  Result<void> remove_key(const Operation& op, unsigned slot) override;
  Result<Bytes> seal(std::string_view kind, std::string_view name, ByteView plain) override;
  Result<Bytes> unseal(std::string_view kind, std::string_view name, ByteView sealed) override;
  // With keys that follow from the id: certified as the real ones are.
  crypt::Signature sign(std::string_view context, ByteView message) override;
  repo::Signer signer() const override;

  repo::RunRecord announced(repo::RunRecord run);  // by its sessions; answers it with its slot

 private:
  Bytes associated(std::string_view kind, std::string_view name) const;

  store::Store& store_;
  const repo::Environment environment_;
  const std::string id_;
  mutable Mutex mutex_;
  std::vector<repo::RunRecord> runs_ GUARDED_BY(mutex_);
};

}  // namespace lifeboat::journal
