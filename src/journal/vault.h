// journal/vault.h - The secrets of one run, under a key of the run's own that can be deleted.
//
// runs/RUN/vault/key holds the random vault key, sealed for holders of a repository key; entries
// runs/RUN/vault/<n> hold one secret each, under the vault key and then sealed as well. Without the
// key object no entry can be opened by anyone.
//
// Threads: all methods from any thread; destroy() when nothing else runs.
// Source: docs/format.md, "Runs".
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "base/mutex.h"
#include "base/secret.h"
#include "crypt/crypt.h"
#include "repo/repository.h"

namespace lifeboat::journal {

class Vault {
 public:
  using Stored = std::function<void(const std::string& object)>;

  Vault(repo::Repository& repository, const std::string& run, Stored stored);
  // Durable when it answers a handle.
  Result<std::string> put(const Operation& op, const std::string& name, const Secret& value);
  // Errors: not_found (no such handle, or the vault was destroyed); corrupt.
  Result<Secret> get(const Operation& op, const std::string& handle);
  Result<void> destroy(const Operation& op);

 private:
  Result<crypt::Key> key(const Operation& op, bool create);
  Result<crypt::Key> read_key(const Operation& op);
  Result<std::uint64_t> take_number(const Operation& op);
  Result<Bytes> seal_entry(const crypt::Key& key, const std::string& object,
                           const std::string& name, const Secret& value);

  repo::Repository& repository_;
  const std::string prefix_;  // runs/RUN/vault/
  const Stored stored_;
  Mutex mutex_;
  std::optional<crypt::Key> key_ GUARDED_BY(mutex_);
  std::optional<std::uint64_t> next_ GUARDED_BY(mutex_);
};

}  // namespace lifeboat::journal
