// repo/opened.h - The Repository that open() and create() answer.
//
// Threads: as Repository.
#pragma once

#include "repo/core.h"

namespace lifeboat::repo {

class OpenedRepository final : public Repository {
 public:
  OpenedRepository(std::shared_ptr<Core> core, crypt::Key root_secret);

  std::string id() const override;
  store::Store& store() const override;
  const Environment& environment() const override;
  Result<Head> refresh(const Operation& op) override;
  Head head() const override;
  std::vector<Snapshot> snapshots() const override;
  std::vector<Point> points() const override;
  std::vector<RunRecord> runs() const override;
  Result<std::unique_ptr<Session>> open_session(const Operation& op) override;
  Result<std::shared_ptr<capture::Feed>> feed(const Operation& op, const Id& snapshot) override;
  Result<std::vector<KeyRecord>> keys(const Operation& op) override;
  Result<KeyRecord> add_key(const Operation& op, const NewKey& key, const std::string& label,
                            PassphraseCost cost) override;
  Result<void> remove_key(const Operation& op, unsigned slot) override;
  Result<Bytes> seal(std::string_view kind, std::string_view name, ByteView plain) override;
  Result<Bytes> unseal(std::string_view kind, std::string_view name, ByteView sealed) override;
  crypt::Signature sign(std::string_view context, ByteView message) override;
  Signer signer() const override;

  // For check().
  const std::shared_ptr<Core>& core() const { return core_; }

 private:
  const std::shared_ptr<Core> core_;
  const crypt::Key root_secret_;  // to wrap it for another recipient
  const crypt::Key record_key_;   // session key of sealed records
  const crypt::SealedKey sealed_record_key_;
};

}  // namespace lifeboat::repo
